"""An engine whose requests are asked by workers: the driver of a fleet.

It is asked like any engine, and answers like one. What the journal knows is answered here; for all else money is set
aside in the one ledger, and the request is dealt to a worker together with it. What must hold for the sum holds because
it passes through here: the cap, the order in which money is given out, and that no question is with two workers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, cast

from engine.branch import Branch
from engine.budget import Budget
from engine.concurrency import MAXIMUM
from engine.core import Engine
from engine.errors import Interrupted, SmeltError, UserError
from engine.events import AttemptFailed, Noted, ReplyReceived, RequestSent, SimulationMet
from engine.fleet.assignments import Assignments
from engine.fleet.figures import minus, summed, tally_of
from engine.fleet.gathering import WORKERS, gather
from engine.fleet.hand import Hand
from engine.fleet.links import Hiring
from engine.fleet.secrets import keys_of
from engine.fleet.staff import Staff
from engine.fleet.wire import Account, News, read_reply
from engine.journal import Journal
from engine.ledger import Ledger
from engine.messages import Reply, Request
from engine.prices import PICO_PER_USD
from engine.providers.choice import Model, Named, models_of
from engine.relay import Relay
from engine.routes import Asked
from engine.statistics import Statistics, Tally

__all__ = ["Fleet"]

OF_THE_DRIVER: Final = ("events", "run_deadline_s", "progress", "batch", "batch_timing", "clock")
"""What is said of an engine and does not concern its workers."""


class Fleet(Engine):
    """Has what it is asked asked by workers, which `hiring` starts; else as an Engine, whose arguments it takes.

    The journal must lie in a folder that the workers see, too: each has its own beside it while the fleet is open, and
    what they hold becomes part of it at the end, or when the run goes on. `concurrency` is that of all together.
    Models are named, not handed over, and nothing goes in batches. Raises UserError for what cannot be meant so.
    """

    def __init__(self, model: Named, *, hiring: Hiring, journal: Path, **rest: Any) -> None:
        super().__init__(model, journal=journal, **rest)
        if self._routes.gathers:
            raise UserError("batches are sent by one process: leave out --batch, or leave out --ray")
        self._hired = {"model": model, **{name: rest[name] for name in rest if name not in OF_THE_DRIVER}}
        self._hiring = hiring
        self._path = journal
        self._most = _told_at_once([model, *_each(rest)], rest.get("concurrency"))
        self._timer: asyncio.TimerHandle | None = None
        self._assignments = self._nothing_under_way()
        self._staff: Staff | None = None  # while open
        self._counted: dict[str, Sequence[Mapping[str, Tally]]] = {}  # by each worker, of each model, by tag
        self._replied: dict[str, Sequence[int]] = {}

    def _nothing_under_way(self) -> Assignments:
        return Assignments(self._ledger, clock=self._terms.clock, most=self._most, on_dealt=self._terms.crew.wake)

    # -- opening and closing

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._assignments = self._nothing_under_way()
        self._counted, self._replied = {}, {}
        folder = self._path.parent / WORKERS
        keys = keys_of((branch.provider for branch in self._routes.branches), os.environ)
        self._staff = Staff(
            self._hiring, self._hired, keys=keys, journal=self._opened(), folder=folder.resolve(), owner=self
        )
        try:
            await self._staff.open(accounts=len({id(branch.admission.pace) for branch in self._routes.branches}))
        except BaseException:  # whatever it was, nobody else will close the rest
            await self.aclose()
            raise
        if (seconds := self._terms.run_deadline_s) is not None:
            reason = f"the run's time of {seconds:g} s is over: nothing more is asked, and what was in flight is kept"
            self._timer = asyncio.get_running_loop().call_later(seconds, self.gave_up, Interrupted(reason))
        return self

    async def _books(self) -> tuple[Journal, Ledger]:
        await gather(self._path, self._path.parent / WORKERS, budget=self._budget)
        return await super()._books()

    async def aclose(self) -> None:
        """Give up what is in flight and let go of everything; what the workers hold becomes part of the journal."""
        self._assignments.stop(Interrupted("the engine was closed before this was answered"))
        if self._timer is not None:
            self._timer.cancel()
        staff, self._staff = self._staff, None
        try:
            if staff is not None:
                await staff.aclose()
        finally:
            await self._assignments.aclose()
            await super().aclose()

    # -- what a user asks

    def drain(self) -> None:
        """End in order: what is in flight comes home and is kept, everything else raises Interrupted."""
        self.gave_up(Interrupted("interrupted: nothing more is asked, and what was in flight is kept"))

    def pause(self) -> None:
        """Send nothing more until `resume`: what is in flight comes home and is kept, and nobody's time runs out."""
        self._assignments.pause(is_paused=True)

    def resume(self) -> None:
        """Go on after a pause."""
        self._assignments.pause(is_paused=False)

    def set_budget(self, budget: Budget) -> None:
        super().set_budget(budget)
        self._assignments.forgive()

    def statistics(self) -> Statistics:
        """How things stand now, all workers together."""
        hands = [] if self._staff is None else self._staff.everybody
        leases = self._assignments.leases
        return summed(
            super().statistics(),
            [hand.news for hand in hands if not hand.is_gone],
            [hand.statistics(cost=leases.charged(hand.name)) for hand in hands],
            under_way=len(self._assignments),
            is_paused=self._assignments.is_paused,
            money_waits=self._ledger.waiting > 0,
        )

    # -- what an engine does in its own way

    async def _answered(self, asked: Asked, request: Request) -> Reply:
        branches = asked.branches if isinstance(asked, Relay) else (cast("Branch", asked),)
        return await self._assignments.answer(branches, request)

    @property
    def _most_at_once(self) -> int:
        return self._most or MAXIMUM * max(1, self._hiring.wanted)

    def _wants_more(self, coming: int) -> bool:
        return self._assignments.wants_more(coming)

    # -- what the staff tells

    def joined(self, hand: Hand) -> None:
        """A worker has begun."""
        self._emit(Noted(f"worker {hand.name} has begun on {hand.link.node}"))
        self._assignments.join(hand)

    def heard(self, hand: Hand, news: News) -> None:
        """A worker has told what it did."""
        self._count(hand, news)
        self._retell(news)
        self._assignments.hear(hand, news)

    def lost(self, hand: Hand, *, why: str) -> None:
        """A worker is gone: what it had waits until its journal has been read."""
        if why:
            self._emit(
                Noted(f"worker {hand.name} on {hand.link.node} is gone, and what it had goes on elsewhere: {why}")
            )
        hand.left = self._assignments.bury(hand)

    def buried(self, hand: Hand, found: Mapping[str, Account] | None, *, why: str) -> None:
        """Its journal has been read, or cannot be: what it had goes on."""
        for stage, amount in self._assignments.leases.bury(hand.name, found).items():
            self._routes.branches[0].tally(stage).cost += amount
        if why:
            self._emit(Noted(f"what worker {hand.name} held is charged as assumed, since {why}"))
        self._assignments.resume(hand.left)

    def at_stake(self, hand: Hand) -> Mapping[str, int]:
        """What a worker may have spent, by stage."""
        return self._assignments.leases.at_stake(hand.name)

    def refused(self, error: SmeltError) -> None:
        """A worker is no good."""
        self._emit(Noted(f"{error}; the others go on"))

    def gave_up(self, error: SmeltError) -> None:
        """Nothing more is asked, for this reason."""
        self._assignments.stop(error)

    def crashed(self, fault: Exception) -> None:
        """A bug of ours, here or in a worker."""
        self._assignments.crash(fault)

    def _count(self, hand: Hand, news: News) -> None:
        """What a worker has counted since it last told counts as ours."""
        before, replied = self._counted.get(hand.name, ()), self._replied.get(hand.name, ())
        now = [{tag: tally_of(told) for tag, told in tallies.items()} for tallies in news.tallies]
        for i, (branch, tallies) in enumerate(zip(self._routes.branches, now, strict=False)):
            earlier = before[i] if before else {}
            for tag, tally in tallies.items():
                branch.tallies[tag] = branch.tally(tag) + minus(tally, earlier.get(tag, Tally()))
            branch.replies += news.replies[i] - (replied[i] if replied else 0)
            if news.simulated[i] and not branch.is_simulated:
                branch.is_simulated = True
                self._emit(SimulationMet())
        self._counted[hand.name], self._replied[hand.name] = now, news.replies

    def _retell(self, news: News) -> None:
        """What happened there, to whoever listens here."""
        for failed in news.failed:
            self._terms.books.failures[failed.kind] += 1
        if self._terms.events is None:
            return
        for tag, count in news.sent.items():
            for _ in range(count):
                self._emit(RequestSent(tag))
        for failed in news.failed:
            self._emit(AttemptFailed(failed.tag, failed.kind, failed.delay_s, failed.latency_s, failed.model))
        for note in news.notes:
            self._emit(Noted(note))
        for ended in news.ended:
            if ended.reply is not None and (stage := self._assignments.tag_of(ended.number)) is not None:
                reply = read_reply(ended.reply)
                cost = round(reply.cost_usd * PICO_PER_USD)
                self._emit(ReplyReceived.of(reply, tag=stage, cost=cost, model=reply.model))


def _each(rest: Mapping[str, Any]) -> Iterator[Named]:
    """The models that are named beside the first."""
    yield from rest.get("fallback", ())
    for given in rest.get("by_tag", {}).values():
        yield from models_of(given)


def _told_at_once(models: Sequence[Named], beside: int | None) -> int | None:
    """How many requests may be in flight, where somebody has said so of a model."""
    told = [beside, *(model.concurrency for model in models if isinstance(model, Model))]
    return sum(each for each in told if each is not None) or None
