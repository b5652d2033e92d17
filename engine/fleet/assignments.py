"""The requests of a fleet that are under way: funded here, dealt, answered by a worker, or dealt anew when that dies.

What is decided without waiting is in `dealing` and `leases`; who the workers are is `staff`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Final, NamedTuple

from engine.attempt import Question
from engine.branch import Branch
from engine.clock import Clock
from engine.errors import BudgetReached, ProviderUnavailable, SmeltError
from engine.fleet.dealing import Dealer
from engine.fleet.hand import Hand
from engine.fleet.leases import Leases
from engine.fleet.wire import Asked, Ended, News, packed_request, read_error, read_reply
from engine.journal.keys import Keys
from engine.ledger import Ledger, Reservation
from engine.messages import Reply, Request

__all__ = ["Assignments"]

MOST_DEATHS: Final = 3  # of workers that had a request: then it may be what they died of
RECALL_EVERY_S: Final = 0.25
SHORTEST_LINE: Final = 64


class _Way(NamedTuple):
    """One who may answer, and what names the question to it: a digest, so it is found once."""

    branch: Branch
    key: bytes


@dataclass(slots=True, eq=False)
class _Job:
    """A request under way. `branch` is, of those who may answer, the one that costs most.

    `reservation` is its money until it is lent with it.
    """

    number: int
    request: Request
    ways: Sequence[_Way]
    branch: Branch
    question: Question
    ended: asyncio.Future[Reply]
    reservation: Reservation | None = None
    deaths: int = 0

    @property
    def key(self) -> bytes:
        return self.ways[0].key


class Assignments:
    """What is asked, and who has it. `most` may be with workers at any time; `on_dealt` is called when some were."""

    def __init__(self, ledger: Ledger, *, clock: Clock, most: int | None, on_dealt: Callable[[], None]) -> None:
        self.leases = Leases(ledger)
        self.hands: dict[str, Hand] = {}
        self.is_paused = False
        self.refusal: SmeltError | None = None  # why nothing more is dealt
        self._ledger = ledger
        self._clock = clock
        self._on_dealt = on_dealt
        self._dealer = Dealer(most=most)
        self._jobs: dict[int, _Job] = {}
        self._asking: dict[bytes, _Job] = {}
        self._numbers = count(1)
        self._answered = Keys()  # and by which worker, by its number
        self._left: dict[int, bytes] = {}  # nobody waits for these any more, and a worker may be at them: their keys
        self._left_with: dict[bytes, dict[int, Hand]] = {}
        self._everybody: dict[int, Hand] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: Exception | None = None
        self._is_dealing = False
        self._recalled_at = 0.0

    def __repr__(self) -> str:
        return f"<Assignments [{len(self._jobs)} under way | {self._dealer!r}]>"

    def __len__(self) -> int:
        return len(self._jobs)

    def wants_more(self, coming: int) -> bool:
        """Whether a question after so many others would find hardly anybody in line."""
        return coming + self._dealer.waiting + self._ledger.waiting < max(SHORTEST_LINE, self._dealer.dealt)

    # -- one question

    async def answer(self, branches: Sequence[Branch], request: Request) -> Reply:
        """What the journal of the run knows, else what a worker answers; who asks the same meanwhile shares it."""
        ways = [_Way(branch, branch.key_of(request)) for branch in branches]
        key = ways[0].key
        while True:
            if reply := _recalled(ways, request):
                return reply
            if (twin := self._asking.get(key)) is not None:
                await asyncio.wait([twin.ended])
                if not twin.ended.cancelled():
                    return _shared(twin.ended)
            elif (last := self._who_knows(key)) is not None and last.is_gone:
                await last.taken_in.wait()  # then the journal of the run knows it, if anybody does
                self._everybody.pop(last.number, None)
                for number in self._left_with.pop(key, ()):
                    del self._left[number]
            else:
                return await self._ask(ways, request, to=None if last is None else last.name)

    async def _ask(self, ways: Sequence[_Way], request: Request, *, to: str | None) -> Reply:
        branch, question = _dearest(ways, request)
        ended: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        job = _Job(next(self._numbers), request, ways, branch, question, ended)
        self._jobs[job.number] = self._asking[job.key] = job
        try:
            await self._fund(job, to=to)
            return await ended
        except BaseException as error:
            if isinstance(error, SmeltError) and not ended.done():  # there was no money for it
                ended.set_exception(error.again())
            ended.cancel()
            raise
        finally:
            del self._jobs[job.number], self._asking[job.key]
            self._let_go(job)
            if not ended.cancelled():
                ended.exception()  # nobody else may be waiting for it, and then it is no loss

    async def _fund(self, job: _Job, *, to: str | None = None, again: bool = False) -> None:
        """Set money aside for a job, and have it dealt. Raises BudgetReached, and why nothing is dealt any more."""
        self._check()
        if job.branch.attempts is None:
            raise RuntimeError("the engine is not open: use `async with` around it")
        job.reservation = (await job.branch.attempts.fund(job.question)).reservation
        self._check()
        if job.ended.done():
            self._let_go(job)
        elif again and to is None:
            self._dealer.put_back([job.number])
        else:
            self._dealer.put(job.number, to=to)
        self._deal_soon()

    def _check(self) -> None:
        if self._fault is not None:
            raise RuntimeError("a worker has failed") from self._fault
        if self.refusal is not None:
            raise self.refusal.again()

    def _let_go(self, job: _Job) -> None:
        """Nobody waits for it any more: what was not lent is free again, and who has it need not begin with it."""
        reservation, job.reservation = job.reservation, None
        if reservation is not None:
            self._ledger.release(reservation)
        worker = self._dealer.whose(job.number)
        if worker is not None:
            hand = self.hands[worker]
            self._left[job.number] = job.key
            self._left_with.setdefault(job.key, {})[job.number] = hand
            hand.drop(job.number)
        self._dealer.end(job.number)

    def _who_knows(self, key: bytes) -> Hand | None:
        """Who has answered this before, and has it in their journal; or who may be at it still."""
        known = (self._everybody.get(number) for number in self._answered.attempts(key))
        at_it = self._left_with.get(key, {}).values()
        return next((hand for hand in chain(known, at_it) if hand is not None), None)

    # -- dealing

    def _deal_soon(self) -> None:
        if not self._is_dealing:
            self._is_dealing = True
            asyncio.get_running_loop().call_soon(self._deal)

    def _deal(self) -> None:
        self._is_dealing = False
        if self.is_paused or self.refusal is not None:
            return
        for piece in self._dealer.deal():
            hand = self.hands[piece.worker]
            for number in piece.numbers:
                job = self._jobs[number]
                if (reservation := job.reservation) is None:
                    raise AssertionError("unreachable")
                job.reservation = None
                hand.ask(Asked(number, packed_request(job.request), reservation.amount))
                self.leases.lend(hand.name, job.request.tag, reservation)
        self._on_dealt()

    def _recall(self, now: float) -> None:
        if now - self._recalled_at < RECALL_EVERY_S or self.is_paused:
            return
        self._recalled_at = now
        for recall in self._dealer.recalls(now=now):
            self.hands[recall.worker].recall(recall.requests)

    # -- workers

    def join(self, hand: Hand) -> None:
        """Somebody new may be dealt requests."""
        self.hands[hand.name] = self._everybody[hand.number] = hand
        self._dealer.join(hand.name)
        if self.is_paused:
            hand.pause(is_paused=True)
        self._deal_soon()

    def hear(self, hand: Hand, news: News) -> None:
        """What a worker has to tell: money first, since what has ended may be asked anew."""
        now = self._clock.monotonic()
        hand.hear(news, now=now)
        self.leases.settle(hand.name, news.money)
        for ended in news.ended:
            self._end(hand, ended)
        for stage in news.wants.keys() - hand.lending:
            hand.lending.add(stage)
            self._spawn(self._lend_more(hand, stage, news.wants[stage]))
        if not hand.is_gone:
            self._dealer.notify(hand.name, room=news.room, unbegun=news.unbegun, now=now)
        self._recall(now)
        self._deal_soon()

    def bury(self, hand: Hand) -> list[int]:
        """A worker is gone: what it had, to be seen to once its journal has been looked at (`resume`)."""
        del self.hands[hand.name]
        return self._dealer.bury(hand.name)

    def resume(self, numbers: Iterable[int]) -> None:
        """Go on with what a worker had that is gone: what it has answered is in the journal of the run now."""
        for number in numbers:
            if (job := self._jobs.get(number)) is not None:
                job.deaths += 1
                self._spawn(self._begin_again(job))

    def pause(self, *, is_paused: bool) -> None:
        """Nothing is dealt or sent, or it is again."""
        self.is_paused = is_paused
        for hand in self.hands.values():
            hand.pause(is_paused=is_paused)
        self._deal_soon()

    def forgive(self) -> None:
        """Who was refused more money may ask again."""
        for hand in self.hands.values():
            hand.refuse("", "")

    def tag_of(self, number: int) -> str | None:
        """The stage of a request that is under way."""
        job = self._jobs.get(number)
        return None if job is None else job.request.tag

    def stop(self, error: SmeltError) -> None:
        """Nothing more is dealt, for this reason; what is in flight comes home."""
        if self.refusal is None:
            self.refusal = error
            for job in list(self._jobs.values()):
                if self._dealer.whose(job.number) is None:
                    _fail(job, error.again())
            for hand in self.hands.values():
                hand.drain()

    def crash(self, fault: Exception) -> None:
        """A bug, here or in a worker: whoever asks hears of it."""
        self._fault = fault
        for job in list(self._jobs.values()):
            _fail(job, fault)

    async def aclose(self) -> None:
        """Nobody waits for an answer any more."""
        for job in list(self._jobs.values()):
            if self.refusal is not None:
                _fail(job, self.refusal.again())
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _end(self, hand: Hand, ended: Ended) -> None:
        is_unasked = ended.reply is None and ended.error is None
        (self._dealer.hand_back if is_unasked else self._dealer.end)(ended.number)
        self._take_leave(hand, ended)
        job = self._jobs.get(ended.number)
        if job is None or job.ended.done():
            return
        if ended.reply is not None:
            reply = read_reply(ended.reply)
            self._answered.add(job.key, hand.number)
            self._learn(job, reply)
            job.ended.set_result(reply)
        elif ended.error is not None:
            job.ended.set_exception(read_error(ended.error))
        elif self.refusal is not None:
            _fail(job, self.refusal.again())
        else:
            self._spawn(self._begin_again(job))

    def _take_leave(self, hand: Hand, ended: Ended) -> None:
        """What nobody waits for has ended, too: where it was answered it is known."""
        if (key := self._left.pop(ended.number, None)) is None:
            return
        del self._left_with[key][ended.number]
        if not self._left_with[key]:
            del self._left_with[key]
        if ended.reply is not None:
            self._answered.add(key, hand.number)

    def _learn(self, job: _Job, reply: Reply) -> None:
        """How many tokens a request of its kind takes: where money is short, others are given no more."""
        if job.branch.attempts is not None:
            job.branch.attempts.sizes.notify(
                job.request.tag,
                input_bound=job.question.input_bound,
                input_tokens=reply.usage.input_tokens,
                output_tokens=reply.usage.output_tokens,
                n=job.request.n,
            )

    async def _begin_again(self, job: _Job) -> None:
        """With what was dealt and not answered: unless the journal knows it by now, it needs money again."""
        if job.ended.done():
            return
        if reply := _recalled(job.ways, job.request):
            job.ended.set_result(reply)
        elif job.deaths >= MOST_DEATHS:
            _fail(job, ProviderUnavailable(f"{job.deaths} workers died while they had this request"))
        elif job.reservation is not None:  # it was bound for one who died before it was lent
            self._dealer.put_back([job.number])
            self._deal_soon()
        else:
            last = self._who_knows(job.key)
            try:
                await self._fund(job, to=None if last is None or last.is_gone else last.name, again=True)
            except SmeltError as error:
                _fail(job, error)

    async def _lend_more(self, hand: Hand, stage: str, amount: int) -> None:
        """An attempt failed that may have been billed, so the next one needs money of its own."""
        try:
            reservation = await self._ledger.reserve(amount, stage=stage)
        except BudgetReached as error:
            hand.refuse(stage, str(error))
        else:
            if hand.is_gone:
                self._ledger.release(reservation)
            else:
                self.leases.lend(hand.name, stage, reservation)
                hand.lend(stage, reservation.amount)
        finally:
            hand.lending.discard(stage)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self.crash(error)


def _fail(job: _Job, error: Exception) -> None:
    if not job.ended.done():
        job.ended.set_exception(error)


def _recalled(ways: Sequence[_Way], request: Request) -> Reply | None:
    """What the journal of the run knows: the answer of any who may be asked."""
    return next(filter(None, (branch.recall(request, key) for branch, key in ways)), None)


def _shared(ended: asyncio.Future[Reply]) -> Reply:
    """The answer for one who has asked the same meanwhile, for nothing. Raises what it ended with."""
    error = ended.exception()
    if isinstance(error, SmeltError):
        raise error.again()
    return replace(ended.result(), cost_usd=0.0, from_journal=True)


def _dearest(ways: Sequence[_Way], request: Request) -> tuple[Branch, Question]:
    """Who of them costs most, and the question to them: whoever of them answers, there is money enough for it."""
    asked = []
    for branch, key in ways:
        if branch.attempts is None:
            raise RuntimeError("the engine is not open: use `async with` around it")
        asked.append((branch, branch.attempts.question(request, key, branch.tally(request.tag))))
    return max(asked, key=lambda each: each[1].bound)
