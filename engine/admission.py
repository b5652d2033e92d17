"""Who may leave now: a request goes when the limits allow it and a slot is free, both at once.

Taking one and then waiting for the other would be wrong in either order: a slot that waits for a limit is a
connection that does nothing, and permits that wait for slots are let go together later, above the limit. Here a
request that waits holds nothing. First come, first served: what is at the head of the line is never overtaken.

Several engines may share one `Pace`; each has a line of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque

from engine.clock import Clock
from engine.concurrency import Crowd, News
from engine.throttle import Demand, Pace

__all__ = ["Admission"]


class Admission:
    """The line in front of the provider, with one timer and no polling."""

    def __init__(self, *, pace: Pace, crowd: Crowd, clock: Clock) -> None:
        self.pace = pace
        self.crowd = crowd
        self._clock = clock
        self._in_flight = 0
        self._line: deque[tuple[Demand, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return sum(not place.done() for _, place in self._line)

    @property
    def binding(self) -> str | None:
        """What the head of the line waits for: a limit, `concurrency` or `provider weather`; None without a line."""
        demand = next((demand for demand, place in self._line if not place.done()), None)
        if demand is None:
            return None
        if self.crowd.paused:
            return "provider weather"
        if not self.crowd.may_start(self._in_flight, now=self._clock.monotonic()):
            return "concurrency"
        return self.pace.binding(demand)

    def __repr__(self) -> str:
        return f"<Admission [{self._in_flight} in flight, {self.waiting} waiting | {self.pace!r} | {self.crowd!r}]>"

    async def enter(self, demand: Demand) -> None:
        """Wait in line until the request may leave. Cancelling while waiting leaves nothing behind."""
        if not self._line and self._admit(demand, now=self._clock.monotonic()):
            return
        place = asyncio.get_running_loop().create_future()
        self._line.append((demand, place))
        self.wake()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # let in and cancelled in the same step of the loop
                self.give_back(demand)
            self.wake()  # it may have been the head
            raise

    def leave(self, news: News, *, sent_at: float) -> None:
        """An attempt that left at `sent_at` is back, or was given up."""
        saturated = self._in_flight >= self.crowd.limit
        self._in_flight -= 1
        self.crowd.notify_end(news, sent_at=sent_at, now=self._clock.monotonic(), saturated=saturated)
        self.wake()

    def give_back(self, demand: Demand) -> None:
        """Let in, but not sent after all: the limits are not charged for it."""
        self.pace.give_back(demand)
        self.leave(News.NONE, sent_at=self._clock.monotonic())

    def wake(self) -> None:
        """Let in from the head of the line whoever may leave now; set the timer for the one who may not."""
        now = self._clock.monotonic()
        while self._line:
            demand, place = self._line[0]
            if not place.done():
                if not self._admit(demand, now=now):
                    self._set_timer(demand, now=now)
                    return
                place.set_result(None)
            self._line.popleft()
        self._clear_timer()

    def _admit(self, demand: Demand, *, now: float) -> bool:
        if not self.crowd.may_start(self._in_flight, now=now) or self.pace.ready_at(demand) > now:
            return False
        self.pace.take(demand, now=now)
        self.crowd.notify_start()
        self._in_flight += 1
        return True

    def _set_timer(self, demand: Demand, *, now: float) -> None:
        """One timer, for the head. When only a slot is missing none is needed: whoever leaves wakes the line."""
        moment = max(self.crowd.reopens_at or now, self.pace.ready_at(demand))
        if moment <= now:
            self._clear_timer()
            return
        loop = asyncio.get_running_loop()
        delay = moment - now
        if self._timer is not None and self._timer.when() <= loop.time() + delay:
            return  # it comes early, finds this out again and is set anew: cheaper than cancelling it each time
        self._clear_timer()
        self._timer = loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.wake()

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
