"""Demonstrations as `input -> output` lines, or as `=> output` on a line of its own below the input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agents.parsing.layouts.found import Found, unquote_all
from agents.parsing.layouts.frame import is_led
from agents.parsing.layouts.tail import EXAMPLE_HEADING, drop_blank_lines, tail_start, trim_end
from agents.parsing.layouts.words import EXAMPLE_WORDS, any_of
from agents.records import Pair

__all__ = ["find"]

_ARROW = re.compile(r"(?:-{1,3}>|={1,3}>|→|⇒|⟶|➔|➜|⟹|👉|➡\ufe0f?|(?<=\S)>>>|(?<=\S )>>>)")
_INLINE_ARROW = re.compile(rf" ?{_ARROW.pattern} ?(?=[ \t]{{0,20}}\S)")
_LEADING_ARROW = re.compile(rf"^[ \t]{{0,8}}{_ARROW.pattern}(?:[ \t]{{3,}}| ?)(?=[ \t]*\S)", re.MULTILINE)
_BULLET = re.compile(
    r"[ \t]*(?:(?:[-*•+]|\(?\d{1,4}[.):])[ \t]+|"
    rf"(?:{any_of(EXAMPLE_WORDS)})[ \t]?[#№]?\d{{0,4}}[ \t]?[:：.)][ \t]{{0,3}})",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[ \t]*([^\W\d_][\w ]{0,24})[ \t]?[:：]")

_QUERY = re.compile(rf"\S.*{_ARROW.pattern}[ \t]*")

_LONGEST_HEADING = 240
_LONGEST_QUERY = 2_000


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str


def find(text: str) -> Found | None:
    """The demonstrations written with arrows."""
    if not _ARROW.search(text):
        return None
    return _below(text) or _beside(text)


def _arrows_in(line: str) -> list[re.Match[str]]:
    """The arrows of a line that stand between two values."""
    start = len(line) - len(line.lstrip())
    return [match for match in _INLINE_ARROW.finditer(line) if match.start() > start]


def _lines(text: str) -> list[_Line]:
    lines, start = [], 0
    for line in text.split("\n"):
        lines.append(_Line(start, line))
        start += len(line) + 1
    return lines


def _below(text: str) -> Found | None:
    """Examples whose output stands on its own line after an arrow."""
    arrows = list(_LEADING_ARROW.finditer(text))
    pairs: list[Pair] = []
    begin, previous_end = 0, 0
    others: list[str] = []
    for number, arrow in enumerate(arrows):
        start = _input_start(text, previous_end, arrow.start())
        stop = _input_start(text, arrow.end(), arrows[number + 1].start()) if number + 1 < len(arrows) else len(text)
        output = text[arrow.end() : stop]
        if number + 1 == len(arrows):
            output = output[: tail_start(output, others=others, has_instruction=bool(text[:begin].strip()))]
        output = trim_end(output)
        previous_end = arrow.end() + len(output)
        given = drop_blank_lines(text[start : arrow.start()].rstrip("\n"))
        if not given.strip():
            continue
        begin = begin if pairs else start
        pairs.append(Pair(given, output))
        others.append(output)
    rest = text[previous_end:].strip()
    if not pairs or (len(pairs) == 1 and not text[:begin].strip() and (not rest or EXAMPLE_HEADING.fullmatch(rest))):
        return None  # what stands above the only arrow is the instruction, if anything is
    headed = len(pairs) > 1 or EXAMPLE_HEADING.fullmatch(text[:begin].rstrip().rsplit("\n", 1)[-1])
    return Found(
        layout="arrow_below",
        pairs=unquote_all(tuple(pairs)),
        start=begin,
        end=previous_end,
        certainty=1.0 if headed else 0.7,
    )


def _input_start(text: str, low: int, high: int) -> int:
    """Where the input above an arrow begins: below the nearest heading, otherwise below the nearest empty line."""
    position = high - 1
    empty: int | None = None
    while position > low:
        line_start = text.rfind("\n", low, position) + 1 or low
        line = text[line_start:position]
        if _is_heading(line) or (low == 0 and _announces(text, line_start, line)):
            return position + 1
        if not line.strip() and empty is None and position + 1 < high:
            empty = position + 1
        if line_start <= low:
            break
        position = line_start - 1
    return empty if empty is not None else low


def _is_heading(line: str) -> bool:
    return len(line) < _LONGEST_HEADING and bool(line.strip() and EXAMPLE_HEADING.fullmatch(line))


def _announces(text: str, line_start: int, line: str) -> bool:
    """Whether the line leads to the first example; below a heading of its own it is an input that only sounds so."""
    if not line.strip() or len(line) >= _LONGEST_HEADING or not is_led(line, len(line)):
        return False
    above = text[max(0, line_start - _LONGEST_HEADING) : max(0, line_start - 1)].rsplit("\n", 1)[-1]
    return not _is_heading(above)


def _beside(text: str) -> Found | None:
    """Examples whose input and output share a line; the input may begin on lines above."""
    lines = _lines(text)
    found = None
    for first, last in _paragraphs_with_arrows(lines):
        reading = _read_paragraphs(text, lines[first : last + 1])
        if reading and (found is None or len(reading.pairs) > len(found.pairs)):
            found = reading
    return found


def _paragraphs_with_arrows(lines: Sequence[_Line]) -> list[tuple[int, int]]:
    """Runs of paragraphs that each hold an arrow, as (first line, last line)."""
    runs: list[tuple[int, int]] = []
    position = 0
    joined = False
    while position < len(lines):
        if not lines[position].text.strip():
            position += 1
            continue
        stop = position
        while stop < len(lines) and lines[stop].text.strip():
            stop += 1
        has_arrow = any(_arrows_in(line.text) for line in lines[position:stop])
        if has_arrow:
            runs = [*runs[:-1], (runs[-1][0], stop - 1)] if joined else [*runs, (position, stop - 1)]
        joined = has_arrow
        position = stop
    return runs


def _read_paragraphs(text: str, lines: Sequence[_Line]) -> Found | None:
    arrows = [number for number, line in enumerate(lines) if _arrows_in(line.text)]
    first = _first_example_line(text, lines, arrows)
    body = lines[first:]
    arrows = [number - first for number in arrows]
    led = is_led(text, body[0].start)
    plain = [line.text for line in body if line.text.strip() and not EXAMPLE_HEADING.fullmatch(line.text)]
    if len(arrows) < 2 and not led and not _is_queried(text, body[arrows[0]]):
        return None
    pairs, last = _pairs(body, arrows)
    if not pairs:
        return None
    end = body[last].start + len(body[last].text)
    tidy = len(plain) == len(arrows)
    several = any(len(_arrows_in(body[number].text)) > 1 for number in arrows)
    certainty = (1.0 if led or len(arrows) > 1 else 0.8) - (0 if tidy else 0.07) - (0.1 if several else 0)
    return Found(
        layout="arrow", pairs=unquote_all(_without_bullets(pairs)), start=body[0].start, end=end, certainty=certainty
    )


def _is_queried(text: str, example: _Line) -> bool:
    """Whether the next line is the input at hand, with an arrow and no answer: `c =>`."""
    following = text[example.start + len(example.text) :].lstrip().partition("\n")[0]
    return bool(_QUERY.fullmatch(following[:_LONGEST_QUERY]))


def _first_example_line(text: str, lines: Sequence[_Line], arrows: Sequence[int]) -> int:
    """The line where the first input begins: below the words that lead in, if there are such.

    Lines above the first arrow belong to its input when other arrows have lines above them, too, and otherwise to the
    instruction.
    """
    for number in range(arrows[0] - 1, -1, -1):
        line = lines[number].text.rstrip()
        if EXAMPLE_HEADING.fullmatch(line) or is_led(line, len(line)):
            return number + 1
        if line.endswith((":", "：")) and not _FIELD.match(line):
            return number + 1
    several_lines = any(after - before > 1 for before, after in pairwise(arrows)) or len(arrows) == 1
    has_text_above = bool(text[: lines[0].start].strip())
    return 0 if several_lines and (has_text_above or _FIELD.match(lines[0].text)) else arrows[0]


def _pairs(body: Sequence[_Line], arrows: Sequence[int]) -> tuple[tuple[Pair, ...], int]:
    """The pairs and the number of the last line that belongs to them.

    Lines without an arrow continue the output above when the first line has an arrow and the last has none;
    otherwise they begin the input below.
    """
    last = len(body) - 1
    while last > arrows[-1] and not body[last].text.strip():
        last -= 1
    continues_outputs = arrows[0] == 0 and last > arrows[-1] and len(arrows) > 1 and arrows != list(range(len(arrows)))
    pairs = []
    previous = 0
    for position, number in enumerate(arrows):
        arrow = _arrows_in(body[number].text)[-1]
        above = [] if continues_outputs else _plain(body[previous:number])
        given = "\n".join([*above, _without_alignment(body[number].text[: arrow.start()])])
        stop = (arrows[position + 1] if position + 1 < len(arrows) else last + 1) if continues_outputs else number + 1
        output = "\n".join([_without_alignment(body[number].text[arrow.end() :]), *_plain(body[number + 1 : stop])])
        pairs.append(Pair(given, output))
        previous = number + 1
    return tuple(pairs), last if continues_outputs else arrows[-1]


def _without_alignment(value: str) -> str:
    """Three blanks and more at an end only align columns; fewer are content."""
    value = value.lstrip() if value.startswith(("   ", "\t")) else value
    return value.rstrip() if value.endswith(("   ", "\t")) else value


def _plain(lines: Sequence[_Line]) -> list[str]:
    return [line.text for line in lines if line.text.strip() and not EXAMPLE_HEADING.fullmatch(line.text)]


def _without_bullets(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Bullets and numbers are layout when every input has one."""
    matches = [_BULLET.match(pair.input) for pair in pairs]
    if not all(matches):
        return pairs
    return tuple(
        Pair(pair.input[match.end() :], pair.output) for pair, match in zip(pairs, matches, strict=True) if match
    )
