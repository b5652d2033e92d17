"""Whether an answer is right, row by row: word for word, in value, by date, as a set of labels, field by field.

Every comparison is of one answer with one right answer and gives 0 to 1; what cannot be read as a number, a date or
JSON is compared word for word, so that "N/A" is right where it is wanted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

__all__ = [
    "Leeway",
    "Moment",
    "equal",
    "fields_right",
    "is_json",
    "labels_in",
    "labels_shared",
    "moment_of",
    "number_of",
    "same_json",
    "same_labels",
    "same_moment",
    "same_number",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leeway:
    """How far an answer may lie from the right one: a number by a share of the right one, a date by days."""

    share: float = 1e-9
    days: float = 0.0


def equal(given: str, wanted: str, leeway: Leeway) -> float:  # noqa: ARG001 - no word for word comparison has any
    return float(given == wanted)


# -- numbers

_MARKS: Final = str.maketrans({"−": "-", "–": "-", "\u00a0": "", "\u202f": "", " ": "", "_": "", "'": "", "’": ""})
_THOUSANDS: Final = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_THOUSANDS_WITH_POINTS: Final = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+,\d+|[-+]?\d{1,3}(?:\.\d{3}){2,}")
_FRACTION: Final = re.compile(r"([-+]?\d+)/(\d+)")
_DECIMAL: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def number_of(text: str) -> float | None:
    """The value of a text that is one number as people write it, or None.

        number_of("1,234.5"), number_of("1.234,5"), number_of("3/4"), number_of("12 %")  # 1234.5, 1234.5, 0.75, 0.12

    A single comma before three digits parts thousands, any other is a decimal mark.
    """
    bare = text.strip().translate(_MARKS)
    if bare.endswith("%"):
        value = number_of(bare[:-1])
        return None if value is None else value / 100
    if match := _FRACTION.fullmatch(bare):
        return int(match[1]) / int(match[2]) if int(match[2]) else None
    if _THOUSANDS.fullmatch(bare):
        bare = bare.replace(",", "")
    elif _THOUSANDS_WITH_POINTS.fullmatch(bare):
        bare = bare.replace(".", "")
    bare = bare.replace(",", ".", 1)
    value = float(bare) if _DECIMAL.fullmatch(bare) else math.nan
    return value if math.isfinite(value) else None


def same_number(given: str, wanted: str, leeway: Leeway) -> float:
    """Right in value, however it is written, to within the leeway."""
    first, second = number_of(given), number_of(wanted)
    if first is None or second is None:
        return equal(given.strip(), wanted.strip(), leeway)
    return float(math.isclose(first, second, rel_tol=0.0, abs_tol=leeway.share * abs(second)))


# -- dates and times

_DAY_FIRST: Final = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?))?")
_YEAR_FIRST: Final = re.compile(r"(\d{4})([./-])(\d{1,2})\2(\d{1,2})(?:[ T,]+(\d{1,2}:\d{2}(?::\d{2})?))?")
_MONTH: Final = re.compile(r"(\d{4})[-/.](\d{1,2})")
_YEAR: Final = re.compile(r"\d{4}")
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_SECONDS_A_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as finely as it was told: its `kind` (day, month, year or time), and where it lies, in those.

    A time of day is a part of a day; a day may have one.
    """

    kind: str
    at: float


def moment_of(text: str, *, month_first: bool = False) -> Moment | None:
    """The date or time that a text is, in digits, or None.

    Of "03/04/2024" nobody can tell the day: it comes first unless `month_first`, or there is no such month.
    """
    bare = text.strip()
    if match := _YEAR_FIRST.fullmatch(bare):
        return _day(match[1], match[3], match[4], match[5])
    if match := _DAY_FIRST.fullmatch(bare):
        days = [(match[3], match[1]), (match[1], match[3])]
        first, second = reversed(days) if month_first else days
        return _day(match[4], *first, match[5]) or _day(match[4], *second, match[5])
    if (match := _MONTH.fullmatch(bare)) and 1 <= int(match[2]) <= 12:
        return Moment("month", 12 * int(match[1]) + int(match[2]))
    if _YEAR.fullmatch(bare):
        return Moment("year", int(bare))
    if match := _TIME.fullmatch(bare):
        return Moment("time", _part_of_day(match[1], match[2], match[3]))
    return _told_by_iso(bare)


def _day(year: str, month: str, day: str, time: str | None) -> Moment | None:
    try:
        date = datetime(int(year), int(month), int(day))  # noqa: DTZ001 - the text names no zone
    except ValueError:  # there is no such day
        return None
    return Moment("day", date.toordinal() + (_part_of_day(*time.split(":")) if time else 0.0))


def _part_of_day(hours: str, minutes: str, seconds: str | None = None) -> float:
    return (3600 * int(hours) + 60 * int(minutes) + int(seconds or 0)) / _SECONDS_A_DAY


def _told_by_iso(text: str) -> Moment | None:
    """What is left of ISO 8601: zones, weeks, fractions of seconds. A bare number is none of these."""
    if "-" not in text:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    zone = date.utcoffset()
    since_midnight = date.hour * 3600 + date.minute * 60 + date.second - (zone.total_seconds() if zone else 0)
    return Moment("day" if zone is None else "instant", date.toordinal() + since_midnight / _SECONDS_A_DAY)


def same_moment(given: str, wanted: str, leeway: Leeway) -> float:
    """The same date or time, however it is written, to within the leeway; a month or a year has none."""
    first, second = moment_of(given), moment_of(wanted)
    if first is None or second is None:
        return equal(given.strip(), wanted.strip(), leeway)
    days = leeway.days if first.kind in ("day", "time", "instant") else 0.0
    return float(first.kind == second.kind and abs(first.at - second.at) <= days + 1e-9)


# -- several labels

_BETWEEN: Final = re.compile(r"\s*(?:[,;|\n、，]| / )\s*")


def labels_in(text: str) -> frozenset[str]:
    """The labels that an answer of several is made of: a JSON list of texts, or what stands between the marks."""
    told = _read(text) if text.lstrip().startswith("[") else None
    if isinstance(told, list) and all(isinstance(each, str) for each in told):
        return frozenset(told)
    return frozenset(filter(None, _BETWEEN.split(text.strip())))


def same_labels(given: str, wanted: str, leeway: Leeway) -> float:  # noqa: ARG001 - a label is in the set or is not
    """The same labels, in any order and however they are joined."""
    return float(labels_in(given) == labels_in(wanted))


def labels_shared(given: str, wanted: str, leeway: Leeway) -> float:  # noqa: ARG001
    """How far two sets of labels agree: twice those in both, of all in either (F1). Two empty ones do wholly."""
    ours, theirs = labels_in(given), labels_in(wanted)
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 1.0


# -- JSON

Leaf = tuple[str, object]
_NOT_JSON: Final = object()


def same_json(given: str, wanted: str, leeway: Leeway) -> float:
    """The same JSON value: neither blanks nor the order of keys count, and 1 is 1.0 but not true."""
    first, second = _read(given), _read(wanted)
    if first is _NOT_JSON or second is _NOT_JSON:
        return equal(given.strip(), wanted.strip(), leeway)
    return float(dict(_leaves(first)) == dict(_leaves(second)))


def fields_right(given: str, wanted: str, leeway: Leeway) -> float:
    """The share of fields that are there and right, of all that either has: what was invented counts against it.

    A field is a path to a value that holds no others; what stands in a list is known by its place.
    """
    first, second = _read(given), _read(wanted)
    if first is _NOT_JSON or second is _NOT_JSON:
        return equal(given.strip(), wanted.strip(), leeway)
    ours, theirs = dict(_leaves(first)), dict(_leaves(second))
    right = sum(path in ours and ours[path] == value for path, value in theirs.items())
    return right / len(ours.keys() | theirs.keys())


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or list."""
    return text.lstrip().startswith(("{", "[")) and _read(text) is not _NOT_JSON


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _leaves(value: object, path: str = "") -> Iterator[Leaf]:
    """The fields by their paths; an empty list or object is a field of its own."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{json.dumps(key)}")
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{place}")
    else:
        yield path, (isinstance(value, bool), json.dumps(value) if isinstance(value, dict | list) else value)
