"""The command for rows that exist already: curate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.checks import MOST_SEED, one_of
from agents.cli.options import OUTPUT, PACE, TEACHER, JsonOption, JudgeOption, QuietOption, examples, taking
from agents.cli.output import print_json, say, say_aside, say_table
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.config import Configuration
    from agents.curating.curate import Wanted
    from agents.curating.curated import Curated
    from agents.curating.progress import Advance
    from agents.curating.work import Each
    from agents.records import Pair, Spec

__all__ = ["register"]

LIKENESS = 0.7


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt curate rows.jsonl --out clean",
            "smelt curate train.csv more.parquet --prompt prompt.md --apart test.csv --balance 2",
            "smelt curate hub:squad@validation --input question --output answers",
        )
    )(curate)


FILES = {
    "files": Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="JSONL, JSON, CSV, TSV, parquet, .gz, a folder, or hub:OWNER/NAME."),
    ],
    "out": Annotated[Path | None, typer.Option(metavar="DIR", help="A new or empty folder (curated/NAME).")],
    "ray": Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:PORT]", help="Work on a Ray cluster; without an address one is started here, and stopped."
        ),
    ],
}
TASK = {
    "prompt": Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The prompt: its labels and format hold, its examples are anchors."),
    ],
    "anchors": Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Labelled rows of your own: kept apart; they set the balance, and the format."
        ),
    ],
    "apart": Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Rows of another split, which none may nearly repeat; may be given again."),
    ],
}
COLUMNS = {
    "input_column": Annotated[
        str | None, typer.Option("--input", metavar="COLUMN", help="What is asked; guessed from the names.")
    ],
    "output_column": Annotated[
        str | None, typer.Option("--output", metavar="COLUMN", help="What is answered; guessed from the names.")
    ],
    "context_column": Annotated[
        str | None, typer.Option("--context", metavar="COLUMN", help="What the answer is taken from; guessed.")
    ],
}
CHECKS = {
    "extractive": Annotated[
        bool | None,
        typer.Option("--extractive/--no-extractive", help="Whether answers must stand in their context; guessed."),
    ],
    "pattern": Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="What every answer must match in full; else as prompt or anchors have it."),
    ],
    "distinct": Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="What is there once only: question, or input with its context; guessed."),
    ],
    "language": Annotated[
        str | None, typer.Option(metavar="CODE", help="Of the inputs, such as en; any for all; guessed.")
    ],
    "likeness": Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help=f"Of letter groups in common, from which on inputs nearly repeat ({LIKENESS}).",
            min=0.3,
            max=1.0,
        ),
    ],
    "balance": Annotated[
        float | None,
        typer.Option(metavar="FACTOR", help="Keep no label more than so many times as often as the scarcest.", min=1.0),
    ],
    "code": Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What answers parse as: json, python, javascript, sql, regex, toml, xml, yaml; run: python to run.",
        ),
    ],
    "seed": Annotated[
        int | None, typer.Option(metavar="N", help="Of the choices of chance (0).", min=0, max=MOST_SEED)
    ],
}
JUDGE = {
    "judge": JudgeOption,
    **{name: TEACHER[name] for name in ("model", "base_url", "budget")},
    **{name: PACE[name] for name in ("price_in", "price_out")},
    **{name: OUTPUT[name] for name in ("config", "yes")},
}


@taking(FILES, TASK, COLUMNS, CHECKS, JUDGE, {"json": JsonOption, "quiet": QuietOption})
def curate(files: list[str], out: Path | None, ray: str | None, json: bool, quiet: bool, **told: Any) -> int:
    """Filter, de-duplicate and balance rows that exist already. What is left out has its reason beside it."""
    from agents.curating import curate as curating
    from agents.curating.progress import unseen
    from agents.reading.sources import check_sources
    from agents.run_folder import free_name
    from engine.errors import UserError

    folder = out or free_name(Path("curated"), _stem(files[0]))
    wanted = _wanted(folder, **told)
    check_sources(files)  # before a cluster is looked for
    with _hands(ray, folder) as each:
        came = curating.curate(files, wanted, folder, each=each, showing=unseen if json or quiet else _shown)
    _tell(came, folder, json=json, quiet=quiet)
    if not came.kept:
        raise UserError(f"no row was kept; {folder / 'rejected.jsonl'} says why")
    return 0


def _shown(what: str, total: int | None) -> AbstractContextManager[Advance]:
    return under_way(what, total=total, unit="rows")


def _hands(ray: str | None, folder: Path) -> AbstractContextManager[Each]:
    """Who does the work: this process, or a cluster."""
    from agents.curating.on_ray import on_ray
    from agents.curating.work import in_turn

    return nullcontext(in_turn) if ray in (None, "none") else on_ray(str(ray), folder=folder)


def _wanted(
    folder: Path,
    *,
    prompt: str | None,
    anchors: Path | None,
    apart: list[Path] | None,
    input_column: str | None,
    output_column: str | None,
    context_column: str | None,
    pattern: str | None,
    distinct: str | None,
    likeness: float | None,
    balance: float | None,
    code: str | None,
    seed: int | None,
    **told: Any,
) -> Wanted:
    """How rows are to be curated. Raises UserError for what cannot be meant."""
    from agents.curating.curate import Wanted
    from agents.curating.curate_judge import judge_of_rows
    from agents.filtering.code_check import kind_of
    from agents.reading.roles import read_apart
    from agents.reading.rows import read_rows
    from engine.errors import UserError

    if distinct is not None:
        one_of("distinct", distinct, ("question", "input"))
    if math.isnan(balance or 0) or math.isnan(likeness or 0):
        raise UserError("--balance and --likeness are numbers (got nan)")
    real = () if anchors is None else read_rows(anchors)
    spec = _spec(prompt, anchors=real, pattern=pattern)
    asked = {name: told.pop(name) for name in ("judge", "model", "base_url", "budget", "price_in", "price_out")}
    configuration = _judging(asked, told.pop("config"), prompt=prompt, spec=spec, seed=seed or 0, yes=told.pop("yes"))
    return Wanted(
        spec=spec,
        anchors=real,
        apart=tuple(
            row for path in apart or () for row in read_apart(str(path), asked=input_column, given=context_column)
        ),
        input=input_column,
        output=output_column,
        context=context_column,
        distinct=distinct,  # type: ignore[arg-type]  # checked above
        likeness=LIKENESS if likeness is None else likeness,
        balance=balance,
        code=None if code is None else kind_of(code),
        judge=None
        if configuration is None
        else judge_of_rows(folder, configuration, spec=spec, anchors=real, note=say_aside),
        seed=seed or 0,
        **told,
    )


def _stem(name: str) -> str:
    return Path(name).name.split(".")[0].replace(":", "-") or "rows"


def _spec(prompt: str | None, *, anchors: Sequence[Pair], pattern: str | None) -> Spec:
    """What answers must be: as said, or else as the prompt has it, or the anchors."""
    from agents.cli.prompt_files import read_prompt
    from agents.curating.curate import NO_PROMPT
    from agents.parsing.derive import held_to
    from agents.parsing.parse import parse

    spec = NO_PROMPT if prompt is None else parse(read_prompt(prompt).text)
    return held_to(spec, anchors) if pattern is None else dataclasses.replace(spec, output_pattern=pattern)


def _judging(
    asked: Mapping[str, object], config: Path | None, *, prompt: str | None, spec: Spec, seed: int, yes: bool
) -> Configuration | None:
    """How a judge is to be asked; None where none is wanted."""
    from agents.cli.making import confirm_spending
    from agents.config_file import resolve
    from agents.prepare import prepare
    from engine.errors import UserError

    configuration = resolve(file=config, flags={**asked, "seed": seed, "train": False})
    if not configuration.judge:
        if named := [name for name, value in asked.items() if value is not None]:
            option = f"--{named[0].replace('_', '-')}"
            raise UserError(f"{option}: nobody is asked without --judge; leave it out, or add that")
        return None
    if prompt is None:
        raise UserError("--judge needs the task: name the prompt with --prompt FILE")
    configuration = prepare(configuration, prompt=spec.instruction, note=say_aside)
    if not yes:
        confirm_spending([each.model for each in configuration.everyone], configuration.budget)
    return configuration


def _tell(came: Curated, folder: Path, *, json: bool, quiet: bool) -> None:
    from agents.reporting.report import as_json

    if json:
        table = as_json(came)
        print_json(
            {
                **{name: table[name] for name in ("schema", "read", "kept", "rejected", "told", "judge")},
                "out": str(folder).encode("utf-8", "replace").decode(),
            }
        )
        return
    if not quiet:
        for line in (*came.told, *([came.judge.sentence()] if came.judge else ())):
            say_aside(line)
        say_table("left out", [{"reason": reason, "rows": f"{rows:,}"} for reason, rows in came.rejected.items()])
    say(f"{came.kept:,} of {came.read:,} rows are kept in {folder}; {folder / 'report.html'} shows what and why")
    if came.kept and not quiet:
        say_aside(f"train on them: smelt train {quote(str(folder / 'rows.parquet'))}")
