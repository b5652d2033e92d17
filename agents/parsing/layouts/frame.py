"""The words around the demonstrations: which of them are the instruction, and which only lead in and out."""

from __future__ import annotations

import re

from agents.parsing.layouts.tail import EMPTY_LINES, EXAMPLE_HEADING, is_closing
from agents.parsing.layouts.words import EXAMPLE_WORDS, INSTRUCTION_NAMES, any_of

__all__ = ["announces", "instruction_around", "is_led", "lead_start"]

_LONGEST_LEAD = 240
_LATE_SCRIPTS = "\u0590"  # from here on, scripts put no blanks between words, or glue particles to them
_SENTENCE_END = re.compile(r"[.!?][\"')\]]?\s+|[。！？]\s*")
_WORDS = re.compile(
    "|".join(
        rf"(?<![a-z]){re.escape(word)}(?!\w)" if word[0] < _LATE_SCRIPTS else re.escape(word)
        for word in sorted(EXAMPLE_WORDS, key=len, reverse=True)
    ),
    re.IGNORECASE,
)
_LEAD_ENDS = (":", "：", "-", "–", "—", "…", "...", ">", "*", "#", "=")
_LEAD_STARTS = (
    "here is",
    "here's",
    "here are",
    "below is",
    "below are",
    "these are",
    "consider the following",
    "see the following",
)
_HEADING = re.compile(
    r"[ \t]*[#>*_=\[【<-]{0,6}[ \t]*([^\W\d_][\w ]{0,30}?)[ \t]*[\]】>*_]{0,3}[ \t]*[:：]?[ \t]*[*_=#-]{0,6}[ \t]*"
)
_TAG = re.compile(r"\s*<([A-Za-z_][\w-]{0,30})>")
_PREAMBLE = re.compile(
    r"(?=[^\n]*\binstruction\b)[^\n]{20,300}\n\s*(?=#{1,6} Instructions?\b[^\n]{0,3}\n)", re.IGNORECASE
)
_INLINE_NAME = re.compile(
    rf"[*_#\[ \t]{{0,6}}(?:{any_of(INSTRUCTION_NAMES - {'goal', 'description', 'definition'})})"
    r"[\]*_ \t]{0,4}[:：][*_]{0,2}[ \t]+(?=\S)",
    re.IGNORECASE,
)
_UNDERLINE = re.compile(r"[=~^-]{3,80}[ \t]*\n")
_QUERY_LINE = re.compile(r".{0,2000}(?:->|=>|→|⇒)[ \t]*")


def instruction_around(text: str, *, start: int, end: int) -> str:
    """The instruction: what stands outside `text[start:end]`, less the words that only lead over."""
    # Where no examples follow, words that seem to announce some are the instruction's last, unless they end so.
    led = start < len(text) or text[:start].rstrip().endswith((":", "：", "...", "…"))
    before = _unwrap(text[: lead_start(text, start) if led else _above_layout(text, start)])
    after = _after(text[end:], has_before=bool(before))
    return "\n\n".join(part for part in (before, after) if part)


def is_led(text: str, end: int) -> bool:
    """Whether words that announce examples stand right above `end`."""
    return bool(text[lead_start(text, end) : end].strip())


def lead_start(text: str, end: int) -> int:
    """Where the words begin that announce the examples at `end` ("Here are some examples:").

    Blanks and separating lines belong to them; without such words, it is where the text above ends.
    """
    position = _above_layout(text, end)
    line_start = text.rfind("\n", 0, position) + 1
    if position - line_start > 20 * _LONGEST_LEAD:
        line_start = position - 20 * _LONGEST_LEAD
    line = text[line_start:position]
    sentence = max((match.end() for match in _SENTENCE_END.finditer(line) if match.end() < len(line)), default=0)
    if not announces(line[sentence:]):
        return position
    whole = len(line) <= _LONGEST_LEAD / 2 and line.strip().casefold().startswith(_LEAD_STARTS)
    return _above_layout(text, line_start + (0 if whole else sentence))


def _above_layout(text: str, end: int) -> int:
    """Where the text above ends when empty lines and separating lines are passed over."""
    position = end
    while True:
        while position > 0 and text[position - 1].isspace():
            position -= 1
        line_start = text.rfind("\n", 0, position) + 1
        if position == 0 or position - line_start > 120 or not EXAMPLE_HEADING.fullmatch(text[line_start:position]):
            return position
        position = line_start


def announces(sentence: str) -> bool:
    """Whether these words only say that examples follow."""
    words = sentence.strip()
    if len(words) > _LONGEST_LEAD:
        return False
    if words.casefold().startswith(_LEAD_STARTS) and words.endswith((":", "：")):
        return True
    if not _WORDS.search(words):
        return False
    return words.endswith(_LEAD_ENDS) or words.startswith(("#", "**", "==", "--"))


def _after(tail: str, *, has_before: bool) -> str:
    """The paragraphs after the examples, less those that only lead to the input at hand."""
    kept = [part for part in EMPTY_LINES.split(tail.strip()) if part.strip() and not _says_nothing(part)]
    while kept and is_closing(kept[-1]) and (has_before or len(kept) > 1):
        kept.pop()
    if has_before and kept and is_closing(kept[0]):
        kept.pop(0)
    return _unwrap("\n\n".join(kept))


def _says_nothing(paragraph: str) -> bool:
    lines = [line for line in paragraph.split("\n") if line.strip()]
    return all(
        len(line) < 2000 and (EXAMPLE_HEADING.fullmatch(line) or _QUERY_LINE.fullmatch(line) or _is_tag(line))
        for line in lines
    )


def _is_tag(line: str) -> bool:
    bare = line.strip()
    return bare.startswith("<") and bare.endswith(">") and " " not in bare and len(bare) < 40


def _unwrap(text: str) -> str:
    """The instruction without a heading that says that it is one ("### Instruction"), or tags around it.

    A line above such a heading that only says that an instruction follows goes, too.
    """
    text = _INLINE_NAME.sub("", text.strip(), count=1)
    bare = _PREAMBLE.sub("", text.strip(), count=1) if _PREAMBLE.match(text.strip()) else text.strip()
    tag = _TAG.match(bare)
    closing = f"</{tag[1]}>" if tag else ""
    if tag and bare.endswith(closing):
        return _unwrap(bare[tag.end() : -len(closing)])
    first, _, rest = bare.partition("\n")
    rest = _UNDERLINE.sub("", rest, count=1)
    heading = _HEADING.fullmatch(first) if len(first) < 60 else None
    if heading and heading[1].casefold().strip() in INSTRUCTION_NAMES and rest.strip():
        return _unwrap(rest)
    return bare
