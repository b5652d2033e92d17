"""Lists between us and a teacher: how several texts are shown, and how lists are read, however they were written. Pure.

Two kinds are read. New inputs come in any order and number, so whatever is whole is taken. Labels belong to inputs: a
label counts only under the number of its input, and where the numbers cannot be trusted none does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.records import Pair

__all__ = ["Listing", "Pairing", "numbered", "quoted", "quoted_pair", "read_inputs", "read_labels", "read_pairs"]

MOST_OBJECTS = 10_000  # opening braces looked at in a reply
ARRAYS_TRIED = 50  # opening brackets looked at before a reply counts as no array

_DECODER = json.JSONDecoder(strict=False)  # raw line breaks inside strings are common
_BULLET = re.compile(r"\s*(?:[-*•]|\(?\d{1,4}[.):])\s+(\S.*)")
_SINGLE_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'(?=\s*[,\]])", re.DOTALL)  # as Python writes lists
_SPACE_OR_COMMA = re.compile(r"[\s,]*")
# 1. x   1) x   1: x   **1.** x   "1": x   and nothing looser: in an array, `["2. x"` is no second answer.
_NUMBERED = re.compile(r"""(?:([0-9]{1,6})[.):]|\*\*([0-9]{1,6})[.):]\*\*|"([0-9]{1,6})":)\s+(\S.*)""")
# What JSON leaves as it is and some reader takes for the end of a line, and what no provider can be sent.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")


# -- showing


def quoted(text: str) -> str:
    """The text as a JSON string that stays on its line, whatever is in it."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def quoted_pair(pair: Pair) -> str:
    """A row as a JSON object that stays on its line."""
    return f'{{"input": {quoted(pair.input)}, "output": {quoted(pair.output)}}}'


def numbered(texts: Sequence[str]) -> str:
    """The texts one a line, each a JSON string after its number, from 1."""
    return "\n".join(f"{number}. {quoted(text)}" for number, text in enumerate(texts, start=1))


# -- reading labels


def read_labels(text: str, *, count: int, is_cut: bool = False) -> dict[int, str]:
    """The labels by their numbers, from 1 to `count`, one a line; a number without a sure label is left out.

    Never raises. With a number that is not among those or comes twice, the teacher has lost count; with the last one
    missing from a list that was not cut, labels may have moved up: then no label counts. Of a cut list, whole lines do.
    """
    lines = [line.strip() for line in text.split("\n")]
    if is_cut:
        lines[-1] = "..."
    found: dict[int, str | None] = {}
    open_ended = 0  # the number of a label that the next line may go on with
    for line in lines:
        match = _NUMBERED.fullmatch(line)
        if match is None:
            if open_ended and line.strip("`"):
                found[open_ended] = None
            open_ended = 0
            continue
        number, label = int(match[1] or match[2] or match[3]), match[4]
        if number in found or not 1 <= number <= count:
            return {}
        found[number] = _label(label)
        open_ended = 0 if label.startswith('"') else number
    if not is_cut and count not in found:
        return {}
    return {number: label for number, label in found.items() if label is not None}


def _label(written: str) -> str | None:
    """A JSON string, or words without quotation marks."""
    return _json_string(written.rstrip(", ")) if written.startswith('"') else written


# -- reading inputs


@dataclass(frozen=True, slots=True)
class Listing:
    """The inputs found in a reply; when there are none, `problem` says why."""

    inputs: tuple[str, ...] = ()
    problem: str = ""


def read_inputs(text: str) -> Listing:
    """The inputs in a reply that should be a JSON array of strings. Never raises.

    Read in this order: a JSON array (in a fence, with prose around it, with a comma too many, in single quotes, of
    objects with one text each; a cut one gives its whole items), one JSON string a line, a numbered or bulleted list.
    """
    if not text.strip():
        return Listing(problem="the reply is empty")
    for read in (_read_array, _read_lines, _read_bullets):
        inputs = tuple(item.strip() for item in read(text))
        if any(inputs):
            return Listing(inputs)
    return Listing(problem=f"no list in the reply: {text.strip()[:200]!r}")


@dataclass(frozen=True, slots=True)
class Pairing:
    """The inputs found in a reply, each with its output; when there are none, `problem` says why."""

    pairs: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def read_pairs(text: str) -> Pairing:
    """The objects with an input and an output in a reply, wherever they stand; a cut one is left out. Never raises."""
    found: list[tuple[str, str]] = []
    position = text.find("{")
    for _ in range(MOST_OBJECTS):
        if position < 0:
            break
        try:
            item, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            item, end = None, position + 1
        if isinstance(item, dict) and isinstance(item.get("input"), str) and isinstance(item.get("output"), str):
            found.append((item["input"].strip(), item["output"]))
        position = text.find("{", end)
    if any(written for written, _ in found):
        return Pairing(tuple(found))
    return Pairing(problem=f"no row in the reply: {text.strip()[:200]!r}" if text.strip() else "the reply is empty")


def _read_array(text: str) -> list[str]:
    starts = (match.end() for match, _ in zip(re.finditer(r"\[", text), range(ARRAYS_TRIED), strict=False))
    return next(filter(None, (list(_items_from(text, start)) for start in starts)), [])


def _items_from(text: str, position: int) -> Iterator[str]:
    """The items after an opening bracket, up to the closing one or to the first that is not whole."""
    while True:
        position = _match_end(_SPACE_OR_COMMA, text, position)
        if single := _SINGLE_QUOTED.match(text, position):
            position = single.end()
            yield single[1].replace("\\'", "'")
            continue
        if text[position : position + 1] not in ('"', "{"):
            return
        try:
            item, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        if (found := _text_of(item)) is not None:
            yield found


def _match_end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _text_of(item: object) -> str | None:
    """A string, or the one text of an object such as {"input": "..."}."""
    if isinstance(item, str):
        return item
    texts = [value for value in item.values() if isinstance(value, str)] if isinstance(item, dict) else []
    if isinstance(item, dict) and isinstance(item.get("input"), str):
        return str(item["input"])
    return texts[0] if len(texts) == 1 else None


def _read_lines(text: str) -> list[str]:
    found = (_json_string(line.strip().rstrip(",")) for line in text.splitlines())
    return [line for line in found if line is not None]


def _json_string(line: str) -> str | None:
    if not (len(line) >= 2 and line[0] == line[-1] == '"'):
        return None
    try:
        value = json.loads(line, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _read_bullets(text: str) -> list[str]:
    matches = (_BULLET.fullmatch(line) for line in text.splitlines())
    items = (match[1].strip().rstrip(",") for match in matches if match)
    return [_json_string(item) or item for item in items]
