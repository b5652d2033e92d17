"""Many who write at once, those who give up, and those who come after a crash: a durable reply is never lost."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import JournalUnusable
from engine.fakes import virtual_time
from engine.journal import Journal, peek
from engine.journal.mark import Mark
from engine.journal.store import Store
from tests.engine.journals import ROOT, crashing, key, paid, raw, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


# -- many at once, and cancellation


def test_many_writers_share_commits(path: Path) -> None:
    async def session() -> None:
        async with await Journal.open(path) as journal, asyncio.TaskGroup() as group:
            for number in range(500):
                group.create_task(paid(journal, number))

    asyncio.run(session())
    with sqlite3.connect(path) as database:
        ((commits, attempts, spent),) = database.execute("SELECT commits, attempts, spent FROM total")
    database.close()

    assert (attempts, spent) == (500, 500 * 400)
    assert commits < 100


def test_an_intent_cancelled_before_it_was_durable_costs_nothing(path: Path) -> None:
    async def session() -> None:
        async with await Journal.open(path) as journal:
            task = asyncio.create_task(journal.intend(key(1), bound=1000, tag="t"))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with await Journal.open(path) as journal:
            assert (journal.recovered, journal.spent, journal.assumed) == (0, 0, 0)
            assert journal.counts().attempts == 1

    asyncio.run(session())


def test_a_cancelled_settlement_is_written_all_the_same(path: Path) -> None:
    async def session() -> None:
        async with await Journal.open(path) as journal:
            attempt = await journal.intend(key(1), bound=1000, tag="t")
            task = asyncio.create_task(journal.settle(attempt, raw=raw(b"paid"), cost=5, assumed=False))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with await Journal.open(path) as journal:
            stored = journal.find(key(1))
            assert stored is not None
            assert (stored.raw.body, journal.spent, journal.recovered) == (b"paid", 5, 0)

    asyncio.run(session())


def test_closing_writes_what_is_queued(path: Path) -> None:
    async def session() -> None:
        journal = await Journal.open(path)
        tasks = [asyncio.create_task(journal.intend(key(number), bound=1, tag="t")) for number in range(50)]
        await asyncio.sleep(0)
        await journal.aclose()
        await journal.aclose()
        assert await asyncio.gather(*tasks) == list(range(1, 51))

    asyncio.run(session())
    assert peek(path).attempts == 50


def test_the_temporary_journal_runs_on_virtual_time_without_a_thread() -> None:
    async def session() -> int:
        async with await Journal.open(None) as journal:
            await asyncio.sleep(3600)
            await paid(journal, 1)
            assert repr(journal) == "<Journal (temporary) [0 in flight]>"
            return journal.spent

    assert virtual_time.run(session()) == 400


def test_the_temporary_journal_needs_no_file_descriptor_after_its_opening() -> None:
    async def session() -> int:
        async with await Journal.open(None) as journal:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            probe = os.dup(0)
            os.close(probe)
            resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
            try:
                for number in range(100):  # far more than the cache of SQLite holds
                    await paid(journal, number, reply=raw(b"x" * 100_000))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            return journal.counts().attempts

    assert virtual_time.run(session()) == 100


# -- one process, and what another left behind

OPENS = """
import asyncio, pathlib, sys
from engine.journal import Journal
asyncio.run(Journal.open(pathlib.Path(sys.argv[1])))
"""


def test_a_second_journal_on_the_same_file_is_refused(path: Path) -> None:
    async def session() -> None:
        async with await Journal.open(path) as journal:
            with pytest.raises(JournalUnusable, match="in use"):
                await Journal.open(path)
            await paid(journal, 1)

    asyncio.run(session())
    write(path, 2)


def test_a_journal_reached_by_another_name_is_the_same_one(path: Path) -> None:
    other = path.with_name("other.db")
    other.symlink_to(path)

    async def main() -> None:
        async with await Journal.open(path):
            with pytest.raises(JournalUnusable, match="is in use"):
                await Journal.open(other)

    asyncio.run(main())


def test_two_who_write_since_the_lock_was_deleted_are_told_so(path: Path) -> None:
    async def main() -> None:
        async with await Journal.open(path) as ours:
            path.with_name("journal.db-mark").unlink()
            async with await Journal.open(path) as theirs:
                await paid(theirs, 1)
                with pytest.raises(JournalUnusable, match="written by another process too"):
                    await paid(ours, 2)

    asyncio.run(main())


def test_another_process_is_refused_while_ours_lives(path: Path) -> None:
    async def session() -> subprocess.CompletedProcess[str]:
        async with await Journal.open(path):
            return await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", OPENS, str(path)], capture_output=True, text=True, cwd=ROOT
            )

    assert "is in use" in asyncio.run(session()).stderr.splitlines()[-1]


def test_what_was_in_flight_at_a_crash_is_charged_at_its_bound_once(path: Path) -> None:
    async def crash() -> None:
        async with crashing(path) as journal:
            await paid(journal, 1)
            await journal.intend(key(2), bound=1000, tag="t")
            await journal.intend(key(3), bound=500, tag="t")

    asyncio.run(crash())

    async def session(recovered: int) -> None:
        async with await Journal.open(path) as journal:
            assert (journal.recovered, journal.spent, journal.assumed) == (recovered, 400, 1500)
            assert journal.find(key(1)) is not None
            assert journal.find(key(2)) is None

    asyncio.run(session(2))
    asyncio.run(session(0))


@pytest.mark.long
def test_peeking_needs_no_lock_and_changes_nothing(path: Path) -> None:
    async def session() -> None:
        async with await Journal.open(path) as journal:
            await paid(journal, 1)
            await journal.intend(key(2), bound=1000, tag="t")
            counts = peek(path)
            assert counts == journal.counts()
            assert (counts.attempts, counts.in_flight, counts.at_stake) == (2, 1, 1000)

    asyncio.run(session())
    before = path.read_bytes()
    assert peek(path).in_flight == 1
    assert path.read_bytes() == before


# -- on the disk


def test_a_commit_is_on_the_disk_before_it_counts(tmp_path: Path) -> None:
    """No kill of ours can tell: only a power cut would. So the database is asked what it does."""
    store = Store.open(tmp_path / "journal.db")
    full = 2
    try:
        assert store._writing.execute("PRAGMA synchronous").fetchone() == (full,)
        assert store._writing.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        store.finish()
        store.close()


def test_the_mark_is_made_durable_at_every_hundredth_commit_and_at_closing(tmp_path: Path) -> None:
    marked: list[bytes] = []
    path = tmp_path / "mark"
    mark = Mark(path, sync=lambda _: marked.append(path.read_bytes()))
    for commits in range(1, 251):
        mark.write(commits, name="a journal")
    mark.close()

    assert [int(text.split()[0]) for text in marked] == [100, 200, 250]
