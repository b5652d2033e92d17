"""The command for rows that exist already: curate."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import JsonOption, QuietOption
from agents.cli.output import print_json, say, say_aside, say_table
from agents.config import MOST_SEED

if TYPE_CHECKING:
    from agents.curated import Curated
    from agents.records import Spec

__all__ = ["register"]

ROWS, CHECKS = "The rows", "The checks"


def register(app: typer.Typer) -> None:
    app.command(
        epilog="Examples: smelt curate rows.jsonl --out clean · smelt curate train.csv more.parquet --prompt prompt.md "
        "--apart test.csv --balance 2 · smelt curate hub:squad@validation --input question --output answers"
    )(curate)


def curate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES...", help="JSONL, JSON, CSV, TSV, parquet, .gz, a folder, or hub:OWNER/NAME."),
    ],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="A new or empty folder (curated/NAME).")] = None,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The prompt: its labels and format hold, its examples are anchors."),
    ] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labelled rows of your own: kept apart, and they set the balance."),
    ] = None,
    apart: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Rows of another split, which none may nearly repeat; may be given again."),
    ] = None,
    input_column: Annotated[
        str | None, typer.Option("--input", metavar="COLUMN", help="What is asked; guessed from the names.")
    ] = None,
    output_column: Annotated[
        str | None, typer.Option("--output", metavar="COLUMN", help="What is answered; guessed from the names.")
    ] = None,
    context_column: Annotated[
        str | None, typer.Option("--context", metavar="COLUMN", help="What the answer is taken from; guessed.")
    ] = None,
    extractive: Annotated[
        bool | None,
        typer.Option("--extractive/--no-extractive", help="Whether answers must stand in their context; guessed."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="What every answer must match in full; else as the prompt has it."),
    ] = None,
    distinct: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="What is there once only: question, or input with its context; guessed."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of the inputs, such as en; any for all; guessed.")
    ] = None,
    likeness: Annotated[
        float,
        typer.Option(
            metavar="SHARE", help="Of letter groups in common, from which on inputs nearly repeat.", min=0.3, max=1.0
        ),
    ] = 0.7,
    balance: Annotated[
        float | None,
        typer.Option(metavar="FACTOR", help="Keep no label more than so many times as often as the scarcest.", min=1.0),
    ] = None,
    code: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Answers must be json, python that parses, or run: python you trust."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the choices of chance.", min=0, max=MOST_SEED)] = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Filter, de-duplicate and balance rows that exist already. What is left out has its reason beside it."""
    from agents import curate as curating
    from agents.code_check import kind_of
    from agents.roles import read_apart
    from agents.rows import read_rows
    from agents.run_folder import free_name
    from engine.errors import UserError

    if distinct not in (None, "question", "input"):
        raise UserError(f"--distinct {distinct}: is neither question nor input")
    if math.isnan(balance or 0) or math.isnan(likeness):
        raise UserError("--balance and --likeness are numbers (got nan)")
    folder = out or free_name(Path("curated"), _stem(files[0]))
    wanted = curating.Wanted(
        spec=_spec(prompt, pattern=pattern),
        anchors=() if anchors is None else read_rows(anchors),
        apart=tuple(
            row for path in apart or () for row in read_apart(str(path), asked=input_column, given=context_column)
        ),
        input=input_column,
        output=output_column,
        context=context_column,
        extractive=extractive,
        distinct=distinct,  # type: ignore[arg-type]  # checked above
        language=language,
        likeness=likeness,
        balance=balance,
        code=None if code is None else kind_of(code),
        seed=seed,
    )
    came = curating.curate(files, wanted, folder)
    _tell(came, folder, json=json, quiet=quiet)
    if not came.kept:
        raise UserError(f"no row was kept; {folder / 'rejected.jsonl'} says why")


def _stem(name: str) -> str:
    return Path(name).name.split(".")[0].replace(":", "-") or "rows"


def _spec(prompt: str | None, *, pattern: str | None) -> Spec:
    from agents.cli.prompt_files import read_prompt
    from agents.curate import NO_PROMPT
    from agents.parse import parse

    spec = NO_PROMPT if prompt is None else parse(read_prompt(prompt).text)
    return spec if pattern is None else dataclasses.replace(spec, output_pattern=pattern)


def _tell(came: Curated, folder: Path, *, json: bool, quiet: bool) -> None:
    from agents.report import as_json

    if json:
        table = as_json(came)
        print_json(
            {
                **{name: table[name] for name in ("schema", "read", "kept", "rejected", "told")},
                "out": str(folder).encode("utf-8", "replace").decode(),
            }
        )
        return
    if not quiet:
        for line in came.told:
            say_aside(line)
        say_table("left out", [{"reason": reason, "rows": f"{rows:,}"} for reason, rows in came.rejected.items()])
    say(f"{came.kept:,} of {came.read:,} rows are kept in {folder}; {folder / 'report.html'} shows what and why")
