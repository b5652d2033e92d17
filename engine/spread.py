"""One model at several addresses: which of them the next request goes to.

Only the decision lives here, from facts reported with their times. Each address has a crowd of its own, which finds out
how many it bears (`engine.concurrency`), and a pace of its own, for limits that it alone tells of or refuses by. It
knows no URL: addresses are numbered in the order in which they were given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.concurrency import Crowd, News
from engine.errors import UserError
from engine.throttle import Demand, Pace

__all__ = ["Place", "Spread"]

ONE: Final = Demand(1, 0, 0, 0)
TOLERANCE_S: Final = 1e-6  # timers fire that much early


@dataclass(slots=True, eq=False)
class Place:
    """An address: what it bears, the limits that are its own, and what is there. `turn` is when it was chosen last."""

    crowd: Crowd
    pace: Pace = field(default_factory=Pace)
    in_flight: int = 0
    turn: int = 0

    @property
    def load(self) -> float:
        """How much of what it bears would be in use with one more."""
        return (self.in_flight + 1) / self.crowd.limit

    def ready_at(self, *, now: float) -> float | None:
        """When one more could leave without anybody coming back; in the past for now, None when nobody knows."""
        if self.crowd.may_start(self.in_flight, now=now):
            return self.pace.ready_at(ONE, now=now)
        at = self.crowd.reopens_at
        return at if at is not None and at > now else None


class Spread:
    """The crowds of several addresses, to be asked as one.

    A request goes to the address with the fewest in flight relative to what it bears, of equals to the one whose turn
    was longest ago; never to one whose breaker is open, but for its probe. What is `fixed` is for all of them together,
    and shared out evenly.

        Spread(3)             # finds out what each of them bears
        Spread(3, fixed=96)   # 32 each
    """

    def __init__(self, places: int, *, fixed: int | None = None) -> None:
        if fixed is not None and fixed < places:
            raise UserError(f"concurrency is that of all {places} addresses together: at least {places} (got {fixed})")
        shares = [None if fixed is None else (fixed + i) // places for i in range(places)]
        self.places = [Place(Crowd(fixed=share, is_one_of_several=True)) for share in reversed(shares)]
        self._turns = 0
        self._now = 0.0

    def __repr__(self) -> str:
        each = ", ".join(f"{place.in_flight} of {place.crowd.limit}" for place in self.places)
        return f"<Spread [{each} in flight]>"

    # -- asked as a crowd is

    @property
    def limit(self) -> int:
        return sum(place.crowd.limit for place in self.places)

    @property
    def most(self) -> int:
        return sum(place.crowd.most for place in self.places)

    @property
    def paused(self) -> bool:
        """Whether nothing gets through anywhere."""
        return all(place.crowd.paused for place in self.places)

    @property
    def in_trouble(self) -> bool:
        return any(place.crowd.in_trouble for place in self.places)

    @property
    def reopens_at(self) -> float | None:
        """When the next may leave without anybody coming back, as of the last time that somebody asked."""
        ready = [at for place in self.places if (at := place.ready_at(now=self._now)) is not None]
        return min(ready, default=None)

    def may_start(self, _in_flight: int, /, *, now: float) -> bool:
        """Whether there is an address that takes one more; how many are in flight at each is known here."""
        self._now = now
        return self._chosen(now) is not None

    def at(self, place: int, /) -> Crowd:
        return self.places[place].crowd

    # -- what is its own

    def start(self, demand: Demand, *, now: float) -> int:
        """Where the next goes, from now on counted there. To be asked only when one may start."""
        self._now = now
        number = self._chosen(now)
        if number is None:
            raise AssertionError("unreachable: no address takes one more")
        place = self.places[number]
        self._turns += 1
        place.turn = self._turns
        place.in_flight += 1
        place.crowd.notify_start(now=now)
        place.pace.take(demand, now=now)
        return number

    def end(self, number: int, news: News, *, sent_at: float, now: float) -> bool:
        """An attempt at that address has ended. True when its breaker has opened or closed by that."""
        place = self.places[number]
        saturated = place.in_flight >= place.crowd.limit
        place.in_flight -= 1
        was_paused = place.crowd.paused
        place.crowd.notify_end(news, sent_at=sent_at, now=now, saturated=saturated)
        return place.crowd.paused is not was_paused

    def _chosen(self, now: float) -> int | None:
        free = [i for i, place in enumerate(self.places) if self._is_free(place, now)]
        return min(free, key=lambda i: (self.places[i].load, self.places[i].turn), default=None)

    def _is_free(self, place: Place, now: float) -> bool:
        at = place.ready_at(now=now) if place.crowd.may_start(place.in_flight, now=now) else None
        return at is not None and at <= now + TOLERANCE_S
