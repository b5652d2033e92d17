"""The command that lets a student answer a file: predict."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import AnswerThreadsOption, JsonOption, QuietOption, examples
from agents.cli.output import print_json, say, say_aside
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from agents.reporting.export import Csv
    from agents.students.predictions import Columns, Tally

__all__ = ["register"]

STREAM = "-"


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt predict runs/dates tickets.csv --threshold 0.9",
            "cat inputs.txt | smelt predict runs/dates - > answers.jsonl",
        )
    )(predict)


def predict(
    student: Annotated[Path, typer.Argument(metavar="STUDENT", help="A student's folder, or a run that has one.")],
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="Inputs: a text with one a line, JSONL, CSV, TSV, JSON or parquet; - is standard input.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A new file (FILE.predicted beside the inputs); - is standard output."),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="FORM", help="csv, tsv, jsonl or parquet (as the inputs are).")
    ] = None,
    input_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column that holds the inputs; found by its name.")
    ] = None,
    column: Annotated[str, typer.Option(metavar="NAME", help="What the column of answers is called.")] = "prediction",
    threshold: Annotated[
        float | None, typer.Option(metavar="P", help="Mark answers that the student is less sure of, from 0 to 1.")
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The same, from where on its answers are right so often, as was measured."),
    ] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="CSV: leave answers alone that a spreadsheet would take for formulas.")
    ] = False,
    threads: AnswerThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer every row of a file. A stop loses nothing: the same command goes on where it was."""
    from agents.checks import part
    from agents.cli.students import student_folder
    from agents.reporting.export import Csv
    from agents.students.predict import check_place
    from agents.students.predictions import Columns, Tally
    from engine.errors import UserError
    from engine.training import use_threads

    use_threads(threads)
    if threshold is not None:
        part("threshold", threshold)
    if precision is not None:
        part("precision", precision)
    streams = file == STREAM if out is None else out == STREAM
    if json and streams:
        raise UserError("--json ends standard output, which the answers go to: write them to --out FILE")
    folder, csv = student_folder(student), Csv(as_is=as_is)
    columns = Columns(column, _threshold(folder, threshold, precision))
    if out is not None and out != STREAM:
        check_place(Path(out))  # before a student is loaded and standard input is read
    began = time.monotonic()
    if file == STREAM or streams:
        tally, place = Tally(columns), None if streams else Path(str(out))
        _stream(folder, file, place, form=form, input_column=input_column, tally=tally, csv=csv)
    else:
        place = Path(out) if out is not None else beside(Path(file), form)
        tally = _file(
            folder, Path(file), place, form=form, input_column=input_column, columns=columns, csv=csv,
            quiet=quiet or json,
        )  # fmt: skip
    _tell(tally, place, guarded=csv.guarded, seconds=time.monotonic() - began, json=json)


def _threshold(folder: Path, threshold: float | None, precision: float | None) -> float | None:
    """From which confidence on an answer is not marked: as told, or as was measured for a precision.

    Raises UserError for both, and where nothing that was measured vouches for so much.
    """
    from agents.students.sure import sure_from
    from engine.errors import UserError

    if precision is None:
        return threshold
    if threshold is not None:
        raise UserError("--threshold and --precision both say when the student is sure: give one of them")
    return sure_from(folder, precision=precision, option="--threshold").confidence


def beside(path: Path, form: str | None) -> Path:
    """Where answers go that were not told where to: tickets.predicted.csv for tickets.csv."""
    from agents.students.predictions import form_of

    return path.with_name(f"{path.stem}.predicted.{form_of(path, wanted=form)}")


def _parts(folder: Path) -> tuple[str, ...]:
    """The names before the parts of an input, as the prompt of the student has them."""
    from agents.reading.inputs import parts_of
    from agents.students.task import read_task

    task = read_task(folder)
    return parts_of(task.spec) if task else ()


def _file(
    folder: Path, file: Path, out: Path, *, form: str | None, input_column: str | None, columns: Columns, csv: Csv,
    quiet: bool,
) -> Tally:  # fmt: skip
    from agents.reading.inputs import examine
    from agents.students.predict import predict_file, student_digest
    from agents.students.predictions import form_of
    from engine import training

    form = form_of(out, wanted=form)
    with under_way("loading the student", shown=not quiet):
        loaded = training.load(folder)
    examined = examine(file, column=input_column, parts=_parts(folder))
    if not quiet:
        say_aside(examined.told)
    with under_way("answering", total=examined.rows, shown=not quiet) as on_rows:
        return predict_file(
            loaded, examined, out, form=form, columns=columns, csv=csv, made_by=student_digest(folder), on_rows=on_rows
        )


def _stream(
    folder: Path, file: str, out: Path | None, *, form: str | None, input_column: str | None, tally: Tally, csv: Csv
) -> None:
    """From standard input, or to standard output, or both: what has been answered is written at once."""
    from agents.cli.exporting import write_lines
    from agents.reading.inputs import examine
    from agents.students.predict import beside as rows_beside
    from agents.students.predict import pairs_in, pairs_of
    from agents.students.predictions import columns_in, form_of, text_lines
    from engine import training
    from engine.errors import UserError

    columns = tally.columns
    own: tuple[str, ...] = ()
    form = form_of(Path(file), wanted=form)
    if form == "parquet" or (file == STREAM and form != "jsonl"):
        raise UserError(f"--format {form}: lines that come and go one by one are jsonl; name files for {form}")
    if file == STREAM:
        pairs = pairs_in(_lines_in(), column=input_column, parts=_parts(folder), columns=columns)
    else:
        inputs = examine(Path(file), column=input_column, parts=_parts(folder)).inputs
        own = columns_in(inputs)
        columns.check_free(inputs.path, own)
        pairs = pairs_of(inputs)
    rows = rows_beside(training.load(folder), pairs, tally)
    written = text_lines(form, rows, columns=(*own, *columns.names), answer=columns.answer, csv=csv)
    if out is not None:
        write_lines(out, written)
        return
    sys.stdout.flush()
    for line in written:
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _lines_in() -> Iterator[str]:
    """The lines of standard input, by its byte order mark; that one holds bytes that are no text is said once."""
    from engine.text import encoding_of, writable

    stream = sys.stdin.buffer
    encoding = encoding_of(stream.peek(4)) if isinstance(stream, io.BufferedReader) else "utf-8-sig"
    # As half surrogate pairs such bytes can be told from a character that stood there.
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    was_told = False
    for number, line in enumerate(io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="\n"), start=1):
        text = line if line.isascii() else writable(line)
        if text != line and not was_told:
            say_aside(
                f"standard input, line {number}: is not UTF-8 text; what cannot be read becomes U+FFFD, there and in "
                "other lines (iconv -f latin1 -t utf-8 mends it)"
            )
            was_told = True
        yield text


def _tell(tally: Tally, out: Path | None, *, guarded: int, seconds: float, json: bool) -> None:
    """What came of it, in figures; beside the output where that is the answers."""
    figures = {
        "out": None if out is None else str(out),
        "rows": tally.rows,
        "empty": tally.empty,
        "cut": tally.cut,
        "abstained": tally.abstained,
        "mean_confidence": None if tally.mean_confidence is None else round(tally.mean_confidence, 4),
        "seconds": round(seconds, 2),
    }
    if json:
        print_json(figures)
        return
    if guarded:
        say_aside(f"note: {guarded:,} answers begin like formulas and got an apostrophe; --as-is leaves them alone")
    told = say_aside if out is None else say
    notes = [
        f"{count:,} {what}"
        for count, what in (
            (tally.abstained, "of them marked as unsure"),
            (tally.empty, "without an input"),
            (tally.cut, "longer than the student can read"),
        )
        if count
    ]
    place = "" if out is None else f" in {out}"
    rows = "1 row" if tally.rows == 1 else f"{tally.rows:,} rows"
    told(f"{rows} answered{place}{''.join(f', {note}' for note in notes)}")
