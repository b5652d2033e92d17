"""Who is asked what: the models that a caller named, by the tags of requests; each once for every order it stands in.

Models that are named alone are asked directly; several in a row make a relay. What an engine does to all of them at
once, opening, closing, counting, is done here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from engine.batches import assume_strangers, check_batch
from engine.branch import Branch, Terms
from engine.errors import SmeltError, UserError
from engine.journal import Journal
from engine.ledger import Ledger
from engine.messages import Reply, Request
from engine.providers import Capabilities
from engine.providers.choice import Model, Named, batches_of, chosen, models_of
from engine.relay import Relay
from engine.statistics import ModelStatistics, Tally

__all__ = ["Asked", "Routes"]


class Asked(Protocol):
    """Whoever answers: a model, or several in fall-back order."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def objection(self, request: Request) -> str | None:
        """Who cannot take this request, and why, in words."""
        ...

    def known(self, request: Request) -> Reply | None:
        """What the journal knows of a request that has another form here than for one of them alone."""
        ...

    async def answer(self, request: Request) -> Reply: ...


class Routes:
    """Whom each request goes to. `batch` are the tags of what goes in batches, or True for everything."""

    def __init__(
        self,
        models: Sequence[Model],
        by_tag: Mapping[str, Named | Sequence[Named]],
        terms: Terms,
        *,
        batch: bool | Collection[str],
        journal: Path | None,
    ) -> None:
        self._terms = terms
        self._journal = journal
        self.branches: list[Branch] = []
        self._relays: list[Relay] = []
        orders = {tag: order for tag, given in by_tag.items() if (order := models_of(given)) != tuple(models)}
        usual = batch if isinstance(batch, bool | str) else frozenset(batch) - orders.keys()
        self.usual = self._asked(models, batch=usual)
        self._by_tag: dict[str, Asked] = {}
        for order in _distinct(orders.values()):
            tags = frozenset(tag for tag, each in orders.items() if each == order)
            among = tags if batch is True else tags & frozenset(batch or ())
            self._by_tag.update(dict.fromkeys(tags, self._asked(order, batch=among)))

    def __repr__(self) -> str:
        return f"<Routes [{', '.join(branch.name for branch in self.branches)}]>"

    def asked(self, tag: str) -> Asked:
        """Who answers the requests of a tag."""
        return self._by_tag.get(tag, self.usual) if self._by_tag else self.usual

    def _asked(self, models: Sequence[Model], *, batch: bool | Collection[str]) -> Asked:
        branches = [self._branch(model, batch=batch) for model in models]
        _check_distinct(models, branches)
        for branch in branches:
            branch.meet(each for each in self.branches if each.asked_of == branch.asked_of)
        self.branches += branches
        if len(branches) == 1:
            return branches[0]
        if any(branch.batch for branch in branches):
            raise UserError("batches go to one model: leave out --batch, or name no other to fall back on")
        relay = Relay(branches, self._terms)
        self._relays.append(relay)
        return relay

    def _branch(self, model: Model, *, batch: bool | Collection[str]) -> Branch:
        provider = chosen(model, clock=self._terms.clock, seed=self._terms.seed)
        tags = check_batch(batch, provider=provider, journal=self._journal, hedge=self._terms.hedge)
        return Branch(model, provider, self._terms, batch=tags)

    # -- opening and closing

    def open(self, journal: Journal, ledger: Ledger) -> None:
        """Begin to ask. What earlier processes have left out in batches is adopted once, or charged as assumed."""
        ours = {branch.asked_of for branch in self.branches if batches_of(branch.provider) is not None}
        assume_strangers(journal, ledger, ours=ours)
        adopted: set[str] = set()
        for branch in sorted(self.branches, key=lambda branch: not branch.batch):
            branch.open(journal, ledger, adopts=branch.asked_of not in adopted)
            adopted.add(branch.asked_of)

    def notify_closing(self) -> None:
        """Nothing more is sent."""
        for branch in self.branches:
            branch.underway.notify_closing()

    async def aclose(self) -> None:
        """Give up what is in flight; whatever goes wrong with one of them, the others are closed too."""
        async with AsyncExitStack() as closing:
            for relay in self._relays:  # the last: until then failures may still be told
                closing.callback(relay.close)
            for branch in self.branches:
                closing.push_async_callback(branch.aclose)

    def stop(self, error: SmeltError) -> None:
        """Nothing more is sent, for this reason; what is in flight comes home."""
        for branch in self.branches:
            branch.underway.stop(error.again())

    def hold(self) -> None:
        """Nothing more is sent until `let_go`; what is in flight comes home."""
        for branch in self.branches:
            branch.hold()

    def let_go(self) -> None:
        for branch in self.branches:
            branch.let_go()

    # -- all together

    @property
    def gathers(self) -> bool:
        """Whether anything goes in batches."""
        return any(branch.batch for branch in self.branches)

    @property
    def at_once(self) -> int:
        """The most that may be in flight."""
        return sum(branch.crowd.most for branch in self.branches)

    @property
    def in_flight(self) -> int:
        return sum(branch.admission.in_flight for branch in self.branches)

    @property
    def in_batches(self) -> int:
        return sum(branch.in_batches for branch in self.branches)

    @property
    def waiting(self) -> int:
        """How many wait for money, in line or for their next attempt."""
        return sum(branch.waiting for branch in self.branches)

    @property
    def hedged(self) -> int:
        return sum(branch.hedged for branch in self.branches)

    @property
    def is_simulated(self) -> bool:
        """Whether answers may be a simulated teacher's."""
        return any(branch.is_simulated for branch in self.branches)

    def wants_more(self, coming: int) -> bool:
        """Whether a question after so many others would find hardly anybody in line."""
        return any(branch.attempts is None or branch.attempts.wants_more(coming) for branch in self.branches)

    def tallies(self) -> list[Mapping[str, Tally]]:
        return [branch.tallies for branch in self.branches]

    def by_model(self) -> tuple[ModelStatistics, ...]:
        """What each has come to, in the order in which they were named."""
        standings = {id(branch): relay.standing(branch) for relay in self._relays for branch in relay.branches}
        return tuple(branch.statistics(standing=standings.get(id(branch), "asked")) for branch in self.branches)


def _check_distinct(models: Sequence[Model], branches: Sequence[Branch]) -> None:
    """Who has refused need not be asked again; another key may well be another account."""
    met: list[tuple[str, object]] = []
    for model, branch in zip(models, branches, strict=True):
        said = (branch.asked_of, model.api_key if isinstance(model.name, str) else id(model.name))
        if said in met:
            raise UserError(f"{branch.name} stands twice in one fall-back order: name each model once")
        met.append(said)


def _distinct(orders: Iterable[tuple[Model, ...]]) -> list[tuple[Model, ...]]:
    """Each once. They are compared, since what is known of a model may hold what cannot be hashed."""
    found: list[tuple[Model, ...]] = []
    for order in orders:
        if order not in found:
            found.append(order)
    return found
