"""The commands that find what exists already: models, datasets. They rank, say why, and download nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli.options import (
    BaseUrlOption,
    BudgetOption,
    ConfigOption,
    JsonOption,
    ModelOption,
    PriceInOption,
    PriceOutOption,
    examples,
)
from agents.cli.output import print_json, say, say_aside, say_table
from agents.cli.progress import may_move, under_way

if TYPE_CHECKING:
    from agents.finding.choose import Ranking
    from agents.finding.describe import Thing
    from agents.records import Spec
    from engine.encoder import Encoder
    from engine.retrieval import Catalogue, DatasetCard, ModelCard
    from engine.retrieval.hub import Hub
    from engine.retrieval.refresh import Refreshed

__all__ = ["register"]

SHOWN_SKIPPED = 5  # lines of a catalogue that are no cards

PromptOrNone = Annotated[
    str | None, typer.Argument(metavar="PROMPT", help="A file that holds the prompt, or - for standard input.")
]
RefreshOption = Annotated[
    bool, typer.Option("--refresh", help="First build the large catalogue from the hub, or renew what has changed.")
]
PerTaskOption = Annotated[
    int, typer.Option(min=1, metavar="N", help="With --refresh: how many a task, the most downloaded first.")
]
TopOption = Annotated[int, typer.Option(min=1, help="How many to show.")]
LicenceOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only under this licence; may be repeated.")
]
LanguageOption = Annotated[
    str | None, typer.Option(metavar="CODE", help="The language it must know (the prompt's own), or any.")
]
HypothesesOption = Annotated[
    int, typer.Option(min=1, max=9, help="With --model: how many descriptions are searched with, and averaged.")
]
EncoderOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="A sentence encoder on this machine: search by meaning too.")
]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt models prompt.md", "smelt models --refresh"))(models)
    app.command(epilog=examples("smelt datasets prompt.md --catalogue my-tables/", "smelt datasets --refresh"))(
        datasets
    )


def models(
    prompt: PromptOrNone = None,
    top: TopOption = 10,
    catalogue: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own catalogue: JSONL, one card a line.")
    ] = None,
    refresh: RefreshOption = False,
    per_task: PerTaskOption = 500,
    max_gb: Annotated[float, typer.Option(min=0.0, metavar="GB", help="The largest weights that will do.")] = 3.0,
    licence: LicenceOption = None,
    language: LanguageOption = None,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    budget: BudgetOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    hypotheses: HypothesesOption = 1,
    encoder: EncoderOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Rank the base models that could be tuned for a prompt. With scores and reasons; nothing is downloaded.

    What a teacher answers is kept in the user's cache: the same command again pays for nothing twice.
    """
    _refresh("models", prompt, wanted=refresh, per_task=per_task, json=json)
    if prompt is None:
        return
    from agents.finding.retrieve import Wishes, found_models, model_table
    from agents.finding.student_choice import answers_with_labels
    from engine.retrieval import load_models, machine_memory

    flags = {"model": model, "base_url": base_url, "budget": budget, "price_in": price_in, "price_out": price_out}
    queries, spec = _queries(prompt, "model", flags=flags, config=config, hypotheses=hypotheses)
    cards = load_models(catalogue)
    _tell_skipped(cards)
    wishes = Wishes(
        language=_wanted(language, spec.language), licences=tuple(licence) if licence else None,
        max_bytes=int(max_gb * 1e9), memory=machine_memory(), has_labels=answers_with_labels(spec),
    )  # fmt: skip
    with under_way("searching the catalogue"):
        ranking = found_models(queries, wishes, catalogue=cards, encoder=_encoder(encoder))
    _show(model_table(ranking, top=top), ranking, title="base models", json=json)


def datasets(
    prompt: PromptOrNone = None,
    top: TopOption = 10,
    catalogue: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Your own: JSONL, one card a line, or a folder of tables."),
    ] = None,
    refresh: RefreshOption = False,
    per_task: PerTaskOption = 2000,
    licence: LicenceOption = None,
    language: LanguageOption = None,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    budget: BudgetOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    hypotheses: HypothesesOption = 1,
    encoder: EncoderOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Rank the data sets that could help with a prompt. With scores and reasons; nothing is downloaded.

    What a teacher answers is kept in the user's cache: the same command again pays for nothing twice.
    """
    _refresh("datasets", prompt, wanted=refresh, per_task=per_task, json=json)
    if prompt is None:
        return
    from agents.finding.retrieve import Wishes, dataset_table, found_datasets
    from engine.retrieval import load_datasets

    flags = {"model": model, "base_url": base_url, "budget": budget, "price_in": price_in, "price_out": price_out}
    queries, spec = _queries(prompt, "dataset", flags=flags, config=config, hypotheses=hypotheses)
    cards = load_datasets(catalogue)
    _tell_skipped(cards)
    wishes = Wishes(language=_wanted(language, spec.language), licences=tuple(licence) if licence else None)
    with under_way("searching the catalogue"):
        ranking = found_datasets(queries, wishes, catalogue=cards, encoder=_encoder(encoder))
    _show(dataset_table(ranking, top=top), ranking, title="data sets", json=json)


def _refresh(what: str, prompt: str | None, *, wanted: bool, per_task: int, json: bool) -> None:
    """Build the large catalogue, if that is wanted; what came of it is said where it is all that is."""
    from engine.errors import UserError

    if wanted:
        built = _refreshed(what, per_task)
        if prompt is None:
            _say_refreshed(built, json=json)
    elif prompt is None:
        raise UserError("name a prompt to search with, or --refresh to build the large catalogue")


def _encoder(folder: Path | None) -> Encoder | None:
    if folder is None:
        return None
    from engine.encoder import Encoder

    return Encoder(folder)


def _wanted(told: str | None, spoken: str) -> str | None:
    return None if told == "any" else told or spoken


def _queries(
    prompt: str, thing: Thing, *, flags: Mapping[str, object], config: Path | None, hypotheses: int
) -> tuple[Sequence[str], Spec]:
    """What is searched with, the prompt's own words or what a teacher makes of them; and the prompt as it is read."""
    from agents.cli.prompt_files import read_prompt
    from agents.finding.describe import describe, own_words
    from agents.parsing.parse import parse

    text = read_prompt(prompt).text
    spec = parse(text)
    if flags["model"] is None:
        return [own_words(spec)], spec
    import asyncio

    from agents.config_file import resolve
    from agents.models import open_alone
    from agents.prepare import prepare

    settled = prepare(resolve(file=config, flags={**flags, "train": False}), prompt=text, note=say_aside)

    async def asked() -> Sequence[str]:
        async with open_alone(settled, about=f"{thing}\n{text}") as engine:
            return await describe(engine, spec, thing=thing, note=say_aside, hypotheses=hypotheses)

    with under_way(f"asking {settled.model} to describe what ought to exist"):
        return asyncio.run(asked()), spec


def _refreshed(what: str, per_task: int) -> Refreshed:
    import asyncio

    from engine.retrieval.hub import Hub
    from engine.retrieval.refresh import refresh_datasets, refresh_models

    work: Callable[..., Coroutine[Any, Any, Refreshed]] = refresh_models if what == "models" else refresh_datasets

    async def run() -> Refreshed:
        async with Hub() as hub:
            return await work(hub, top=per_task, on_progress=_progress(hub, what))

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        goes_on = "goes on from there" if what == "models" else "begins the list anew"
        say_aside(f"stopped: what was fetched is kept, and smelt {what} --refresh {goes_on}")
        raise
    finally:
        if may_move():
            sys.stderr.write("\n")


def _progress(hub: Hub, what: str) -> Callable[[str], None]:
    """One line that is written over on a terminal; in a log only what begins anew."""
    say_aside(f"{what} of {hub.endpoint}: stop it when you like (Ctrl-C), what was fetched is kept")
    if may_move():
        return _over
    last = ""

    def begun(text: str) -> None:
        nonlocal last
        kind = text.partition(":")[0]
        if kind != last:
            last = kind
            say_aside(text)

    return begun


def _over(text: str) -> None:
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()


def _say_refreshed(built: Refreshed, *, json: bool) -> None:
    if json:
        print_json({"path": str(built.path), "cards": built.cards, "fetched": built.fetched, "failed": built.failed})
        return
    failed = f"; {built.failed:,} could not be had and are tried again next time" if built.failed else ""
    say(f"{built.cards:,} cards, {built.fetched:,} of them new or changed{failed}: {built.path}")


def _tell_skipped(catalogue: Catalogue[ModelCard] | Catalogue[DatasetCard]) -> None:
    for skipped in catalogue.skipped[:SHOWN_SKIPPED]:
        say_aside(f"left out of the catalogue: {skipped}")
    if (more := len(catalogue.skipped) - SHOWN_SKIPPED) > 0:
        say_aside(f"left out of the catalogue: {more:,} more")


def _show(
    rows: list[dict[str, str]], ranking: Ranking[ModelCard] | Ranking[DatasetCard], *, title: str, json: bool
) -> None:
    from agents.finding.retrieve import filters_told

    left_out = filters_told(ranking)
    if json:
        print_json({title.replace(" ", "_"): rows, "left_out": left_out})
        return
    say_table(title, rows)
    if left_out:
        say(f"left out: {left_out}")
