"""Demonstrations as the rows of a table in text: comma-separated, tab-separated, or by another mark of columns.

With names above the columns that say which is which they are read for certain; without, only where they are announced,
and never for certain.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.parsing.layouts.found import Found
from agents.parsing.layouts.frame import is_led
from agents.parsing.layouts.markers import markers, stem
from agents.parsing.layouts.words import (
    ASIDE_NAMES,
    INPUT_NAMES,
    INSTRUCTION_NAMES,
    OUTPUT_NAMES,
    PARTNERS,
    REASONING_NAMES,
)
from agents.records import Pair

__all__ = ["Columns", "columns_of", "find", "find_loose", "joined", "unnamed"]

_SEPARATORS = (",", "\t", ";", "|")
_LONGEST_HEADER = 400
_HEADER_NAME = re.compile(r"[ \t]*[\"']?([^\W\d_][\w ./-]{0,30}?)[\"']?[ \t]*")
_INDEX_NAMES = frozenset(("#", "no", "no.", "nr", "nr.", "id", "idx", "index", "number", "n", "№", ""))
_NO_PARTS = (
    _INDEX_NAMES - {"number"} | ASIDE_NAMES | REASONING_NAMES | INSTRUCTION_NAMES | {"split", "metadata", "meta"}
)
_MARK = re.compile(r"[ \t]+[|=–—-][ \t]+|[:：][ \t]+|\t+|[ \t]*[|｜][ \t]*|：")
_BULLET = re.compile(r"[ \t]*(?:[-*•+]|\(?\d{1,4}[.):])[ \t]+")
_LONGEST_ROW = 500
_FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})\w{0,12}[ \t]*")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns are the input's and which is the answer's, by number; `is_known` when their names say so."""

    inputs: tuple[int, ...]
    answer: int
    is_known: bool = True

    def pair(self, cells: Sequence[str], *, header: Sequence[str]) -> Pair:
        """The input and the output of a row."""
        return Pair(joined([(header[at], cells[at]) for at in self.inputs]), cells[self.answer])


def columns_of(names: Sequence[str]) -> Columns | None:
    """Which columns hold input and output, by their names. None unless both kinds are there.

    The last name for an answer is the answer's. One called the input is the input; without one, all are that neither
    number the rows nor explain the answer.
    """
    known = [at for at, name in enumerate(names) if name in INPUT_NAMES]
    for answer in reversed([at for at, name in enumerate(names) if name in OUTPUT_NAMES]):
        given = [at for at in known if at != answer]
        whole = [at for at in given if names[at] in PARTNERS[0][0]]
        parts = [at for at, name in enumerate(names) if at != answer and name not in _NO_PARTS]
        if given:
            return Columns(tuple(whole[:1] or parts or given[:1]), answer)
    return None


def unnamed(names: Sequence[str]) -> Columns | None:
    """Two columns beside one that only numbers the rows are an input and an output, whatever they are called.

    What numbers the rows stands first, unless a third column shows that it need not.
    """
    told = [at for at, name in enumerate(names) if name not in _INDEX_NAMES or (at == 1 and len(names) == 2)]
    return Columns((told[0],), told[1], is_known=False) if len(told) == 2 else None


def joined(given: Sequence[tuple[str, str]]) -> str:
    """An input of one field as it is, of several with their names."""
    return given[0][1] if len(given) == 1 else "\n".join(f"{name}: {value}" for name, value in given if value.strip())


def find(text: str) -> Found | None:
    """The rows below a line that names an input and an output column."""
    best: Found | None = None
    for start, line in _lines(text):
        if len(line) > _LONGEST_HEADER or (best is not None and start < best.end):
            continue
        for separator in _SEPARATORS:
            cells = [_HEADER_NAME.fullmatch(cell) for cell in line.split(separator)]
            names = [cell[1] for cell in cells if cell]
            if len(names) < 2 or len(names) < len(cells) or (columns := columns_of(list(map(stem, names)))) is None:
                continue
            found = _below(text, start, line, separator=separator, names=names, columns=columns)
            if found is not None and (best is None or len(found.pairs) > len(best.pairs)):
                best = found
    return best


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _below(
    text: str, start: int, header: str, *, separator: str, names: Sequence[str], columns: Columns
) -> Found | None:
    """The rows right below the header; the first that has not its cells ends them."""
    source = _Lines(text, start + len(header) + 1)
    pairs = []
    end = start + len(header)
    try:
        for cells in csv.reader(source, delimiter=separator, skipinitialspace=separator != "\t", strict=True):
            if len(cells) != len(names):
                break
            pairs.append(columns.pair([cell.strip() for cell in cells], header=names))
            end = source.position
    except csv.Error:
        return None
    full = tuple(pair for pair in pairs if pair.input and pair.output)
    if not full:
        return None
    begin, end = _with_fence(text, start, end)
    return Found(
        layout="table",
        pairs=full,
        start=begin,
        end=end,
        certainty=1.0,
        names=(stem(names[columns.inputs[0]]), stem(names[columns.answer])),
    )


class _Lines:
    """A text's lines from a place on, and how far they were read: a quoted cell may hold line ends."""

    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self.position = position

    def __iter__(self) -> Iterator[str]:
        while self.position < len(self._text):
            stop = self._text.find("\n", self.position) + 1 or len(self._text)
            line = self._text[self.position : stop]
            self.position = stop
            yield line


def _with_fence(text: str, start: int, end: int) -> tuple[int, int]:
    """The table with the code fence around it, if there is one."""
    above = text.rfind("\n", 0, max(0, start - 1)) + 1
    below = text[end:].lstrip("\n").partition("\n")[0]
    if start and _FENCE.fullmatch(text[above : start - 1]) and _FENCE.fullmatch(below):
        return above, text.index(below, end) + len(below)
    return start, end


def find_loose(text: str) -> Found | None:
    """Announced rows of two columns each, whatever parts them (`cat: chat`, `cat | chat`), without names for them."""
    led = False
    rows: list[tuple[int, str]] = []
    for start, line in _lines(text):
        if led and line.strip() and not _FENCE.fullmatch(line):
            rows.append((start, line))
        elif rows:
            break
        elif not led and line.strip().endswith((":", "：")):
            following = start + len(line) + 1
            led = following < len(text) and is_led(text, following)
    below = text[rows[-1][0] + len(rows[-1][1]) :] if rows else ""
    named = any(mark.stem in OUTPUT_NAMES for mark in markers(below))  # then the example is there, and this its context
    return _rows(rows) if len(rows) > 1 and not named else None


def _rows(rows: Sequence[tuple[int, str]]) -> Found | None:
    bare = [line[match.end() :] if (match := _BULLET.match(line)) else line for _, line in rows]
    for mark in sorted({match[0].strip() or "\t" for match in _MARK.finditer(bare[0][:_LONGEST_ROW])}):
        pattern = re.compile(rf"[ \t]*{re.escape(mark)}[ \t]*" if mark != "\t" else r"\t+")
        split = [pattern.split(line.strip()) for line in bare if len(line) <= _LONGEST_ROW]
        if len(split) == len(rows) and all(len(cells) == 2 and all(cells) for cells in split):
            last, line = rows[-1]
            return Found(
                layout="columns",
                pairs=tuple(Pair(given.strip("*_` "), answer.strip("*_` ")) for given, answer in split),
                start=rows[0][0],
                end=last + len(line),
                certainty=0.75 if mark in {":", "：", "-"} else 0.85,
            )
    return None
