"""Rows on disk between the passes of curating, in parts: each pass takes them from there, one part after another or all
at once, in whatever process sees the folder.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Final

import orjson

from agents.reading.roles import Row

__all__ = ["ROWS_IN_A_PART", "Part", "read_back", "spooled", "unspooled"]

ROWS_IN_A_PART: Final = 16_384  # some megabytes of short rows: a second or so of work; a thousand parts of ten million


@dataclass(frozen=True, slots=True)
class Part:
    """So many rows one after another, of which the first is number `first` of all, counted from 0."""

    path: Path
    first: int
    rows: int

    @property
    def end(self) -> int:
        return self.first + self.rows

    def __iter__(self) -> Iterator[Row]:
        return unspooled(self.path)


def spooled(rows: Iterable[Row], folder: Path, *, size: int) -> list[Part]:
    """Write the rows into a new folder, in parts of so many."""
    folder.mkdir()
    left, parts, first = iter(rows), list[Part](), 0
    while lines := [_line(row) for row in islice(left, size)]:
        path = folder / f"{len(parts):06}"
        path.write_bytes(b"".join(lines))
        parts.append(Part(path, first, len(lines)))
        first += len(lines)
    return parts


def read_back(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """The same rows, all of which have gone by before the first comes out."""
    with path.open("wb") as file:
        file.writelines(map(_line, rows))
    return unspooled(path)


def unspooled(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        yield from map(_row, file)


_VALUES = attrgetter(*(field.name for field in dataclasses.fields(Row)))  # astuple would copy each, and take most time


def _line(row: Row) -> bytes:
    values = _VALUES(row)
    try:
        return orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # half a character: no UTF-8 holds it
        return json.dumps(values).encode() + b"\n"


def _row(line: bytes) -> Row:
    try:
        return Row(*orjson.loads(line))
    except orjson.JSONDecodeError:
        return Row(*json.loads(line))
