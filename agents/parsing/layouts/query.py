"""The place for the input at hand below an instruction without examples: `Text: {{text}}` and `Label:`, `{{text}}`.

It is no part of the instruction: what stands there is another with every call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.parsing.layouts.markers import Marker, markers
from agents.parsing.layouts.tail import EMPTY_LINES
from agents.parsing.layouts.words import INPUT_NAMES, INSTRUCTION_NAMES, OUTPUT_NAMES

__all__ = ["Query", "find"]

_PLACE = r"(?:\{\{[^{}\n]{0,120}\}\}|\$?\{[\w .:-]{0,80}\}|\[[A-Z][A-Z_ ]{1,40}\]|<[A-Z][A-Z_]{1,40}>|_{3,}|\.{3})"
_ONLY_PLACES = re.compile(rf"(?:[\"'“”‘’«»`]*{_PLACE}[\"'“”‘’«»`.,;]*\s*)+")
_WRAPPED_PLACE = re.compile(
    rf"(?:<(?P<tag>[\w-]{{1,30}})>\s*{_PLACE}\s*</(?P=tag)>|(?P<fence>`{{3,}}|\"\"\")\w{{0,12}}\s*{_PLACE}\s*(?P=fence))\s*"
)
_LONGEST_VALUE = 20_000
_MOST_NAME_WORDS = 3  # a longer one is a sentence that leads to the place
_OFFERS = frozenset(
    (
        "options",
        "option",
        "choices",
        "labels",
        "categories",
        "classes",
        "intents",
        "topics",
        "answers",
        "hint",
        "optionen",
    )
)
"""Fields of what may be answered, which the instruction needs."""

_OFFERED = re.compile(r"\b(?:answer_choices|options|choices|labels|categories|classes|intents)\b", re.IGNORECASE)
_OWN = INPUT_NAMES - OUTPUT_NAMES - INSTRUCTION_NAMES


@dataclass(frozen=True, slots=True)
class Query:
    """Where the place for the input begins, and the names of its fields."""

    start: int
    fields: tuple[str, ...] = ()


def find(text: str) -> Query | None:
    """The place for the input at the text's end, with nothing but the answer's name below it."""
    return _named(text) or _nameless(text)


def _named(text: str) -> Query | None:
    """Fields that end with an open one: the answer's name without an answer, or a place for a value."""
    marks = markers(text[-_LONGEST_VALUE:])
    offset = max(0, len(text) - _LONGEST_VALUE)
    if not marks:
        return None
    last = marks[-1]
    value = text[offset + last.end :]
    is_answer = last.stem in OUTPUT_NAMES and not value.strip()
    is_place = last.stem in INPUT_NAMES and (not value.strip() or bool(_ONLY_PLACES.fullmatch(value.strip())))
    if not is_answer and not is_place:
        return None
    if is_place and not value.strip() and len(marks) > 1 and _is_place(text, marks[-2], last, offset):
        is_answer = True  # the fields above it are the input's, so this one is what is asked for
    stop = offset + last.start if is_answer else len(text)
    chosen = _opening(text, marks[: -1 if is_answer else None], offset=offset, stop=stop)
    if not chosen:
        return Query(offset + last.start) if is_answer and len(last.name) > 1 else None
    return Query(offset + chosen[0].start, tuple(_spelled(text, mark, offset) for mark in chosen))


def _opening(text: str, marks: list[Marker], *, offset: int, stop: int) -> list[Marker]:
    """The fields of the input, the first one first: from the end up, as long as each is one that inputs have.

    Beyond an empty line a field belongs to them only if it is a place, or its name is an input's alone.
    """
    chosen: list[Marker] = []
    for mark in reversed(marks):
        value = text[offset + mark.end : stop]
        is_place = bool(_ONLY_PLACES.fullmatch(value.strip())) and len(mark.name.split()) <= _MOST_NAME_WORDS
        paragraphs = len(EMPTY_LINES.findall(value.strip()))
        if mark.stem in _OFFERS or not (is_place or (mark.stem in _OWN and paragraphs == 0)):
            break
        chosen.insert(0, mark)
        stop = offset + mark.start
    return chosen


def _is_place(text: str, mark: Marker, following: Marker, offset: int) -> bool:
    return bool(_ONLY_PLACES.fullmatch(text[offset + mark.end : offset + following.start].strip()))


def _spelled(text: str, mark: Marker, offset: int) -> str:
    """The name as the text spells it."""
    line = text[offset + mark.start : offset + mark.end]
    match = re.search(re.escape(mark.name).replace(r"\ ", r"\s+"), line, re.IGNORECASE)
    return match[0] if match else mark.name


def _nameless(text: str) -> Query | None:
    """A last paragraph or line that is a place for a value, bare or in tags, quotation marks or a fence."""
    body = text.rstrip()
    breaks = [match.end() for match in EMPTY_LINES.finditer(body)]
    for start in (*breaks[-1:], body.rfind("\n") + 1):
        tail = body[start:]
        if (
            start
            and len(tail) < _LONGEST_VALUE
            and not _OFFERED.search(tail)
            and (_ONLY_PLACES.fullmatch(tail) or _WRAPPED_PLACE.fullmatch(tail))
        ):
            return Query(start)
    return None
