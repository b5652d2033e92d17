"""Reading a reply that should be a list of texts, however the teacher has written it down: pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Listing", "read_inputs", "read_labels"]

ARRAYS_TRIED = 50  # opening brackets looked at before a reply counts as no array

_DECODER = json.JSONDecoder(strict=False)  # raw line breaks inside strings are common
_BULLET = re.compile(r"\s*(?:[-*•]|\(?\d{1,4}[.):])\s+(\S.*)")
_SINGLE_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'(?=\s*[,\]])", re.DOTALL)  # as Python writes lists
_SPACE_OR_COMMA = re.compile(r"[\s,]*")


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


def read_labels(text: str, *, count: int) -> tuple[str, ...] | None:
    """The labels in a reply that should be a JSON array of just so many strings; None when it is not.

    Numbers and words such as true count as the texts they stand for. An object with the numbers of the inputs as names
    is read in their order. What has one label too few or too many cannot be matched to its inputs, so it is no answer.
    """
    labels = _scalars(text)
    if labels is None:
        labels = read_inputs(text).inputs
    return labels if len(labels) == count else None


def _scalars(text: str) -> tuple[str, ...] | None:
    """The items of a reply that is one JSON array, or one object numbered from 1, of scalars."""
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and list(value) == [str(number + 1) for number in range(len(value))]:
        value = list(value.values())
    if not isinstance(value, list) or any(isinstance(item, list | dict) for item in value):
        return None
    return tuple(item.strip() if isinstance(item, str) else json.dumps(item) for item in value)


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
