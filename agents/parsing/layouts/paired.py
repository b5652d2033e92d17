"""Demonstrations as two lists, one of inputs and one of outputs: `Inputs: 1. … 2. …`, then `Outputs: 1. … 2. …`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from agents.parsing.layouts.found import Found, unquote_all
from agents.parsing.layouts.tail import EMPTY_LINES
from agents.parsing.layouts.words import LISTED_INPUTS, LISTED_OUTPUTS, any_of
from agents.records import Pair

__all__ = ["find"]

_CERTAIN = 0.95
_HEADING = re.compile(
    r"^[ \t#*_\[【<]{0,8}(?:(?:example|sample|test)[ \t]+)?"
    rf"(?P<name>{any_of(LISTED_INPUTS | LISTED_OUTPUTS)})[ \t\]】>*_]{{0,5}}(?:[:：][*_]{{0,2}}|(?=[ \t]*$))",
    re.MULTILINE | re.IGNORECASE,
)
_NUMBER = re.compile(r"(?:(?<=\s)|^)\(?(?P<number>\d{1,3})[.):、．][ \t]*(?=\S)", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]{0,8}[-*•+–][ \t]+(?=\S)", re.MULTILINE)
_MOST_ITEMS = 2000


class _Items(NamedTuple):
    """The items of a list, and where the last one ends."""

    texts: list[str]
    end: int


def find(text: str) -> Found | None:
    """The list of inputs that a list of as many outputs follows; where several do, each of them is one example."""
    readings = list(_read(text))
    return readings[0] if len(readings) == 1 else None


def _read(text: str) -> Iterator[Found]:
    headings = list(_HEADING.finditer(text))
    ends = [*(heading.start() for heading in headings[1:]), len(text)]
    for (asked, asked_end), (answered, answered_end) in pairwise(zip(headings, ends, strict=False)):
        if asked["name"].casefold() in LISTED_INPUTS and answered["name"].casefold() in LISTED_OUTPUTS:
            inputs, outputs = _items(text, asked.end(), asked_end), _items(text, answered.end(), answered_end)
            if len(inputs.texts) == len(outputs.texts) > 1:
                pairs = tuple(Pair(given, answer) for given, answer in zip(inputs.texts, outputs.texts, strict=True))
                yield Found(
                    layout="paired",
                    pairs=unquote_all(pairs),
                    start=asked.start(),
                    end=outputs.end,
                    certainty=_CERTAIN,
                )


def _items(text: str, start: int, end: int) -> _Items:
    """The items of the list that fills this part of the text, up to the empty line after the last one."""
    marks = _numbered(text, start, end) or list(_BULLET.finditer(text, start, end))
    if not marks or text[start : marks[0].start()].strip():
        return _Items([], start)
    starts = [mark.end() for mark in marks]
    stops = [*(mark.start() for mark in marks[1:]), end]
    if (empty := EMPTY_LINES.search(text, starts[-1], end)) is not None:
        stops[-1] = empty.start()
    return _Items([text[a:b].strip() for a, b in zip(starts, stops, strict=True)], stops[-1])


def _numbered(text: str, start: int, end: int) -> list[re.Match[str]]:
    """The marks 1, 2, 3, ... as they follow each other; a number within an item is none."""
    marks: list[re.Match[str]] = []
    for mark in _NUMBER.finditer(text, start, end):
        if int(mark["number"]) == len(marks) + 1 and len(marks) < _MOST_ITEMS:
            marks.append(mark)
    return marks
