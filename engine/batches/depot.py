"""Where requests wait to leave together, and where it is known what is out. The awaits; `packing` decides.

A process that ends leaves its batches out at the provider, and whoever opens the journal next adopts them.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from engine.attempt import Attempts, Ending, Funded, Question
from engine.batches.course import Progress, Timing, is_queue_full
from engine.batches.lines import Line, Shipment, adopted
from engine.batches.packing import Packing
from engine.batches.voyage import Voyages
from engine.clock import Clock
from engine.errors import ProviderRefused, RequestRejected, SmeltError
from engine.journal import OpenBatch
from engine.providers.batches import BatchEndpoint
from engine.providers.foreign import trimmed
from engine.statistics import Tally

__all__ = ["Depot"]

CLOSING_S: Final = 60.0  # for a creation whose reply is still to come
LONGEST_IDENT: Final = "-" * 64


class Depot:
    """Gathers questions into batches, and brings each to its ending.

    `stop` is told of failures that hold for everything. Money is set aside before a question joins, and settled line by
    line.
    """

    def __init__(
        self,
        attempts: Attempts,
        endpoint: BatchEndpoint,
        *,
        clock: Clock,
        stop: Callable[[SmeltError], None],
        timing: Timing,
    ) -> None:
        self._attempts = attempts
        self._endpoint = endpoint
        self._clock = clock
        self._stop = stop
        self._packing = Packing(endpoint.limits, quiet_s=timing.quiet_s, patience_s=timing.patience_s)
        self._voyages = Voyages(attempts, endpoint, clock=clock, timing=timing, forget=self._forget)
        self._gathering: dict[int, Line] = {}  # by ticket
        self._tickets = 0
        self._timer: asyncio.TimerHandle | None = None
        self._out: dict[bytes, Line] = {}  # by the question's key
        self._running: set[Shipment] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closing = False

    def __repr__(self) -> str:
        return f"<Depot [{len(self._gathering)} gather, {len(self._out)} out in {len(self._running)} batches]>"

    @property
    def out(self) -> int:
        """How many requests are out in batches."""
        return len(self._out)

    # -- what a question does

    def carries(self, question: Question) -> bool:
        """Whether the same question is out already, perhaps since an earlier process."""
        return self.is_out(question.key)

    def is_out(self, key: bytes) -> bool:
        """Whether the question of this key is out."""
        return key in self._out

    async def carry(self, question: Question, *, funded: Callable[[], None]) -> Ending:
        """How the question ends: with the batch that it is out in, or with the next. `funded` is told when there is
        money for it, or none.
        """
        if (line := self._out.get(question.key)) is not None:
            question.attempts += 1  # its time is the batch's now
            funded()
            return await asyncio.shield(line.finish)
        try:
            money = await self._attempts.fund(question)
        finally:
            funded()
        return await self._depart(question, money)

    async def _depart(self, question: Question, money: Funded) -> Ending:
        """Leave with the next batch. Given up before that, nothing was sent; after it, the batch goes on."""
        size = len(self._endpoint.line(money.request, ident=LONGEST_IDENT))
        if not self._packing.fits(size):
            self._attempts.ledger.release(money.reservation)
            raise RequestRejected(f"this request is too long for a batch: it has {size} bytes")
        finish: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        is_fitted = money.request is not question.request
        self._tickets += 1
        ticket = self._tickets
        self._gathering[ticket] = Line(question, money.request, money.reservation, finish, is_fitted)
        self._packing.add(ticket, size=size, now=self._clock.monotonic())
        self._set_timer()
        question.attempts += 1
        question.tally.attempts += 1
        try:
            return await asyncio.shield(finish)
        except asyncio.CancelledError:
            if self._packing.remove(ticket):
                del self._gathering[ticket]
                self._attempts.ledger.release(money.reservation)
            raise

    # -- leaving

    def _set_timer(self) -> None:
        """When the next batch is due; while one more question comes after the other that is put off, not set anew."""
        due = self._packing.due
        if self._timer is None and due is not None and due < math.inf and not self._is_closing:
            delay = max(0.0, due - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._leave)

    def _leave(self) -> None:
        self._timer = None
        if self._attempts.admission.is_held:
            return  # `let_go` sets it anew
        while self._attempts.stopped() is None and (tickets := self._packing.take(now=self._clock.monotonic())):
            self._spawn(self._ship([self._gathering.pop(ticket) for ticket in tickets]))
        if self._attempts.stopped() is None:
            self._set_timer()

    def let_go(self) -> None:
        """After a pause: what has gathered may leave."""
        self._set_timer()

    async def _ship(self, lines: list[Line]) -> None:
        name, now = f"smelt{secrets.token_hex(8)}", self._clock.time()
        self._out |= {line.question.key: line for line in lines}
        try:
            numbers = await self._write_down(lines, name=name, now=now)
        except Exception as error:  # noqa: BLE001 - the disk failed: whoever waits for these must hear of it
            self._fail(lines, error)
            return
        progress = Progress(uploads=self._endpoint.uploads)
        attempts = range(numbers[0], numbers[-1] + 1)
        await self._follow(Shipment(name, attempts, now, progress, dict(zip(numbers, lines, strict=True))))

    async def _write_down(self, lines: Sequence[Line], *, name: str, now: float) -> Sequence[int]:
        """Make the batch durable before anybody hears of it; the numbers of its attempts."""
        asked_of = self._attempts.asked_of
        rows = [
            (
                line.question.key,
                line.reservation.amount,
                line.request.tag,
                trimmed(line.request.canonical(asked_of=asked_of)),
            )
            for line in lines
        ]
        return await self._attempts.journal.intend_batch(name, rows, asked_of=asked_of, at=now)

    def adopt(self, batches: Iterable[OpenBatch], *, tally: Callable[[str], Tally]) -> None:
        """Follow what an earlier process has left out."""
        for batch in batches:
            shipment = adopted(batch, self._attempts, uploads=self._endpoint.uploads, tally=tally)
            self._out |= {line.question.key: line for line in shipment.lines.values()}
            total, left = len(shipment.attempts), len(shipment.lines)
            self._voyages.note(f"a batch of an earlier start goes on: {left:,} of its {total:,} requests are open")
            self._spawn(self._follow(shipment))

    async def _follow(self, shipment: Shipment) -> None:
        self._running.add(shipment)
        try:
            await self._voyages.follow(shipment)
        except ProviderRefused as refusal:
            self._stop(refusal)
        except Exception as error:  # noqa: BLE001 - the disk failed, or a bug of ours: whoever waits must hear of it
            self._fail(list(shipment.lines.values()), error)
        finally:
            self._running.discard(shipment)
            self._make_room(shipment)

    def _make_room(self, shipment: Shipment) -> None:
        """A batch is over: the provider's queue is shorter now, or too full for what it was."""
        look = shipment.progress.look
        if look is not None and look.state == "failed" and is_queue_full(look):
            others = sum(other.progress.batch is not None for other in self._running)
            lines = len(shipment.attempts)
            self._packing.notify_queue_full(lines=lines, others=others, now=self._clock.monotonic())
        else:
            self._packing.notify_end()
        self._set_timer()

    # -- small things

    def _forget(self, line: Line) -> None:
        if self._out.get(line.question.key) is line:
            del self._out[line.question.key]

    def _fail(self, lines: Iterable[Line], error: Exception) -> None:
        for line in lines:
            self._voyages.fail(line, error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Stop waiting. What is out stays out; a creation under way is let come to its end, for a minute."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await _give_up(self._tasks)
        if creations := set(self._voyages.creations):
            await asyncio.wait(creations, timeout=CLOSING_S)
            await _give_up(creations)
        await self._endpoint.aclose()


async def _give_up(tasks: Iterable[asyncio.Task[None]]) -> None:
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
