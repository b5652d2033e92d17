"""How fast something goes, and when it will be done: plain arithmetic over points in time. It knows no clock."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Left", "Point", "Track", "percentile", "time_left"]

NINETY = 1.645  # standard deviations on either side that hold nine tenths of a bell curve
FEW = 3  # with fewer stretches of time than this, how much they differ cannot be told
DOUBTFUL = 2.0  # then it may as well take half as long, or twice


class Point(NamedTuple):
    """So much was done by then; seconds and units."""

    at: float
    done: float


class Left(NamedTuple):
    """How many seconds it still takes: in nine cases of ten no less than `low` and no more than `high`."""

    low: float
    middle: float
    high: float


@dataclass(slots=True)
class Track:
    """How far something was at some moments, evenly apart, from the first to the latest: few, however long it lasts.

    There are at most `most`. When there are more every other is dropped, and from then on they lie twice as far apart.
    """

    every_s: float = 1.0
    most: int = 64
    points: list[Point] = field(default_factory=list)

    def note(self, now: float, done: float) -> None:
        """Take note of how far it is now."""
        if self.points and now - self.points[-1].at < self.every_s:
            return
        self.points.append(Point(now, done))
        if len(self.points) > self.most:
            self.points = self.points[::2]
            self.every_s *= 2

    def rest(self, seconds: float) -> None:
        """Time that passed while nothing was to be done says nothing of the pace: it is left out."""
        self.points = [Point(point.at + seconds, point.done) for point in self.points]


def time_left(points: Sequence[Point], *, total: float) -> Left | None:
    """How long it still takes until `total` is done, at the pace so far; None while there is no pace.

    The pace of each stretch between two points varies; what is still to come will vary as much, and the pace so far is
    not known better than that either. Rows that come one by one vary by chance alone; that much is always allowed for.
    Where it may take twice as long it may take half as long: what is left is never nothing.
    """
    gains = list(_gains(points))
    elapsed, gained = sum(s for s, _ in gains), sum(g for _, g in gains)
    if elapsed <= 0 or gained <= 0:
        return None
    pace = gained / elapsed
    middle = max(0.0, total - points[-1].done) / pace
    if len(gains) < FEW:
        return Left(middle / DOUBTFUL, middle, middle * DOUBTFUL)
    spread = NINETY * math.sqrt(_variance(gains, pace) * (middle + middle * middle / elapsed)) / pace
    return Left(middle * middle / (middle + spread) if middle else 0.0, middle, middle + spread)


def _gains(points: Sequence[Point]) -> Iterator[tuple[float, float]]:
    """(seconds, how much was done in them) from point to point."""
    return ((later.at - earlier.at, later.done - earlier.done) for earlier, later in pairwise(points))


def _variance(gains: Sequence[tuple[float, float]], pace: float) -> float:
    """Of what is done in a second."""
    elapsed = sum(seconds for seconds, _ in gains)
    squares = sum((gain - pace * seconds) ** 2 for seconds, gain in gains)
    return max(pace, squares / elapsed * len(gains) / (len(gains) - 1))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that so great a share of them does not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]
