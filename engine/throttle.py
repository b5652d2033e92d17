"""How often: requests and tokens per minute, as told by the user or learnt from the provider's headers.

Only arithmetic lives here: what was taken, and when the next may leave. Nothing waits and nothing knows a clock; the
time is an argument. Who waits, and in which order, is `engine.admission`'s business.

The rule is GCRA (a leaky bucket that stores one number): every admission moves a theoretical arrival time forward by
its cost, and a request may leave as long as that time runs at most a burst ahead of now.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.errors import UserError
from engine.headers import Dimension, limit_hints

__all__ = ["Demand", "Limits", "Pace", "Sizes"]

BURST_S = 1.0  # providers that enforce in short windows use a second; more would be refused there
DIMENSIONS: tuple[Dimension, ...] = ("requests", "tokens", "input tokens", "output tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the provider allows in a minute; None is not told, and is then learnt from its headers.

        Limits(rpm=5000, tpm=2_000_000)                               # OpenAI's way: input and output together
        Limits(rpm=1000, input_tpm=2_000_000, output_tpm=400_000)     # Anthropic's way

    Raises UserError for a limit that is not a positive, finite number.
    """

    rpm: float | None = None
    tpm: float | None = None
    input_tpm: float | None = None
    output_tpm: float | None = None

    def __post_init__(self) -> None:
        for name in ("rpm", "tpm", "input_tpm", "output_tpm"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UserError(f"limits: {name} must be a number above 0 (got {value}); leave it out to learn it")


class Demand(NamedTuple):
    """What one request takes of each dimension, in the order of `DIMENSIONS`."""

    requests: float
    tokens: float
    input_tokens: float
    output_tokens: float


@dataclass(slots=True)
class Bucket:
    """One dimension: a limit per minute and the theoretical arrival time of what was admitted."""

    per_minute: float
    told: bool  # by the user; then headers do not change it
    arrival: float | None = None  # None: nothing was admitted yet

    @property
    def interval(self) -> float:
        """Seconds that one unit takes."""
        return 60.0 / self.per_minute

    def ready_at(self, cost: float) -> float:
        """The earliest moment at which the cost may be taken; a cost larger than a burst needs an idle bucket."""
        if self.arrival is None or not cost:
            return -math.inf
        return self.arrival - max(0.0, BURST_S - cost * self.interval)

    def take(self, cost: float, *, now: float) -> None:
        # The burst makes up for lost time; it is not there at the start, where a provider that counts in seconds,
        # or that dislikes a sudden rise, would refuse it.
        took = cost * self.interval
        self.arrival = now + max(BURST_S, took) if self.arrival is None else max(self.arrival, now) + took

    def give_back(self, cost: float) -> None:
        """Undo part of what was taken; a negative cost takes more, whether it fits or not."""
        if self.arrival is not None:
            self.arrival -= cost * self.interval

    def believe(self, *, remaining: float, now: float) -> None:
        """Never count on more credit than the provider says is left (others may use the same key)."""
        credit = min(BURST_S, remaining * self.interval)
        self.arrival = max(self.arrival if self.arrival is not None else now, now + BURST_S - credit)


class Pace:
    """When the next request may leave under every limit at once."""

    def __init__(self, limits: Limits | None = None) -> None:
        told = limits or Limits()
        values = (told.rpm, told.tpm, told.input_tpm, told.output_tpm)
        self._buckets = {i: Bucket(value, told=True) for i, value in enumerate(values) if value is not None}
        self._held_until = -math.inf

    def __repr__(self) -> str:
        limits = ", ".join(f"{b.per_minute:g} {DIMENSIONS[i]}/min" for i, b in sorted(self._buckets.items()))
        return f"<Pace [{limits or 'no limit known'}]>"

    @property
    def limits(self) -> Limits:
        """The limits in force, told or learnt."""
        per_minute = [self._buckets[i].per_minute if i in self._buckets else None for i in range(len(DIMENSIONS))]
        return Limits(rpm=per_minute[0], tpm=per_minute[1], input_tpm=per_minute[2], output_tpm=per_minute[3])

    def ready_at(self, demand: Demand) -> float:
        """The earliest moment at which the demand may be taken; in the past when it may be taken now."""
        ready = self._held_until
        for i, bucket in self._buckets.items():
            at = bucket.ready_at(demand[i])
            if at > ready:
                ready = at
        return ready

    def binding(self, demand: Demand) -> str:
        """What the demand would wait for longest: a dimension, or `provider weather` while it asked us to wait."""
        waits = {i: bucket.ready_at(demand[i]) for i, bucket in self._buckets.items()}
        longest = max(waits, key=lambda i: waits[i], default=None)
        return "provider weather" if longest is None or waits[longest] < self._held_until else DIMENSIONS[longest]

    def never_fits(self, demand: Demand) -> str | None:
        """Why the demand can never be admitted, naming limit and need; None when it can."""
        for i, bucket in self._buckets.items():
            if demand[i] > bucket.per_minute:
                name = DIMENSIONS[i]
                return f"needs about {demand[i]:.0f} {name} but the limit is {bucket.per_minute:g} {name} per minute"
        return None

    def take(self, demand: Demand, *, now: float) -> None:
        for i, bucket in self._buckets.items():
            bucket.take(demand[i], now=now)

    def give_back(self, demand: Demand) -> None:
        """The request was not sent after all."""
        for i, bucket in self._buckets.items():
            bucket.give_back(demand[i])

    def settle(self, demand: Demand, *, input_tokens: int, output_tokens: int) -> None:
        """Correct what was taken by what the request turned out to need.

        Only where input and output are counted apart. A common limit (OpenAI's) is charged when a request is admitted,
        by the length of the prompt and the largest answer allowed, and what was not used is not given back.
        """
        for i, used in ((2, input_tokens), (3, output_tokens)):
            if i in self._buckets:
                self._buckets[i].give_back(demand[i] - used)

    def hold_until(self, moment: float) -> None:
        """The provider asked for a wait; a shorter one does not end a longer one."""
        self._held_until = max(self._held_until, moment)

    def learn(self, headers: Mapping[str, str], *, now: float, wall: float) -> None:
        """Adopt limits that were not told, and correct our count by what is said to remain.

        `now` is our clock, `wall` seconds since 1970.
        """
        for hint in limit_hints(headers, now=wall):
            i = DIMENSIONS.index(hint.dimension)
            bucket = self._buckets.get(i)
            if bucket is None:
                bucket = self._buckets[i] = Bucket(hint.per_minute, told=False)
            elif not bucket.told:
                bucket.per_minute = hint.per_minute
            if hint.remaining is not None:
                bucket.believe(remaining=hint.remaining, now=now)


@dataclass(slots=True)
class Habits:
    """What requests of one kind have needed so far."""

    input_share: float = 1 / 3  # tokens per token of the bound, which counts bytes; English is nearer 1/4
    outputs: deque[int] = field(default_factory=lambda: deque(maxlen=256))
    seen: int = 0
    likely_output: float | None = None  # per completion


class Sizes:
    """How many tokens a request of a kind will take, learnt from its kind's past.

    Output: the 95th percentile of the last 256 replies, once 30 are known; the full allowance before that.
    """

    def __init__(self) -> None:
        self._habits: dict[str, Habits] = {}

    def demand(self, tag: str, *, input_bound: int, max_tokens: int, n: int) -> Demand:
        habits = self._habits.get(tag) or Habits()
        likely_input = math.ceil(input_bound * habits.input_share)
        likely = max_tokens if habits.likely_output is None else min(max_tokens, habits.likely_output)
        return Demand(1, likely_input + max_tokens * n, likely_input, likely * n)

    def notify(self, tag: str, *, input_bound: int, input_tokens: int, output_tokens: int, n: int) -> None:
        """A reply of this kind took so many tokens, over all its completions."""
        habits = self._habits.setdefault(tag, Habits())
        habits.input_share += 0.1 * (min(1.0, input_tokens / max(1, input_bound)) - habits.input_share)
        habits.outputs.append(math.ceil(output_tokens / n))
        habits.seen += 1
        # Sorting at every reply would cost more than the answer moves in sixteen.
        if habits.seen >= 30 and (habits.likely_output is None or habits.seen % 16 == 0):
            habits.likely_output = sorted(habits.outputs)[math.ceil(0.95 * len(habits.outputs)) - 1]
