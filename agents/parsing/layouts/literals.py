"""Demonstrations as a program's literals: `{'input': 'a', 'output': 'b'}`, `("a", "b")`, in lists or one a line.

What JSON reads is left to JSON. Nothing is run: a literal is read as data, and what is no literal is no demonstration.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from agents.parsing.layouts.found import Found
from agents.parsing.layouts.structured import pairs_in
from agents.records import Pair

__all__ = ["find"]

_START = re.compile(
    r"^[ \t]{0,12}(?:[-*•][ \t]+|\d{1,3}[.)][ \t]+)?(?:\w{1,30}[ \t]*(?::[ \t]*[\w\[\], ]{1,40})?=[ \t]*)?(?=[\[({])",
    re.MULTILINE,
)
_STEP = re.compile(r"[\[({]|[\])}]|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|#[^\n]*")
_MOST_FAILURES = 60  # a hostile text may open a bracket on every line and never close it
_LONGEST = 200_000  # characters of one literal; reading it takes many times its own size


def find(text: str) -> Found | None:
    """The demonstrations written as literals of Python or the like."""
    if "'" not in text and "(" not in text:
        return None
    pairs: list[Pair] = []
    begin, end = 0, 0
    for start, stop, value in _values(text):
        found = list(pairs_in(value, loose=True))
        if not found:
            continue
        begin = begin if pairs else start
        pairs.extend(found)
        end = stop
    if not pairs:
        return None
    return Found(layout="literals", pairs=tuple(pairs), start=begin, end=end, certainty=1.0 if len(pairs) > 1 else 0.9)


def _values(text: str) -> Iterator[tuple[int, int, object]]:
    failures, end = 0, 0
    for match in _START.finditer(text):
        if match.start() < end or failures > _MOST_FAILURES:
            continue
        stop = _close(text, match.end())
        try:
            value = _plain(ast.literal_eval(text[match.end() : stop])) if stop is not None else None
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            value = None
        if stop is None or value is None:
            failures += 1
            continue
        end = stop
        yield match.start(), end, value


def _close(text: str, start: int) -> int | None:
    """Where the bracket that opens at `start` is closed; None when it is not, or too far away."""
    depth = 0
    for step in _STEP.finditer(text, start, start + _LONGEST):
        depth += (step[0] in "[({") - (step[0] in "])}")
        if depth == 0:
            return step.end()
    return None


def _plain(value: object) -> object:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
