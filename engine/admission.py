"""Who may leave now: a request goes when the limits allow it and a slot is free, both at once.

Taking one and then waiting for the other would be wrong in either order: a slot that waits for a limit is a
connection that does nothing, and permits that wait for slots are let go together later, above the limit. Here a
request that waits holds nothing. First come, first served: what is at the head of the line is never overtaken, and
who was sent and must be sent again has come before all who never were.

Each engine has a line and slots of its own; the limits are those of the account, which engines may share
(`engine.limiter`).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Final, NamedTuple

from engine.clock import Clock
from engine.concurrency import Bearing, Crowd, News
from engine.limiter import Limiter
from engine.retry import LONG_WAIT_S
from engine.throttle import Demand, Limits, Pace

__all__ = ["NO_HEADERS", "ONE_MORE", "Admission", "Echo", "Ticket", "Used"]

NO_HEADERS: Mapping[str, str] = {}
ONE_MORE: Final = Demand(1, 0, 0, 0)


class Ticket(NamedTuple):
    """What was let in, when, and for which of several addresses."""

    demand: Demand
    since: float
    place: int = 0


class Used(NamedTuple):
    """Tokens that count against the limits."""

    input_tokens: int
    output_tokens: int


class Echo(NamedTuple):
    """What came back of an attempt, as far as limits are concerned.

    `delay_s` is how long the provider asked to wait; `used` is None when nobody knows.
    """

    news: News
    headers: Mapping[str, str] = NO_HEADERS
    delay_s: float | None = None
    used: Used | None = None


Place = tuple[Callable[[], Demand], "asyncio.Future[Ticket]"]


class Admission:
    """One engine's line in front of the provider."""

    def __init__(self, *, limiter: Limiter, crowd: Bearing, clock: Clock, told: Limits | None = None) -> None:
        self.crowd = crowd
        self._limiter = limiter
        self._clock = clock
        self.on_long_wait: Callable[[float], None] = lambda _until: None
        """Told until when the provider lets nobody in, when the head of the line waits a minute or more for that."""
        self.is_held = False
        self._in_flight = 0
        # Behind thousands of new ones, at a low limit, a second try would meet its deadline in our own line.
        self._returned: deque[Place] = deque()
        self._line: deque[Place] = deque()
        self._reopening: asyncio.TimerHandle | None = None
        limiter.join(self, told=told or Limits())
        self._trust_the_pace()

    def close(self) -> None:
        """Share the account no longer."""
        self._limiter.leave(self)
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None

    @property
    def pace(self) -> Pace:
        return self._limiter.pace

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return sum(not place.done() for _, place in chain(self._returned, self._line))

    @property
    def queued(self) -> int:
        """The same at no cost, at most: who gave up is found out at the head of the line."""
        return len(self._returned) + len(self._line)

    def held_until(self) -> float:
        """When the head of the line may leave, as far as limits and the provider's wishes are known; else the past."""
        size = self._head()
        if size is None:
            return -math.inf
        return math.inf if self.is_held else self.pace.ready_at(size(), now=self._clock.monotonic())

    def shut_until(self) -> float:
        """The same by the provider's word alone, and for whoever may come next where nobody waits."""
        size = self._head()
        return self.pace.shut_until(ONE_MORE if size is None else size(), now=self._clock.monotonic())

    def _head(self) -> Callable[[], Demand] | None:
        return next((size for size, place in chain(self._returned, self._line) if not place.done()), None)

    @property
    def binding(self) -> str | None:
        """What the head of the line waits for; None without a line.

        That is a limit, `concurrency`, `provider weather`, or a `pause` that somebody wanted.
        """
        size = self._head()
        if size is None:
            return None
        if self.is_held:
            return "pause"
        now = self._clock.monotonic()
        if self.crowd.paused:
            return "provider weather"
        return self.pace.binding(size(), now=now) if self.crowd.may_start(self._in_flight, now=now) else "concurrency"

    def __repr__(self) -> str:
        return f"<Admission [{self._in_flight} in flight, {self.waiting} waiting | {self.pace!r} | {self.crowd!r}]>"

    def hold(self) -> None:
        """Nobody leaves from now on; who is in flight comes home."""
        self.is_held = True

    def let_go(self) -> None:
        """Whoever may leave leaves again."""
        self.is_held = False
        self.wake()

    # -- in and out

    async def enter(self, size: Callable[[], Demand], *, again: bool = False) -> Ticket:
        """Wait in line until the request may leave; `again` if it has left before.

        `size` is asked at the head of the line: by then more may be known of requests of its kind than when it joined.
        Cancelling while waiting leaves nothing behind.
        """
        if (ticket := self.enter_nowait(size)) is not None:
            return ticket
        place: asyncio.Future[Ticket] = asyncio.get_running_loop().create_future()
        line = self._returned if again else self._line
        line.append((size, place))
        if len(line) == 1:  # behind others nothing has changed
            self.wake()
        try:
            return await place
        except asyncio.CancelledError:
            if not place.cancelled():  # let in and cancelled in the same step of the loop
                self.give_back(place.result())
            self.wake()  # it may have been the head
            raise

    def enter_nowait(self, size: Callable[[], Demand]) -> Ticket | None:
        """Leave at once, or not at all: None when somebody waits, or would have to."""
        if self._returned or self._line:
            return None
        now = self._clock.monotonic()
        if not self._has_slot(now):
            return None
        if not self._limiter.may_leave(demand := size(), now=now):
            return None
        return self._start(demand, now)

    def leave(self, ticket: Ticket, echo: Echo) -> None:
        """An attempt is back, or was given up."""
        now = self._clock.monotonic()
        self._correct_limits(ticket, echo, now=now)
        self._end(ticket, echo.news, now)
        if echo.delay_s is not None and self._is_for_all(self.crowd.at(ticket.place), echo.news):
            self._pace_at(ticket.place).hold_until(now + echo.delay_s, sent_at=ticket.since)
        self._let_in_all(now)

    def give_back(self, ticket: Ticket) -> None:
        """Let in, but not sent after all: the limits are not charged for it."""
        self.pace.give_back(ticket.demand, taken_at=ticket.since, now=self._clock.monotonic())
        self.leave(ticket, Echo(News.NONE))

    def _correct_limits(self, ticket: Ticket, echo: Echo, *, now: float) -> None:
        """Let the limits know what headers, usage or a refusal tell."""
        pace, demand, since = self._pace_at(ticket.place), ticket.demand, ticket.since
        if echo.headers:
            served = demand if echo.news is News.GOOD else None
            pace.learn(echo.headers, sent_at=since, now=now, wall=self._clock.time(), served=served)
        if echo.used is not None:
            pace.settle(demand, input_tokens=echo.used.input_tokens, output_tokens=echo.used.output_tokens, now=now)
        if echo.news is News.GOOD:
            pace.notify_answer(sent_at=since)
        elif echo.news is News.OVERLOADED:
            pace.notify_overload(demand, sent_at=since)
        elif echo.news is News.TOO_FAST and not self.crowd.at(ticket.place).paused:  # all refused: not for our speed
            pace.notify_refusal(demand, sent_at=since, now=now, delay_s=echo.delay_s)
        self._trust_the_pace()

    def _is_for_all(self, crowd: Crowd, news: News) -> bool:
        """Whether a wait that the provider asks of one is meant for everybody."""
        if news is News.TOO_FAST:
            return crowd.paused  # before that the pace finds out
        return news is News.OVERLOADED and crowd.in_trouble

    def _trust_the_pace(self) -> None:
        if self.pace.knows_limits:
            self.crowd.at(0).trust_the_pace()

    # -- the line

    def wake(self) -> None:
        """Something has changed: let in from the head of the line whoever may leave now."""
        self._let_in_all(self._clock.monotonic())

    def _let_in_all(self, now: float) -> None:
        while (demand := self.head(now=now)) is not None:
            if not self._limiter.may_leave(demand, now=now):
                self._limiter.wait_for_turn(self)
                if (until := self.pace.shut_until(demand, now=now)) - now >= LONG_WAIT_S:
                    self.on_long_wait(until)
                return
            self.let_in(demand, now=now)
        self._limiter.serve()  # it may have been our turn

    def head(self, *, now: float) -> Demand | None:
        line = self._next_line()
        if not line:
            return None
        if self._has_slot(now):
            return line[0][0]()
        self._set_reopening(now)
        return None

    def let_in(self, demand: Demand, *, now: float) -> None:
        _, place = self._next_line().popleft()
        place.set_result(self._start(demand, now))

    def _next_line(self) -> deque[Place]:
        """The line whose head is next, without those who gave up; empty when nobody waits."""
        for line in (self._returned, self._line):
            while line and line[0][1].done():
                line.popleft()
            if line:
                break
        return line

    def _has_slot(self, now: float) -> bool:
        return not self.is_held and self.crowd.may_start(self._in_flight, now=now)

    # -- what is otherwise where there are several addresses (`engine.dispatch`)

    def _start(self, demand: Demand, now: float) -> Ticket:
        self.crowd.at(0).notify_start(now=now)
        self._in_flight += 1
        return Ticket(demand, now)

    def _end(self, ticket: Ticket, news: News, now: float) -> None:
        saturated = self._in_flight >= self.crowd.limit
        self._in_flight -= 1
        self.crowd.at(0).notify_end(news, sent_at=ticket.since, now=now, saturated=saturated)

    def _pace_at(self, _place: int, /) -> Pace:
        return self.pace

    def _set_reopening(self, now: float) -> None:
        """When only a slot is missing whoever leaves wakes the line; after a pause a timer must."""
        reopens_at = self.crowd.reopens_at
        if self._reopening is None and reopens_at is not None and reopens_at > now:
            self._reopening = asyncio.get_running_loop().call_later(reopens_at - now, self._reopen)

    def _reopen(self) -> None:
        self._reopening = None
        self.wake()
