"""Saying things on standard output: plain lines, tables of foreign text, and the JSON line that ends machine output."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from engine.text import clean

__all__ = ["print_json", "say", "say_table"]


def say(text: str) -> None:
    """One line for a person; control characters and markup in it are data."""
    sys.stdout.write(clean(text, limit=4000) + "\n")


def print_json(value: object) -> None:
    """The machine's line: one JSON object, and nothing after it."""
    import orjson

    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def say_table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Rows as a table as wide as the terminal; says so when there are none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, emoji=False)
    if not rows:
        console.print(Text(f"{title}: none"))
        return
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in rows[0]:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(value, limit=300)) for value in row.values()))
    console.print(table)
