"""One attempt at a question, from the reserved dollar to the durable reply.

    admit       ledger.reserve          the true bound of its cost, or a tighter one, or wait, or stop
                admission.enter         a slot and the limits, both at once
    depart      journal.intend          durable before it leaves
                provider.send
                judge                   a reading or a verdict
                journal.settle          reply and cost durable before anybody sees them
                ledger.settle           the truth, or the bound where nobody knows

Wherever it is cut off, nothing stays behind: no slot, no permit, no reservation, no open intent. Whether to try again
is not decided here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from engine.admission import NO_HEADERS, Admission, Echo, Ticket, Used
from engine.bounds import Count, allowance, input_bound, was_cut
from engine.budget import Budget
from engine.clock import Clock
from engine.concurrency import News
from engine.errors import Interrupted, RequestRejected, SmeltError, UnreadableReply
from engine.events import Events, RequestSent
from engine.journal import Journal, Stored
from engine.ledger import Ledger, Reservation
from engine.messages import RawReply, Reply, Request, Usage
from engine.prices import Price
from engine.providers import Provider, Reading, TransportFailure
from engine.providers.choice import errors_of, unheeded
from engine.providers.former import Former
from engine.providers.several import at, placed
from engine.statistics import Tally
from engine.throttle import Demand, Sizes
from engine.verdict import Kind, Verdict, classify, classify_failure, classify_unreadable

__all__ = ["Admitted", "Attempts", "Ending", "Funded", "Question", "Race", "failed", "open_books", "reply_of"]

NOT_TOLD = Usage(0, 0)
SHORTEST_LINE = 16

NEWS = {
    Kind.RATE: News.TOO_FAST,
    Kind.OVERLOAD: News.OVERLOADED,
    Kind.TRANSIENT: News.FAILED,
    Kind.PROTOCOL: News.FAILED,
}


class Race(Protocol):
    """Several attempts at one question, of which one answers it (`engine.hedging`)."""

    def judge(self, question: Question, ending: Ending) -> Ending:
        """What the ending of this attempt counts as; asked once that is known, and before it is written down."""
        ...


@dataclass(slots=True, eq=False)
class Question:
    """A request on its way. `bound` is the most that one attempt can cost, in pico-dollars.

    Its time begins to run when it is first sent: a long line is no failure of whoever stands in it. `allowed` is how
    many tokens its answer may have where money is short; once it `was_cut` for that, it is all that was asked for. Once
    it `is_given_up` it is not sent any more. `failed_with` is what its last attempt failed with.
    """

    request: Request
    key: bytes
    tally: Tally
    input_bound: int
    bound: int
    asked_at: float
    deadline: float = math.inf
    attempts: int = 0
    is_sent: bool = False
    sent_at: float = math.inf  # the last time
    place: int = 0  # and to which of several addresses
    is_given_up: bool = False
    allowed: int = 0
    was_cut: bool = False
    failed_with: Verdict | None = None
    race: Race | None = None


class Funded(NamedTuple):
    """An attempt that there is money for. `request` is what is sent, perhaps allowed less than was asked for."""

    reservation: Reservation
    request: Request


class Admitted(NamedTuple):
    """What an attempt holds that may leave now: it must depart. `request` is what is sent."""

    ticket: Ticket
    reservation: Reservation
    request: Request


class Ending(NamedTuple):
    """How an attempt ended: exactly one of reading, verdict and error says what came of it.

    `answers` says that the raw reply, if it is kept, answers the question for good; `is_cut` that it does not because
    we allowed it less than was asked for.
    """

    cost: int
    assumed: bool
    news: News
    raw: RawReply | None = None
    answers: bool = False
    is_cut: bool = False
    reading: Reading | None = None
    verdict: Verdict | None = None
    error: Exception | None = None

    @property
    def kept(self) -> RawReply | None:
        """What goes into the journal: everything that may have been paid for, readable or not."""
        return self.raw if self.raw is not None and self.raw.status < 300 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """Makes attempts, with everything they need."""

    provider: Provider
    asked_of: str  # the model and the endpoint, as every request is written down
    price: Price
    ledger: Ledger
    admission: Admission
    journal: Journal
    sizes: Sizes
    clock: Clock
    timeout_s: float  # of an attempt
    deadline_s: float  # of a question, from its first sending
    events: Events | None
    stopped: Callable[[], SmeltError | None]  # why nothing more may be sent, if so
    count: Count | None = None  # how whoever answers counts the input, if it says so beforehand
    cached_counts: bool = True  # whether input that the provider had in its cache counts against its limits
    formers: Sequence[Former] = ()  # who was asked before them

    def wants_more(self, coming: int) -> bool:
        """Whether a question after so many others would find hardly anybody in line; who backs off stands in none."""
        waiting = self.admission.queued + self.ledger.waiting
        return coming + waiting < max(SHORTEST_LINE, self.admission.in_flight)

    def question(self, request: Request, key: bytes, tally: Tally) -> Question:
        """A question about to be asked."""
        tokens = input_bound(request, count=self.count)
        bound = self.price.bound(input_tokens=tokens, output_tokens=request.n * request.max_tokens)
        return Question(request, key, tally, tokens, bound, asked_at=self.clock.monotonic())

    async def admit(self, question: Question) -> Admitted:
        """Wait for money, limits and a slot.

        Raises BudgetReached, and RequestRejected when no limit could ever let it through.
        """
        if reason := self.admission.pace.never_fits(self._size(question, question.request)):
            raise RequestRejected(f"this request can never be sent: it {reason}")
        reservation, request = await self.fund(question)
        try:
            ticket = await self.admission.enter(lambda: self._size(question, request), again=question.attempts > 0)
            return Admitted(ticket, reservation, request)
        except BaseException:  # cancelled while waiting: nothing was sent
            self.ledger.release(reservation)
            raise

    async def fund(self, question: Question) -> Funded:
        """Wait for the money alone. Raises BudgetReached."""
        bound, stage = question.bound, question.request.tag
        reservation = self.ledger.try_reserve(bound, stage=stage)
        if reservation is None:
            question.was_cut = question.was_cut or self.journal.was_cut(question.key)
            reservation = await self.ledger.reserve(bound, stage=stage, least=lambda: self._least(question))
        return Funded(reservation, _fitted(question, reservation))

    def admit_nowait(self, question: Question) -> Admitted | None:
        """The same without waiting, for what may as well not be sent: None unless all is there and all is well."""
        if self.stopped() is not None or self.admission.crowd.in_trouble or self.admission.crowd.paused:
            return None
        request = question.request
        reservation = self.ledger.try_reserve(question.bound, stage=request.tag)
        if reservation is None:
            return None
        ticket = self.admission.enter_nowait(lambda: self._size(question, request))
        if ticket is None:
            self.ledger.release(reservation)
            return None
        return Admitted(ticket, reservation, request)

    async def depart(self, question: Question, admitted: Admitted) -> Ending:
        """Send, judge, make the ending durable; whatever happens, slot, money and intent are settled."""
        ticket, reservation, request = admitted
        bound, question.place = reservation.amount, ticket.place
        try:
            sent = request.canonical(asked_of=self.asked_of)
            number = await self.journal.intend(question.key, bound=bound, tag=request.tag, request=sent)
        except BaseException:  # cancelled, or the disk failed: nothing was sent either
            self.admission.give_back(ticket)
            self.ledger.release(reservation)
            raise
        ending: Ending | None = None
        try:
            ending = await self._send(question, request, bound)
            if question.race is not None:
                ending = question.race.judge(question, ending)
        finally:
            if ending is None:  # given up: what it cost nobody knows, unless it had not left
                ending = Ending(bound if question.is_sent else 0, question.is_sent, News.NONE)
            question.was_cut = question.was_cut or ending.is_cut
            if ending.reading is not None:
                self.learn(request, ending.reading, input_bound=question.input_bound)
            self.admission.leave(ticket, self._echo(ending))  # before the disk: the next may leave meanwhile
            await self.settle(question, number, reservation, ending)
        return ending

    async def settle(self, question: Question, number: int, reservation: Reservation, ending: Ending) -> None:
        """Make the ending durable, and settle the money whatever comes of that."""
        try:
            await self.journal.settle(
                number,
                raw=ending.kept,
                cost=ending.cost,
                assumed=ending.assumed,
                answers=ending.answers,
                is_cut=ending.is_cut,
            )
        finally:
            question.is_sent = False  # not before: an answer that is being written down must come home
            self._settle_money(question, reservation, ending)

    async def _send(self, question: Question, request: Request, bound: int) -> Ending:
        # Between this look and the sending nothing else runs: whoever stops us finds us either here or under way.
        if error := self.stopped():
            return Ending(0, False, News.NONE, error=error)
        if question.is_given_up:  # whoever asks is about to hear so
            return Ending(0, False, News.NONE, error=Interrupted("given up before it was sent"))
        now = self.clock.monotonic()
        if question.attempts == 0:
            question.deadline = now + self.deadline_s
        question.is_sent, question.sent_at = True, now
        question.attempts += 1
        question.tally.attempts += 1
        if self.events is not None:
            self.events.emit(RequestSent(request.tag))
        try:
            raw = await at(self.provider, question.place).send(request, timeout_s=self.timeout_s)
        except TransportFailure as failure:
            return failed(bound, classify_failure(str(failure), sent=failure.sent), raw=None)
        except SmeltError as error:  # the provider would not even send it
            return Ending(0, False, News.NONE, error=error)
        ending = self.judge(request, raw, bound=bound, is_fitted=request is not question.request)
        return ending._replace(verdict=placed(ending.verdict, self.provider, question.place))

    def judge(self, request: Request, raw: RawReply, *, bound: int, is_fitted: bool) -> Ending:
        """What a reply is and costs; `is_fitted` when less was allowed than the asker did, to save money."""
        verdict = classify(raw, now=self.clock.time(), own=errors_of(self.provider))
        if verdict is not None:
            return failed(bound, verdict, raw=raw)
        ending = self._read(request, raw, bound)
        if not is_fitted or ending.reading is None or not was_cut(ending.reading, request):
            return ending
        return ending._replace(answers=False, is_cut=True)

    def _read(self, request: Request, raw: RawReply, bound: int) -> Ending:
        """What a success says and what it cost."""
        try:
            reading = self.provider.read(request, raw)
        except UnreadableReply as error:
            return failed(bound, classify_unreadable(str(error)), raw=raw)
        except Exception as error:  # noqa: BLE001 - refused in words, or a bug of ours: paid for, so kept, then raised
            return Ending(bound, True, News.GOOD, raw=raw, answers=True, error=error)
        allowed = request.n * request.max_tokens
        if why := unheeded(self.provider, raw, allowed=allowed, texts=reading.texts):
            return failed(bound, Verdict(kind=Kind.CONFIG, message=why, everywhere=True), raw=raw)
        cost = bound if reading.usage is None else self.price.cost(reading.usage)
        # A usage beyond what can be true (bytes in, max_tokens out) is a fault, and no fault may spend the budget.
        assumed = reading.usage is None or cost > bound
        return Ending(min(cost, bound), assumed, News.GOOD, raw=raw, answers=True, reading=reading)

    def _settle_money(self, question: Question, reservation: Reservation, ending: Ending) -> None:
        question.tally.cost += ending.cost
        if ending.assumed:
            self.ledger.assume(reservation)
        else:
            self.ledger.settle(reservation, ending.cost)

    def _size(self, question: Question, request: Request) -> Demand:
        return self.sizes.demand(
            request.tag, input_bound=question.input_bound, max_tokens=request.max_tokens, n=request.n
        )

    def _least(self, question: Question) -> int:
        """The least that will do: the bound of an answer that is allowed no more than its kind needs."""
        request = question.request
        usual = None if question.was_cut else self.sizes.usual_output(request.tag)
        question.allowed = allowance(usual=usual, asked=request.max_tokens)
        return self.price.bound(input_tokens=question.input_bound, output_tokens=request.n * question.allowed)

    def recalled(self, request: Request, key: bytes) -> tuple[Stored, Reading] | None:
        """What the journal knows, which tells how many tokens its kind takes, as a fresh reply would.

        A stored reply that still cannot be read is as good as none. What a former answered teaches nothing.
        """
        if found := self._found(request, key, self.provider):
            self.learn(request, found[1], input_bound=input_bound(request, count=self.count))
            return found
        keys = ((former, request.identity(asked_of=former.asked_of)) for former in self.formers)
        return next(filter(None, (self._found(request, key, former) for former, key in keys)), None)

    def _found(self, request: Request, key: bytes, reader: Provider | Former) -> tuple[Stored, Reading] | None:
        if (stored := self.journal.find(key)) is None:
            return None
        try:
            return stored, reader.read(request, stored.raw)
        except UnreadableReply:
            return None

    def learn(self, request: Request, reading: Reading, *, input_bound: int) -> None:
        """Note how many tokens a request of its kind takes."""
        if (usage := reading.usage) is not None:
            self.sizes.notify(
                request.tag,
                input_bound=input_bound,
                input_tokens=self._counted(usage),
                output_tokens=usage.output_tokens,
                n=request.n,
            )

    def _echo(self, ending: Ending) -> Echo:
        """What the limits need to know of it."""
        headers = NO_HEADERS if ending.raw is None else ending.raw.headers
        if ending.verdict is not None:
            used = None if ending.assumed else Used(0, 0)
            return Echo(ending.news, headers, ending.verdict.delay_s, used)
        usage = None if ending.reading is None else ending.reading.usage
        used = None if usage is None else Used(self._counted(usage), usage.output_tokens)
        return Echo(ending.news, headers, None, used)

    def _counted(self, usage: Usage) -> int:
        """The input that counts against limits."""
        return usage.input_tokens if self.cached_counts else usage.input_tokens - usage.cached_tokens


def _fitted(question: Question, reservation: Reservation) -> Request:
    """The request as it is sent: allowed as much as there is money for."""
    if reservation.amount == question.bound:
        return question.request
    return replace(question.request, max_tokens=question.allowed)


def failed(bound: int, verdict: Verdict, *, raw: RawReply | None) -> Ending:
    """How an attempt ended that failed: for nothing, or at its bound where nobody knows."""
    is_free = verdict.billed is False
    news = NEWS.get(verdict.kind, News.GOOD)
    return Ending(0 if is_free else bound, not is_free, news, raw=raw, verdict=verdict)


async def open_books(path: Path | None, budget: Budget | None) -> tuple[Journal, Ledger]:
    """The journal at a path, and the money of the run that it is of, with what every process before was charged."""
    journal = await Journal.open(path)
    try:
        return journal, _ledger_of(budget, journal)
    except BaseException:  # whatever it was, nobody else will close it
        await journal.aclose()
        raise


def _ledger_of(budget: Budget | None, journal: Journal) -> Ledger:
    if budget is None:
        return Ledger(None, spent=journal.spent, assumed=journal.assumed)
    charged: dict[str, int] = {}
    if budget.has_shares:  # to know what stages were charged the journal is read whole
        charged = {tag: totals.spent + totals.assumed for tag, totals in journal.counts().by_tag.items()}
    return Ledger(budget.cap, spent=journal.spent, assumed=journal.assumed, shares=budget.shares(charged))


def reply_of(
    reading: Reading, *, attempts: int, latency_s: float, cost_usd: float = 0.0, from_journal: bool = False
) -> Reply:
    """What the user gets, for nothing where it is from the journal. A usage that was not told counts nothing."""
    return Reply(
        texts=reading.texts,
        finish_reasons=reading.finish_reasons,
        usage=reading.usage or NOT_TOLD,
        model=reading.model,
        cost_usd=0.0 if from_journal else cost_usd,
        paid_usd=cost_usd,
        latency_s=latency_s,
        attempts=attempts,
        from_journal=from_journal,
    )
