"""One dimension of a limit: how fast it may be used right now, and when the next may leave.

The rule is GCRA (a leaky bucket that stores one number): every admission moves a theoretical arrival time forward by
its cost, and a request may leave as long as that time runs at most a burst ahead of now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from engine.throttle.governor import Governor
from engine.throttle.limits import DAILY_REQUESTS, DAY_S, MINUTE_S, REQUESTS

__all__ = ["BURST_OF_REQUESTS_S", "BURST_S", "STEADY", "WINDOW_S", "Bucket", "bucket_of"]

BURST_S: Final = 1.0  # lost time is made up for by so much; providers that count in short windows use a second
# Of requests less: what once left together would, since no second may hold too many, leave together each second.
BURST_OF_REQUESTS_S: Final = 0.25
STEADY: Final = 0.985  # the share of a limit that is used: clocks, networks and both sides' counting differ a little
WINDOW_S: Final = 1.0 / STEADY  # a window's worth takes this long, so that it never falls into one second

RAMP_FROM, RAMP_S = 0.25, 1.0  # a limit that headers told is approached from here, in this time
RISE_S = 2.0  # and one that they raised, from where we were
RECOVER_S = 4.0
REQUESTS_A_PROBE = 160  # between two tries to go faster: two or three refusals in so many
AGES_A_PROBE = 4  # where refusals come late, it goes further before it knows
LONGEST_PROBE_S = 120.0
KEPT = 0.95  # of the rate at which trouble began
MOST_AT_ONCE: Final = 0.5  # is kept at least, once a rate was found: pauses and refusals make it look lower than it is
CHANCE: Final = 0.9

IDLE_S = 0.1  # a request that leaves so long after it might have was not waited for

SCARCE = 0.15  # of the limit: when less remains, somebody else is using it
RESERVE_S, LONGEST_RESERVE_S = 5.0, 30.0
LEAST_SHARE = 0.1
LEAST_LIKE_TOLD = 0.5
SCARCITY_S = 5.0  # so long an observation of it holds


@dataclass(slots=True, kw_only=True)
class Bucket:
    """How one limit is used. Rates are in units a second; `limit` is a period's worth, None while nobody knows it.

    `full_rate` is what the limit allows us; a day's allowance is not paced, only counted.
    """

    limit: float | None
    told: bool  # by the user; then headers do not change it
    period_s: float = MINUTE_S
    is_sure: bool = False  # the headers' own arithmetic has confirmed the period
    arrival: float | None = None  # None: nothing was admitted yet
    governor: Governor | None = None
    before: Governor | None = None  # it was made to go faster
    share: float = 1.0  # of the rate, while others use the limit too
    shared_until: float = -math.inf
    taken_at: float = -math.inf
    slowed_at: float = -math.inf
    burst_s: float = BURST_S
    part: float = 1.0  # of the limit, where it is known what others use of it
    full_rate: float = field(init=False)

    def __post_init__(self) -> None:
        self._set_limit(self.limit)

    @property
    def is_daily(self) -> bool:
        return self.period_s >= DAY_S

    @property
    def is_of_seconds(self) -> bool:
        """Whether the period is a window that headers have shown."""
        return self.period_s < MINUTE_S

    def _set_limit(self, limit: float | None) -> None:
        self.limit = limit
        steady = 1.0 if self.is_daily else STEADY * self.part
        self.full_rate = math.inf if limit is None else limit / self.period_s * steady

    def rate(self, now: float) -> float:
        """How fast it may be used right now."""
        rate = self.full_rate
        if self.shared_until > now:
            rate *= self.share
        if self.governor is not None:
            rate = min(rate, self.governor.rate(now))
        return rate

    # -- what leaves

    def ready_at(self, cost: float, *, now: float) -> float:
        """The earliest moment at which the cost may be taken; a cost larger than a burst needs an idle bucket."""
        if self.arrival is None or not cost:
            return -math.inf
        return self.arrival - max(0.0, self.burst_s - cost / self.rate(now))

    def window(self, now: float) -> tuple[int, float]:
        """So many in so many seconds, at most: no second may hold more than a second's worth.

        Without it a burst after a pause would meet the even flow that follows, and a service that counts by the second
        would refuse what is above.
        """
        rate = self.rate(now)
        if rate == math.inf:
            return 0, 0.0
        count = math.ceil(rate * WINDOW_S - 1e-9)
        if self.limit is not None:
            count = min(count, max(1, int(self.limit / self.period_s)))
        return count, count / rate

    def take(self, cost: float, *, now: float, due: float = -math.inf) -> None:
        """Use so much of it; `due` is when a window let it."""
        took = cost / self.rate(now)
        if self.arrival is None:
            # The burst makes up for lost time; it is not there at the start, where a provider that counts in seconds,
            # or that dislikes a sudden rise, would refuse it. A day's allowance is whole at the start.
            self.arrival = now + (took if self.is_daily else max(self.burst_s, took))
        else:
            if self.governor is not None:
                self._drop_idle_time(self.governor, now, due=max(due, self.ready_at(cost, now=now)))
            self.arrival = max(self.arrival, now) + took
        self.taken_at = now

    def _drop_idle_time(self, governor: Governor, now: float, *, due: float) -> None:
        """What is not used to the full is not tried: growth waits for as long. `due`: when it might have left."""
        if governor.rate(now) >= self.full_rate:
            self.governor = None  # it has done its work
        elif due + IDLE_S <= now:
            governor.stand_still(now - max(self.taken_at, governor.since))

    def give_back(self, cost: float, *, now: float) -> None:
        """Undo part of what was taken; a negative cost takes more, whether it fits or not."""
        if self.arrival is not None:
            self.arrival -= cost / self.rate(now)

    def empty(self, moment: float) -> None:
        """Nothing is saved up at that moment: from then on the flow is even."""
        if not self.is_daily:
            self.arrival = max(moment + self.burst_s, -math.inf if self.arrival is None else self.arrival)

    # -- what the provider says

    def adopt(self, limit: float, *, now: float) -> None:
        """From now on this is the limit; what was taken before is paid for at the new rate."""
        before = self.rate(now)
        self._set_limit(limit)
        if self.arrival is not None and self.arrival > now and before < math.inf:
            self.arrival = now + (self.arrival - now) * before / self.rate(now)

    def take_part(self, part: float, *, now: float) -> None:
        """From now on so much of the limit is ours; of a day's allowance all of it stays so."""
        self.part = part
        if self.limit is not None and not self.is_daily:
            self.adopt(self.limit, now=now)

    def approach(self, limit: float, *, now: float, used: float) -> None:
        """Adopt a limit from headers; a higher one than before is gone up to, not jumped to."""
        is_first = self.limit is None and self.governor is None
        before = self.rate(now)
        self.adopt(limit, now=now)
        target = self.full_rate
        if self.is_daily or (before >= target and not is_first):
            return
        if is_first:
            start = min(target, max(used, RAMP_FROM * target))
            self.governor = Governor(target, start, now, RAMP_S, LONGEST_PROBE_S)
        else:
            self.governor = Governor(target, before, now, RISE_S, LONGEST_PROBE_S)

    def believe(self, *, limit: float, remaining: float, reset_s: float | None, age_s: float, now: float) -> None:
        """Correct our count by what the provider says is left, as of `age_s` seconds ago; others may use it too.

        Never more is counted on than that. When little is left, what flows is lowered in proportion, so that several
        who see the same share the limit evenly and the last of it is not fought for.
        """
        if self.told and self.limit is not None and limit < LEAST_LIKE_TOLD * self.limit:
            return  # it counts something else (Azure: a window of seconds), or it is wrong
        per_second = limit / self.period_s
        if self.is_daily:
            used_until = now + (limit - remaining) / per_second
            self.arrival = max(used_until, self.arrival or now) if self.told else used_until
            return
        saved = min(self.burst_s, remaining / per_second)
        if self.arrival is not None:
            self.arrival = max(self.arrival, now + self.burst_s - saved)
        self.shared_until = -math.inf
        if remaining >= SCARCE * limit:
            return
        used_s, left_s = (limit - remaining) / per_second, remaining / per_second
        if reset_s is None or reset_s >= 0.8 * used_s:  # refilled all the time
            reserve_s = min(LONGEST_RESERVE_S, max(RESERVE_S, 2 * age_s))
            share = left_s / reserve_s
        else:  # full again at the end of a window
            share = left_s / max(1.0, reset_s)
        if share < 1.0:
            self.share = max(LEAST_SHARE, share)
            self.shared_until = now + SCARCITY_S

    # -- what refusals teach

    def is_slow(self, moment: float) -> bool:
        """Whether at that moment it was used less than what had been let in: a limit had no reason to refuse then."""
        return self.governor is not None and self.governor.is_behind(moment)

    def speed_up(self, factor: float, *, now: float) -> None:
        """Slowing down has not helped: go on that much faster; unless it is not what holds us up."""
        if self.governor is None:
            return
        rate = factor * self.governor.ceiling
        is_free = rate >= self.full_rate
        self.before = self.governor
        self.governor = None if is_free else Governor(rate, rate, now, WINDOW_S, RECOVER_S)

    def slow_again(self, *, now: float) -> None:
        """To go faster was too fast: as before, then."""
        if self.before is not None:
            ceiling, probe_s = self.before.ceiling, self.before.probe_s
            self.governor = Governor(ceiling, KEPT * ceiling, now, probe_s, probe_s)
            self.slowed_at = now

    def slow_down(self, admitted: float, *, cost: float, age_s: float, now: float) -> bool:
        """A request of that cost that left `age_s` ago was refused: use less, by what was let in (units a second).

        Once a second, since before that nothing new is known. What the service lets in is where trouble begins, and
        we go back a little behind it. When it lets in nothing at all, that says nothing about how much was too much.
        False when nothing changes.
        """
        if now < self.slowed_at + WINDOW_S or not admitted:
            return False
        current, full = self.rate(now), self.full_rate
        is_again = now < self.slowed_at + RECOVER_S
        self.slowed_at = now
        is_near = admitted > CHANCE * full
        if is_near and self.governor is None and not is_again:
            return False  # a limit that is known was used to the full: clocks and networks are not exact
        least = 0.0 if self.governor is None else MOST_AT_ONCE * current
        ceiling = STEADY * min(current, max(least, admitted))
        probe_s = min(LONGEST_PROBE_S, max(RECOVER_S, AGES_A_PROBE * age_s, REQUESTS_A_PROBE * cost / ceiling))
        self.governor = Governor(ceiling, KEPT * ceiling, now, probe_s, probe_s)
        return True

    def deepen(self, admitted: float, *, now: float) -> None:
        """What we slow down for goes on, and had only begun: less than we took it for is let in."""
        governor, ceiling = self.governor, STEADY * admitted
        if governor is not None and 0 < ceiling < governor.ceiling:
            self.governor = Governor(ceiling, KEPT * ceiling, now, governor.recover_s, governor.probe_s)


def bucket_of(i: int, *, limit: float | None = None, told: bool = False, part: float = 1.0) -> Bucket:
    """The bucket of the dimension at a place."""
    if i >= DAILY_REQUESTS:
        return Bucket(limit=limit, told=told, period_s=DAY_S, burst_s=DAY_S)
    return Bucket(limit=limit, told=told, burst_s=BURST_OF_REQUESTS_S if i == REQUESTS else BURST_S, part=part)
