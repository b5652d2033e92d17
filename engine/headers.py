"""What a provider says about waiting and limits in its headers, read with suspicion.

Headers are hints: they may be missing, stale, shared with other clients, or lie. What cannot be meant is taken as
not said. Names are in lower case; nothing here knows a status or decides anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Dimension", "LimitHint", "duration_s", "limit_hints", "retry_after_s"]

Dimension = Literal["requests", "tokens", "input tokens", "output tokens"]

LONGEST_WAIT_S = 86_400.0  # a daily limit may ask for hours; more than a day is a fault
LARGEST_LIMIT = 1e12  # per minute; above it the number means "none" or nothing
WINDOW_S = 60.0

UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|us|µs|ns|s)")

# dimension, and the names of its limit, of what remains, and of when it is full again
FAMILIES: tuple[tuple[Dimension, str, str, str], ...] = (
    ("requests", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("tokens", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    (
        "requests",
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    (
        "input tokens",
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ),
    (
        "output tokens",
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ),
)


@dataclass(frozen=True, slots=True)
class LimitHint:
    """A limit per minute as the provider tells it, and what is left of it right now, if that was told too."""

    dimension: Dimension
    per_minute: float
    remaining: float | None


def duration_s(text: str) -> float | None:
    """Seconds in `12ms`, `8.64s`, `6m0s`, `1h2m3.5s` or a bare number; None when it is no duration."""
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


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """How long the provider asks us to wait, in seconds; `now` is in seconds since 1970.

    Understands `retry-after-ms` (which wins, being finer) and `retry-after` as seconds, whole or not, or as a date.
    Negative, infinite and absurd values are taken as not said.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _believable(milliseconds / 1000)
    said = headers.get("retry-after", "")
    if not said:
        return None
    seconds = duration_s(said)
    return _believable(_until_date(said, now=now) if seconds is None else seconds)


def limit_hints(headers: Mapping[str, str], *, now: float) -> Iterator[LimitHint]:
    """Every limit per minute that the headers tell of; `now` is in seconds since 1970.

    A bucket that is refilled every minute is full within a minute. When its reset lies farther off the limit is one
    per day (Groq's requests), and pacing by it as if per minute would be worse than not knowing it.
    """
    for dimension, limit_name, remaining_name, reset_name in FAMILIES:
        said = headers.get(limit_name)
        if said is None:
            continue
        limit = _number(said)
        if limit is None or not 0 < limit <= LARGEST_LIMIT:
            continue
        reset = _reset_s(headers.get(reset_name, ""), now=now)
        if reset is not None and reset > WINDOW_S + 1:
            continue
        remaining = _number(headers.get(remaining_name, ""))
        yield LimitHint(dimension, limit, remaining if remaining is not None and 0 <= remaining <= limit else None)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _believable(seconds: float | None) -> float | None:
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_WAIT_S else None


def _reset_s(text: str, *, now: float) -> float | None:
    """OpenAI's family says a duration, Anthropic's a moment."""
    seconds = duration_s(text)
    if seconds is not None or not text:
        return seconds
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp() - now
    except (ValueError, OverflowError):
        return None


def _until_date(text: str, *, now: float) -> float | None:
    """Seconds until an HTTP date; one that has just passed means now."""
    from email.utils import parsedate_to_datetime

    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError, TypeError):
        return None
    return 0.0 if -WINDOW_S < seconds < 0 else seconds
