"""Money that workers hold of the one ledger: lent with what they are to ask, settled as they tell what became of it.

Whatever a worker may still spend is set aside in the ledger until it has said what it spent, or its journal has: so
all of them together cannot pass the cap, and who dies is charged with what it held. Knows no request and no disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.fleet.wire import Account
from engine.ledger import Ledger, Reservation

__all__ = ["Leases"]

NOTHING = Account()


@dataclass(slots=True)
class _Lease:
    """What one worker holds for one stage, and what it has told so far; `amount` is the sum of what it holds."""

    held: deque[Reservation] = field(default_factory=deque)
    amount: int = 0
    told: Account = NOTHING


class Leases:
    """Who holds how much, by worker and stage."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._leases: dict[str, dict[str, _Lease]] = {}  # by worker and stage

    def __repr__(self) -> str:
        return f"<Leases [{self.held()} held by {len(self._leases)} workers]>"

    def held(self, worker: str | None = None) -> int:
        """What a worker may still spend, in pico-dollars; or all of them."""
        workers = self._leases if worker is None else (worker,)
        return sum(lease.amount for name in workers for lease in self._leases.get(name, {}).values())

    def charged(self, worker: str) -> int:
        """What a worker has said that it spent, known or assumed."""
        return sum(lease.told.spent + lease.told.assumed for lease in self._leases.get(worker, {}).values())

    def at_stake(self, worker: str) -> dict[str, int]:
        """All that a worker may have spent, by stage: what it has told of, and what it holds."""
        return {
            stage: lease.told.spent + lease.told.assumed + lease.amount
            for stage, lease in self._leases.get(worker, {}).items()
        }

    def lend(self, worker: str, stage: str, reservation: Reservation) -> None:
        """The worker may spend what is set aside there."""
        if not reservation.amount:  # nothing that anybody has to account for
            self._ledger.release(reservation)
            return
        lease = self._lease(worker, stage)
        lease.held.append(reservation)
        lease.amount += reservation.amount

    def settle(self, worker: str, told: Mapping[str, Account]) -> None:
        """What a worker has spent, assumed and given back so far, by stage: sums since it began, so none is lost."""
        for stage, account in told.items():
            lease = self._lease(worker, stage)
            before, lease.told = lease.told, account
            self._charge(lease, spent=account.spent - before.spent, assumed=account.assumed - before.assumed)
            for piece in self._drawn(lease, account.returned - before.returned):
                self._ledger.release(piece)

    def bury(self, worker: str, found: Mapping[str, Account] | None) -> dict[str, int]:
        """A worker is gone. `found` is what its journal says it spent; None: nobody knows, and all of it may be gone.

        What it was not charged for is free again. Gives what it is charged beyond what it has told, by stage.
        """
        beyond: dict[str, int] = {}
        for stage, lease in self._leases.get(worker, {}).items():
            if found is None:
                beyond[stage] = lease.amount
                self._charge(lease, spent=0, assumed=beyond[stage])
                continue
            account = found.get(stage, NOTHING)
            # An ending that was told as known may be written down as assumed, where its process died before it was.
            charged = account.spent + account.assumed - lease.told.spent - lease.told.assumed
            assumed = min(max(0, account.assumed - lease.told.assumed), max(0, charged))
            self._charge(lease, spent=max(0, charged) - assumed, assumed=assumed)
            beyond[stage] = max(0, charged)
            for piece in self._drawn(lease, lease.amount):
                self._ledger.release(piece)
            lease.told = account
        return beyond

    def _charge(self, lease: _Lease, *, spent: int, assumed: int) -> None:
        for piece in self._drawn(lease, spent):
            self._ledger.settle(piece, piece.amount)
        for piece in self._drawn(lease, assumed):
            self._ledger.assume(piece)

    def _drawn(self, lease: _Lease, amount: int) -> list[Reservation]:
        """So much of what is held, as reservations of their own. Raises ValueError for more than is held."""
        drawn: list[Reservation] = []
        while amount > 0:
            if not lease.held:
                raise ValueError(f"a worker has spent {amount} pico-dollars more than it was lent")
            first = lease.held[0]
            piece = lease.held.popleft() if first.amount <= amount else self._ledger.part(first, amount)
            drawn.append(piece)
            amount -= piece.amount
            lease.amount -= piece.amount
        return drawn

    def _lease(self, worker: str, stage: str) -> _Lease:
        return self._leases.setdefault(worker, {}).setdefault(stage, _Lease())
