"""A slow disk holds sending up, and nothing else piles up: neither rows that wait to be written nor rows in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.admission import Admission
from engine.attempt import Attempts
from engine.clock import SystemClock
from engine.concurrency import Crowd
from engine.errors import JournalUnusable
from engine.fakes.worlds import EchoWorld
from engine.journal import Journal
from engine.journal.records import Rows
from engine.journal.store import Store
from engine.journal.writer import Writer
from engine.ledger import Ledger
from engine.limiter import Limiter
from engine.messages import Request
from engine.providers.simulated import Simulated
from engine.statistics import Tally
from engine.throttle import Sizes

IN_FLIGHT = 20
ASKED = 500


class SlowDisk:
    """Writes a batch whenever it is told to, and fails when it is told that."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.batches: list[int] = []
        self.fails = False
        self._may_write = threading.Semaphore(0)

    def commit(self, batch: Sequence[Rows]) -> None:
        self._may_write.acquire()
        if self.fails:
            raise JournalUnusable("the disk is gone")
        self.batches.append(len(batch))
        self.store.commit(batch)

    def write(self, batches: int = 1) -> None:
        """Let so many batches through."""
        self._may_write.release(batches)


class Line:
    """Many who ask over a slow disk, without an engine around them."""

    def __init__(self, disk: SlowDisk) -> None:
        self.clock = SystemClock()
        self.writer = Writer(commit=disk.commit, finish=disk.store.finish)
        self.journal = Journal(disk.store, self.writer)
        self.provider = Simulated(EchoWorld(), self.clock)
        self.crowd = Crowd(fixed=IN_FLIGHT)
        self.sent = 0
        self.attempts = Attempts(
            provider=self.provider,
            asked_of="a test",
            price=self.provider.price,
            ledger=Ledger(None),
            admission=Admission(limiter=Limiter(clock=self.clock), crowd=self.crowd, clock=self.clock),
            journal=self.journal,
            sizes=Sizes(),
            clock=self.clock,
            timeout_s=60,
            deadline_s=60,
            events=None,
            stopped=lambda: None,
        )

    async def ask(self, number: int) -> None:
        request = Request.user(f"{number}", max_tokens=10)
        question = self.attempts.question(request, request.identity(asked_of="nobody"), Tally())
        await self.attempts.depart(question, await self.attempts.admit(question))

    async def settle_down(self) -> None:
        """Until everybody waits for the disk or for a slot."""
        for _ in range(50):
            await asyncio.sleep(0.001)


@pytest.mark.long
def test_a_slow_disk_holds_sending_up_and_rows_wait_in_bounded_number(tmp_path: Path) -> None:
    """An intent and a settlement for each slot at most, however many ask: a request leaves after its intent is safe."""

    async def main() -> None:
        disk = SlowDisk(tmp_path / "journal.db")
        line = Line(disk)
        asking = [asyncio.create_task(line.ask(number)) for number in range(ASKED)]
        most = 0
        while not all(task.done() for task in asking):
            await line.settle_down()
            most = max(most, line.writer.waiting)
            disk.write()
        await asyncio.gather(*asking)
        disk.write(10)
        await line.journal.aclose()

        assert IN_FLIGHT <= most <= 2 * IN_FLIGHT
        assert max(disk.batches) <= 2 * IN_FLIGHT
        assert sum(disk.batches) == 2 * ASKED

    asyncio.run(main())


def test_what_was_durable_before_the_disk_failed_is_told_so(tmp_path: Path) -> None:
    """Even when the failure is known before anybody has heard of the success."""

    async def main() -> None:
        disk = SlowDisk(tmp_path / "journal.db")
        journal = Journal(disk.store, Writer(commit=disk.commit, finish=disk.store.finish))
        first = asyncio.create_task(journal.intend(bytes(32), bound=1, tag="t"))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(journal.intend(bytes(32), bound=1, tag="t"))
        await asyncio.sleep(0.01)
        disk.write()
        while not disk.batches:  # the loop stands still meanwhile, and hears of both at once
            pass
        disk.fails = True
        disk.write(5)
        ends = await asyncio.gather(first, second, return_exceptions=True)
        await journal.aclose()

        assert ends[0] == 1
        assert isinstance(ends[1], JournalUnusable)

    asyncio.run(main())


def test_a_stuck_disk_is_seen(tmp_path: Path) -> None:
    async def main() -> None:
        disk = SlowDisk(tmp_path / "journal.db")
        journal = Journal(disk.store, Writer(commit=disk.commit, finish=disk.store.finish))
        intents = [asyncio.create_task(journal.intend(bytes(32), bound=1, tag="t")) for _ in range(3)]
        await asyncio.sleep(0)
        assert repr(journal) == f"<Journal {tmp_path / 'journal.db'} [0 in flight, 3 to be written]>"
        disk.write(3)
        await asyncio.gather(*intents)
        assert repr(journal).endswith("[3 in flight, 0 to be written]>")
        disk.write(3)
        await journal.aclose()

    asyncio.run(main())
