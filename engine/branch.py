"""One model that is asked, with all that is its own: limits, slots, price, retries, batches, and how we stand with it.

A request is looked up in the journal; then it waits for its twin, if one is under way; then it is attempted
(`engine.attempt`) until that succeeds or `engine.retry` says that it is enough. What one failure means for all that is
asked of this model is decided here. Money, journal and counters are the engine's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from random import Random

from engine.admission import ONE_MORE, Admission
from engine.attempt import Attempts, Ending, Question, reply_of
from engine.batches import BATCH_PATIENCE_S, Depot, Timing, open_depot
from engine.budget import Budget
from engine.clock import Clock
from engine.concurrency import News
from engine.dispatch import admission_for, crowd_for
from engine.errors import SmeltError
from engine.events import AttemptFailed, Event, Events, Noted, ReplyReceived, SimulationMet
from engine.flow import Crew
from engine.hedging import Races
from engine.journal import Journal
from engine.ledger import Ledger
from engine.limiter import Limiter, limiter_of
from engine.messages import RawReply, Reply, Request
from engine.prices import PICO_PER_USD
from engine.providers import Capabilities, Provider, choice
from engine.providers.choice import Model
from engine.providers.former import Former
from engine.providers.several import urls_of
from engine.retry import Setback, Standings, persist
from engine.shut import OpeningHours, longest_wait_s
from engine.statistics import Books, ModelStatistics, Tally
from engine.throttle import Limits, Sizes
from engine.underway import Underway
from engine.verdict import Kind, Verdict

__all__ = ["Branch", "OnFailure", "Terms"]

OnFailure = Callable[[SmeltError | None, float], None]
"""Told of every failure: the error that holds for everything, and lies not with the requests, if it is such a one; and
for how many seconds we were asked to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every model that an engine asks."""

    clock: Clock
    budget: Budget | None
    deadline_s: float
    run_deadline_s: float | None
    hedge: bool
    batch_timing: Timing
    seed: int
    chance: Random
    events: Events | None
    books: Books
    crew: Crew
    formers: Sequence[Former] = ()


class Branch:
    """One model that is asked. `batch` are the tags of what goes to it in batches."""

    def __init__(self, model: Model, provider: Provider, terms: Terms, *, batch: Collection[str] = ()) -> None:
        self._terms = terms
        self._clock = terms.clock
        self._owns_provider = isinstance(model.name, str)
        self.provider = provider
        self._price = choice.price_of(self.provider, told=model.price, budget=terms.budget)
        self._timeout_s = choice.timeout_of(self.provider, told=model.attempt_timeout_s)
        self._limits = model.limits or Limits()
        at_once = choice.at_once_of(self.provider) if model.concurrency is None else model.concurrency
        self._urls = urls_of(provider)
        self.crowd = crowd_for(len(self._urls), fixed=at_once)
        self.admission = self._admitted_by(Limiter(clock=terms.clock))
        self.asked_of = f"{self.provider.name} at {self.provider.endpoint}"
        self.batch = batch
        self.attempts: Attempts | None = None  # while open
        self.races: Races | None = None  # while open and hedging
        self.depot: Depot | None = None  # while open, if anything goes or is out in batches
        self.underway = self._nothing_underway()
        self.tallies: dict[str, Tally] = {}
        self.on_failure: OnFailure = lambda _error, _delay_s: None
        self.is_last: Callable[[], bool] = lambda: True  # whether nobody else could be asked instead
        self._hours: OpeningHours | None = None  # while open
        self.is_simulated = self.provider.simulated
        self.elsewhere: tuple[Branch, ...] = ()
        self.answered_sent_at = -math.inf  # when the latest of those left that were answered
        self._standings = Standings(len(self._urls))
        self.replies = 0  # over the wire
        self._recalled = 0

    @property
    def name(self) -> str:
        """`provider/name`, as on the command line."""
        return self.provider.name

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of it."""
        return self.provider.capabilities

    def objection(self, request: Request) -> str | None:
        """What of this request it cannot take, in words that name it."""
        objection = self.capabilities.objection(request)
        return None if objection is None else f"{self.name}: {objection}"

    def known(self, request: Request) -> None:
        """Nothing more than it will be asked."""

    def meet(self, others: Iterable[Branch]) -> None:
        """These ask the same model, on other routes: what one of them is asking, the others wait for."""
        for other in others:
            self.elsewhere += (other,)
            other.elsewhere += (self,)

    def __repr__(self) -> str:
        return f"<Branch {self.asked_of} [{self.admission!r}]>"

    # -- opening and closing

    def open(self, journal: Journal, ledger: Ledger, *, adopts: bool) -> None:
        """Begin to ask. It `adopts` what earlier processes have left out in batches, unless another branch does."""
        self.admission.close()
        self.admission = self._admitted_by(limiter_of(choice.account_of(self.provider), clock=self._clock))
        self.underway.held_until = self.admission.held_until
        self._hours = OpeningHours(
            self.name,
            admission=self.admission,
            underway=self.underway,
            clock=self._clock,
            deadline_s=self._terms.deadline_s,
            is_last=self.is_last,
            on_failure=self.on_failure,
            emit=self._emit,
        )
        self.attempts = Attempts(
            provider=self.provider,
            asked_of=self.asked_of,
            price=self._price,
            ledger=ledger,
            admission=self.admission,
            journal=journal,
            sizes=Sizes(),
            clock=self._clock,
            timeout_s=self._timeout_s,
            deadline_s=self._terms.deadline_s,
            events=self._terms.events,
            stopped=self.underway.stopped,
            count=choice.count_of(self.provider),
            cached_counts=choice.cached_counts_of(self.provider),
            formers=self._terms.formers,
        )
        self.depot = open_depot(
            self.attempts,
            choice.batches_of(self.provider),
            gathers=bool(self.batch),
            adopts=adopts,
            timing=self._terms.batch_timing,
            stop=self.underway.stop,
            tally=self.tally,
        )
        if self._terms.hedge:
            self.races = Races(self.attempts, notify_failure=self._notify_failure)
        if self._terms.run_deadline_s is not None:
            self.underway.stop_after(self._terms.run_deadline_s)

    def hold(self) -> None:
        """Nothing more is sent until `let_go`; what is in flight, or out in a batch, comes home."""
        self.admission.hold()
        self.underway.hold()

    def let_go(self) -> None:
        """Go on after `hold`; nobody's time has run out meanwhile."""
        self.underway.let_go()
        self.admission.let_go()
        if self.depot is not None:
            self.depot.let_go()

    async def aclose(self) -> None:
        """Give up what is in flight and let go of everything."""
        await self.underway.aclose()
        for each in (self.races, self.depot):
            if each is not None:
                await each.aclose()
        if self._hours is not None:
            self._hours.close()
            self._hours = None
        self.underway, self._standings = self._nothing_underway(), Standings(len(self._urls))
        self.admission.close()
        self.attempts = None
        if self._owns_provider:
            await self.provider.aclose()

    # -- one question

    def key_of(self, request: Request) -> bytes:
        """What names the question to this model."""
        return request.identity(asked_of=self.asked_of)

    async def answer(self, request: Request, key: bytes | None = None) -> Reply:
        """The answer, from the journal or by asking; whoever asks the same at this moment pays for both."""
        key = self.key_of(request) if key is None else key
        if reply := self.recall(request, key):
            return reply
        while True:
            if twin := self.underway.twin_of(key):
                if error := await asyncio.shield(twin):
                    raise error.again()
            elif twin := self._twin_elsewhere(key):
                await asyncio.shield(twin)  # why it failed there, if so, need not hold here
            else:
                break
            if reply := self.recall(request, key):
                return reply
        question = self._opened().question(request, key, self.tally(request.tag))
        with self.underway.holding(question):
            return await self._persist(question)

    def _twin_elsewhere(self, key: bytes) -> asyncio.Future[SmeltError | None] | None:
        return next(filter(None, (other.underway.twin_of(key) for other in self.elsewhere)), None)

    def is_asking(self, key: bytes) -> bool:
        """Whether this question is under way here, or out in a batch."""
        return self.underway.holds(key) or (self.depot is not None and self.depot.is_out(key))

    def ready_at(self) -> float:
        """When one more could leave, as far as limits, the provider's wishes and its breaker go; never for a while."""
        now = self._clock.monotonic()
        if self.crowd.may_start(self.admission.in_flight, now=now):
            return self.admission.pace.ready_at(ONE_MORE, now=now)
        reopens_at = self.crowd.reopens_at
        return math.inf if reopens_at is None else reopens_at

    def recall(self, request: Request, key: bytes) -> Reply | None:
        """What the journal knows."""
        if (recalled := self._opened().recalled(request, key)) is None:
            return None
        stored, reading = recalled
        self.tally(request.tag).saved_by_journal += stored.cost
        self._recalled += 1
        self._notice_simulation(stored.raw)
        reply = reply_of(
            reading,
            attempts=stored.attempts,
            latency_s=stored.raw.latency_s,
            cost_usd=stored.cost / PICO_PER_USD,
            from_journal=True,
        )
        self._emit(ReplyReceived.of(reply, tag=request.tag, cost=0, model=self.name))
        return reply

    async def _persist(self, question: Question) -> Reply:
        try:
            return await self._attempt(question)
        except Setback as setback:
            first = setback
        # Nearly every request succeeds at once: only the others pay for the machinery.
        return await persist(
            lambda: self._attempt(question),
            after=first,
            deadline=lambda: self.underway.deadline_of(question),
            clock=self._clock,
            chance=self._terms.chance,
            notify=lambda verdict, delay_s: self._notify_failure(question, verdict, delay_s),
            longest_s=longest_wait_s(self._terms.deadline_s),
        )

    async def _attempt(self, question: Question) -> Reply:
        """Ask once. Raises Setback when that failed in a way that the retry loop should judge."""
        ending = await self._send(question)
        if ending.is_cut:  # by us, to save money: this time it may be as long as was asked for
            self._note_failure(question, "cut", 0.0)
            ending = await self._send(question)
        return self._conclude(question, ending)

    async def _send(self, question: Question) -> Ending:
        if error := self.underway.stopped():
            raise error
        attempts = self._opened()
        wake = self._terms.crew.wake
        if self.depot is not None and (question.request.tag in self.batch or self.depot.carries(question)):
            return await self.depot.carry(question, funded=wake)
        try:
            admitted = await attempts.admit(question)
        finally:
            wake()
        departs = attempts if self.races is None else self.races
        return await departs.depart(question, admitted)

    def _conclude(self, question: Question, ending: Ending) -> Reply:
        """The reply is on disk: now somebody may see it."""
        if ending.news is News.GOOD:
            self.underway.notify_answer()
            if self._hours is not None:
                self._hours.notify_answer()
            self.answered_sent_at = max(self.answered_sent_at, question.sent_at)
        if ending.reading is not None and ending.raw is not None:
            self._standings[question.place].notify_answer()
            self.replies += 1
            self._notice_simulation(ending.raw)
            reply = reply_of(
                ending.reading,
                attempts=question.attempts,
                latency_s=ending.raw.latency_s,
                cost_usd=ending.cost / PICO_PER_USD,
            )
            question.tally.add(question.request, reply.usage, price=self._price)
            self._emit(ReplyReceived.of(reply, tag=question.request.tag, cost=ending.cost, model=self.name))
            return reply
        if ending.error is not None:
            raise ending.error
        if ending.verdict is None:
            raise AssertionError("unreachable")
        question.failed_with = ending.verdict
        if self._hours is not None:
            self._hours.notify_failure(ending.verdict)
        raise Setback(ending.verdict, in_outage=self.crowd.at(question.place).paused)

    # -- what one failure means for everybody

    def _notify_failure(self, question: Question, verdict: Verdict, delay_s: float | None = None) -> None:
        self._note_failure(question, verdict.kind.value, delay_s)
        now, standing = self._clock.monotonic(), self._standings[question.place]
        error = self._standings.notify_failure(verdict, place=question.place, now=now)
        if error is not None:
            self.underway.stop(error)
        elif self._hours is not None and standing.notice_wait(verdict, now=now):
            self._hours.note_wait(verdict.delay_s or 0.0, verdict.message)
        elif standing.notice_doubt():
            self._emit(Noted(f"no answer yet from {self.name}: {verdict.message}; trying again"))
        is_of_requests = verdict.kind is Kind.CONFIG and not verdict.everywhere
        self.on_failure(None if is_of_requests else error, verdict.delay_s or 0.0)

    def _note_failure(self, question: Question, kind: str, delay_s: float | None) -> None:
        self._terms.books.failures[kind] += 1
        elapsed = max(0.0, self._clock.monotonic() - question.sent_at)  # 0 for one that never left
        self._emit(AttemptFailed(question.request.tag, kind, delay_s, elapsed, self.name))

    # -- figures and small things

    @property
    def in_batches(self) -> int:
        return 0 if self.depot is None else self.depot.out

    @property
    def hedged(self) -> int:
        return 0 if self.races is None else self.races.hedged

    @property
    def waiting(self) -> int:
        """How many wait for money, in line or for their next attempt."""
        beside = 0 if self.races is None else self.races.beside
        return max(0, len(self.underway) + beside - self.admission.in_flight - self.in_batches)

    def statistics(self, *, standing: str) -> ModelStatistics:
        """What it has come to in this process."""
        return ModelStatistics(
            model=self.name,
            endpoint=self.provider.endpoint,
            standing=standing,
            replies=self.replies,
            from_journal=self._recalled,
            cost=sum(tally.cost for tally in self.tallies.values()),
        )

    def tally(self, tag: str) -> Tally:
        return self.tallies.get(tag) or self.tallies.setdefault(tag, Tally())

    def _admitted_by(self, limiter: Limiter) -> Admission:
        return admission_for(
            self._urls, crowd=self.crowd, limiter=limiter, clock=self._clock, told=self._limits, emit=self._emit
        )

    def _nothing_underway(self) -> Underway:
        patience_s = BATCH_PATIENCE_S if self.batch else self._terms.deadline_s
        return Underway(patience_s=patience_s, clock=self._clock)

    def _opened(self) -> Attempts:
        if self.attempts is None:
            raise RuntimeError("the engine is not open: use `async with Engine(...) as engine`")
        return self.attempts

    def _emit(self, event: Event) -> None:
        if self._terms.events is not None:
            self._terms.events.emit(event)

    def _notice_simulation(self, raw: RawReply) -> None:
        """A simulated teacher behind HTTP says so itself; nobody shall take it for a model."""
        if raw.simulated and not self.is_simulated:
            self.is_simulated = True
            self._emit(SimulationMet())
