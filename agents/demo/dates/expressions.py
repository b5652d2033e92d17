"""Temporal expressions ("three days ago", "next month", "July 1st") and the day, month or year that each one names.

The rules are those that the demonstrations of the prompt "Temporal Expression Normalization" show. What they leave open
is settled here: a weekday alone is the next such day, "next Friday" is that of the next week (Monday to Sunday), a day
or month without a year is of the year of the post, and a text with one ambiguous expression has no answer at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from agents.demo.dates.calendar import MONTH_PATTERN, MONTHS, WEEKDAYS, find, month_number

__all__ = ["AMBIGUOUS", "HOLIDAYS", "NUMBER_WORDS", "Expression", "read_post"]

AMBIGUOUS: Final = ""
"""The value of an expression that may mean several dates, or none that the answer's form can hold."""

NUMBER_WORDS: Final = (
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)

HOLIDAYS: Final = {
    "Christmas Eve": (12, 24),
    "Christmas": (12, 25),
    "New Year's Eve": (12, 31),
    "New Year's Day": (1, 1),
    "Halloween": (10, 31),
    "Valentine's Day": (2, 14),
    "Independence Day": (7, 4),
}


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as it stands in a text, and its value: YYYY-MM-DD, YYYY-MM, YYYY, or AMBIGUOUS."""

    text: str
    value: str


def read_post(text: str) -> tuple[Expression, ...]:
    """Every temporal expression of a post "[Posted: YYYY-MM-DD] sentence", in order. Without its date, none."""
    head = _POSTED.match(text)
    posted = find(head[1]) if head else None
    if head is None or posted is None:
        return ()
    return tuple(_expressions(text, start=head.end(), posted=posted.day))


def _expressions(text: str, *, start: int, posted: date) -> list[Expression]:
    found: list[Expression] = []
    full = find(text, start)
    relative = _ANY.search(text, start)
    while full or relative:
        # Where both begin at once ("July 1" of "July 1, 2009") the full date is the longer one.
        if full and (relative is None or full.start <= relative.start()):
            found.append(Expression(text[full.start : full.end], full.day.isoformat()))
            start = full.end
        elif relative:
            found.append(Expression(relative[0], _value(relative, posted)))
            start = relative.end()
        full = find(text, start) if full and full.start < start else full
        relative = _ANY.search(text, start) if relative and relative.start() < start else relative
    return found


def _value(found: re.Match[str], posted: date) -> str:
    name = found.lastgroup or ""
    pattern, rule = _RULES[name]
    match = pattern.match(found.string, found.start())
    if match is None:
        raise AssertionError("unreachable: the same pattern has just matched here")
    try:
        return rule(match, posted)
    except (ValueError, OverflowError):
        # "in 900 thousand years", "February 30": written like a date, and none.
        return AMBIGUOUS


def _ambiguous(_match: re.Match[str], _posted: date) -> str:
    return AMBIGUOUS


_DAYS_OFF: Final = {
    "today": 0, "tonight": 0, "the day": 0, "tomorrow": 1, "yesterday": -1,
    "the day after tomorrow": 2, "the day before yesterday": -2,
}  # fmt: skip


def _near_day(match: re.Match[str], posted: date) -> str:
    return (posted + timedelta(days=_DAYS_OFF[match[0].lower()])).isoformat()


_WHICH: Final = {"last": -1, "this": 0, "next": 1, "the": 0, "": 0}


def _whole(match: re.Match[str], posted: date) -> str:
    """last year, this month, ..."""
    return _moved(posted, _WHICH[match[1].lower()], match[2].lower())


def _end(match: re.Match[str], posted: date) -> str:
    """the end of next month, the start of the year, ..."""
    month = _month_after(posted, _WHICH[match[2].lower()] * (12 if match[3].lower() == "year" else 1))
    at_end = match[1].lower() == "end"
    if match[3].lower() == "year":
        month = date(month.year, 12 if at_end else 1, 1)
    return (_month_after(month, 1) - timedelta(days=1) if at_end else month).isoformat()


def _ago(match: re.Match[str], posted: date) -> str:
    return _moved(posted, -_number(match[1]), match[2].lower())


def _in_units(match: re.Match[str], posted: date) -> str:
    return _moved(posted, _number(match[1]), match[2].lower())


def _coming_months(_match: re.Match[str], posted: date) -> str:
    """the next three months: the prompt answers with the first of them."""
    return _moved(posted, 1, "month")


def _weekday(match: re.Match[str], posted: date) -> str:
    ahead = [name.lower() for name in WEEKDAYS].index(match[2].lower()) - posted.weekday()
    which = (match[1] or "").strip().lower()
    weeks = _WHICH[which] if which else int(ahead <= 0)
    return (posted + timedelta(days=ahead + 7 * weeks)).isoformat()


def _holiday(match: re.Match[str], posted: date) -> str:
    month, day = _HOLIDAY_DAYS[match[2].lower()]
    which = (match[1] or "").strip().lower()
    this = date(posted.year, month, day)
    off = {"last": -int(this >= posted), "next": int(this <= posted)}.get(which, 0)
    return this.replace(year=posted.year + off).isoformat()


def _month_of_year(match: re.Match[str], _posted: date) -> str:
    return f"{match[2]}-{month_number(match[1]):02}"


def _month_first(match: re.Match[str], posted: date) -> str:
    return date(posted.year, month_number(match[1]), int(match[2])).isoformat()


def _day_first(match: re.Match[str], posted: date) -> str:
    return date(posted.year, month_number(match[2]), int(match[1])).isoformat()


def _month(match: re.Match[str], posted: date) -> str:
    number, which = month_number(match[2]), match[1].lower()
    off = {"last": -int(number >= posted.month), "next": int(number <= posted.month)}.get(which, 0)
    return f"{posted.year + off:04}-{number:02}"


def _year(match: re.Match[str], _posted: date) -> str:
    return match[0]


def _number(word: str) -> int:
    word = word.lower()
    if word.isdigit():
        return int(word)
    return NUMBER_WORDS.index(word) + 1 if word in NUMBER_WORDS else 1  # "a", "an"


def _moved(posted: date, count: int, unit: str) -> str:
    """So many units away, told as exactly as the unit is: years as YYYY, months as YYYY-MM, the rest as a day."""
    if unit == "year":
        return f"{posted.replace(year=posted.year + count, day=1).year:04}"
    if unit == "month":
        return _month_after(posted, count).isoformat()[:7]
    return (posted + timedelta(days=count * (7 if unit == "week" else 1))).isoformat()


def _month_after(day: date, count: int) -> date:
    """The first of the month that comes `count` months later."""
    years, month = divmod(day.month - 1 + count, 12)
    return date(day.year + years, month + 1, 1)


_HOLIDAY_DAYS: Final = {name.lower(): day for name, day in HOLIDAYS.items()}
_POSTED: Final = re.compile(r"\s*\[Posted:\s*([0-9-]{8,10})\]\s*")

_MONTH_NAME = "|".join(MONTHS)
_SHORT_MONTH_NAME = "|".join(month[:3] for month in MONTHS)
_COUNT = rf"(\d{{1,3}}|an?|{'|'.join(NUMBER_WORDS)})"
_UNIT = "(day|week|month|year)s?"
_ORDINAL_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_SOME = "(?:an? few|(?:the )?(?:next|last|past) few|a couple of|several|some|many)"
_PERIOD = "(?:quarter|half|week|weekend)"

_VAGUE = (
    rf"\b(?:(?:early|late|mid)[ -](?:{_MONTH_NAME}|(?:last|this|next) (?:month|year))"
    rf"|(?:in |within |over )?{_SOME} (?:day|week|month|year)s(?: ago)?"
    rf"|(?:the )?(?:first|second|third|fourth|last|next|this|same) {_PERIOD}(?: of (?:the|last|this|next) year)?"
    r"|some ?day|one of these days|the other day)\b"
)

# Tried in this order where several could begin at the same place: what is longer stands before what is shorter.
_PATTERNS: Final[dict[str, tuple[str, Callable[[re.Match[str], date], str]]]] = {
    "vague": (_VAGUE, _ambiguous),
    "end": (r"\bthe (end|start|beginning) of (the|last|this|next) (month|year)\b", _end),
    "near_day": (
        r"\b(?:the day after tomorrow|the day before yesterday|today|tonight|tomorrow|yesterday|(?<=of )the day)\b",
        _near_day,
    ),
    "coming_months": (r"\bthe next (?:\d{1,2}|" + "|".join(NUMBER_WORDS[1:]) + r") months\b", _coming_months),
    "whole": (r"\b(last|this|next) (year|month)\b", _whole),
    "ago": (rf"\b{_COUNT} {_UNIT} ago\b", _ago),
    "in_units": (rf"\bin {_COUNT} {_UNIT}\b", _in_units),
    "weekday": (rf"\b((?:last|this|next) )?({'|'.join(WEEKDAYS)})\b", _weekday),
    "holiday": (rf"\b((?:last|this|next) )?({'|'.join(HOLIDAYS)})\b", _holiday),
    "month_of_year": (rf"\b({MONTH_PATTERN}),? ([12]\d{{3}})\b", _month_of_year),
    "month_first": (rf"\b({MONTH_PATTERN}) {_ORDINAL_DAY}\b", _month_first),
    "day_first": (rf"\b{_ORDINAL_DAY} (?:of )?({_MONTH_NAME}|{_SHORT_MONTH_NAME})\b", _day_first),
    "which_month": (rf"\b(last|this|next) ({_MONTH_NAME})\b", _month),
    # Without a number beside them, "may" and "march" are verbs as often as months: these need a preposition before.
    "month": (rf"(?:(?<=\bin )|(?<=\bsince )|(?<=\buntil )|(?<=\bby ))()({_MONTH_NAME})\b", _month),
    "year": (r"(?<![\d.,$/-])(?:19|20)\d\d(?![\d%/-]|[.,]\d)", _year),
}
_RULES: Final = {
    name: (re.compile(pattern, re.IGNORECASE | re.ASCII), rule) for name, (pattern, rule) in _PATTERNS.items()
}
_ANY: Final = re.compile(
    "|".join(f"(?P<{name}>{pattern})" for name, (pattern, _) in _PATTERNS.items()), re.IGNORECASE | re.ASCII
)
