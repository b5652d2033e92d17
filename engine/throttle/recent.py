"""What was let in of late and what of it was refused: the evidence from which rates are read. It decides nothing."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from itertools import takewhile
from typing import Final, NamedTuple

from engine.throttle.bucket import WINDOW_S
from engine.throttle.limits import Demand, cost_of

__all__ = ["Recent"]

REMEMBERED_S: Final = 3.0  # at least: windows, and the time that a refusal takes to come back
LONGEST_REMEMBERED_S: Final = 60.0
REMEMBERED: Final = 32  # at least; at a few requests a minute a second holds none
EVIDENCE: Final = 16  # requests from which a rate is read


class Sent(NamedTuple):
    """What was let in, and when."""

    at: float
    demand: Demand


class Recent:
    """The requests of the last seconds, and how many there were since the beginning."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque()
        self._refused: deque[Sent] = deque(maxlen=1024)
        self._remembered_s = REMEMBERED_S
        self.count = 0  # of requests that were let in
        self.began_at = math.inf  # the first was

    def take(self, demand: Demand, *, now: float) -> None:
        """It is let in."""
        self._sent.append(Sent(now, demand))
        self.count += 1
        self.began_at = min(self.began_at, now)
        while self._sent[0].at < now - self._remembered_s and len(self._sent) > REMEMBERED:
            self._sent.popleft()

    def give_back(self, demand: Demand, *, taken_at: float) -> None:
        """It was not sent after all."""
        with suppress(ValueError):  # so long ago that it is forgotten
            self._sent.remove(Sent(taken_at, demand))

    def refuse(self, demand: Demand, *, sent_at: float) -> None:
        """What was let in then was turned away."""
        self._refused.append(Sent(sent_at, demand))

    def reach_back(self, seconds: float) -> None:
        """Refusals come so late: behind a slow gateway, what left before them must be known still."""
        self._remembered_s = max(self._remembered_s, min(LONGEST_REMEMBERED_S, REMEMBERED_S + 2 * seconds))

    def left_at(self, back: int) -> float | None:
        """When the request left that is so many from the end, the last being 1; None where it is not known any more."""
        return self._sent[-back].at if back <= len(self._sent) else None

    def number_of(self, sent_at: float) -> int:
        """How many had been let in by then."""
        return self.count - sum(1 for _ in takewhile(lambda one: one.at > sent_at, reversed(self._sent)))

    def was_let_in(self, since: float, until: float) -> bool:
        """Whether more was let in after `since`, up to `until`, than turned away."""
        left, refused = (sum(since < one.at <= until for one in which) for which in (self._sent, self._refused))
        return left > refused

    def rate(self, i: int, until: float) -> float:
        """What was let in of late, in units of a dimension a second.

        Over a second at least, since less of a service that counts in seconds says nothing, and over some requests.
        """
        since = self._evidence_since(until)
        left, refused = (
            sum(cost_of(i, one.demand) for one in which if since <= one.at <= until)
            for which in (self._sent, self._refused)
        )
        return max(0.0, left - refused) / (until - since)

    def _evidence_since(self, until: float) -> float:
        since = until - WINDOW_S
        return min(since, self._sent[-EVIDENCE].at) if len(self._sent) >= EVIDENCE else since
