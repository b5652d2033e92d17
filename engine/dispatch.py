"""A line in front of one model at several addresses: who leaves, and for which of them.

There is one line and one told limit for all; `engine.spread` says where the head of the line goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.admission import ONE_MORE, Admission, Echo, Ticket
from engine.clock import Clock
from engine.concurrency import Bearing, Crowd, News
from engine.events import Noted
from engine.limiter import Limiter
from engine.spread import Spread
from engine.throttle import Demand, Limits, Pace

__all__ = ["Dispatch", "admission_for", "crowd_for"]


def crowd_for(places: int, *, fixed: int | None) -> Bearing:
    """What is in flight at one address, or at several."""
    return Crowd(fixed=fixed) if places == 1 else Spread(places, fixed=fixed)


def admission_for(
    urls: Sequence[str],
    *,
    crowd: Bearing,
    limiter: Limiter,
    clock: Clock,
    told: Limits,
    emit: Callable[[Noted], None],
) -> Admission:
    """The line in front of these addresses. It is told when one of several is out, and when it is back."""
    if not isinstance(crowd, Spread):
        return Admission(limiter=limiter, crowd=crowd, clock=clock, told=told)
    return Dispatch(urls, limiter=limiter, spread=crowd, clock=clock, told=told, emit=emit)


class Dispatch(Admission):
    """An admission whose tickets say which address they are for.

    What is told of limits holds for the sum; what headers and refusals teach, and the breaker, for one address alone.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        limiter: Limiter,
        spread: Spread,
        clock: Clock,
        told: Limits | None = None,
        emit: Callable[[Noted], None],
    ) -> None:
        self._urls = urls
        self._spread = spread
        self._emit = emit
        super().__init__(limiter=limiter, crowd=spread, clock=clock, told=told)

    def held_until(self) -> float:
        return max(super().held_until(), min(self._moments(lambda pace, now: pace.ready_at(ONE_MORE, now=now))))

    def shut_until(self) -> float:
        return max(super().shut_until(), min(self._moments(lambda pace, now: pace.shut_until(ONE_MORE, now=now))))

    def give_back(self, ticket: Ticket) -> None:
        self._pace_at(ticket.place).give_back(ticket.demand, taken_at=ticket.since, now=self._clock.monotonic())
        super().give_back(ticket)

    def _moments(self, of: Callable[[Pace, float], float]) -> list[float]:
        now = self._clock.monotonic()
        return [of(place.pace, now) for place in self._spread.places]

    def _start(self, demand: Demand, now: float) -> Ticket:
        self._in_flight += 1
        return Ticket(demand, now, self._spread.start(demand, now=now))

    def _end(self, ticket: Ticket, news: News, now: float) -> None:
        self._in_flight -= 1
        if self._spread.end(ticket.place, news, sent_at=ticket.since, now=now):
            self._emit(Noted(f"{self._urls[ticket.place]} {self._turn(ticket.place)}"))

    def _turn(self, place: int) -> str:
        if not self._spread.at(place).paused:
            return "answers again"
        then = "and neither does any other" if self._spread.paused else "the others are asked meanwhile"
        return f"does not answer; {then}"

    def _correct_limits(self, ticket: Ticket, echo: Echo, *, now: float) -> None:
        super()._correct_limits(ticket, echo, now=now)  # those of the address
        if echo.used is not None:
            spent = {"input_tokens": echo.used.input_tokens, "output_tokens": echo.used.output_tokens}
            self.pace.settle(ticket.demand, **spent, now=now)

    def _trust_the_pace(self) -> None:
        for place in self._spread.places:
            if self.pace.knows_limits or place.pace.knows_limits:
                place.crowd.trust_the_pace()

    def _pace_at(self, place: int, /) -> Pace:
        return self._spread.places[place].pace
