"""Dates as people write them, both ways: thirty styles of writing, and one reader for all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

__all__ = ["MONTHS", "MONTH_PATTERN", "STYLES", "WEEKDAYS", "Found", "find", "month_number", "write"]

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ORDINALS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth",
    "twentieth", "twenty-first", "twenty-second", "twenty-third", "twenty-fourth", "twenty-fifth", "twenty-sixth",
    "twenty-seventh", "twenty-eighth", "twenty-ninth", "thirtieth", "thirty-first",
)  # fmt: skip

# The most common first, for that is what a cold teacher writes.
STYLES: Final = (
    "{month} {d}, {year}",  # March 5, 2021
    "{d} {month} {year}",
    "{m}/{d}/{year}",  # slashes: month first
    "{year}-{mm}-{dd}",
    "{mon} {d}, {year}",
    "{month} {nth}, {year}",
    "{d} {mon} {year}",
    "{dd}.{mm}.{year}",  # dots: day first
    "{weekday}, {month} {d}, {year}",
    "{mm}/{dd}/{year}",
    "{nth} of {month} {year}",
    "{m}/{d}/{yy}",
    "{mon}. {d}, {year}",
    "{day}, {d} {mon} {year}",
    "{nth} {month} {year}",
    "{d}.{m}.{year}",
    "{year}/{mm}/{dd}",
    "{weekday} {d} {month} {year}",
    "the {nth} of {month} {year}",
    "{mon} {nth}, '{yy}",
    "{dd}-{mon}-{year}",
    "{d}.{m}.{yy}",
    "{MONTH} {d}, {year}",
    "{d} {mon} '{yy}",
    "{year}.{mm}.{dd}",
    "{month} {d} {year}",
    "{dd} {MON} {year}",
    "{year}{mm}{dd}",
    "{d}-{mon}-{yy}",
    "{year} {month} {d}",
    "the {ordinal} of {month} {year}",
)

# Two digits are a year of this century up to here, of the last one after: '49 is 2049, '50 is 1950.
_LAST_SHORT_YEAR: Final = 49


@dataclass(frozen=True, slots=True)
class Found:
    """A full date in a text: where it stands, and how it is written ("numeric", "day_first", ...)."""

    day: date
    start: int
    end: int
    how: str
    short_year: bool


def write(day: date, style: str) -> str:
    """The date in one of STYLES. A style that shortens the year suits 1950 to 2049 only."""
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    return style.format(
        d=day.day, dd=f"{day.day:02}", m=day.month, mm=f"{day.month:02}", year=day.year, yy=f"{day.year % 100:02}",
        nth=_nth(day.day), ordinal=_ORDINALS[day.day - 1], month=month, MONTH=month.upper(), mon=month[:3],
        MON=month[:3].upper(), weekday=weekday, day=weekday[:3],
    )  # fmt: skip


def find(text: str, start: int = 0) -> Found | None:
    """The first full date in the text from `start` on, or None.

    A day that no calendar has is no date, nor is one outside the years 1000 to 2999.
    """
    found = (_first(how, pattern, groups, text=text, start=start) for how, pattern, groups in _FORMS)
    return min((each for each in found if each), key=lambda each: each.start, default=None)


def month_number(name: str) -> int:
    """1 to 12, of a name that may be shortened."""
    return _NUMBER_OF_MONTH[name[:3].lower()]


def _nth(day: int) -> str:
    ending = "th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


_NUMBER_OF_MONTH: Final = {month[:3].lower(): number for number, month in enumerate(MONTHS, start=1)}
_DAY_OF_ORDINAL: Final = {word: day for day, word in enumerate(_ORDINALS, start=1)}

MONTH_PATTERN: Final = "(?:" + "|".join(f"{month[:3]}(?:{month[3:]}|t)?" for month in MONTHS) + r")\b\.?"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_WORD = "(?:" + "|".join(sorted(_ORDINALS, key=len, reverse=True)) + ")"
_YEAR = r"(?:[12]\d{3}(?![\d:])|'\d{2}(?!\d))"

# How a date is written: the pattern, and what its groups are, in order.
_FORMS: Final = tuple(
    (how, re.compile(pattern, re.IGNORECASE | re.ASCII), groups)
    for how, pattern, groups in (
        ("year_numeric", r"(?<![\d./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d|[./-]\d)", "y-md"),
        ("compact", r"(?<![\d./-])((?:19|20)\d\d)(\d\d)(\d\d)(?!\d|[./-]\d)", "ymd"),
        ("slashes", r"(?<![\d./-])(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?!\d|[./-]\d)", "mdy"),
        ("dots", r"(?<![\d./-])(\d{1,2})([.-])(\d{1,2})\2(\d{4}|\d\d)(?!\d|[./-]\d)", "d-my"),
        (
            "day_first",
            rf"(?<![\w.,])({_DAY}|{_WORD})(?: of |[ /-])({MONTH_PATTERN})(?:,? |[/-])({_YEAR}|(?<=[/-])\d\d(?!\d))",
            "dmy",
        ),
        ("month_first", rf"\b({MONTH_PATTERN}) ({_DAY}),? ({_YEAR})", "mdy"),
        ("year_first", rf"(?<!\d)([12]\d{{3}}),? ({MONTH_PATTERN}) ({_DAY})\b", "ymd"),
    )
)


def _first(how: str, pattern: re.Pattern[str], groups: str, *, text: str, start: int) -> Found | None:
    """The first date that is written this way and that a calendar has."""
    for match in pattern.finditer(text, start):
        part = dict(zip(groups, match.groups(), strict=True))
        day = _day(part["y"], part["m"], part["d"])
        if day is not None:
            return Found(day, match.start(), match.end(), how, short_year=len(part["y"]) < 4)
    return None


def _day(year: str, month: str, day: str) -> date | None:
    number = _year(year.lstrip("'"))
    if not 1000 <= number < 3000:
        return None
    try:
        return date(
            number,
            int(month) if month.isdigit() else month_number(month),
            _DAY_OF_ORDINAL.get(day.lower()) or int(day.rstrip("stndrhSTNDRH")),
        )
    except ValueError:
        return None


def _year(digits: str) -> int:
    if len(digits) > 2:
        return int(digits)
    return int(digits) + (2000 if int(digits) <= _LAST_SHORT_YEAR else 1900)
