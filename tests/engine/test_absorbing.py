"""A journal takes in another's: everything, once, whatever cuts it off; and the sums stay true."""

from __future__ import annotations

import asyncio
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from engine.errors import JournalInUse, JournalUnusable
from engine.fleet.gathering import gather, taken_in
from engine.journal import Journal, merging, peek
from engine.messages import RawReply
from tests.engine.journals import held_up


def key(text: str) -> bytes:
    return sha256(text.encode()).digest()


def raw(text: str, *, status: int = 200) -> RawReply:
    return RawReply(status, {"x-request-id": text}, text.encode(), 0.25)


async def write(path: Path, names: list[str]) -> None:
    """A journal with an answer, at 10 of 100 pico-dollars, to each; one more attempt is in flight."""
    async with await Journal.open(path) as journal:
        for name in names:
            attempt = await journal.intend(key(name), bound=100, tag="annotate", request=b'["asked"]')
            await journal.settle(attempt, raw=raw(name), cost=10, assumed=False)
        await journal.intend(key("lost"), bound=100, tag="generate")


def test_all_of_it_is_there_and_what_was_in_flight_is_assumed(tmp_path: Path) -> None:
    async def main() -> None:
        await write(tmp_path / "w" / "journal.db", ["a", "b"])
        async with await Journal.open(tmp_path / "journal.db") as main:
            mine = await main.intend(key("mine"), bound=50, tag="annotate")
            totals = await main.absorb(tmp_path / "w" / "journal.db")
            await main.settle(mine, raw=raw("mine"), cost=5, assumed=False)

            assert (main.spent, main.assumed) == (25, 100)
            assert (totals["annotate"].spent, totals["generate"].assumed) == (20, 100)
            found = main.find(key("b"))
            assert found is not None
            assert (found.raw, found.cost) == (raw("b"), 10)
            assert [entry.request for entry in main.entries()] == [None, b'["asked"]', b'["asked"]', None]
        async with await Journal.open(tmp_path / "journal.db") as again:  # verified as it is opened
            assert (again.spent, again.assumed, again.recovered) == (25, 100, 0)
            assert again.find(key("a")) is not None

    asyncio.run(main())


def test_it_is_taken_in_once_however_often_and_wherever_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "PIECE", 2)
    path, names = tmp_path / "w" / "journal.db", [str(i) for i in range(7)]

    async def main() -> None:
        await write(path, names)
        for pieces in range(1, 5):
            async with await Journal.open(tmp_path / "journal.db") as main:
                async with merging.Closed(path) as other:
                    done = main._store.merged(other.name)
                    async for piece in other.pieces(after=done):
                        await main._take_in(piece, merged=(other.name, done + len(piece)))
                        break
                assert main.counts().attempts == min(8, 2 * pieces)
        async with await Journal.open(tmp_path / "journal.db") as main:
            await main.absorb(path)
            await main.absorb(path)
            assert main.counts().attempts == 8
            assert main.counts().answered_twice == 0
            assert (main.spent, main.assumed) == (70, 100)

    asyncio.run(main())


def test_others_go_on_while_a_journal_is_taken_in(tmp_path: Path) -> None:
    """It can only end when the loop goes on: SQLite itself waits for five seconds, and gives up then."""

    async def main() -> None:
        path = tmp_path / "w" / "journal.db"
        await write(path, ["a", "b"])
        async with await Journal.open(tmp_path / "journal.db") as main:
            with held_up(path):
                taking_in = asyncio.create_task(main.absorb(path))
                mine = await main.intend(key("mine"), bound=50, tag="annotate")
                await main.settle(mine, raw=raw("mine"), cost=5, assumed=False)
                assert not taking_in.done()
            await taking_in
            assert (main.spent, main.assumed) == (25, 100)

    asyncio.run(main())


def test_one_that_is_cancelled_lets_go_and_is_taken_in_once_by_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "w" / "journal.db"
        await write(path, ["a", "b"])
        async with await Journal.open(tmp_path / "journal.db") as main:
            for turns in range(12):
                taking_in = asyncio.create_task(main.absorb(path))
                for _ in range(turns):
                    await asyncio.sleep(0)
                taking_in.cancel()
                await asyncio.wait([taking_in])
            await main.absorb(path)
            assert (main.spent, main.assumed) == (20, 100)
            assert main.counts().attempts == 3
        async with await Journal.open(tmp_path / "journal.db") as again:
            assert (again.spent, again.assumed) == (20, 100)

    asyncio.run(main())


def test_a_journal_that_somebody_writes_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "workers" / "w" / "journal.db"
        async with await Journal.open(path), await Journal.open(tmp_path / "journal.db") as main:
            with pytest.raises(JournalInUse):
                await main.absorb(path)

    asyncio.run(main())


def test_what_workers_left_is_gathered_and_their_folders_go(tmp_path: Path) -> None:
    async def main() -> None:
        for name in ("w0001", "w0002"):
            await write(tmp_path / "workers" / name / "journal.db", [name])

        assert await gather(tmp_path / "journal.db", tmp_path / "workers", budget=None) == 2
        assert not (tmp_path / "workers").exists()
        assert peek(tmp_path / "journal.db").replies == 2
        assert await gather(tmp_path / "journal.db", tmp_path / "workers", budget=None) == 0

    asyncio.run(main())


def test_a_folder_that_was_taken_in_and_not_removed_counts_once(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "workers" / "w" / "journal.db"
        await write(path, ["a"])
        shutil.copytree(path.parent, tmp_path / "copy")
        async with await Journal.open(tmp_path / "journal.db") as main:
            await taken_in(main, path)
        shutil.copytree(tmp_path / "copy", path.parent)

        await gather(tmp_path / "journal.db", tmp_path / "workers", budget=None)
        assert peek(tmp_path / "journal.db").replies == 1

    asyncio.run(main())


def test_what_nobody_can_read_is_written_off_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with await Journal.open(tmp_path / "journal.db") as main:
            for _ in range(2):
                await main.write_off("abc", {"annotate": 30, "generate": 4})
            assert (main.spent, main.assumed) == (0, 34)
        async with await Journal.open(tmp_path / "journal.db") as again:
            await again.write_off("abc", {"annotate": 30, "generate": 4})
            assert (again.assumed, again.counts().by_tag["generate"].assumed) == (34, 4)

    asyncio.run(main())


def test_a_damaged_journal_is_named_and_stays(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "workers" / "w" / "journal.db"
        await write(path, ["a"])
        path.write_bytes(b"no database at all" * 1000)

        with pytest.raises(JournalUnusable, match=r"workers/w/journal\.db"):
            await gather(tmp_path / "journal.db", tmp_path / "workers", budget=None)
        assert path.exists()

    asyncio.run(main())
