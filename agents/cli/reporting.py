"""The commands that tell what came of runs: report, compare."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.checks import one_of
from agents.cli.options import JsonOption, examples
from agents.cli.output import print_json, say, say_aside, say_table

if TYPE_CHECKING:
    from agents.reporting.comparing import Compared, Comparison, Line

__all__ = ["register"]

FORMS = ("html", "json", "md")


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt report runs/dates", "smelt report runs/dates --format md > report.md"))(report)
    app.command(epilog=examples("smelt compare runs/dates runs/dates-2", "smelt compare runs/* --out compared.html"))(
        compare
    )


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run that has ended.")],
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORM", help="Print the report itself: md (for pasting), html or json."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what came of a run. Its report.html and report.md are written anew."""
    import dataclasses

    from jinja2 import UndefinedError

    from agents.annotating.annotation_report import AnnotationReport
    from agents.reporting.report import news_since, read_report, write_page
    from agents.run_folder import RunFolder
    from engine.errors import UserError

    if form is not None:
        one_of("format", form, FORMS)
    folder = RunFolder(run)
    labels_only = folder.configuration().inputs is not None  # says so when this is no run at all
    fields = [field.name for field in dataclasses.fields(AnnotationReport)] if labels_only else ()
    table = read_report(folder, fields=fields)
    try:
        write_page(table, folder, template="annotation.html" if labels_only else "report.html")
    except (TypeError, ValueError, UndefinedError, KeyError, AttributeError) as error:  # not the values of a report
        raise UserError(f"{folder.report_json}: is damaged ({error}); smelt resume {run} writes it anew") from error
    if what_is_new := news_since(table, folder):
        say_aside(f"note: {what_is_new}")
    if json:
        print_json(table)
        return
    if form is not None:
        _print({"html": folder.report_html, "json": folder.report_json, "md": folder.report_markdown}[form])
        return
    for line in (*table["verdict"], *table["details"], *(f"note: {warning}" for warning in table["warnings"])):
        say(line)
    say(f"report: {folder.report_html}")


def _print(path: Path) -> None:
    """A file of ours, byte by byte: its texts are clean already, and a pipe wants it as it is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(path.read_bytes())
    sys.stdout.buffer.flush()


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of runs of one task.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also as a page: one HTML file that needs no network.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Set runs side by side. Settings that differ, money, time, rows, scores; students by a paired test."""
    import dataclasses

    from agents.reporting.comparing import compared

    readable, left_out = _readable(runs)
    comparison = compared(readable, left_out=left_out)
    for line in left_out:
        say_aside(f"left out: {line}")
    table = {**dataclasses.asdict(comparison), "told": comparison.told()}
    if out is not None:
        _write_page(table, out)
    if json:
        print_json(table)
        return
    _say(comparison)


def _write_page(table: Mapping[str, object], out: Path) -> None:
    from agents.reporting.page import render_html
    from agents.run_folder import write_whole
    from engine.errors import UserError

    if out.suffix != ".html":  # a page is written anew each time, and nothing else is to be lost by a slip
        raise UserError(f"--out {out}: is a page; give it a name that ends in .html")
    write_whole(out, render_html(table, template="compare.html").encode("utf-8", "replace"))
    say_aside(f"page: {out}")


def _readable(paths: Sequence[Path]) -> tuple[list[Compared], list[str]]:
    """The runs that can be compared with the first of them, and a line for each that cannot."""
    from agents.reporting.comparing import is_of_another_task, read_run
    from engine.errors import UserError

    readable: list[Compared] = []
    left_out: list[str] = []
    for path in paths:
        try:
            run = read_run(path)
        except UserError as error:
            left_out.append(str(error))
            continue
        if readable and is_of_another_task(run, readable[0]):
            left_out.append(f"{path}: is of another task than {readable[0].name}")
        else:
            readable.append(run)
    if len(readable) < 2:
        raise UserError("; ".join(left_out) or "one run is nothing to compare: give two or more")
    return readable, left_out


def _say(comparison: Comparison) -> None:
    for title, lines in (
        ("scores", comparison.scores), ("settings that differ", comparison.settings),
        ("money and time", comparison.cost), ("the data", comparison.data),
    ):  # fmt: skip
        say_table(title, [_row(line, comparison.runs) for line in lines])
        say("")
    for sentence in comparison.told():
        say(sentence)


def _row(line: Line, runs: Sequence[str]) -> dict[str, str]:
    return {"": line.name, **dict(zip(runs, line.values, strict=True))}
