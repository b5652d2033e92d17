"""Who divides the limits among workers: the policy of `engine.fleet.shares` with a clock.

It keeps no file. Whoever puts another in its place loses nothing: the workers say what they hold, and for as long as
a loan lasts nobody is lent more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.fleet.shares import Loan, Shares

__all__ = ["Coordinator"]


class Coordinator:
    """Lends parts of `accounts`. `is_new`: nobody has been lent anything by another one before."""

    def __init__(self, accounts: int, *, is_new: bool) -> None:
        self._shares = Shares(accounts, now=time.monotonic(), is_new=is_new)

    def __repr__(self) -> str:
        return f"<Coordinator [{self._shares!r}]>"

    def lend(self, worker: str, holding: Sequence[float], wanted: Sequence[float]) -> Loan:
        """What a worker may use from now on."""
        return self._shares.report(worker, holding=holding, wanted=wanted, now=time.monotonic())

    def expect(self, workers: int) -> None:
        """So many workers there will be soon."""
        self._shares.expect(workers, now=time.monotonic())

    def leave(self, worker: str) -> None:
        """A worker uses nothing any more."""
        self._shares.leave(worker)
