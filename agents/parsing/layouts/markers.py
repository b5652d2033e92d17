"""Lines that begin like a field: `Input:`, `**Text:**`, `### Output`, `2. Q:`, `output =`; no more than that."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.parsing.layouts.frame import announces
from agents.parsing.layouts.words import EXAMPLE_WORDS, PARTNERS, any_of

__all__ = ["Marker", "is_partner", "markers", "stem", "with_inline"]

_EXAMPLE = any_of(EXAMPLE_WORDS)

# Every repetition is bounded, so that a line of any length costs a bounded number of steps.
_MARKER = re.compile(
    r"^[ \t\u200e\u200f\u202a-\u202e\u2066-\u2069]{0,12}"
    r"(?:(?:[-*•+>]|\d{1,3}[.)]|\(\d{1,3}\)|\#{1,6})[ \t]{1,4}|\#{1,6}|[■□●○◆◇▶▪★☆][ \t]?){0,2}"
    rf"(?:(?:{_EXAMPLE})[ \t]{{0,2}}[#№]?\d{{0,4}}[ \t]{{0,2}}[:：.)\-–][ \t]{{1,3}})?"
    r"[*_`\[<\"'(【{]{0,4}"
    r"(?P<name>[^\W\d_][^\n:：=*`\[\]<>{}\"|【】]{0,40}?)"
    r"[ \t]?[*_`\]>\"')】]{0,4}"
    r"(?:[ \t]{0,4}(?P<separator>[:：]|=(?![=>]))[*_`]{0,3}|(?<=[\]】])[ \t]?(?=\S)|[ \t]{0,8}$)",
    re.MULTILINE | re.IGNORECASE,
)
_INLINE = re.compile(
    r"(?:[ \t]|[,;|/，；。、])[ \t]{0,3}[*_`\[]{0,3}(?P<name>[^\W\d_]\w{0,20})[*_`\]]{0,3}[ \t]?"
    r"(?P<separator>[:：=])[*_]{0,2}"
)
_PREFIX = re.compile(rf"^(?:{_EXAMPLE}|test|the|your)[ \t]+(?:[#№]?\d+[ \t]+)?", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:[ \t]*\([^)]*\)?|[ \t]*[#№]?\d+|[ \t]+(?:string|text|here))$", re.IGNORECASE)
_OPENING_QUOTES = frozenset("\"“‘'«`「『„")


@dataclass(frozen=True, slots=True)
class Marker:
    """A field name: `start` is where its line begins, `end` where its value does.

    `stem` is the name without what varies from example to example. `quoted` says that the value opens with a
    quotation mark after an equals sign, so that the marks are layout.
    """

    name: str
    stem: str
    start: int
    end: int
    quoted: bool = False


def markers(text: str) -> list[Marker]:
    """Every line that begins like a field, in order."""
    found = []
    for match in _MARKER.finditer(text):
        name = " ".join(match["name"].casefold().split())
        short = stem(name)
        separator = match["separator"]
        if separator and text[match.end() : match.end() + 1] in {"", "\n"} and announces(match[0]):
            continue  # "A few examples:" is no field
        if not name or short in EXAMPLE_WORDS or (not separator and not _stands_alone(match[0], short)):
            continue
        quoted = separator == "=" and text[match.end() : match.end() + 3].strip()[:1] in _OPENING_QUOTES
        found.append(Marker(name, short, match.start(), match.end(), quoted))
    return found


def stem(name: str) -> str:
    """The name without what varies from example to example: "Example input 2 (text)" is an "input"."""
    short = name.casefold().strip()
    for _ in range(2):
        short = _SUFFIX.sub("", short).strip() or short
        short = _PREFIX.sub("", short).strip() or short
    return short


def _stands_alone(line: str, name: str) -> bool:
    """Whether a name that no colon follows is a field's all the same: `【句子】…`, `## Q`, `Question`."""
    if "】" in line:
        return True
    return is_partner(name) or (line.lstrip().startswith("#") and any(name in one | other for one, other in PARTNERS))


def is_partner(name: str) -> bool:
    """Whether the name alone on a line is a field name, and not just a word."""
    return len(name) > 1 and any(name in inputs or name in outputs for inputs, outputs in PARTNERS)


def with_inline(text: str, marks: Sequence[Marker], *, opening: str, outputs: frozenset[str]) -> list[Marker]:
    """The markers, and the answers' markers inside the lines that begin with `opening`: `Input: … Output: …`."""
    merged: list[Marker] = []
    for mark in marks:
        merged.append(mark)
        if mark.stem != opening:
            continue
        line_end = text.find("\n", mark.end)
        inside = _INLINE.finditer(text, mark.end, len(text) if line_end < 0 else line_end)
        names = [match for match in inside if stem(match["name"]) in outputs]
        if names:
            name = stem(names[-1]["name"])
            merged.append(Marker(name, name, names[-1].start(), names[-1].end()))
    return merged
