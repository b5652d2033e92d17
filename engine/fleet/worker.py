"""A worker: an engine of its own, with a journal of its own, that asks what it is dealt within what it was lent.

It knows no Ray: whatever carries it calls `tell`, `news` and `close`, and hands it somebody who lends parts of limits.
A reply is durable in its journal before it is told of. Money comes with the requests; parts of the limits are lent for
a few seconds at a time, and a worker that hears nothing of its lender lets what is out come home and sends no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from engine.clock import Clock, SystemClock
from engine.errors import SmeltError
from engine.events import AttemptFailed, Event, Events, Noted, RequestSent
from engine.fleet.hired import Hired
from engine.fleet.shares import REPORT_S, Loan, is_news, wanted_by
from engine.fleet.wire import Ended, Failed, News, Order, packed_error, packed_reply, read_request
from engine.messages import Outcome, Request

__all__ = ["Lender", "Worker"]

HEARTBEAT_S: Final = 0.5  # between two pieces of news while nothing happens
LONGEST_CALL_S: Final = 2.0  # to the lender
SOONEST_S: Final = 0.1  # between two reports to it
LEAST_ROOM: Final = 48
MOST_FAILED: Final = 200  # told one by one at a time


class Lender(Protocol):
    """Who lends parts of limits: the coordinator, as a worker reaches it. Raises ConnectionError when it is gone."""

    async def lend(self, worker: str, holding: Sequence[float], wanted: Sequence[float]) -> Loan: ...


@dataclass(slots=True)
class _Heard:
    """What has happened since the last news."""

    ended: list[Ended] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    failed: list[Failed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Worker:
    """Asks what it is told to. `hired` are the arguments of its engine, but for journal, clock and events."""

    def __init__(
        self,
        name: str,
        hired: Mapping[str, Any],
        *,
        journal: Path,
        lender: Lender,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.journal = journal
        self._clock = clock or SystemClock()
        self._lender = lender
        events = Events()
        events.subscribe(self._notice)
        self._engine = Hired(**hired, journal=journal, clock=self._clock, events=events)
        self._queue: deque[tuple[int, Request]] = deque()
        self._came = asyncio.Event()
        self._numbers: dict[int, int] = {}  # of the requests that the engine has, by their identity
        self._lent: dict[int, tuple[str, int]] = {}  # with which stage and how much money each came
        self._needed: Counter[str] = Counter()
        self._heard = _Heard()
        self._told = asyncio.Event()  # there are news
        self._parts: list[float] = []
        self._lent_until = -math.inf
        self._changed = asyncio.Event()
        self._is_paused = False
        self._is_alone = True
        self._fault: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Worker {self.name} [{len(self._queue)} not begun | {self._engine!r}]>"

    # -- opening and closing

    async def open(self) -> None:
        """Begin to work. Raises SmeltError where that cannot be done here."""
        await self._engine.__aenter__()
        self._parts = [0.0] * len(self._engine.paces)
        self._apply()
        self._tasks = [asyncio.create_task(self._ask()), asyncio.create_task(self._borrow())]

    async def close(self) -> News:
        """Give up what is in flight and let go of the journal; the last news."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._engine.aclose()
        return self._news()

    # -- what the driver wants

    def tell(self, order: Order) -> None:
        """Do what an order says."""
        purse = self._engine.purse
        for number, packed, amount in order.asked:
            request = read_request(packed)
            self._lent[number] = request.tag, amount
            self._needed[request.tag] += amount
            purse.lend(amount, stage=request.tag)
            self._queue.append((number, request))
        for stage, amount in order.lent:
            purse.lend(amount, stage=stage)
        for stage, why in order.refused:
            purse.refuse(stage, why)
        if purse.waiting:  # the next may be short, too
            self._told.set()
        for number in order.dropped:
            self._drop(number)
        self._hand_back(order.hand_back)
        if order.paused is not None:
            self._is_paused = order.paused
            self._apply()
        if order.drained:
            self._drain()
        if self._queue:
            self._came.set()
            if min(self._parts, default=1.0) <= 0.0 and self._engine.knows_limits:
                self._changed.set()

    async def news(self, *, linger_s: float) -> News:
        """What has happened since the last time: at once if much has, else after a moment. Raises what went wrong."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_S):
                await self._told.wait()
                await asyncio.sleep(linger_s)
        if self._fault is not None:
            raise self._fault
        return self._news()

    def _news(self) -> News:
        heard, self._heard = self._heard, _Heard()
        self._told.clear()
        purse = self._engine.purse
        unbegun = self._unbegun()
        purse.give_back(self._needed, unbegun)
        figures = self._engine.statistics()
        limits = self._engine.paces[0].limits.by_name().values() if self._engine.paces else ()
        return News(
            ended=tuple(heard.ended),
            money=purse.accounts(),
            wants=purse.wants(unbegun),
            room=max(LEAST_ROOM, 5 * figures.in_flight // 2),
            unbegun=len(self._queue),
            in_flight=figures.in_flight,
            waiting=figures.waiting,
            allowed=figures.allowed,
            hedged=figures.hedged,
            binding=figures.binding,
            limits=tuple(limits),
            sent=dict(heard.sent),
            failed=tuple(heard.failed),
            notes=tuple(heard.notes),
            is_alone=self._is_alone,
            **self._engine.standing(),
        )

    def _unbegun(self) -> Counter[str]:
        """The money of what was not begun with, by stage."""
        amounts = Counter[str]()
        for number, _ in self._queue:
            stage, amount = self._lent[number]
            amounts[stage] += amount
        return amounts

    # -- asking

    async def _ask(self) -> None:
        try:
            async for outcome in self._engine.map(self._coming(), ordered=False):
                self._take(outcome)
        except Exception as error:  # noqa: BLE001 - a bug of ours, or a caller's provider: whoever asks for news hears it
            self._fault = error
            self._told.set()

    async def _coming(self) -> AsyncIterator[Request]:
        """What waits here, as the engine wants it; what it has not taken can be handed back."""
        while True:
            while not self._queue:
                self._came.clear()
                await self._came.wait()
            number, request = self._queue.popleft()
            self._numbers[id(request)] = number
            yield request

    def _take(self, outcome: Outcome) -> None:
        number = self._numbers.pop(id(outcome.request))
        if outcome.reply is not None:
            self._end(Ended(number, reply=packed_reply(outcome.reply)))
        else:
            self._end(Ended(number, error=packed_error(outcome.error or SmeltError("it ended without a reply"))))

    def _end(self, ended: Ended) -> None:
        tag, amount = self._lent.pop(ended.number)
        self._needed[tag] -= amount
        if not self._lent and self._engine.knows_limits:  # what is lent for nothing is missing elsewhere
            self._changed.set()
        self._heard.ended.append(ended)
        self._told.set()

    def _hand_back(self, count: int) -> None:
        """Part with the latest of what was not begun with."""
        for _ in range(min(count, len(self._queue))):
            number, _request = self._queue.pop()
            self._end(Ended(number))

    def _drop(self, number: int) -> None:
        """Nobody wants it any more: what was not begun with is not begun with."""
        if any(number == each for each, _ in self._queue):
            self._queue = deque(each for each in self._queue if each[0] != number)
            self._end(Ended(number))

    def _drain(self) -> None:
        self._hand_back(len(self._queue))
        self._engine.drain()

    # -- borrowing

    async def _borrow(self) -> None:
        """Report what is used and what could be, as often as the lender says; hold everything when it is gone."""
        while True:
            sent_at, wanted = self._clock.monotonic(), self._wanted()
            left_s = self._lent_until - sent_at
            again_s = look_s = REPORT_S  # another lender may come; what was lent runs out meanwhile
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(min(LONGEST_CALL_S, left_s) if left_s > 0 else LONGEST_CALL_S):
                    loan = await self._lender.lend(self.name, tuple(self._parts), wanted)
                # By when it was asked for: the lender counts from when it heard, which was later.
                self._parts, self._lent_until = list(loan.parts), sent_at + loan.for_s
                again_s, look_s = loan.again_s, loan.look_s
            self._apply()
            await self._wait(again_s, look_s=look_s, told=wanted)

    async def _wait(self, again_s: float, *, look_s: float, told: Sequence[float]) -> None:
        """Until the next report is due, or what was lent runs out, or there is something new to say."""
        now = self._clock.monotonic()
        due = min(now + again_s, self._lent_until if self._lent_until > now else math.inf)
        await asyncio.sleep(SOONEST_S)
        while (left_s := due - self._clock.monotonic()) > 0 and not is_news(self._wanted(), told=told):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, look_s)):
                    await self._changed.wait()
                break
        self._changed.clear()
        self._apply()

    def _wanted(self) -> tuple[float, ...]:
        now, wanted = self._clock.monotonic(), list[float]()
        if not self._lent:
            return (0.0,) * len(self._parts)
        for pace, part in zip(self._engine.paces, self._parts, strict=True):
            is_short = self._engine.is_short(pace)
            wanted.append(wanted_by(part=part, use=pace.use(now=now), is_short=is_short))
        return tuple(wanted)

    def _apply(self) -> None:
        """Use what is lent; what is not lent is held."""
        now = self._clock.monotonic()
        self._is_alone = now >= self._lent_until
        if self._is_alone:
            self._parts = [0.0] * len(self._parts)
        for pace, part in zip(self._engine.paces, self._parts, strict=True):
            if part > 0.0:
                self._engine.use(pace, min(1.0, part), now=now)
            has_nothing = part <= 0.0 and pace.knows_limits  # of what nobody knows nothing can be lent
            self._engine.hold(pace, is_held=self._is_paused or self._is_alone or has_nothing)

    # -- hearing

    def _notice(self, event: Event) -> None:
        match event:
            case RequestSent():
                self._heard.sent[event.tag] += 1
            case AttemptFailed() if len(self._heard.failed) < MOST_FAILED:
                told = Failed(event.tag, event.kind, event.delay_s, event.latency_s, event.model)
                self._heard.failed.append(told)
            case Noted():
                self._heard.notes.append(event.text)
                self._told.set()
