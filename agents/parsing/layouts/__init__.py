"""The ways in which people lay out a prompt with examples: one file a family, each a pure function over the text."""

from __future__ import annotations

from agents.parsing.layouts import (
    arrows,
    chat,
    columns,
    fields,
    keyed,
    literals,
    loose,
    paired,
    prose,
    query,
    structured,
    unnamed,
)
from agents.parsing.layouts.found import Found
from agents.parsing.layouts.frame import instruction_around, lead_start
from agents.parsing.layouts.wording import asks_for_something as says_enough
from agents.parsing.layouts.wrapping import rewritten, unwrapped

__all__ = ["Found", "announces_examples", "fields_at_hand", "find", "instruction_of", "rewritten", "unwrapped"]

_CERTAIN = 0.95

_MARKED = (
    chat.find,
    structured.find_json,
    literals.find,
    structured.find_tags,
    structured.find_attributes,
    structured.find_table,
    columns.find,
    keyed.find,
    paired.find,
    fields.find,
    arrows.find,
    prose.find,
)
"""Layouts with marks of their own; of equally good readings the first one counts."""


def find(text: str) -> Found | None:
    """The demonstrations, in the layout that explains most of them; None when there are none."""
    readings = [found for layout in _MARKED if (found := layout(text)) is not None]
    best = max(readings, key=lambda found: (len(found.pairs), found.certainty, found.end - found.start), default=None)
    if best is None:
        return unnamed.find(text) or columns.find_loose(text) or loose.find(text)
    return next((outer for outer in readings if outer is not best and _holds(outer, best, text)), best)


def _holds(outer: Found, inner: Found, text: str) -> bool:
    """Whether what one reading takes for examples stands inside a single value of another: then it is content."""
    region = text[inner.start : inner.end].strip()
    return (
        outer.certainty >= _CERTAIN
        and len(outer.pairs) > 1
        and any(region in pair.input or region in pair.output for pair in outer.pairs)
    )


def instruction_of(text: str, found: Found | None) -> str:
    """What is left of the text when the demonstrations, the words around them and the place for an input are gone."""
    if found is None:
        place = query.find(text)
        above = text if place is None else text[: place.start]
        return instruction_around(above, start=len(above), end=len(above)) if says_enough(above) else text.strip()
    if found.instruction is not None:
        return found.instruction
    return instruction_around(text, start=found.start, end=found.end)


def fields_at_hand(text: str) -> tuple[str, ...]:
    """The names of the fields that stand ready for the input at hand, where there are no demonstrations."""
    place = query.find(text)
    return () if place is None or not says_enough(text[: place.start]) else place.fields


def announces_examples(text: str) -> bool:
    """Whether a line of the text announces examples ("Here are some examples:"), or its end looks like some."""
    if loose.looks_listed(text):
        return True
    position = 0
    for line in text.split("\n"):
        position += len(line) + 1
        if any(map(str.isalpha, line)) and position < len(text) and lead_start(line, len(line)) < len(line.rstrip()):
            return True
    return False
