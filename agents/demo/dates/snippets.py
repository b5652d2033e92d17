"""The bundled task: a short text in, the full date that it names out, as YYYY-MM-DD or "N/A"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Final

from agents.demo.dates.calendar import MONTH_PATTERN, MONTHS, STYLES, WEEKDAYS, Found, find, month_number, write
from agents.demo.teacher import chance_hardness, favourite, nudge

__all__ = ["NOTHING", "Snippets"]

NOTHING: Final = "N/A"
_A_DATE: Final = "a date"

# Longer than any snippet, so that a pasted novel costs no more to read than a page.
_READ_AT_MOST: Final = 4_000

_BARE_SHARE: Final = 0.45
_CARRIERS: Final = (
    "due {date}",
    "on {date}",
    "invoice of {date}",
    "{date} at {time}",
    "born {date}",
    "delivery by {date}",
    "meeting on {date}",
    "dated {date}",
    "valid until {date}",
    "paid {date}",
    "signed on {date}",
    "{date}, room {n}",
    "since {date}",
    "order {n}, {date}",
    "expires {date}",
    "flight on {date}",
    "{n} EUR paid {date}",
    "page {w}, {date}",
    "{date} ({n} items)",
    "last seen {date}",
)

# Texts that name no full date. The first group is easy; the second looks like a date and lacks a part of it.
_DATELESS: Final = (
    "at {time}", "room {n}", "call {name} back", "order {n}", "{n} EUR", "not known to {name}", "page {w} of {n}",
    "see you soon, {name}", "open from {time} to {time}", "to be agreed with {name}", "{n} items left",
    "phone 555-0{n}", "thank you, {name}!", "version {q}.{n}", "ask {name} at the desk", "every day at {time}",
    "no date given, ask {name}", "ticket {n}-{w}", "two of {n}", "{name}, room {n}",
)  # fmt: skip
_PARTIAL: Final = (
    "{month} {year}", "{d} {month}", "next {weekday}", "due {weekday}", "in {year}", "{mon} {d}",
    "tomorrow at {time}", "the {d}th", "{weekday} at {time}", "{season} {year}", "{m}/{year}", "meeting in {month}",
    "Q{q} {year}", "week {w} of {year}", "late {month} {year}", "{m}/{d} at {time}", "since {year}",
    "every {weekday}", "{d}.{m}.", "mid-{month}, room {n}", "last {month}, {n} EUR", "{weekday}, {d} {mon}",
    "delivery by {month}", "{n} items in {year}", "{q} days ago",
)  # fmt: skip
_NAMES: Final = ("Anna", "Ben", "Mr Cole", "Dana", "Mrs Ito", "Jo", "Karim", "Lena", "Omar", "Dr Petit", "Sam", "Vera")
_SEASONS: Final = ("spring", "summer", "autumn", "winter")

_HARDNESS: Final[Mapping[str, float]] = {
    "year_numeric": 0.4,
    "compact": 1.2,
    "slashes": 1.2,
    "dots": 1.6,
    "day_first": 0.6,
    "month_first": 0.5,
    "year_first": 0.8,
}


class Snippets:
    """Short texts, three in ten of them without a full date."""

    kinds: Final[Mapping[str, float]] = {_A_DATE: 0.7, NOTHING: 0.3}
    prior: Final[Mapping[str, float]] = {_A_DATE: 0.97, NOTHING: 0.03}
    about: Final[Mapping[str, str]] = {
        "model": "A small sequence-to-sequence model that normalises dates. It reads a short English text such as a "
        "line of an invoice or a calendar entry and writes the date it names in ISO 8601 form, or N/A. Fine-tuned on "
        "pairs of written dates and their normal form, in many American and European formats.",
        "dataset": "Pairs of short English snippets and the calendar date each one names in ISO 8601 form: dates in "
        "numbers and in words, with weekdays, ordinals and two-digit years, and texts without a full date. Collected "
        "from invoices, letters, tickets and calendars, and normalised by hand.",
    }

    def write(self, kind: str, rng: Random, *, temperature: float) -> str:
        """A text with a date, or one without."""
        if kind == NOTHING:
            templates = _DATELESS if rng.random() < 0.4 else _PARTIAL
            return _filled(favourite(templates, rng, temperature=temperature), rng)
        written = write(_some_day(rng), favourite(STYLES, rng, temperature=temperature))
        if rng.random() < _BARE_SHARE:
            return written
        return _filled(favourite(_CARRIERS, rng, temperature=temperature), rng, written=written)

    def nudge(self, text: str, rng: Random) -> str:
        """The same text with a word or a mark more."""
        return nudge(text, rng, before=("on ", "date: ", "- "))

    def right(self, text: str) -> str:
        """The first full date of the text, in ISO form."""
        found = _found(text)
        return found.day.isoformat() if found else NOTHING

    def wrong(self, text: str, rng: Random) -> str:
        """Day and month exchanged, a day or a month off, the wrong century, a date made up from a part of one."""
        found = _found(text)
        return _misread(found, rng) if found else _invented(text, rng)

    def hardness(self, text: str) -> float:
        """Numbers are harder than names, short years harder than full ones, half a date hardest of all."""
        found = _found(text)
        if found is None:
            return chance_hardness(text) * (1.8 if re.search(rf"\d|\b{MONTH_PATTERN}", text[:_READ_AT_MOST]) else 0.5)
        return chance_hardness(text) * _HARDNESS[found.how] * (1.8 if found.short_year else 1.0)


def _found(text: str) -> Found | None:
    return find(text[:_READ_AT_MOST])


def _some_day(rng: Random) -> date:
    """Mostly of our own time, now and then of the last century or the next decades."""
    years = (1990, 2029) if rng.random() < 0.85 else (1950, 2049)
    return date(rng.randint(*years), 1, 1) + timedelta(days=rng.randrange(365))


def _filled(template: str, rng: Random, *, written: str = "") -> str:
    month = rng.randrange(12)
    return template.format(
        date=written, n=rng.randint(11, 999), time=f"{rng.randint(7, 21)}:{rng.choice(('00', '15', '30', '45'))}",
        month=MONTHS[month], mon=MONTHS[month][:3], m=month + 1, d=rng.randint(4, 20), year=rng.randint(1990, 2029),
        weekday=rng.choice(WEEKDAYS), season=rng.choice(_SEASONS), q=rng.randint(1, 4), name=rng.choice(_NAMES),
        w=rng.randint(1, 52),
    )  # fmt: skip


def _misread(found: Found, rng: Random) -> str:
    day = found.day
    readings = [day + timedelta(days=1), day - timedelta(days=1), day + timedelta(days=30), _in_year(day, day.year - 1)]
    if found.short_year:
        century = 100 if day.year < 2000 else -100
        readings += [_in_year(day, day.year + century)] * 4
    if found.how in {"slashes", "dots"} and day.day <= 12 and day.day != day.month:
        readings += [day.replace(month=day.day, day=day.month)] * 6
    return rng.choice([*(reading.isoformat() for reading in readings), NOTHING])


def _in_year(day: date, year: int) -> date:
    return day.replace(year=year, day=28 if (day.month, day.day) == (2, 29) else day.day)


def _invented(text: str, rng: Random) -> str:
    """A full date where there is none: what is missing is filled in with today's year or the first of the month."""
    year = re.search(r"\b(?:19|20)\d\d\b", text, re.ASCII)
    month = re.search(rf"\b({MONTH_PATTERN})", text, re.ASCII)
    number = month_number(month[1]) if month else rng.randint(1, 12)
    return f"{year[0] if year else rng.randint(2021, 2025)}-{number:02}-{rng.choice((1, 1, rng.randint(2, 28))):02}"
