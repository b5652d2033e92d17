"""What a provider says about waiting and limits in its headers, read with suspicion.

Headers are hints: they may be missing, stale, shared with other clients, or lie. What cannot be meant is taken as
not said. Names are in lower case; nothing here knows a status or decides anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from engine.messages import SIMULATED_HEADER

__all__ = [
    "SHOULD_RETRY",
    "Dimension",
    "LimitHint",
    "dated",
    "duration_s",
    "limit_hints",
    "retry_after_s",
    "wait_s",
    "worth_keeping",
]

Dimension = Literal["requests", "tokens", "input tokens", "output tokens"]

RETRY_AFTER: Final = "retry-after"
RETRY_AFTER_MS: Final = "retry-after-ms"
SHOULD_RETRY: Final = "x-should-retry"
OPENAI_LIMITS: Final = "x-ratelimit-"
ANTHROPIC_LIMITS: Final = "anthropic-ratelimit-"

_KEPT: Final = frozenset(
    {"content-type", "date", "request-id", "x-request-id", RETRY_AFTER, RETRY_AFTER_MS, SHOULD_RETRY, SIMULATED_HEADER}
)
_KEPT_FAMILIES: Final = (OPENAI_LIMITS, ANTHROPIC_LIMITS)

LONGEST_WAIT_S = 86_400.0  # a daily limit may ask for hours; more than a day is a fault
LONGEST_TEXT = 100  # a longer one is no time and no number, and to look for one in it would take seconds
LARGEST_LIMIT = 1e12  # above it the number means "none" or nothing
SECOND_S, MINUTE_S, DAY_S = 1.0, 60.0, 86_400.0
HOUR_S = 3_600.0
ABOUT_A_DAY = 0.2  # resets are rounded, if only to whole seconds
NEARLY_A_MINUTE_S = 55.0
TELLING_RESET_S = 5.0  # some round up to whole seconds: below this a reset says nothing about the period
FIRST_EPOCH_S, FIRST_EPOCH_MS = 1e9, 1e12  # larger "durations" are moments

PARTS: Final = ("limit", "remaining", "reset")

UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|us|µs|ns|s)")


class Family(NamedTuple):
    """The names of a limit, of what remains of it, and of when it is full again; some say of which time it is."""

    dimension: Dimension
    limit: str
    remaining: str
    reset: str
    period_s: float | None = None


def _openai(dimension: Dimension, name: str, *, period_s: float | None = None) -> Family:
    limit, remaining, reset = (f"{OPENAI_LIMITS}{what}-{name}" for what in PARTS)
    return Family(dimension, limit, remaining, reset, period_s)


def _anthropic(dimension: Dimension, name: str) -> Family:
    limit, remaining, reset = (f"{ANTHROPIC_LIMITS}{name}-{what}" for what in PARTS)
    return Family(dimension, limit, remaining, reset)


# Not here: `anthropic-ratelimit-tokens-*`, which repeats the tightest of the others, and names without a dimension
# (`x-ratelimit-limit`), which mean a second here, a minute there and a day elsewhere.
FAMILIES = (
    _openai("requests", "requests"),
    _openai("tokens", "tokens"),
    _openai("tokens", "project-tokens"),
    _openai("requests", "requests-second", period_s=SECOND_S),
    _openai("tokens", "tokens-second", period_s=SECOND_S),
    _openai("requests", "requests-minute", period_s=MINUTE_S),
    _openai("tokens", "tokens-minute", period_s=MINUTE_S),
    _openai("requests", "requests-day", period_s=DAY_S),
    _openai("tokens", "tokens-day", period_s=DAY_S),
    _anthropic("requests", "requests"),
    _anthropic("input tokens", "input-tokens"),
    _anthropic("output tokens", "output-tokens"),
)


@dataclass(frozen=True, slots=True)
class LimitHint:
    """A limit as the provider tells it, what is left of it, and in how many seconds it is full again.

    `period_s` is a minute or a day where the numbers prove it, and None where they do not: then it is a minute nearly
    everywhere. It `is_told` where the name of the header says so.
    """

    dimension: Dimension
    limit: float
    period_s: float | None
    remaining: float | None
    reset_s: float | None
    is_told: bool = False


def dated(what: str, *, per: str) -> dict[str, str]:
    """Under which names the headers of a limit say of which time it is: {"x-ratelimit-limit-requests": "...-day"}."""
    names = (f"{OPENAI_LIMITS}{part}-{what}" for part in PARTS)
    return {name: f"{name}-{per}" for name in names}


def duration_s(text: str) -> float | None:
    """Seconds in `12ms`, `8.64s`, `6m0s`, `1h2m3.5s` or a bare number; None when it is no duration."""
    if len(text) > LONGEST_TEXT:
        return None
    text = text.strip()
    number = _number(text)
    if number is not None:
        return number
    if not text or DURATION.sub("", text):
        return None
    total = 0.0
    for part in DURATION.findall(text):
        digits = part.rstrip("hmsuµn")
        total += float(digits) * UNITS_S[part[len(digits) :]]
    return total


def wait_s(text: str) -> float | None:
    """A duration that somebody may be asked to wait; None for what is none, and for more than a day."""
    return _believable(duration_s(text))


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """How long the provider asks us to wait, in seconds; `now` is in seconds since 1970.

    Understands `retry-after-ms` (which wins, being finer) and `retry-after` as seconds, whole or not, or as a date.
    Negative, infinite and absurd values are taken as not said.
    """
    milliseconds = _number(headers.get(RETRY_AFTER_MS, ""))
    if milliseconds is not None and (seconds := _believable(milliseconds / 1000)) is not None:
        return seconds
    said = headers.get(RETRY_AFTER, "")
    if not said:
        return None
    seconds = duration_s(said)
    return _believable(_until_date(said, now=now) if seconds is None else seconds)


def worth_keeping(headers: Mapping[str, str]) -> dict[str, str]:
    """Who answered, how fast we may go, what the body is. Never a cookie."""
    return {name: text for name, text in headers.items() if name in _KEPT or name.startswith(_KEPT_FAMILIES)}


def limit_hints(headers: Mapping[str, str], *, now: float) -> list[LimitHint]:
    """Every limit that the headers tell of, the tightest in each dimension; `now` is in seconds since 1970.

    One whose name says of which time it is goes before those that do not, and there may be one a minute and one a day.
    """
    hints = [hint for family in FAMILIES if (hint := _hint(headers, family, now=now)) is not None]
    told = {hint.dimension for hint in hints if hint.is_told}
    tightest: dict[tuple[Dimension, float | None], LimitHint] = {}
    for hint in hints:
        if hint.dimension in told and not hint.is_told:
            continue
        place = hint.dimension, hint.period_s if hint.is_told else None
        known = tightest.get(place)
        if known is None or hint.limit < known.limit:
            tightest[place] = hint
    return list(tightest.values())


def _hint(headers: Mapping[str, str], family: Family, *, now: float) -> LimitHint | None:
    said = headers.get(family.limit)
    if said is None:
        return None
    limit = _number(said)
    if limit is None or not 0 < limit <= LARGEST_LIMIT:
        return None
    remaining = _number(headers.get(family.remaining, ""))
    if remaining is not None and not 0 <= remaining <= limit:
        remaining = None
    reset_s = _reset_s(headers.get(family.reset, ""), now=now)
    if family.period_s == SECOND_S:  # as a minute's, of which no more than a second's worth leaves at once anyway
        return LimitHint(family.dimension, limit * MINUTE_S, MINUTE_S, None, None, is_told=True)
    is_told = family.period_s is not None
    period_s = family.period_s if is_told else _period_s(limit, remaining, reset_s)
    return LimitHint(family.dimension, limit, period_s, remaining, reset_s, is_told)


def _period_s(limit: float, remaining: float | None, reset_s: float | None) -> float | None:
    """Whether a limit is one a minute or one a day (Groq's requests), by when it is full again.

    A minute's limit is full within a minute. Nearer than that, what has been used so far and how long it takes to
    refill tell how long the whole would take: a day, or nothing like it. Where a limit is counted from minute to minute
    (Azure), the first reply says that nearly all is left and nearly a minute to go, which is no refill.
    """
    if reset_s is None or reset_s < TELLING_RESET_S:
        return None
    if reset_s > MINUTE_S + 1:
        return DAY_S
    if remaining is None or remaining >= limit:
        return None
    whole_s = limit * reset_s / (limit - remaining)
    if whole_s <= HOUR_S:
        return MINUTE_S
    is_day = 1 - ABOUT_A_DAY < whole_s / DAY_S < 1 + ABOUT_A_DAY
    return DAY_S if is_day and reset_s < NEARLY_A_MINUTE_S else None


def _number(text: str) -> float | None:
    if len(text) > LONGEST_TEXT:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _believable(seconds: float | None) -> float | None:
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_WAIT_S else None


def _reset_s(text: str, *, now: float) -> float | None:
    """OpenAI's family says a duration, Azure a bare number of seconds, Anthropic a moment, some routers an epoch.

    What lies in the past is taken as not said.
    """
    if not text:
        return None
    seconds = duration_s(text)
    if seconds is None:
        seconds = _until_moment(text, now=now)
    elif seconds >= FIRST_EPOCH_S:
        seconds = (seconds / 1000 if seconds >= FIRST_EPOCH_MS else seconds) - now
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_WAIT_S else None


def _until_moment(text: str, *, now: float) -> float | None:
    from datetime import datetime

    if len(text) > LONGEST_TEXT:
        return None
    try:
        return datetime.fromisoformat(text).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _until_date(text: str, *, now: float) -> float | None:
    """Seconds until an HTTP date; one that has just passed means now."""
    from email.utils import parsedate_to_datetime

    if len(text) > LONGEST_TEXT:
        return None
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError, TypeError):
        return None
    return 0.0 if -MINUTE_S < seconds < 0 else seconds
