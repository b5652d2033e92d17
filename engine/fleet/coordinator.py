"""Who divides the limits among workers: the policy of `engine.fleet.shares` with a clock, and how busy it was.

It keeps no file. Whoever puts another in its place loses nothing: the workers say what they hold, and for as long as
a loan lasts nobody is lent more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from engine.fleet.shares import Loan, Shares

__all__ = ["Coordinator", "Load"]


class Load(NamedTuple):
    """What coordinating has taken: reports heard, workers known, seconds of processor time spent on them."""

    reports: int
    workers: int
    seconds: float


class Coordinator:
    """Lends parts of `accounts`. `is_new`: nobody has been lent anything by another one before."""

    def __init__(self, accounts: int, *, is_new: bool) -> None:
        self._shares = Shares(accounts, now=time.monotonic(), is_new=is_new)
        self._reports = 0
        self._seconds = 0.0

    def __repr__(self) -> str:
        return f"<Coordinator [{self._reports} reports | {self._shares!r}]>"

    def lend(self, worker: str, holding: Sequence[float], wanted: Sequence[float]) -> Loan:
        """What a worker may use from now on."""
        began = time.thread_time()
        loan = self._shares.report(worker, holding=holding, wanted=wanted, now=time.monotonic())
        self._reports += 1
        self._seconds += time.thread_time() - began
        return loan

    def expect(self, workers: int) -> None:
        """So many workers there will be soon."""
        self._shares.expect(workers, now=time.monotonic())

    def leave(self, worker: str) -> None:
        """A worker uses nothing any more."""
        self._shares.leave(worker)

    def load(self) -> Load:
        return Load(self._reports, len(self._shares), self._seconds)
