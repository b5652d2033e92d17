"""The engine: the one place where limits, money, journal, retries and providers meet.

A request is looked up in the journal; then it waits for its twin, if one is under way; then it is attempted
(`engine.attempt`) until that succeeds or `engine.retry` says that it is enough. What one failure means for everybody
is decided here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from engine.admission import Admission
from engine.attempt import Attempts, Ending, Question, open_books, reply_of
from engine.batches import BATCH_PATIENCE_S, UNDER_WAY, Depot, Timing, check_batch, open_depot
from engine.budget import Budget
from engine.clock import Clock, SystemClock, check_seconds
from engine.collector import collector
from engine.concurrency import MAXIMUM, Crowd, News
from engine.errors import Interrupted, RequestRejected, SmeltError, UserError
from engine.events import AttemptFailed, Event, Events, Noted, ReplyReceived, RequestFinished, SimulationMet
from engine.flow import Crew, flow
from engine.hedging import Races
from engine.ledger import Ledger
from engine.limiter import Limiter, limiter_of
from engine.messages import Outcome, RawReply, Reply, Request
from engine.parts import in_parts
from engine.prices import PICO_PER_USD, Price, dollars
from engine.providers import Capabilities, Provider, choice
from engine.providers.address import Address
from engine.providers.profile import Profile
from engine.providers.simulated import Simulated, World
from engine.retry import Setback, Standing, persist
from engine.statistics import Books, Statistics, Tally
from engine.throttle import Limits, Sizes
from engine.underway import Underway
from engine.verdict import Verdict

__all__ = ["Engine"]


class Engine:
    """Asks a model many questions: fast, inside its limits, inside a budget, and never twice.

        async with Engine("openai/gpt-5.4-mini", budget=Budget(usd=5), journal="run/journal.db") as engine:
            reply = await engine.ask(Request.user("Say hello"))
            async for outcome in engine.map(requests):
                ...

    `model` is `provider/name`, or a Provider, which then stays the caller's to close. `budget` may be None only
    together with an explicit price of zero; it is a cap for all that its journal ever pays for, or without a journal
    for what is paid between opening and closing. `deadline_s` is what a request may take from its first sending on,
    with every wait and retry; `attempt_timeout_s` what a single attempt may (None: 120 s, or what the provider says).
    Who waits in line gives up when nothing was answered for that long, without a known reason to wait. `run_deadline_s`
    after opening nothing more is sent, as after `drain`. `hedge` sends another attempt beside one that takes far longer
    than its kind, at most three in a hundred: what both cost is paid. `batch` sends everything, or the stages that it
    names by their tags, to the provider's batch endpoint, at half the price and within a day or so: limits and
    deadlines of online requests say nothing then, and it needs a journal. What an earlier process has left out in
    batches is waited for in any case. `dialect` is what stands at `base_url`, by name or as a Profile, when its address
    does not tell. `seed` seeds the waits' jitter, a simulated world and a model in this process.
    """

    def __init__(
        self,
        model: str | Provider,
        *,
        base_url: str | Address | None = None,
        api_key: str | None = None,
        budget: Budget | None = None,
        price: Price | None = None,
        limits: Limits | None = None,
        concurrency: int | None = None,
        journal: str | Path | None = None,
        seed: int = 0,
        events: Events | None = None,
        clock: Clock | None = None,
        deadline_s: float = 900.0,
        attempt_timeout_s: float | None = None,
        run_deadline_s: float | None = None,
        hedge: bool = False,
        batch: bool | Collection[str] = False,
        batch_timing: Timing | None = None,
        dialect: str | Profile | None = None,
    ) -> None:
        optional = {"attempt_timeout_s": attempt_timeout_s, "run_deadline_s": run_deadline_s}
        check_seconds(deadline_s=deadline_s, **{name: told for name, told in optional.items() if told is not None})
        choice.check_kinds(budget=budget, price=price, limits=limits)
        self._clock = clock or SystemClock()
        self._owns_provider = isinstance(model, str)
        self._provider = choice.chosen(
            model, base_url=base_url, api_key=api_key, clock=self._clock, seed=seed, dialect=dialect
        )
        self._price = choice.price_of(self._provider, told=price, budget=budget)
        self._batch = check_batch(batch, provider=self._provider, journal=journal, hedge=hedge)
        self._batch_timing = batch_timing or Timing()
        self._budget = budget
        self._journal_path = None if journal is None else Path(journal)
        self._events = events
        self._deadline_s = deadline_s
        self._attempt_timeout_s = choice.timeout_of(self._provider, told=attempt_timeout_s)
        self._run_deadline_s = run_deadline_s
        self._is_hedging = hedge
        self._limits = limits or Limits()
        self._crowd = Crowd(fixed=choice.at_once_of(self._provider) if concurrency is None else concurrency)
        self._admission = self._admitted_by(Limiter(clock=self._clock))
        self._chance = Random(seed)
        self._asked_of = f"{self._provider.name} at {self._provider.endpoint}"
        self._attempts: Attempts | None = None  # while open
        self._races: Races | None = None  # while open and hedging
        self._depot: Depot | None = None  # while open, if anything goes or is out in batches
        self._ledger = Ledger(budget.cap if budget else None)
        self._underway = self._nothing_underway()
        self._crew = Crew()
        self._books = Books(clock=self._clock)
        self._standing = Standing()
        self._is_simulated = self._provider.simulated

    # -- opening and closing

    async def __aenter__(self) -> Self:
        import tenacity  # noqa: F401 - in the middle of a run there may be no file descriptor left to read it

        journal, self._ledger = await open_books(self._journal_path, self._budget)
        self._admission.close()
        self._admission = self._admitted_by(limiter_of(choice.account_of(self._provider), clock=self._clock))
        self._underway.held_until = self._admission.held_until
        self._attempts = Attempts(
            provider=self._provider,
            asked_of=self._asked_of,
            price=self._price,
            ledger=self._ledger,
            admission=self._admission,
            journal=journal,
            sizes=Sizes(),
            clock=self._clock,
            timeout_s=self._attempt_timeout_s,
            deadline_s=self._deadline_s,
            events=self._events,
            stopped=self._underway.stopped,
            count=choice.count_of(self._provider),
        )
        self._depot = await open_depot(
            self._attempts,
            choice.batches_of(self._provider),
            gathers=bool(self._batch),
            timing=self._batch_timing,
            stop=self._underway.stop,
            tally=self._books.tally,
        )
        collector.slow_down()
        if self._is_hedging:
            self._races = Races(self._attempts, notify_failure=self._notify_failure)
        if self._run_deadline_s is not None:
            self._underway.stop_after(self._run_deadline_s)
        if self._journal_path is None:
            self._emit(Noted("no journal was given: replies are not kept when this process ends"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up what is in flight and let go of everything. Every reply that has come is on disk.

        Whoever still asks is told so, with Interrupted. Opened again, the engine begins anew.
        """
        self._underway.notify_closing()
        await self._crew.aclose()
        await self._underway.aclose()
        for each in (self._races, self._depot):
            if each is not None:
                await each.aclose()
        self._underway, self._standing = self._nothing_underway(), Standing()
        self._admission.close()
        attempts, self._attempts = self._attempts, None
        try:
            if self._owns_provider:
                await self._provider.aclose()
        finally:
            if attempts is not None:
                collector.speed_up()
                await attempts.journal.aclose()

    # -- what a user asks

    async def ask(self, request: Request) -> Reply:
        """The answer to one request; raises a SmeltError that says why there is none."""
        if not isinstance(request, Request):
            raise TypeError(f"an engine is asked Requests, as in Request.user(text) (got {type(request).__name__})")
        tally = self._books.tally(request.tag)
        tally.requests += 1
        try:
            reply = await self._answer(request, tally)
        except SmeltError as error:
            tally.failed += 1
            self._emit(RequestFinished(request.tag, type(error).__name__))
            raise
        tally.replies += 1
        tally.from_journal += reply.from_journal
        self._emit(RequestFinished(request.tag, None))
        return reply if request.schema is None else replace(reply, schema=request.schema)

    def map(
        self, requests: Iterable[Request] | AsyncIterable[Request], *, ordered: bool = True
    ) -> AsyncGenerator[Outcome, None]:
        """How each request ends, in their order or as they end, for any number of them in bounded memory.

        Requests are pulled as fast as they can be sent and outcomes are taken: about as many wait in line as are in
        flight, eight outcomes for each of them wait to be taken, in order a thousand at least behind a straggler.
        When the iterable raises, what was sent is finished and yielded first. A consumer that stops early gives up
        what is in flight: at once within `async with contextlib.aclosing(engine.map(...)) as outcomes`, else later.
        """
        at_once = self._crowd.fixed or MAXIMUM
        window = UNDER_WAY if self._batch else 8 * at_once
        return flow(
            requests,
            self._outcome,
            workers=UNDER_WAY if self._batch else 2 * max(at_once, MAXIMUM),  # most wait to try again
            window=window,
            most_behind=max(window, MAXIMUM),
            ordered=ordered,
            crew=self._crew,
            wants_more=lambda coming: self._attempts is None or self._attempts.wants_more(coming),
        )

    def drain(self) -> None:
        """End in order: what is in flight comes home and is kept, everything else raises Interrupted.

        What the journal knows is answered still.
        """
        self._underway.stop(Interrupted("interrupted: nothing more is asked, and what was in flight is kept"))

    def keep(self, amount: int, *, tag: str) -> None:
        """Leave so many pico-dollars of the budget to requests of this tag, until told otherwise (`Ledger.keep`)."""
        self._ledger.keep(amount, stage=tag)

    def finish(self, *, tag: str) -> None:
        """No more requests of this tag are to come (`Ledger.finish`)."""
        self._ledger.finish(tag)

    def statistics(self) -> Statistics:
        """How things stand now."""
        return self._books.statistics(
            self._admission,
            self._ledger,
            in_batches=self._in_batches,
            waiting=self._waiting,
            hedged=0 if self._races is None else self._races.hedged,
            held_up_by=self._crew.held_up_by,
        )

    @property
    def model(self) -> str:
        """`provider/name`, as on the command line."""
        return self._provider.name

    @property
    def simulated(self) -> bool:
        """True when no real model answers, as far as the answers so far have told."""
        return self._is_simulated

    @property
    def world(self) -> World | None:
        """The simulated world behind a simulated provider; for scoring simulations only."""
        return self._provider.world if isinstance(self._provider, Simulated) else None

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of this model."""
        return self._provider.capabilities

    def __repr__(self) -> str:
        cap = "no cap" if self._ledger.cap is None else f"of {dollars(self._ledger.cap)}"
        money = f"{dollars(self._ledger.spent + self._ledger.assumed)} {cap}"
        return f"<Engine {self.model} [{self._admission.in_flight} in flight, {self._waiting} waiting | {money}]>"

    # -- one question

    async def _outcome(self, request: Request) -> Outcome:
        try:
            return Outcome(request, reply=await self.ask(request))
        except SmeltError as error:
            return Outcome(request, error=error)

    async def _answer(self, request: Request, tally: Tally) -> Reply:
        if flaw := request.flaw:
            raise RequestRejected(flaw)
        if request.n > 1 and not self._provider.capabilities.n:
            return await in_parts(request, lambda part: self._answer(part, tally))
        if request.schema is not None and not self._provider.capabilities.schema:
            return await self._answer(request.with_schema_told(), tally)
        if objection := self._provider.capabilities.objection(request):
            raise UserError(f"{self.model}: {objection}")
        key = request.identity(asked_of=self._asked_of)
        if reply := self._recall(request, key, tally):
            return reply
        return await self._answer_once(request, key, tally)

    async def _answer_once(self, request: Request, key: bytes, tally: Tally) -> Reply:
        """Ask, unless somebody is asking the same at this moment: then the answer is theirs, and free."""
        while twin := self._underway.twin_of(key):
            error = await asyncio.shield(twin)
            if error is not None:
                raise error.again()
            if reply := self._recall(request, key, tally):
                return reply
        question = self._opened().question(request, key, tally)
        with self._underway.holding(question):
            return await self._persist(question)

    async def _persist(self, question: Question) -> Reply:
        try:
            return await self._attempt(question)
        except Setback as setback:
            first = setback
        # Nearly every request succeeds at once: only the others pay for the machinery.
        return await persist(
            lambda: self._attempt(question),
            after=first,
            deadline=lambda: self._underway.deadline_of(question),
            clock=self._clock,
            chance=self._chance,
            notify=lambda verdict, delay_s: self._notify_failure(question, verdict, delay_s),
        )

    def _recall(self, request: Request, key: bytes, tally: Tally) -> Reply | None:
        """What the journal knows."""
        if (recalled := self._opened().recalled(request, key)) is None:
            return None
        stored, reading = recalled
        tally.saved_by_journal += stored.cost
        self._notice_simulation(stored.raw)
        reply = reply_of(reading, attempts=stored.attempts, latency_s=stored.raw.latency_s, from_journal=True)
        self._emit(ReplyReceived.of(reply, tag=request.tag, cost=0))
        return reply

    async def _attempt(self, question: Question) -> Reply:
        """Ask once. Raises Setback when that failed in a way that the retry loop should judge."""
        ending = await self._send(question)
        if ending.is_cut:  # by us, to save money: this time it may be as long as was asked for
            self._note_failure(question, "cut", 0.0)
            ending = await self._send(question)
        return self._conclude(question, ending)

    async def _send(self, question: Question) -> Ending:
        if error := self._underway.stopped():
            raise error
        attempts = self._opened()
        if self._depot is not None and (question.request.tag in self._batch or self._depot.carries(question)):
            return await self._depot.carry(question, funded=self._crew.wake)
        try:
            admitted = await attempts.admit(question)
        finally:
            self._crew.wake()
        departs = attempts if self._races is None else self._races
        return await departs.depart(question, admitted)

    def _conclude(self, question: Question, ending: Ending) -> Reply:
        """The reply is on disk: now somebody may see it."""
        if ending.news is News.GOOD:
            self._underway.notify_answer()
        if ending.reading is not None and ending.raw is not None:
            self._standing.notify_answer()
            self._notice_simulation(ending.raw)
            reply = reply_of(
                ending.reading,
                attempts=question.attempts,
                latency_s=ending.raw.latency_s,
                cost_usd=ending.cost / PICO_PER_USD,
            )
            question.tally.add(question.request, reply.usage, price=self._price)
            self._emit(ReplyReceived.of(reply, tag=question.request.tag, cost=ending.cost))
            return reply
        if ending.error is not None:
            raise ending.error
        if ending.verdict is None:
            raise AssertionError("unreachable")
        raise Setback(ending.verdict, in_outage=self._admission.crowd.paused)

    # -- what one failure means for everybody

    def _notify_failure(self, question: Question, verdict: Verdict, delay_s: float | None = None) -> None:
        self._note_failure(question, verdict.kind.value, delay_s)
        if error := self._standing.notify_failure(verdict, now=self._clock.monotonic()):
            self._underway.stop(error)
        elif self._standing.notice_doubt():
            self._emit(Noted(f"no answer yet from {self.model}: {verdict.message}; trying again"))

    def _note_failure(self, question: Question, kind: str, delay_s: float | None) -> None:
        self._books.failures[kind] += 1
        self._emit(AttemptFailed(question.request.tag, kind, delay_s))

    # -- small things

    @property
    def _waiting(self) -> int:
        """How many wait for money, in line or for their next attempt."""
        beside = 0 if self._races is None else self._races.beside
        return max(0, len(self._underway) + beside - self._admission.in_flight - self._in_batches)

    @property
    def _in_batches(self) -> int:
        return 0 if self._depot is None else self._depot.out

    def _admitted_by(self, limiter: Limiter) -> Admission:
        return Admission(limiter=limiter, crowd=self._crowd, clock=self._clock, told=self._limits)

    def _nothing_underway(self) -> Underway:
        return Underway(patience_s=BATCH_PATIENCE_S if self._batch else self._deadline_s, clock=self._clock)

    def _opened(self) -> Attempts:
        if self._attempts is None:
            raise RuntimeError("the engine is not open: use `async with Engine(...) as engine`")
        return self._attempts

    def _emit(self, event: Event) -> None:
        if self._events is not None:
            self._events.emit(event)

    def _notice_simulation(self, raw: RawReply) -> None:
        """A simulated teacher behind HTTP says so itself; nobody shall take it for a model."""
        if raw.simulated and not self._is_simulated:
            self._is_simulated = True
            self._emit(SimulationMet())
