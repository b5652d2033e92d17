"""How many at once: grow while it pays, cut when the provider complains, pause when nothing works.

Only the decision lives here, from facts reported with their times. It knows no queue and no status; who waits for a
slot is `engine.admission`'s business.
"""

from __future__ import annotations

import math
from enum import Enum

from engine.errors import UserError

__all__ = ["MAXIMUM", "Crowd", "News"]

INITIAL = 16
MAXIMUM = 1000
KEPT_AFTER_CUT = 0.7
FAILURES_IN_A_BURST = 5  # with one failure in twenty, five in a row are chance once in three million
FRUITLESS_CUTS = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
GROWTH = 4.0  # slots gained per round trip once the ground is known


class News(Enum):
    """What a finished attempt says about the provider's strength."""

    GOOD = "good"  # it answered
    FAILED = "failed"  # it broke; once may be chance
    REFUSED = "refused"  # it said that we are too many
    NONE = "none"  # we gave the attempt up ourselves


class Crowd:
    """How many may be in flight.

    Starts with a few and doubles each round trip, but only while all slots are in use: what is not used proves
    nothing. Bad news cuts, once a burst: what was sent before a cut says nothing about the time after it. From the
    first cut on growth is additive. Three cuts without one success between them open the breaker: nothing is sent for
    a second, then a single probe, then longer pauses, up to half a minute, until a probe comes back.

        Crowd()           # finds out
        Crowd(fixed=50)   # always 50; only the breaker may say less
    """

    def __init__(self, *, fixed: int | None = None) -> None:
        if fixed is not None and (type(fixed) is not int or fixed < 1):
            raise UserError(f"concurrency must be a whole number, at least 1 (got {fixed!r}); leave it out to find it")
        self.fixed = fixed
        self._limit = float(INITIAL if fixed is None else fixed)
        self._threshold = math.inf  # below it growth is fast
        self._cut_at = -math.inf
        self._failures = 0  # in a row
        self._fruitless = 0  # cuts in a row
        self._paused_until: float | None = None  # not None: the breaker is open
        self._pause_s = FIRST_PAUSE_S
        self._probing = False

    @property
    def limit(self) -> int:
        return int(self._limit)

    @property
    def paused(self) -> bool:
        return self._paused_until is not None

    @property
    def reopens_at(self) -> float | None:
        """When the next probe may leave; None while it is out, and when the breaker is closed."""
        return None if self._probing else self._paused_until

    def __repr__(self) -> str:
        state = "probing" if self._probing else "paused" if self.paused else "open"
        return f"<Crowd [at most {self.limit} in flight, {state}]>"

    def may_start(self, in_flight: int, *, now: float) -> bool:
        if self._paused_until is not None:
            return not self._probing and now >= self._paused_until
        return in_flight < int(self._limit)

    def notify_start(self) -> None:
        self._probing = self._paused_until is not None

    def notify_end(self, news: News, *, sent_at: float, now: float, saturated: bool) -> None:
        """An attempt that left at `sent_at` has ended; `saturated` says that every slot was in use."""
        if news is News.GOOD:
            self._notify_good(saturated=saturated)
        elif news is News.NONE:
            self._probing = self._probing and not self._was_probe(sent_at)
        elif self._was_probe(sent_at):
            self._pause(now)
        elif news is News.REFUSED or self._is_burst():
            self._cut(sent_at=sent_at, now=now)

    def _notify_good(self, *, saturated: bool) -> None:
        self._failures = self._fruitless = 0
        if self._paused_until is not None:
            self._resume()
        elif saturated and self.fixed is None:
            gain = 1.0 if self._limit < self._threshold else GROWTH / self._limit
            self._limit = min(float(MAXIMUM), self._limit + gain)

    def _is_burst(self) -> bool:
        self._failures += 1
        return self._failures >= FAILURES_IN_A_BURST

    def _was_probe(self, sent_at: float) -> bool:
        return self._paused_until is not None and sent_at >= self._paused_until

    def _cut(self, *, sent_at: float, now: float) -> None:
        if sent_at <= self._cut_at:
            return
        self._cut_at = now
        self._failures = 0
        self._fruitless += 1
        if self.fixed is None:
            self._limit = self._threshold = max(1.0, self._limit * KEPT_AFTER_CUT)
        if self._fruitless >= FRUITLESS_CUTS:
            self._pause(now)

    def _pause(self, now: float) -> None:
        if self._paused_until is not None:
            self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
        self._cut_at = now
        self._paused_until = now + self._pause_s
        self._probing = False

    def _resume(self) -> None:
        """Something came back: begin again with a few, and quickly up to where trouble began."""
        self._paused_until, self._probing, self._pause_s = None, False, FIRST_PAUSE_S
        if self.fixed is None:
            self._limit = min(self._limit, float(INITIAL))
