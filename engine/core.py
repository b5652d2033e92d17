"""The engine: the one place where money, journal, counters and the models that are asked meet.

Who is asked follows from a request's tag: a model (`engine.branch`), or several in fall-back order (`engine.relay`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Final, Self

from engine.attempt import open_books
from engine.batches import UNDER_WAY, Timing
from engine.branch import Terms
from engine.budget import Budget
from engine.clock import Clock, SystemClock, check_seconds
from engine.collector import collector
from engine.concurrency import MAXIMUM
from engine.errors import Interrupted, RequestRejected, SmeltError, UserError
from engine.events import Event, Events, Noted, RequestFinished
from engine.flow import Crew, flow
from engine.journal import Journal
from engine.ledger import Ledger
from engine.messages import Outcome, Reply, Request
from engine.parts import in_parts
from engine.prices import Price, dollars, in_full
from engine.providers import Capabilities, choice
from engine.providers.address import Somewhere
from engine.providers.choice import Model, Named
from engine.providers.former import formers_of
from engine.providers.profile import Profile
from engine.providers.simulated import Simulated, World
from engine.routes import Asked, Routes
from engine.statistics import Books, Statistics
from engine.throttle import Limits

__all__ = ["Engine"]

NOTHING_BY_TAG: Final[Mapping[str, Named | Sequence[Named]]] = {}


class Engine:
    """Asks a model many questions: fast, inside its limits, inside a budget, and never twice.

        async with Engine("openai/gpt-5.4-mini", budget=Budget(usd=5), journal="run/journal.db") as engine:
            reply = await engine.ask(Request.user("Say hello"))
            async for outcome in engine.map(requests):
                ...

    `model` is `provider/name`, or a Provider, which then stays the caller's to close, or a Model with what is known of
    it. The models of `fallback` are asked, in their order, once it has no credit or no access any more, and as long as
    it is out; a request that it finds wrong goes to nobody else. `by_tag` names other models, or lists of them, for
    the requests of some tags. Each has limits and a price of its own: `base_url`, `api_key`, `dialect`, `price`,
    `limits`, `concurrency` and `attempt_timeout_s` are said of `model` alone, and of another within its Model. Several
    addresses in `base_url` serve one model: each request goes to the one that is least loaded.

    `budget` may be None only together with explicit prices of zero; it is a cap for all that its journal ever pays for,
    or without a journal for what is paid between opening and closing. `deadline_s` is what a request may take of one
    model from its first sending on, with every wait and retry; `attempt_timeout_s` what a single attempt may (None: 120
    s, or what the provider says). Who waits in line gives up when nothing was answered for that long, without a known
    reason to wait. `run_deadline_s` after opening nothing more is sent, as after `drain`. `hedge` sends another attempt
    beside one that takes far longer than its kind, at most three in a hundred: what both cost is paid. `batch` sends
    everything, or the stages that it names by their tags, to the provider's batch endpoint, at half the price and
    within a day or so: limits and deadlines of online requests say nothing then, and it needs a journal. What an
    earlier process has left out in batches is waited for in any case. `dialect` is what stands at `base_url`, by name
    or as a Profile, when its address does not tell. `formers` were asked before, in the same journal: what they
    answered to the same questions counts, and they are asked nothing. `seed` seeds the waits' jitter, a simulated world
    and a model in this process.

    With `progress` it shows how it gets on while it is open: as a picture in a terminal or a notebook, else as lines.

    A `model` of "auto" is a key in the environment if there is a budget, else a server on this machine or a model in
    the cache; a note says whom it found, and why.
    """

    def __init__(
        self,
        model: Named,
        *,
        fallback: Sequence[Named] = (),
        by_tag: Mapping[str, Named | Sequence[Named]] = NOTHING_BY_TAG,
        base_url: Somewhere | None = None,
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
        formers: Sequence[str] = (),
        progress: bool = False,
    ) -> None:
        check_seconds(deadline_s=deadline_s, run_deadline_s=inf if run_deadline_s is None else run_deadline_s)
        choice.check_terms(budget=budget, hedge=hedge, seed=seed)
        beside = Model(
            "",
            base_url=base_url,
            api_key=api_key,
            dialect=dialect,
            price=price,
            limits=limits,
            concurrency=concurrency,
            attempt_timeout_s=attempt_timeout_s,
        )
        first, self._found = choice.model_of(model, beside=beside), ""
        if model == "auto":  # whom that has found, and why
            first, self._found = choice.found_out(first, budget=budget)
        clock = clock or SystemClock()
        events = Events() if events is None and progress else events
        self._progress = progress
        self._shown: AbstractContextManager[object] | None = None
        self._journal_path = None if journal is None else Path(journal)
        self._budget = budget
        self._ledger = Ledger(budget.cap if budget else None)
        self._journal: Journal | None = None  # while open
        self._terms = Terms(
            clock=clock,
            budget=budget,
            deadline_s=deadline_s,
            run_deadline_s=run_deadline_s,
            hedge=hedge,
            batch_timing=batch_timing or Timing(),
            seed=seed,
            chance=Random(seed),
            events=events,
            books=Books(clock=clock),
            crew=Crew(),
            formers=formers_of(formers),
        )
        models = (first, *choice.models_of(fallback)) if fallback else (first,)
        self._routes = Routes(models, by_tag, self._terms, batch=batch, journal=self._journal_path)

    # -- opening and closing

    async def __aenter__(self) -> Self:
        import tenacity  # noqa: F401 - in the middle of a run there may be no file descriptor left to read it

        journal, self._ledger = await self._books()
        try:
            self._routes.open(journal, self._ledger)
        except BaseException:  # whatever it was, nobody else will close them
            await self._routes.aclose()
            await journal.aclose()
            raise
        self._journal = journal
        collector.slow_down()
        if self._progress:
            self._shown = self._show()
            self._shown.__enter__()
        if self._found:
            self._emit(Noted(f"auto: {self._found}"))
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
        self._routes.notify_closing()
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.__exit__(None, None, None)
        await self._terms.crew.aclose()
        journal, self._journal = self._journal, None
        try:
            await self._routes.aclose()
        finally:
            if journal is not None:
                collector.speed_up()
                await journal.aclose()

    # -- what a user asks

    async def ask(self, request: Request) -> Reply:
        """The answer to one request; raises a SmeltError that says why there is none."""
        if not isinstance(request, Request):
            raise TypeError(f"an engine is asked Requests, as in Request.user(text) (got {type(request).__name__})")
        tally = self._terms.books.tally(request.tag)
        tally.requests += 1
        try:
            reply = await self._answer(request)
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
        at_once, gathers = self._most_at_once, self._routes.gathers
        window = UNDER_WAY if gathers else 8 * at_once
        return flow(
            requests,
            self._outcome,
            workers=UNDER_WAY if gathers else 2 * max(at_once, MAXIMUM),  # most wait to try again
            window=window,
            most_behind=max(window, MAXIMUM),
            ordered=ordered,
            crew=self._terms.crew,
            wants_more=self._wants_more,
        )

    def drain(self) -> None:
        """End in order: what is in flight comes home and is kept, everything else raises Interrupted.

        What the journal knows is answered still.
        """
        self._routes.stop(Interrupted("interrupted: nothing more is asked, and what was in flight is kept"))

    def pause(self) -> None:
        """Send nothing more until `resume`: what is in flight comes home and is kept, and nobody's time runs out."""
        self._routes.hold()

    def resume(self) -> None:
        """Go on after a pause."""
        self._routes.let_go()

    def set_budget(self, budget: Budget) -> None:
        """From now on this is the budget, for what was spent included.

        Raises UserError where there was none, below what is spent, assumed or set aside, and for shares of other stages
        than before.
        """
        ledger = self._ledger
        committed = ledger.spent + ledger.assumed + ledger.reserved
        if ledger.cap is None or budget.cap < committed:
            least = "no budget was given" if ledger.cap is None else f"{dollars(committed)} are spent or set aside"
            raise UserError(f"the budget cannot become {in_full(budget.cap)}: {least}")
        if ledger.shares.keys() != {*budget.at_most, *budget.kept}:
            raise UserError("the budget must have shares for the stages that had them before, and for no others")
        charged = {name: share.charged for name, share in ledger.shares.items()}
        ledger.amend(budget.cap, shares=budget.shares(charged))
        self._budget = budget

    def keep(self, amount: int, *, tag: str) -> None:
        """Leave so many pico-dollars of the budget to requests of this tag, until told otherwise (`Ledger.keep`)."""
        self._ledger.keep(amount, stage=tag)

    def finish(self, *, tag: str) -> None:
        """No more requests of this tag are to come (`Ledger.finish`)."""
        self._ledger.finish(tag)

    def statistics(self) -> Statistics:
        """How things stand now."""
        routes = self._routes
        return self._terms.books.statistics(
            [branch.admission for branch in routes.branches],
            self._ledger,
            tallies=routes.tallies(),
            by_model=routes.by_model(),
            in_batches=routes.in_batches,
            waiting=routes.waiting,
            hedged=routes.hedged,
            held_up_by=self._terms.crew.held_up_by,
        )

    @property
    def model(self) -> str:
        """`provider/name`, as on the command line; of several, the one that is wanted first."""
        return self._routes.usual.name

    @property
    def asked_of(self) -> tuple[str, ...]:
        """The models and their endpoints, as the journal names them; for another engine's `formers`."""
        return tuple(branch.asked_of for branch in self._routes.branches)

    @property
    def simulated(self) -> bool:
        """True when a simulated teacher may have answered, as far as the answers so far have told."""
        return self._routes.is_simulated

    @property
    def world(self) -> World | None:
        """The simulated world behind a simulated provider; for scoring simulations only."""
        first = self._routes.branches[0].provider
        return first.world if isinstance(first, Simulated) else None

    @property
    def capabilities(self) -> Capabilities:
        """What may be asked of this model, or of all that may stand in for it."""
        return self._routes.usual.capabilities

    def capabilities_of(self, tag: str) -> Capabilities:
        """What may be asked of those who answer the requests of a tag."""
        return self._routes.asked(tag).capabilities

    def __repr__(self) -> str:
        cap = "no cap" if self._ledger.cap is None else f"of {dollars(self._ledger.cap)}"
        money = f"{dollars(self._ledger.spent + self._ledger.assumed)} {cap}"
        standing = f"{self._routes.in_flight} in flight, {self._routes.waiting} waiting"
        return f"<Engine {self.model} [{standing} | {money}]>"

    def _show(self) -> AbstractContextManager[object]:
        from engine.dashboard import Dashboard  # it draws with rich, which nobody needs who does not look on

        return Dashboard(
            self._terms.events or Events(),
            title="asking",
            model=self.model,
            simulated=self.simulated,
            stages=(),
            statistics=self.statistics,
            within=asyncio.get_running_loop().call_soon_threadsafe,
        )

    # -- one question

    async def _outcome(self, request: Request) -> Outcome:
        try:
            return Outcome(request, reply=await self.ask(request))
        except SmeltError as error:
            return Outcome(request, error=error)

    async def _answer(self, request: Request) -> Reply:
        """What all who may be asked can take is what is asked, so that the question is the same whoever answers.

        What one of them alone was asked before, in its own form, is not asked again in that of all.
        """
        if flaw := request.flaw:
            raise RequestRejected(flaw)
        asked = self._routes.asked(request.tag)
        can = asked.capabilities
        if can.objection(request) is None:
            return await self._answered(asked, request)
        if reply := asked.known(request):
            return reply
        if request.n > 1 and not can.n:
            return await in_parts(request, self._answer)
        if request.schema is not None and not can.schema:
            return await self._answer(request.with_schema_told())
        raise UserError(asked.objection(request))

    # -- what an engine that has others ask does in its own way (`engine.fleet`)

    async def _books(self) -> tuple[Journal, Ledger]:
        return await open_books(self._journal_path, self._budget)

    async def _answered(self, asked: Asked, request: Request) -> Reply:
        """The answer to what all who may be asked can take."""
        return await asked.answer(request)

    @property
    def _most_at_once(self) -> int:
        return self._routes.at_once

    def _wants_more(self, coming: int) -> bool:
        return self._routes.wants_more(coming)

    def _opened(self) -> Journal:
        if self._journal is None:
            raise RuntimeError("the engine is not open: use `async with Engine(...) as engine`")
        return self._journal

    def _emit(self, event: Event) -> None:
        if self._terms.events is not None:
            self._terms.events.emit(event)
