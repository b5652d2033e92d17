"""A worker's ledger: it spends what it was lent, stage by stage, and nothing else; what is short it has to ask for."""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import BudgetReached
from engine.fleet.wire import Account
from engine.ledger import Ledger, Reservation, _Stage

__all__ = ["Purse"]


class Purse(Ledger):
    """Money that is lent by stage. The sum of what is spent, assumed and set aside in a stage never passes its loan.

    Who finds too little waits, until more is lent or the stage is refused more; then only what is in flight may still
    make room.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self._refusals: dict[str, str] = {}
        self._returned: dict[str, int] = {}
        self._assumed: dict[str, int] = {}

    def lend(self, amount: int, *, stage: str) -> None:
        """So much more may be spent in a stage."""
        self._stage(stage).limit += amount
        self.cap = (self.cap or 0) + amount
        self._serve()

    def refuse(self, stage: str, why: str) -> None:
        """No more will be lent to a stage beyond what new requests bring along: who waits for more is told why.

        Without a reason it is the other way round: whatever was refused to any stage may be asked for again.
        """
        if not why:
            self._refusals.clear()
            return
        self._refusals[stage] = why
        self._stage(stage)
        self._serve()

    def give_back(self, needed: Mapping[str, int], unbegun: Mapping[str, int]) -> None:
        """Part with what no stage needs: it cannot be spent then.

        `needed` is what the requests of each stage were lent, `unbegun` what those were that are yet to be begun with.
        Who waits for more holds nothing meanwhile: others may be waiting for just that, and we for them.
        """
        for name, stage in self._stages.items():
            spare = self._room(0, stage) - unbegun.get(name, 0)
            if not stage.line:
                spare = min(self._room(0, stage), stage.limit - stage.charged - needed.get(name, 0))
            if spare > 0:
                stage.limit -= spare
                self.cap = (self.cap or 0) - spare
                self._returned[name] = self._returned.get(name, 0) + spare

    def wants(self, unbegun: Mapping[str, int]) -> dict[str, int]:
        """How much more each stage needs before the next who waits in it can go on; nothing where it was refused."""
        wanted = {
            name: next(iter(stage.line)).least_amount() - max(0, self._room(0, stage) - unbegun.get(name, 0))
            for name, stage in self._stages.items()
            if stage.line and name not in self._refusals
        }
        return {name: amount for name, amount in wanted.items() if amount > 0}

    def accounts(self) -> dict[str, Account]:
        """What was done with the money of each stage so far."""
        told = {}
        for name, stage in self._stages.items():
            assumed = self._assumed.get(name, 0)
            told[name] = Account(stage.charged - assumed, assumed, self._returned.get(name, 0))
        return told

    def assume(self, reservation: Reservation) -> None:
        name = reservation._stage.name  # noqa: SLF001 - as in the class above
        self._assumed[name] = self._assumed.get(name, 0) + reservation.amount
        super().assume(reservation)

    # -- what fits

    def _stage(self, name: str) -> _Stage:
        if name not in self._stages:
            self._stages[name] = _Stage(name, 0)
        return self._stages[name]

    def _room(self, cap: int, stage: _Stage) -> int:  # noqa: ARG002 - of the stage's own loan alone
        return stage.limit - stage.charged - stage.reserved

    def _is_hopeless(self, amount: int, stage: _Stage) -> bool:
        return stage.name in self._refusals and amount > stage.limit - stage.charged

    def _is_held_up(self, amount: int) -> bool:  # noqa: ARG002
        return True  # a stage waits for its own money alone

    def _reached(self, amount: int, stage: _Stage) -> BudgetReached:
        self._refused[stage.name] = max(amount, self._refused.get(stage.name, 0))
        return BudgetReached(self._refusals[stage.name])
