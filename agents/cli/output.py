"""Saying things: lines and tables of foreign text, and the JSON line that ends machine output."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO

import typer

from agents.interrupts import INTERRUPTED
from engine.errors import Interrupted
from engine.text import clean

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["print_json", "say", "say_address", "say_aside", "say_block", "say_facts", "say_table", "stopped_quietly"]

LONGEST_LINE = 4000
LONGEST_CELL = 300
WIDTH_WITHOUT_TERMINAL = 160  # columns; a narrower table would break names that somebody wants to search for


def say(text: str) -> None:
    """One line for a person; control characters and markup in it are data."""
    sys.stdout.write(_fitted(clean(text, limit=LONGEST_LINE), sys.stdout) + "\n")


def say_aside(text: str) -> None:
    """One line beside the output proper: on standard error."""
    sys.stderr.write(_fitted(clean(text, limit=LONGEST_LINE), sys.stderr) + "\n")


def _fitted(line: str, stream: TextIO, *, indent: str = "") -> str:
    """Broken between words where the stream is a terminal, which would break it in the middle of one."""
    if not stream.isatty():
        return f"{indent}{line}".rstrip()
    width = get_terminal_size().columns
    return textwrap.fill(
        line, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def say_address(text: str) -> None:
    """Where a server can be found, said at once: whoever started it in the background waits for this line."""
    say(text)
    sys.stdout.flush()


@contextmanager
def stopped_quietly() -> Iterator[None]:
    """Around a server: that somebody stops it is how it ends, and no error. Exit code 130 after Ctrl-C."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        raise typer.Exit(INTERRUPTED) from None


def say_block(title: str, text: str) -> None:
    """A text of several lines under a title, its lines and their indentation kept."""
    say(title)
    for line in text.strip("\n").splitlines():
        indent = len(line) - len(line.lstrip(" "))
        sys.stdout.write(_fitted(clean(line, limit=LONGEST_LINE), sys.stdout, indent=" " * (indent + 2)) + "\n")


def print_json(value: object) -> None:
    """The machine's line: one JSON object, and nothing after it."""
    import orjson

    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def say_facts(facts: Mapping[str, str]) -> None:
    """Names and what is to be said of them, in two columns."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2), pad_edge=False)
    for name, value in facts.items():
        table.add_row(Text(name), Text(clean(value, limit=LONGEST_LINE)))
    _print(table)


def say_table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Rows as a table as wide as the terminal; says so when there are none."""
    from rich.table import Table
    from rich.text import Text

    say(f"{title}:" if rows else f"{title}: none")
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in rows[0]:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(value, limit=LONGEST_CELL)) for value in row.values()))
    _print(table)


def _print(table: Table) -> None:
    from rich.console import Console

    console = Console(
        highlight=False, emoji=False, soft_wrap=False, width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    )
    # Not printed by rich itself, which ends the whole process when a pipe is closed (`| head`).
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
