"""The commands that make data and students: run, resume, generate, annotate."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.checks import places
from agents.cli.options import (
    FLEET,
    FOUND,
    MAKING,
    OUTPUT,
    PACE,
    STUDENT,
    TEACHER,
    BaseUrlOption,
    ConcurrencyOption,
    DialectOption,
    FallbackOption,
    GpusOption,
    InsecureHttpOption,
    JsonOption,
    ModelOption,
    PlainOption,
    PriceInOption,
    PriceOutOption,
    PromptArgument,
    QuietOption,
    RayOption,
    RpmOption,
    TpmOption,
    WorkersOption,
    examples,
    taking,
)
from agents.cli.output import say_aside

if TYPE_CHECKING:
    from agents.config import Configuration, Models
    from agents.run_folder import RunFolder

__all__ = ["confirm_spending", "options_of", "register"]

RUNS = Path("runs")


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt run prompt.md --model openai/gpt-5.4-mini --budget 5",
            "smelt run prompt.md --model anthropic/claude-haiku-4-5 --budget 5 --examples 500 --test my-rows.csv",
            "smelt run prompt.md --model openai/qwen3 --base-url http://localhost:11434/v1 --price-in 0 --price-out 0",
        )
    )(run)
    app.command(
        epilog=examples(
            "smelt resume runs/dates",
            "smelt resume runs/dates --budget 10",
            "smelt resume runs/dates --model anthropic/claude-haiku-4-5",
        )
    )(resume)
    app.command(epilog=examples("smelt generate agents/demo/dates/prompt.md --model simulated/dates --examples 500"))(
        generate
    )
    app.command(
        epilog=examples(
            "smelt annotate prompt.md --inputs tickets.csv --model openai/gpt-5.4-mini --budget 5",
            "smelt export runs/prompt --format csv --out labels.csv",
        )
    )(annotate)


PROMPT = {"prompt": PromptArgument}
PROMPT_OR_RUN = {
    "prompt": Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="A file that holds the prompt, or - to read it from standard input."),
    ],
    "earlier": Annotated[
        Path | None,
        typer.Option(
            "--continue", metavar="RUN", help="Begin with the rows of an earlier run and those it served, not a prompt."
        ),
    ],
}
INPUTS = {
    "inputs": Annotated[
        str,
        typer.Option(
            "--inputs", metavar="FILE", help="Your inputs: a text with one a line, CSV, TSV, JSONL or parquet."
        ),
    ],
    "input_column": Annotated[
        str | None, typer.Option(metavar="NAME", help="The column that holds them; found by its name when not said.")
    ],
}
LABELLING = {name: MAKING[name] for name in ("votes", "judge", "seed", "instruction_language")}


@taking(PROMPT_OR_RUN, TEACHER, MAKING, FOUND, STUDENT, PACE, FLEET, OUTPUT)
def run(*, prompt: str | None, earlier: Path | None, **told: Any) -> int:
    """Turn a prompt into a data set, a student and a report."""
    from engine.errors import UserError

    if prompt is not None and earlier is None:
        return _make(prompt=prompt, **told, train=True)
    if prompt is not None:
        raise UserError("--continue goes on with the prompt of that run: leave out PROMPT, or leave out --continue")
    if earlier is None:
        raise UserError("Missing argument 'PROMPT', or --continue RUN to begin with the rows of an earlier run")
    return _continue(earlier, **told)


@taking(PROMPT, TEACHER, MAKING, FOUND, PACE, FLEET, OUTPUT)
def generate(**told: Any) -> int:
    """Make the data set only. Inputs are labelled by vote, filtered, split and written as parquet."""
    return _make(**told, train=False)


@taking(PROMPT, INPUTS, TEACHER, LABELLING, PACE, FLEET, OUTPUT)
def annotate(**told: Any) -> int:
    """Label your own inputs by vote. Rows without a label are listed, each with its reason."""
    return _make(**told, train=False)


def _make(
    *, prompt: str, config: Path | None, out: Path | None, json: bool, quiet: bool, plain: bool, yes: bool, **flags: Any
) -> int:
    """Begin a run and carry it out; `flags` are options of the run itself."""
    folder, configuration = _begin(prompt, flags=options_of(flags), config=config, out=out, yes=yes)
    return _carry_out(folder, configuration, json=json, quiet=quiet, plain=plain)


def options_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run as its configuration has them."""
    several = {name: tuple(given[name]) for name in ("datasets", "licences") if given.get(name)}
    return {**given, **dict.fromkeys(("datasets", "licences")), **several, "fallback": _models(given["fallback"])}


def _continue(
    earlier: Path,
    *,
    config: Path | None,
    out: Path | None,
    json: bool,
    quiet: bool,
    plain: bool,
    yes: bool,
    **flags: Any,
) -> int:
    """Begin a run with the rows of another one, and carry it out."""
    from agents.config_file import read_config
    from agents.prepare import prepare
    from agents.run_folder import RunFolder, free_name
    from agents.served.continuing import begun_from, continued, files_of

    before = RunFolder(earlier)
    told = (read_config(config) if config else {}) | {
        name: value for name, value in options_of(flags).items() if value not in (None, False)
    }
    inherited, prompt = continued(before, told=told), before.prompt_text()
    configuration = prepare(inherited, prompt=prompt, note=say_aside, has_begun=True)
    configuration, taken = begun_from(before, configuration)
    if not yes:
        confirm_spending([each.model for each in configuration.everyone], configuration.budget)
    folder = RunFolder(out or free_name(RUNS, before.path.resolve().name))
    folder.begin(prompt=prompt, configuration=configuration, beside=files_of(folder, before, taken))
    return _carry_out(folder, configuration, json=json, quiet=quiet, plain=plain)


def _models(names: list[str] | None) -> Models | None:
    """Models that were named by flags; None when none was."""
    from agents.config_file import models_said

    return models_said("--fallback", names) if names else None


def _begin(
    argument: str, *, flags: Mapping[str, object], config: Path | None, out: Path | None, yes: bool
) -> tuple[RunFolder, Configuration]:
    """The folder of a run that has begun, and how to go about it. Until all is in order, nothing is written."""
    from agents.cli.prompt_files import read_prompt
    from agents.config_file import resolve
    from agents.prepare import prepare
    from agents.run_folder import RunFolder, free_name

    source = read_prompt(argument)
    configuration = prepare(resolve(file=config, flags=flags), prompt=source.text, note=say_aside)
    if not yes:
        confirm_spending([each.model for each in configuration.everyone], configuration.budget)
    folder = RunFolder(out or free_name(RUNS, source.name))
    folder.begin(prompt=source.text, configuration=configuration)
    return folder, configuration


def confirm_spending(models: Sequence[str], budget: str | None) -> None:
    """Ask before real money may flow, but only a person at a terminal."""
    paid = {model.partition("/")[0]: None for model in models if not model.startswith(("simulated/", "local/"))}
    if budget is None or not paid or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    # Not typer's confirm, which writes to standard output whatever it is told.
    sys.stderr.write(f"This may spend up to {budget} USD at {' and '.join(paid)}. Go on? [Y/n] ")
    sys.stderr.flush()
    if sys.stdin.readline().casefold() not in {"\n", "y\n", "yes\n"}:
        raise typer.Exit(130)


def resume(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    budget: Annotated[str | None, typer.Option(metavar="USD", help="A new cap, for what was spent included.")] = None,
    model: ModelOption = None,
    fallback: FallbackOption = None,
    base_url: BaseUrlOption = None,
    dialect: DialectOption = None,
    insecure_http: InsecureHttpOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    ray: RayOption = None,
    workers: WorkersOption = None,
    gpus: GpusOption = None,
    reparse: Annotated[
        bool, typer.Option("--reparse", help="Only read the stored replies again; nothing more is paid.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    plain: PlainOption = False,
) -> int:
    """Continue a run where it stopped, also with another model. What was paid for is not paid again."""
    from agents.prepare import prepare
    from agents.run_folder import Reread, RunFolder
    from agents.served.folder import check_is_run
    from agents.succession import check_asked_alike, succeeded
    from engine.errors import UserError

    told = {
        "model": model, "fallback": _models(fallback) if fallback else None, "base_url": places(base_url),
        "dialect": dialect, "insecure_http": insecure_http, "rpm": rpm, "tpm": tpm, "concurrency": concurrency,
        "price_in": price_in, "price_out": price_out, "ray": ray, "workers": workers, "gpus": gpus,
    }  # fmt: skip
    changes = {name: value for name, value in told.items() if value is not None}
    if reparse and (budget is not None or changes):
        given = [*changes, *(["budget"] if budget is not None else [])]
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UserError(f"--reparse asks nobody and pays for nothing; leave out {options}, or leave out --reparse")
    check_is_run(RunFolder(folder))
    run_folder = Reread(folder) if reparse else RunFolder(folder)
    configuration = run_folder.configuration() if budget is None else run_folder.with_budget(budget)
    prompt = run_folder.prompt_text()  # like the line above: raises when it is damaged, before anything is begun
    if changes:
        asked, before = run_folder.asked(), configuration
        next_one = succeeded(before, changes, asked=asked)
        configuration = prepare(next_one, prompt=prompt, note=say_aside, has_begun=run_folder.documents.exists())
        if asked and fallback:
            check_asked_alike(before, configuration)
    return _carry_out(run_folder, configuration, json=json, quiet=quiet, plain=plain)


def _carry_out(folder: RunFolder, configuration: Configuration, *, json: bool, quiet: bool, plain: bool) -> int:
    from agents.cli.watching import watched_run

    return watched_run(folder, configuration, json=json, quiet=quiet, plain=plain)
