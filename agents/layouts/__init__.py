"""The ways in which people lay out a prompt with examples: one file a family, each a pure function over the text."""

from __future__ import annotations

from agents.layouts import arrows, fields, keyed, loose, prose, structured
from agents.layouts.found import Found
from agents.layouts.frame import instruction_around, lead_start

__all__ = ["Found", "announces_examples", "find", "instruction_of"]

_MARKED = (
    structured.find_json,
    structured.find_tags,
    structured.find_table,
    keyed.find,
    fields.find,
    arrows.find,
    prose.find,
)
"""Layouts with marks of their own; of equally good readings the first one counts."""


def find(text: str) -> Found | None:
    """The demonstrations, in the layout that explains most of them; None when there are none."""
    readings = [found for layout in _MARKED if (found := layout(text)) is not None]
    best = max(readings, key=lambda found: (len(found.pairs), found.certainty, found.end - found.start), default=None)
    return best or loose.find(text)


def instruction_of(text: str, found: Found | None) -> str:
    """What is left of the text when the demonstrations and the words around them are gone."""
    if found is None:
        return instruction_around(text, start=len(text), end=len(text))
    if found.instruction is not None:
        return found.instruction
    return instruction_around(text, start=found.start, end=found.end)


def announces_examples(text: str) -> bool:
    """Whether a line of the text announces examples ("Here are some examples:"), or its end looks like some."""
    if loose.looks_listed(text):
        return True
    position = 0
    for line in text.split("\n"):
        position += len(line) + 1
        if line.strip() and position < len(text) and lead_start(line, len(line)) < len(line.rstrip()):
            return True
    return False
