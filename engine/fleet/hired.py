"""The engine of a worker: it spends what it is lent, and uses the part of each limit that it is lent.

Who lends it what, and when, is `engine.fleet.worker`'s business.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from engine.core import Engine
from engine.fleet.purse import Purse
from engine.journal import Journal
from engine.ledger import Ledger
from engine.throttle import DIMENSIONS, Pace

__all__ = ["Hired"]


class Hired(Engine):
    """An engine with a purse in the place of a budget."""

    purse: Purse

    async def _books(self) -> tuple[Journal, Ledger]:
        self.purse = Purse()
        return await Journal.open(self._journal_path), self.purse

    @property
    def paces(self) -> list[Pace]:
        """The limits of each account that is asked, once."""
        return list({id(branch.admission.pace): branch.admission.pace for branch in self._routes.branches}.values())

    @property
    def knows_limits(self) -> bool:
        """Whether there is anything to divide."""
        return any(pace.knows_limits for pace in self.paces)

    def is_short(self, pace: Pace) -> bool:
        """Whether requests wait for a limit of this account, or may not leave before a part of it is lent."""
        branches = [branch for branch in self._routes.branches if branch.admission.pace is pace]
        bound = {branch.admission.binding for branch in branches} - {None}
        return not bound.isdisjoint({*DIMENSIONS, "pause"})

    def use(self, pace: Pace, part: float, *, now: float) -> None:
        """From now on so much of this account's limits is ours; who waits for them may leave sooner."""
        pace.take_part(part, now=now)
        for branch in self._routes.branches:
            if branch.admission.pace is pace:
                branch.admission.wake()

    def hold(self, pace: Pace, *, is_held: bool) -> None:
        """Nothing of this account leaves, or it does again."""
        for branch in self._routes.branches:
            if branch.admission.pace is pace and branch.admission.is_held != is_held:
                (branch.hold if is_held else branch.let_go)()

    def standing(self) -> dict[str, Any]:
        """What the driver counts as its own: what was asked of each model, by tag."""
        branches = self._routes.branches
        return {
            "tallies": tuple({tag: astuple(tally) for tag, tally in branch.tallies.items()} for branch in branches),
            "replies": tuple(each.replies for each in self._routes.by_model()),
            "simulated": tuple(branch.is_simulated for branch in branches),
        }
