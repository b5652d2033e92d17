"""The command that hands out: export, for other tools and for whoever wants to know what was asked and answered."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.output import say

if TYPE_CHECKING:
    from engine.journal import Entry
    from engine.messages import RawReply

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: smelt export runs/dates --requests --out requests.jsonl")(export)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or the file of a journal.")],
    requests: Annotated[
        bool, typer.Option("--requests", help="Every request and its reply, in the order in which they were sent.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A new file; without it, lines go to standard output.")
    ] = None,
) -> None:
    """Write what was asked and answered as JSONL. What is under way can be looked at, too; no key is in it."""
    from agents.run_folder import RunFolder
    from engine.errors import UserError
    from engine.journal import read

    if not requests:
        raise UserError(f"say what to export: smelt export {quote(str(run))} --requests")
    folder = RunFolder(run)
    if run.is_dir() and not folder.journal.is_file():
        folder.configuration()  # says so when this is no run at all
    lines = (line_of(entry) for entry in read(folder.journal if run.is_dir() else run))
    if out is None:
        sys.stdout.flush()
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    else:
        say(f"{write_lines(out, lines):,} requests are in {out}")


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
