"""The command that hands out: export, for other tools and for whoever wants to know what was asked and answered.

A student's own way out is `leaving`.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from agents.checks import one_of
from agents.cli.options import examples
from agents.cli.output import say, say_aside
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from engine.journal import Entry
    from engine.messages import RawReply

__all__ = ["forms", "register"]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt export runs/dates --format openai --out train.jsonl",
            "smelt export runs/dates --format axolotl --out dates-axolotl",
            "smelt export runs/dates --requests --out requests.jsonl",
            "smelt export runs/dates/student --format onnx --no-memory --out dates-onnx",
        )
    )(export)


def export(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run or a student; with --requests a journal.")
    ],
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORM",
            help="Rows: alpaca, chat, prompt-completion, openai, trl, csv; axolotl, llamafactory: a folder, ready to "
            "start. The student: safetensors, onnx.",
        ),
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="train, validation, test or all; labelled after smelt annotate (train)."),
    ] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="CSV: leave cells alone that a spreadsheet would take for formulas.")
    ] = False,
    push_to_hub: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Put rows or student, and the card, on the hub (HF_TOKEN)."),
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="On the hub: for everybody to see; private otherwise.")
    ] = False,
    requests: Annotated[
        bool, typer.Option("--requests", help="Every request and its reply, in the order in which they were sent.")
    ] = False,
    base: Annotated[
        str | None, typer.Option(metavar="MODEL", help="In a folder: the model that the configuration begins with.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A new file; without it, lines go to standard output. openai, trl: a folder if it has no ending; a "
            "student's folder.",
        ),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="ONNX: inputs to compare answers on (the run's validation rows)."),
    ] = None,
    full_precision: Annotated[
        bool, typer.Option("--full-precision", help="ONNX: weights as they are, in place of eight bits each.")
    ] = False,
    floor: Annotated[
        float | None, typer.Option(metavar="SHARE", help="ONNX: the answers that must stay the same, 0 to 1 (0.98).")
    ] = None,
    no_memory: Annotated[
        bool, typer.Option("--no-memory", help="tiny alone: leave out the rows that it keeps, which ONNX cannot carry.")
    ] = False,
) -> None:
    """Write rows or a student for use elsewhere. Or what was asked and answered, as JSONL; no key is in it."""
    from agents.cli.leaving import export_a_student, is_for_students
    from engine.errors import UserError

    if is_for_students(run, form) and not requests:
        export_a_student(
            run,
            form=form,
            out=out,
            rows=rows,
            full_precision=full_precision,
            floor=floor,
            memory=not no_memory,
            push_to_hub=push_to_hub,
            public=public,
        )
        return

    if no_memory:
        raise UserError("--no-memory: is for a student, and none is exported here: name one, or --format safetensors")
    if form is not None and requests:
        raise UserError("--format hands out rows and --requests what was asked: give one of them")
    if form is None and not requests and push_to_hub is None:
        raise UserError(f"say what to export: smelt export {quote(str(run))} --format csv, or --requests")
    if base is not None and (form is None or not _is_folder(form, out)):
        raise UserError("--base: stands in the configuration of a folder; give --format axolotl and --out DIR")
    if requests:
        _export_requests(run, out)
    elif form is not None and _is_folder(form, out):
        _hand_over(run, form, parts=part or [], base=base, out=out)
    elif form is not None:
        _export_rows(run, form, parts=part or [], as_is=as_is, out=out)
    if push_to_hub is not None:
        _push(run, push_to_hub, public=public)


def _export_requests(run: Path, out: Path | None) -> None:
    """A run that is under way can be looked at, too."""
    from agents.run_folder import RunFolder
    from engine.journal import read

    folder = RunFolder(run)
    if run.is_dir() and not folder.journal.is_file():
        folder.configuration()  # says so when this is no run at all
    lines = (line_of(entry) for entry in read(folder.journal if run.is_dir() else run))
    _write(lines, out, what="requests")


def _is_folder(form: str, out: Path | None) -> bool:
    """Whether a folder with a configuration is wanted: of two forms, lines are known too, for a file with an ending."""
    from agents.reporting.export import FORMATS
    from agents.reporting.hand_over import TOOLS

    return form in TOOLS and (form not in FORMATS or (out is not None and not out.suffix))


def _hand_over(run: Path, form: str, *, parts: Sequence[str], base: str | None, out: Path | None) -> None:
    from agents.parsing.specs import read_spec
    from agents.reporting.hand_over import TOOLS, hand_over
    from agents.run_folder import RunFolder
    from engine.errors import UserError

    if out is None:
        raise UserError(f"--format {form}: is a folder of several files; say where with --out DIR")
    if parts:
        raise UserError(f"--part: a folder for {form} has the rows to learn from and those to choose by; leave it out")
    folder = RunFolder(run)
    seed = folder.configuration().seed  # says so when this is no run at all
    written = hand_over(folder.data, out, tool=form, spec=read_spec(folder.spec), base=base, seed=seed)
    say(f"{written:,} rows are in {out}; to start: {TOOLS[form].start}")


def _export_rows(run: Path, form: str, *, parts: Sequence[str], as_is: bool, out: Path | None) -> None:
    from agents.parsing.specs import read_spec
    from agents.reporting.export import FORMATS, LEAST_FOR_OPENAI, Csv, checked_parts, json_line, rows_of
    from agents.run_folder import RunFolder

    if form not in FORMATS and form != "csv":
        one_of("format", form, forms())
    folder = RunFolder(run)
    folder.configuration()  # says so when this is no run at all
    rows = rows_of(folder.data, checked_parts(folder.data, parts))
    if form == "csv":
        table = Csv(as_is=as_is)
        _write(table.lines(rows), out, what="rows", besides=1)
        if table.guarded:
            say_aside(
                f"note: {table.guarded:,} cells begin like formulas and got an apostrophe; --as-is leaves them alone"
            )
        return
    spec = read_spec(folder.spec)
    written = _write((json_line(row, spec=spec, form=form) for row in rows), out, what="rows")
    if form == "openai" and written < LEAST_FOR_OPENAI:
        say_aside(f"note: OpenAI takes {LEAST_FOR_OPENAI} rows or more for fine-tuning")


def forms() -> tuple[str, ...]:
    """Everything that `--format` takes."""
    from agents.reporting.export import FORMATS
    from agents.reporting.hand_over import TOOLS

    return tuple(sorted({*FORMATS, *TOOLS, "csv", "onnx", "safetensors"}))


def _push(run: Path, name: str, *, public: bool) -> None:
    from agents.reporting.export import checked_parts
    from agents.reporting.hub import push, token_in
    from agents.run_folder import RunFolder

    folder = RunFolder(run)
    folder.configuration()  # says so when this is no run at all
    checked_parts(folder.data, ())
    token = token_in(os.environ)
    say(f"the rows are at {push(folder.data, name, public=public, token=token)}")


def _write(lines: Iterable[bytes], out: Path | None, *, what: str, besides: int = 0) -> int:
    """To a file or to standard output; `besides` lines are not counted."""
    if out is not None:
        with under_way(f"writing {what}"):
            written = max(0, write_lines(out, lines) - besides)
        say(f"{written:,} {what} are in {out}")
        return written
    sys.stdout.flush()
    written = 0
    for line in lines:
        sys.stdout.buffer.write(line)
        written += 1
    sys.stdout.buffer.flush()
    return max(0, written - besides)


def write_lines(path: Path, lines: Iterable[bytes]) -> int:
    """Write a new file, which is there whole or not at all, and say how many lines it has."""
    from engine.errors import UserError

    if path.exists():
        raise UserError(f"{path}: is there already; choose another with --out")
    temporary = path.with_name(f".{path.name}.new")
    written = 0
    try:
        with temporary.open("wb") as file:
            for line in lines:
                written += file.write(line) > 0
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def line_of(entry: Entry) -> bytes:
    """One attempt as a line of JSON. Amounts are in USD."""
    import orjson

    from engine.prices import PICO_PER_USD

    told = {
        "attempt": entry.attempt,
        "question": None if entry.request is None else question_in(entry.request),
        "stage": entry.tag,
        "outcome": outcome_of(entry),
        "charged_usd": None if entry.cost is None else entry.cost / PICO_PER_USD,
        "assumed": entry.assumed,
        "bound_usd": entry.bound / PICO_PER_USD,
        "request": None if entry.request is None else dict(request_of(entry.request)),
        "reply": None if entry.raw is None else dict(reply_of(entry.raw)),
    }
    line = orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)
    # Two characters that stand in texts only, and at which some readers would break the line.
    return line.replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")


def question_in(sent: bytes) -> str | None:
    """The name that the rows have for a question; None for what is no canonical request."""
    from agents.asks import question_of
    from engine.errors import UserError
    from engine.messages import Request

    try:
        return question_of(Request.from_canonical(sent, tag=""))
    except (TypeError, ValueError, UserError):
        return None


def outcome_of(entry: Entry) -> str:
    """`answered`; `not an answer`, which may be one to a better reader; `no reply`; or `in flight`."""
    if entry.raw is not None:
        return "answered" if entry.answers else "not an answer"
    return "in flight" if entry.cost is None else "no reply"


def request_of(sent: bytes) -> Iterator[tuple[str, object]]:
    """What was sent, under the names of its fields."""
    import orjson

    from engine.messages import as_told

    try:
        told = as_told(sent)
        orjson.dumps(told)  # what cannot be written as JSON is told as it is
        yield from told.items()
    except (TypeError, ValueError):
        yield from text_of(sent, name="text")


def reply_of(raw: RawReply) -> Iterator[tuple[str, object]]:
    """What came back. A body that is JSON stands there as it came, down to its last digit; others as text."""
    import orjson

    yield "status", raw.status
    yield "latency_s", raw.latency_s
    yield "headers", dict(raw.headers)
    try:
        orjson.loads(raw.body)
        # Between tokens a line break is a blank, and within texts there is none: it would end the line.
        yield "body", orjson.Fragment(raw.body.replace(b"\n", b" ").replace(b"\r", b" "))
    except orjson.JSONDecodeError:
        yield from text_of(raw.body, name="body_text")


def text_of(body: bytes, *, name: str) -> Iterator[tuple[str, object]]:
    """Bytes as text, or in base64 where they are none."""
    try:
        yield name, body.decode()
    except UnicodeDecodeError:
        yield f"{name.removesuffix('_text')}_base64", base64.b64encode(body).decode()
