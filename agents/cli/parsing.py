"""The command that shows how a prompt is understood, and writes it down for editing: parse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import (
    BaseUrlOption,
    BudgetOption,
    ConfigOption,
    DialectOption,
    InsecureHttpOption,
    JsonOption,
    ModelOption,
    PriceInOption,
    PriceOutOption,
    PromptArgument,
    examples,
)
from agents.cli.output import print_json, say, say_aside, say_block, say_facts, say_table
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from agents.records import Spec

__all__ = ["register"]

SHOWN = 5  # demonstrations; the file and --json hold them all
LABELS_SHOWN = 30
SPEC_FILES = (".json", ".toml")


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt parse prompt.md", "smelt parse prompt.md --out spec.toml"))(parse)


def parse(
    prompt: PromptArgument,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as .json or .toml, to be edited and given to smelt run."),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every demonstration.")] = False,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    dialect: DialectOption = None,
    insecure_http: InsecureHttpOption = None,
    budget: BudgetOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show how a prompt is understood. Without a model nothing is asked; with one, only what the prompt leaves open.

    What it answers is kept in the user's cache: the same command again pays for nothing twice.
    """
    from agents.cli.prompt_files import read_prompt
    from agents.parsing.specs import table_of, write_spec

    _check_out(out)
    text = read_prompt(prompt).text
    flags = {
        "model": model, "base_url": base_url, "dialect": dialect, "insecure_http": insecure_http, "budget": budget,
        "price_in": price_in, "price_out": price_out, "train": False,
    }  # fmt: skip
    spec = _understood(text, flags=flags, config=config)
    if out is not None:
        write_spec(out, spec)
    if json:
        print_json(table_of(spec))
        return
    _show(spec, most=len(spec.demonstrations) if show_all else SHOWN)
    if out is not None:
        say(f"written to {out}: edit it, and then: smelt run {out}")


def _check_out(out: Path | None) -> None:
    from engine.errors import UserError

    if out is not None and out.suffix.casefold() not in SPEC_FILES:
        raise UserError(f"--out {out}: name a file that ends in {' or '.join(SPEC_FILES)}")
    if out is not None and out.exists():
        raise UserError(f"--out {out}: is there already, perhaps edited; name another file or take it away")


def _understood(text: str, *, flags: Mapping[str, object], config: Path | None) -> Spec:
    """The spec, with the help of a model where one is named and the text leaves something open."""
    from agents.parsing.parse import parse as parse_prompt
    from agents.parsing.parse import wants_teacher

    spec = parse_prompt(text)
    if flags["model"] is None:
        return spec
    if not wants_teacher(spec, text):
        say_aside("the model is not asked: the prompt leaves nothing open that it could answer")
        return spec
    import asyncio

    from agents.config_file import resolve
    from agents.models import open_alone
    from agents.parsing.parse import parse_with_teacher
    from agents.prepare import prepare

    settled = prepare(resolve(file=config, flags=flags), prompt=text, note=say_aside)

    async def asked() -> Spec:
        async with open_alone(settled, about=f"parse\n{text}") as engine:
            return await parse_with_teacher(engine, text)

    with under_way(f"asking {settled.model} what the prompt leaves open"):
        return asyncio.run(asked())


def _show(spec: Spec, *, most: int) -> None:
    say_block("instruction:", spec.instruction)
    say_facts(_facts(spec))
    for doubt in spec.doubts:
        say(f"unsure: {doubt.about}: {doubt.why}")
    shown = spec.demonstrations[:most]
    say_table("demonstrations", [{"input": pair.input, "output": pair.output} for pair in shown])
    if len(shown) < len(spec.demonstrations):
        say(f"and {len(spec.demonstrations) - len(shown):,} more (--all shows them)")


def _facts(spec: Spec) -> dict[str, str]:
    """What was derived from a prompt, as far as there is something to say."""
    import orjson

    facts = {
        "answers": _answers(spec),
        "nothing to find": spec.empty_answer,
        "output pattern": spec.output_pattern,
        "output schema": None if spec.output_schema is None else orjson.dumps(spec.output_schema).decode(),
        "input fields": ", ".join(spec.fields) or None,
        "language": spec.language + (f", answers in {spec.output_language}" if spec.output_language else ""),
        "extractive": "yes: answers stand in their inputs word for word" if spec.extractive else "no",
        "demonstrations": f"{len(spec.demonstrations):,}",
        "layout": f"{spec.layout} (confidence {spec.confidence:.2f})",
    }
    return {name: value for name, value in facts.items() if value is not None}


def _answers(spec: Spec) -> str:
    if not spec.labels:
        return {"labels": "several labels at once", "json": "JSON", "date": "dates or times"}.get(spec.form, spec.form)
    more = f" and {len(spec.labels) - LABELS_SHOWN} more" if len(spec.labels) > LABELS_SHOWN else ""
    return f"one of {len(spec.labels)} labels: {', '.join(spec.labels[:LABELS_SHOWN])}{more}"
