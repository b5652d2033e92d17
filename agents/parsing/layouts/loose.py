"""Demonstrations with nothing to mark them but their place: announced, and then in pairs of lines or of scripts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.parsing.language import script_of
from agents.parsing.layouts.found import Found
from agents.parsing.layouts.frame import is_led
from agents.parsing.layouts.markers import is_partner, stem
from agents.parsing.layouts.words import OUTPUT_NAMES
from agents.records import Pair

__all__ = ["find", "looks_listed"]

_PARAGRAPH = re.compile(r"^[^\S\n]*+\S[^\n]*(?:\n[^\S\n]*+\S[^\n]*)*", re.MULTILINE)
_LABEL_LINE = re.compile(r"[*_#\[ \t]*([^\W\d_][\w ]{0,24}?)[\]*_ \t]*[:：][*_ \t]*")
_ARROW_ROW = re.compile(r"\S.{0,400}?\S ?(?:-{1,2}>|={1,2}>|→|⇒) ?\S.{0,400}")
_COLON_ROW = re.compile(r"[ \t]*(?:[-*•][ \t]+)?[^:：\n]{1,80}[:：][ \t]+[^\n.]{1,40}")
_PLACE = re.compile(r"\{\{[^{}]{0,120}\}\}|\{[A-Za-z_]\w{0,40}\}")
_SCRIPT_SHARE = 0.8
_MOST_ROWS = 50


def find(text: str) -> Found | None:
    """The demonstrations that only their place and their announcement show; never surer than 0.75."""
    paragraphs = [(match.start(), match.end(), match[0]) for match in _PARAGRAPH.finditer(text)]
    first = next((number for number, part in enumerate(paragraphs) if is_led(text, part[0])), None)
    if first is None and paragraphs:
        first, paragraphs = _inside_paragraph(text, paragraphs)
    if first is None or first >= len(paragraphs):
        return None
    body = paragraphs[first:]
    return _two_lines_each(body) or _two_scripts(body)


def looks_listed(text: str) -> bool:
    """Whether the last paragraph looks like examples in a layout that may as well be rules: `a: b`, `a => b`, `a,b`."""
    lines = [match[0] for match in _PARAGRAPH.finditer(text)][-1:]
    rows = lines[0].split("\n")[-_MOST_ROWS:] if lines else []
    if any(_PLACE.search(row) for row in rows):
        return False  # a template, not examples
    if rows and all(_ARROW_ROW.fullmatch(row) for row in rows[-1:]):
        return True
    return len(rows) > 1 and (
        all(_COLON_ROW.fullmatch(row) for row in rows[1:]) or any(_is_even(rows, mark) for mark in (",", ";", "\t"))
    )


def _is_even(rows: Sequence[str], separator: str) -> bool:
    """Whether at least three rows have the same number of cells; the line above them may be the instruction's."""
    counts = {row.count(separator) for row in rows[-3:]}
    return len(rows) > 2 and len(counts) == 1 and counts != {0} and not any(row.endswith(".") for row in rows)


_Paragraph = tuple[int, int, str]


def _inside_paragraph(text: str, paragraphs: Sequence[_Paragraph]) -> tuple[int | None, list[_Paragraph]]:
    """The announcement may be the last line of the instruction's paragraph, with the first example right below."""
    for number, (start, end, body) in enumerate(paragraphs):
        position = start
        for line in body.split("\n")[:-1]:
            position += len(line) + 1
            if is_led(text, position):
                split = [(start, position, text[start:position]), (position, end, text[position:end])]
                return number + 1, [*paragraphs[:number], *split, *paragraphs[number + 1 :]]
    return None, list(paragraphs)


def _two_lines_each(body: Sequence[_Paragraph]) -> Found | None:
    """Paragraphs of two lines each, the input above the output."""
    split = [paragraph.split("\n") for _, _, paragraph in body]
    count = next((number for number, lines in enumerate(split) if len(lines) != 2), len(split))
    if count < 2:
        return None
    pairs = tuple(Pair(lines[0], _without_label(lines[1])) for lines in split[:count])
    return Found(layout="two_lines", pairs=pairs, start=body[0][0], end=body[count - 1][1], certainty=0.75)


def _without_label(line: str) -> str:
    match = _LABEL_LINE.match(line)
    return line[match.end() :] if match and stem(match[1]) in OUTPUT_NAMES and line[match.end() :].strip() else line


def _two_scripts(body: Sequence[_Paragraph]) -> Found | None:
    """Inputs in one script and outputs in another, as a translation shows them."""
    runs: list[tuple[str, list[str]]] = []
    for _, _, paragraph in body:
        for number, line in enumerate(paragraph.split("\n")):
            script = _script(line)
            if script is None or _is_label(line):
                continue
            if not runs or runs[-1][0] != script:
                runs.append((script, []))
            elif number == 0:
                runs[-1][1].append("")
            runs[-1][1].append(line)
    scripts = {script for script, _ in runs}
    if len(scripts) != 2 or len(runs) % 2:
        return None
    texts = ["\n".join(lines) for _, lines in runs]
    pairs = tuple(Pair(given, output) for given, output in zip(texts[::2], texts[1::2], strict=True))
    return Found(layout="two_scripts", pairs=pairs, start=body[0][0], end=body[-1][1], certainty=0.6)


def _is_label(line: str) -> bool:
    match = _LABEL_LINE.fullmatch(line)
    return bool(match and (stem(match[1]) in OUTPUT_NAMES or is_partner(stem(match[1]))))


def _script(line: str) -> str | None:
    """The writing system of most of its letters; None when there is no such."""
    letters = [script_of(char) for char in line[:400] if char.isalpha()]
    if not letters:
        return None
    counts = {name: letters.count(name) for name in set(letters)}
    top = max(sorted(counts), key=lambda name: counts[name])
    return top if counts[top] >= _SCRIPT_SHARE * len(letters) else None
