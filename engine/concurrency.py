"""How many at once: grow while it pays, cut when the provider is overloaded, pause when nothing works.

Only the decision lives here, from facts reported with their times. It knows no queue and no status; who waits for a
slot is `engine.admission`'s business. That requests come too fast is not its business either: there the pace is what
must change, and more or fewer at once would only change it by accident.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Protocol

from engine.errors import UserError

__all__ = ["INITIAL", "MAXIMUM", "Bearing", "Crowd", "News"]

INITIAL = 8
MAXIMUM = 1000
KEPT_AFTER_CUT = 0.7
KEPT_AFTER_PAUSE = 0.25
FAILURES_IN_A_BURST = 5  # with one failure in twenty, five in a row are chance once in three million
TROUBLE_OVER = 32  # replies over which the share of overload is counted
MOST_TROUBLE = 0.15  # a service may turn away one in twenty all day long, and fewer at once would not help
FAILURES_AT_ONE = 3  # of several addresses: what fails at once is always free, and the others are there to be asked
FRUITLESS_CUTS = 2  # after three, requests sent one by one would have used up their tries in an outage
SILENCE_S = 1.0  # refusals for being too fast may go on until a window of a second ends
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
LONGEST_FREE_PAUSE_S = 4.0  # while probes are turned away for nothing, they may be frequent
# Of the time that it has lasted; a pause may be as long, too. Some services count what they turn away: asked every 4 s,
# an account of ten requests a minute stays empty for ever.
PAUSED_SHARE = 1 / 16
FIRST_GAIN = 1.0  # slots for each reply while nothing has gone wrong yet: twice as many each round trip
SPREAD = 0.5  # of a round trip, over which a round's requests leave then: all at once they would all be refused
LATE = 1.01  # how much longer the shortest one may be after each that was longer
TOGETHER_S = 0.002  # what leaves in so short a time counts as leaving at once; timers are no finer
FAST_GAIN = 2.0  # and up to where trouble began: three times as many
GROWTH, GROWTH_SHARE = 4.0, 0.05  # slots gained per round trip once the ground is known; the larger of the two


class News(Enum):
    """What a finished attempt says about the provider's strength."""

    GOOD = "good"  # it answered
    FAILED = "failed"  # it broke; once may be chance
    OVERLOADED = "overloaded"  # it said that it has no strength left
    TOO_FAST = "too fast"  # it said that we ask too often
    NONE = "none"  # we gave the attempt up ourselves


class Bearing(Protocol):
    """What anybody may ask of those in flight: at one address, or at several together (`engine.spread`)."""

    @property
    def limit(self) -> int: ...

    @property
    def most(self) -> int: ...

    @property
    def paused(self) -> bool: ...

    @property
    def in_trouble(self) -> bool: ...

    @property
    def reopens_at(self) -> float | None: ...

    def may_start(self, in_flight: int, /, *, now: float) -> bool: ...

    def at(self, place: int, /) -> Crowd:
        """The crowd at one of the addresses."""
        ...


class Crowd:
    """How many may be in flight.

    Starts with a few and doubles each round trip, but only while all slots are in use: what is not used proves
    nothing. Overload cuts, once a burst: what was sent before a cut says nothing about the time after it. From the
    first cut on growth is additive. When nothing at all succeeds any more the breaker opens: nothing is sent for a
    second, then a single probe, then longer pauses until a probe comes back.

        Crowd()           # finds out
        Crowd(fixed=50)   # always 50; only the breaker may say less

    Where it `is_one_of_several` the breaker opens with the first burst: whoever waits is better off elsewhere.
    """

    def __init__(self, *, fixed: int | None = None, is_one_of_several: bool = False) -> None:
        if fixed is not None and (type(fixed) is not int or fixed < 1):
            raise UserError(f"concurrency must be a whole number, at least 1 (got {fixed!r}); leave it out to find it")
        self.fixed = fixed
        self._burst = FAILURES_AT_ONE if is_one_of_several else FAILURES_IN_A_BURST
        self._most_cuts = 1 if is_one_of_several else FRUITLESS_CUTS
        self._limit = float(INITIAL if fixed is None else fixed)
        self._threshold = math.inf  # below it growth is fast
        self._cut_at = -math.inf
        self._good_at = -math.inf
        self._failures = 0  # in a row
        self._trouble = 0.0  # the share of overload among the last replies
        self._fruitless = 0  # cuts in a row
        self._paused_until: float | None = None  # not None: the breaker is open
        self._pauses_s: dict[bool, float] = {}  # the last one after a failure, and after being turned away
        self._paused_at = math.inf  # the first of them
        self._good = 0  # answers since the last one
        self._round_trip_s = 0.0  # the shortest of late
        self._next_at = -math.inf  # while nothing is known: when the next may leave
        self._probing = False

    @property
    def limit(self) -> int:
        return int(self._limit)

    @property
    def most(self) -> int:
        """What the limit can come to."""
        return self.fixed or MAXIMUM

    def at(self, _place: int, /) -> Crowd:
        """The only one."""
        return self

    @property
    def paused(self) -> bool:
        return self._paused_until is not None

    @property
    def in_trouble(self) -> bool:
        """Whether there was a cut, and nothing has succeeded since."""
        return self._fruitless > 0

    @property
    def reopens_at(self) -> float | None:
        """When another may leave without anybody coming back: a probe, or the next of those who go one by one.

        None while a probe is out, and when only somebody who comes back makes room.
        """
        if self._paused_until is None:
            return self._next_at if self._is_exploring else None
        return None if self._probing else self._paused_until

    @property
    def _is_exploring(self) -> bool:
        """Nothing has gone wrong yet, and nobody has told how fast we may go."""
        return self.fixed is None and self._threshold == math.inf and self._limit < MAXIMUM

    def __repr__(self) -> str:
        state = "probing" if self._probing else "paused" if self.paused else "open"
        return f"<Crowd [at most {self.limit} in flight, {state}]>"

    def may_start(self, in_flight: int, *, now: float) -> bool:
        if self._paused_until is not None:
            return not self._probing and now >= self._paused_until
        return in_flight < int(self._limit) and (now >= self._next_at or not self._is_exploring)

    def trust_the_pace(self) -> None:
        """A limit of the provider's is known, so that sets the speed, and slots need not be found one by one."""
        if self.fixed is None and self._threshold == math.inf:
            self._limit = float(MAXIMUM)

    def notify_start(self, *, now: float) -> None:
        self._probing = self._paused_until is not None
        self._next_at = max(self._next_at, now - TOGETHER_S) + SPREAD * self._round_trip_s / self._limit

    def notify_end(self, news: News, *, sent_at: float, now: float, saturated: bool) -> None:
        """An attempt that left at `sent_at` has ended; `saturated` says that every slot was in use."""
        if news is News.GOOD:
            self._notify_good(sent_at, now, saturated=saturated)
        elif news is News.NONE:
            self._probing = self._probing and not self._was_probe(sent_at)
        elif self._was_probe(sent_at):
            self._pause(now, news)
        elif sent_at > self._cut_at and self._is_burst(news):
            self._cut(now, news)

    def _notify_good(self, sent_at: float, now: float, *, saturated: bool) -> None:
        self._failures = 0
        self._good += 1
        self._trouble -= self._trouble / TROUBLE_OVER
        self._good_at = now
        self._round_trip_s = min(now - sent_at, LATE * self._round_trip_s or math.inf)
        if sent_at > self._cut_at:
            self._fruitless = 0
            if self._paused_until is not None:
                self._resume()
        if saturated and self.fixed is None and not self.in_trouble:
            self._limit = min(float(MAXIMUM), self._limit + self._gain())

    def _gain(self) -> float:
        if self._threshold == math.inf:
            return FIRST_GAIN
        if self._limit < self._threshold:
            return FAST_GAIN
        return max(GROWTH, GROWTH_SHARE * self._limit) / self._limit

    def _is_burst(self, news: News) -> bool:
        """Whether this is more than chance."""
        if news is News.FAILED:
            self._failures += 1
            return self._failures >= self._burst
        if news is News.OVERLOADED:
            self._trouble += (1.0 - self._trouble) / TROUBLE_OVER
            return self._trouble >= MOST_TROUBLE
        return True

    def _was_probe(self, sent_at: float) -> bool:
        return self._paused_until is not None and sent_at >= self._paused_until

    def _cut(self, now: float, news: News) -> None:
        is_overload = news is not News.TOO_FAST
        self._cut_at = now
        self._failures, self._trouble = 0, 0.0
        if is_overload and self.fixed is None:
            self._limit = max(1.0, self._limit * KEPT_AFTER_CUT)
            if not self._fruitless:  # a storm that refuses everything does not say how many were too many
                self._threshold = self._limit
        self._fruitless += 1
        is_silent = is_overload or now - self._good_at >= SILENCE_S
        if self._fruitless >= self._most_cuts and is_silent:
            self._pause(now, news)

    def _pause(self, now: float, news: News) -> None:
        if not self._pauses_s or (not self.paused and self._good >= INITIAL):
            self._paused_at, self._pauses_s = now, {}
        self._good = 0
        self._paused_until = now + self._pause_after(news, now)
        self._probing = False

    def _pause_after(self, news: News, now: float) -> float:
        """Twice the last one of its kind: the first failure after a storm of refusals may be chance, as any is."""
        is_failure = news is News.FAILED
        last_s = self._pauses_s.get(is_failure, 0.0)
        if self.paused or not last_s:
            longest_s = LONGEST_PAUSE_S if is_failure else LONGEST_FREE_PAUSE_S
            longest_s = max(longest_s, PAUSED_SHARE * (now - self._paused_at))
            self._pauses_s[is_failure] = min(2 * last_s, longest_s) or FIRST_PAUSE_S
        return self._pauses_s[is_failure]

    def _resume(self) -> None:
        """Something came back: begin again with a few, and quickly up to where trouble began."""
        self._paused_until, self._probing = None, False
        if self.fixed is None:
            self._limit = max(float(INITIAL), KEPT_AFTER_PAUSE * self._limit)
