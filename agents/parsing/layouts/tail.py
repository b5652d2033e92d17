"""Where the last demonstration ends and the words after the examples begin; it knows no layout."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.parsing.layouts.words import CLOSING_OPENERS, EXAMPLE_WORDS, any_of

__all__ = ["EMPTY_LINES", "EXAMPLE_HEADING", "drop_blank_lines", "is_closing", "strip_value", "tail_start", "trim_end"]

EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
"""What lies between two paragraphs."""

EXAMPLE_HEADING = re.compile(
    rf"[ \t]*(?:[#>*_=\-\[(<【]{{0,6}}[ \t]*(?:(?:positive|good|correct)[ \t]+)?(?:{any_of(EXAMPLE_WORDS)})"
    r"[ \t]*(?:[#№]?[ \t]*\d{1,4})?"
    r"[ \t]*[:：.)\]】>\-–—*_=#]{0,6}|[-*_=~#]{3,80}|`{3,4}\w{0,12}|[#(\[]?\d{1,4}[.):\]])[ \t]*",
    re.IGNORECASE,
)
"""A whole line that only separates examples: "Example 2", "### Beispiel 2:", "---", "3." or a code fence."""

_LONGEST_CLOSING = 400
_LONGEST_OPENER = max(map(len, CLOSING_OPENERS))


def strip_value(value: str) -> str:
    """A field's value without the layout around it: one blank after the colon, blank lines, separating lines.

    Other blanks at its ends are kept: the words of the prompt are data.
    """
    head = trim_end(value)
    if head[:1] == " " and not head.startswith("   "):
        return drop_blank_lines(head[1:])
    return drop_blank_lines(head.lstrip() if head.startswith(("   ", "\t")) else head)


def trim_end(value: str) -> str:
    """The value without the empty and separating lines below it."""
    end = len(value)
    while (cut := _without_last_line(value, end)) is not None:
        end = cut
    return value[:end]


def _without_last_line(value: str, end: int) -> int | None:
    """Where the value ends without its last line, if that line says nothing."""
    line_start = value.rfind("\n", 0, end)
    if line_start < 0:
        return None
    line = value[line_start + 1 : min(end, line_start + 200)]
    if line.strip().startswith("```") and _closes_fence(value, line_start):
        return None
    return line_start if not line.strip() or EXAMPLE_HEADING.fullmatch(line) else None


def _closes_fence(value: str, line_start: int) -> bool:
    """Whether a fence that ends the value opens in it, too: then the value is the fenced text, marks and all."""
    opening = value.rfind("```", 0, line_start)
    if opening < 0:
        return False
    inside = value[opening:line_start].partition("\n")[2]
    return bool(inside.strip()) and value.count("```", 0, opening) % 2 == 0


def drop_blank_lines(value: str) -> str:
    """The value without the empty lines above it; nothing at all when it is blank."""
    while "\n" in value and not (first := value.partition("\n"))[0].strip():
        value = first[2]
    return value if value.strip() else ""


def is_closing(text: str) -> bool:
    """Whether these words only lead to the input at hand ("Now, complete the following input:")."""
    words = text.strip().lstrip("#*_ \t").casefold()
    if len(words) > _LONGEST_CLOSING:
        return False
    return words.startswith(CLOSING_OPENERS) and not words[:_LONGEST_OPENER].startswith(("note", "nota"))


def tail_start(value: str, *, others: Sequence[str], has_instruction: bool) -> int:
    """Where the words after the last demonstration begin in its value; the value's length if there are none.

    `others` are the other demonstrations' values: where they have no empty line, an empty line ends this one too.
    """
    breaks = list(EMPTY_LINES.finditer(value.rstrip()))
    if not breaks:
        return _closing_line(value, others=others)
    if not any(EMPTY_LINES.search(other) for other in others):
        return breaks[0].start()
    last = breaks[-1]
    if not has_instruction or is_closing(value[last.end() :]):
        return last.start()
    return len(value)


def _closing_line(value: str, *, others: Sequence[str]) -> int:
    """Closing words that follow without an empty line, where the other values have one line each."""
    lines = value.rstrip().split("\n")
    if len(lines) > 1 and not any("\n" in other.strip() for other in others) and is_closing(lines[-1]):
        return len(value.rstrip()) - len(lines[-1]) - 1
    return len(value)
