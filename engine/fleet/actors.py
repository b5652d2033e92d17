"""What runs on a Ray cluster for a fleet: a worker or the coordinator, each in a process of its own. Thin shells."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from engine.errors import SmeltError
from engine.fleet.alike import Make, make
from engine.fleet.coordinator import Coordinator
from engine.fleet.secrets import lay_out
from engine.fleet.shares import Loan
from engine.fleet.wire import News, Order, Plain, packed_error
from engine.fleet.worker import Worker

__all__ = ["CoordinatorActor", "WorkerActor"]

ORPHANED_S: Final = 30.0  # a worker that hears nothing of its driver for so long, which asks twice a second


class WorkerActor:
    """What runs where the work is done: a worker, reached by calls."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._worker: Worker | None = None
        self._end: asyncio.TimerHandle | None = None

    async def meet(self, token: Path) -> tuple[str, Make, str]:
        """Which process this is, what it is made of, and what stands in a file that the driver has written."""
        return f"{socket.gethostname()} (process {os.getpid()})", make(), _text_of(token)

    async def open(
        self, hired: Mapping[str, Any], *, journal: Path, keys: Mapping[str, str], coordinator: Any
    ) -> Plain | None:
        """Begin to work; what is wrong, if that cannot be."""
        lay_out(keys, os.environ)
        try:
            self._worker = Worker(self._name, hired, journal=journal, lender=_Lender(coordinator))
            await self._worker.open()
        except SmeltError as error:
            return packed_error(error)
        self._mind_the_driver()
        return None

    async def tell(self, order: Order) -> None:
        self._opened().tell(order)

    async def news(self, linger_s: float) -> News:
        self._mind_the_driver()
        return await self._opened().news(linger_s=linger_s)

    async def close(self) -> News:
        return await self._opened().close()

    def _mind_the_driver(self) -> None:
        """End when nobody asks for news for long: Ray may take minutes to see that a driver was killed.

        At once, as by a kill: what counts is durable, and whoever goes on with the run waits for the journal.
        """
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(ORPHANED_S, os._exit, 1)

    def _opened(self) -> Worker:
        if self._worker is None:
            raise RuntimeError("this worker has not begun")
        return self._worker


class CoordinatorActor:
    """Whoever Ray puts in the place of one that died knows nothing, and lends nothing before it does."""

    def __init__(self, accounts: int) -> None:
        self._accounts = accounts
        self._coordinator = Coordinator(accounts, is_new=False)

    def begin(self, workers: int) -> None:
        """Nobody has been lent anything yet, and so many workers will come."""
        self._coordinator = Coordinator(self._accounts, is_new=True)
        self._coordinator.expect(workers)

    def expect(self, workers: int) -> None:
        self._coordinator.expect(workers)

    def lend(self, worker: str, holding: Sequence[float], wanted: Sequence[float]) -> Loan:
        return self._coordinator.lend(worker, holding, wanted)

    def leave(self, worker: str) -> None:
        self._coordinator.leave(worker)

    def process(self) -> int:
        return os.getpid()


class _Lender:
    """The coordinator as a worker reaches it."""

    def __init__(self, coordinator: Any) -> None:
        self._coordinator = coordinator

    async def lend(self, worker: str, holding: Sequence[float], wanted: Sequence[float]) -> Loan:
        from ray.exceptions import RayError

        try:
            loan: Loan = await self._coordinator.lend.remote(worker, holding, wanted)
        except RayError as error:
            raise ConnectionError("the coordinator is gone") from error
        return loan


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
