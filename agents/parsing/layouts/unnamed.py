"""Demonstrations as data under names that say nothing: `{"country": "France", "capital": "Paris"}`, `<country>…`.

Two names that alternate all the way are an input and an output; their order alone says which, so it is never sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.parsing.layouts.found import Found
from agents.parsing.layouts.frame import is_led
from agents.parsing.layouts.markers import stem
from agents.parsing.layouts.structured import LEAF, values_in, with_sections
from agents.parsing.layouts.words import INSTRUCTION_NAMES
from agents.records import Pair

__all__ = ["find"]

_ANNOUNCED, _BARE = 0.85, 0.7  # how certain: the second is asked about


@dataclass(frozen=True, slots=True)
class _Row:
    start: int
    end: int
    names: tuple[str, str]
    pair: Pair


def find(text: str) -> Found | None:
    """The rows of two fields each that go by the same two unknown names."""
    return _found(text, _json_rows(text), layout="json") or _found(text, _tag_rows(text), layout="tags")


def _json_rows(text: str) -> list[_Row]:
    rows = []
    for start, end, value in values_in(text):
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict) or len(item) != 2 or not all(isinstance(side, str) for side in item.values()):
                return []
            (first, given), (second, answer) = item.items()
            rows.append(_Row(start, end, (first, second), Pair(given, answer)))
    return rows


def _tag_rows(text: str) -> list[_Row]:
    leaves = [leaf for leaf in LEAF.finditer(text) if stem(leaf["name"]) not in INSTRUCTION_NAMES]
    return [
        _Row(one.start(), other.end(), (one["name"], other["name"]), Pair(one["inner"].strip(), other["inner"].strip()))
        for one, other in zip(leaves[::2], leaves[1::2], strict=False)
        if len(leaves) % 2 == 0
    ]


def _found(text: str, rows: Sequence[_Row], *, layout: str) -> Found | None:
    is_one_kind = len({row.names for row in rows}) == 1 and rows[0].names[0] != rows[0].names[1] if rows else False
    if len(rows) < 2 or not is_one_kind or not all(row.pair.input and row.pair.output for row in rows):
        return None
    start, end = with_sections(text, rows[0].start, rows[-1].end)
    certainty = _ANNOUNCED if is_led(text, start) or start < rows[0].start else _BARE
    pairs = tuple(row.pair for row in rows)
    return Found(layout=layout, pairs=pairs, start=start, end=end, certainty=certainty, names=rows[0].names)
