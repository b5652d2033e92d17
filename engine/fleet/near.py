"""A fleet within one process: workers in the same event loop, which can be killed as processes can. For tests.

Nothing is shared between driver and workers but what is told, and each message is copied, as on a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from engine.fleet.coordinator import Coordinator
from engine.fleet.links import Post, WorkerGone
from engine.fleet.shares import Loan
from engine.fleet.wire import News, Order
from engine.fleet.worker import Worker

__all__ = ["Near", "NearLink"]


class Near:
    """Hires `workers` of them. `hired_as` makes the arguments of a worker's engine from those of the driver's."""

    def __init__(
        self, workers: int, *, hired_as: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] = lambda _, hired: hired
    ) -> None:
        self.wanted = workers
        self.links: dict[str, NearLink] = {}
        self.coordinator: Coordinator | None = None
        self.latency_s = 0.0
        self._hired_as = hired_as
        self._changed = asyncio.Event()

    async def open(self, *, accounts: int) -> None:
        self.coordinator = Coordinator(accounts, is_new=True)
        self.coordinator.expect(self.wanted)

    async def hire(self, post: Post) -> NearLink:
        worker = Worker(post.name, self._hired_as(post.name, post.hired), journal=post.journal, lender=self)
        await worker.open()
        link = self.links[post.name] = NearLink(worker, hiring=self)
        return link

    async def lend(self, worker: str, holding: Sequence[float], wanted: Sequence[float]) -> Loan:
        if self.coordinator is None:
            raise ConnectionError("there is no coordinator")
        return self.coordinator.lend(worker, holding, wanted)

    def want(self, workers: int) -> None:
        """From now on so many are wanted."""
        self.wanted = workers
        self._changed.set()

    async def wait_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def notify_gone(self, name: str) -> None:
        self.links.pop(name, None)
        if self.coordinator is not None:
            self.coordinator.leave(name)

    async def aclose(self) -> None:
        for link in list(self.links.values()):
            await link.die()


class NearLink:
    """A worker in this loop."""

    node = "here"

    def __init__(self, worker: Worker, *, hiring: Near) -> None:
        self.worker = worker
        self._hiring = hiring
        self._is_dead = asyncio.Event()
        self._ending: asyncio.Future[None] | None = None

    async def tell(self, order: Order) -> None:
        await self._carried()
        self.worker.tell(deepcopy(order))

    async def news(self, *, linger_s: float) -> News:
        await self._carried()
        asked = asyncio.ensure_future(self.worker.news(linger_s=linger_s))
        dead = asyncio.ensure_future(self._is_dead.wait())
        try:
            await asyncio.wait([asked, dead], return_when=asyncio.FIRST_COMPLETED)
            await self._carried()
            return deepcopy(asked.result())
        finally:
            asked.cancel()
            dead.cancel()

    async def close(self) -> News:
        await self._carried()
        news = await self.worker.close()
        self._is_dead.set()
        return deepcopy(news)

    def kill(self) -> None:
        self._ending = self._ending or asyncio.ensure_future(self.die())

    async def die(self) -> None:
        """End without a word: what is in flight is charged as assumed, as it is after a kill, and nothing is told."""
        if not self._is_dead.is_set():
            self._is_dead.set()
            await self.worker.close()

    async def _carried(self) -> None:
        if self._hiring.latency_s:
            await asyncio.sleep(self._hiring.latency_s)
        if self._is_dead.is_set():
            raise WorkerGone("it was killed")
