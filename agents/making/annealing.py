"""How hot the next generating request is asked, as a function of what has happened: pure.

A schedule knows counts and temperatures, no request and no text. All of them stay within their band, by default
0.7 to 1.0: every dialect can carry that, and a low start is known to give a data set that a student cannot use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.errors import UserError

__all__ = [
    "DEFAULT_BAND",
    "SCHEDULES",
    "SHARES",
    "Band",
    "Constant",
    "Cosine",
    "Feedback",
    "Happened",
    "Heats",
    "Linear",
    "Schedule",
    "examples_shown",
    "make_schedule",
]

# The share of its band that feedback moves by when every draft of a request was a duplicate, or was rejected.
# Outcomes are heard some requests late, so a larger step would swing between the ends; with this one, twenty requests
# of nothing but duplicates go from the bottom to the top.
GAIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The coldest and the hottest temperature that may be asked for."""

    low: float = 0.7
    high: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 2:
            raise UserError(f"temperatures must satisfy 0 <= low <= high <= 2 (got {self.low} and {self.high})")

    def at(self, share: float) -> float:
        """Where a share (0 to 1) of the way up lies; what lies outside is brought to the nearer end."""
        return self.hold(self.low + (self.high - self.low) * share)

    def hold(self, temperature: float) -> float:
        return min(self.high, max(self.low, temperature))

    def below(self, ceiling: float) -> Band:
        """The same band under a ceiling: what an endpoint that ends at 1.0 can carry."""
        return Band(low=min(self.low, ceiling), high=min(self.high, ceiling))


DEFAULT_BAND = Band()

SHARES = Band(low=0.0, high=1.0)
"""In place of temperatures where an endpoint takes none: then other things move, as how many examples are shown."""

# At a share of two thirds, where feedback begins, as many as usual.
COLDEST_TIMES, HOTTEST_TIMES = 2.0, 0.5


def examples_shown(share: float, *, usual: int) -> int:
    """How many examples a request shows where no temperature may be sent: the hotter, the fewer to imitate."""
    return max(1, round(usual * (COLDEST_TIMES - share * (COLDEST_TIMES - HOTTEST_TIMES))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """The run so far (`accepted` of `wanted`), and what became of the drafts of the latest request.

    `rejects` are those left out for what they are, and not for being there already or for their label.
    """

    accepted: int
    wanted: int
    drafts: int = 0
    duplicates: int = 0
    rejects: int = 0

    @property
    def progress(self) -> float:
        """The share of the target that is reached, 0 to 1."""
        return min(1.0, self.accepted / self.wanted) if self.wanted else 1.0


class Schedule(Protocol):
    """The first temperature, and the next one from the current one and what has happened; none is out of the band."""

    @property
    def band(self) -> Band: ...

    @property
    def first(self) -> float: ...

    def next(self, current: float, happened: Happened) -> float: ...


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the hottest of the band."""

    band: Band = DEFAULT_BAND

    @property
    def first(self) -> float:
        return self.band.high

    def next(self, current: float, happened: Happened) -> float:  # noqa: ARG002  # it listens to nothing
        return self.band.high


@dataclass(frozen=True, slots=True)
class Linear:
    """Rises with the share of the target reached: (high - low) * accepted / wanted + low, as Prompt2Model has it.

    It cannot rise while nothing is accepted, so it is no help to a run that is stuck.
    """

    band: Band = DEFAULT_BAND

    @property
    def first(self) -> float:
        return self.band.low

    def next(self, current: float, happened: Happened) -> float:  # noqa: ARG002  # progress alone decides
        return self.band.at(happened.progress)


@dataclass(frozen=True, slots=True)
class Cosine:
    """Rises like `Linear`, but slowly at both ends."""

    band: Band = DEFAULT_BAND

    @property
    def first(self) -> float:
        return self.band.low

    def next(self, current: float, happened: Happened) -> float:  # noqa: ARG002  # progress alone decides
        return self.band.at((1 - math.cos(math.pi * happened.progress)) / 2)


@dataclass(frozen=True, slots=True)
class Feedback:
    """Hotter when drafts repeat what is there, cooler when they are rejected for other reasons; never out of its band.

    It starts two thirds up. A request that brought nothing to judge changes nothing.
    """

    band: Band = DEFAULT_BAND

    @property
    def first(self) -> float:
        return self.band.at(2 / 3)

    def next(self, current: float, happened: Happened) -> float:
        if not happened.drafts:
            return self.band.hold(current)
        pull = (happened.duplicates - happened.rejects) / happened.drafts
        return self.band.hold(current + GAIN * (self.band.high - self.band.low) * pull)


class Heats:
    """How hot to ask for inputs of one kind or another: half of it is what suits all, half what suits these kinds.

        heats = Heats(Feedback())
        heats.notify(["about ships"], happened)  # nothing but duplicates
        heats.at(["about ships"])                # hotter, and hotter than what is asked about mills

    Kinds are what inputs are asked to be on some axes of variation. Each has a temperature that its own requests move;
    it begins where the one of all has come to. Without kinds there is that one alone.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._own: dict[str, float] = {}
        self.common = schedule.first

    def at(self, kinds: Sequence[str]) -> float:
        """How hot a request for inputs of these kinds is asked."""
        own = [self._own.get(kind, self.common) for kind in kinds] or [self.common]
        return self._schedule.band.hold((self.common + sum(own) / len(own)) / 2)  # sums err in their last digit

    def notify(self, kinds: Sequence[str], happened: Happened) -> None:
        """A request for inputs of these kinds has ended."""
        for kind in kinds:
            self._own[kind] = self._schedule.next(self._own.get(kind, self.common), happened)
        self.common = self._schedule.next(self.common, happened)


SCHEDULES: Mapping[str, Callable[[Band], Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "feedback": Feedback,
    "linear": Linear,
}


def make_schedule(name: str, *, band: Band) -> Schedule:
    """The schedule of that name; raises UserError when there is none."""
    if name not in SCHEDULES:
        raise UserError(f"unknown temperature schedule {name!r}; there are: {', '.join(SCHEDULES)}")
    return SCHEDULES[name](band)
