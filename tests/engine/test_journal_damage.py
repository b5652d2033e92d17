"""A journal that is not whole says so, and a disk that fails is told to everybody who waits."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import JournalUnusable
from engine.journal import Journal, peek
from tests.engine.journals import ROOT, crashing, edit, key, paid, raw, refusal, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


# -- journals that are not whole


def test_a_lost_tail_is_noticed_and_can_be_accepted(path: Path) -> None:
    """The last bytes of the log are torn: SQLite would open it without a word."""

    async def crash() -> None:
        async with crashing(path) as journal:
            for number in range(5):
                await paid(journal, number)

    asyncio.run(crash())
    log = path.with_name("journal.db-wal")
    os.truncate(log, log.stat().st_size - 100)

    message = refusal(path)
    assert "has lost its newest 1 commits" in message
    path.with_name("journal.db-mark").unlink()

    async def session() -> None:
        async with await Journal.open(path) as journal:
            assert journal.find(key(3)) is not None
            assert journal.find(key(4)) is None
            assert (journal.recovered, journal.spent, journal.assumed) == (1, 1600, 1000)

    asyncio.run(session())


def test_a_deleted_journal_is_noticed(path: Path) -> None:
    write(path, 1, 2)
    path.unlink()

    assert "has lost its newest 4 commits" in refusal(path)


def test_a_flipped_bit_in_a_reply_is_noticed(path: Path) -> None:
    write(path, 1, 2)
    data = path.read_bytes()
    assert data.count(b"reply 1") == 1
    path.write_bytes(data.replace(b"reply 1", b"reply 9"))

    async def session() -> None:
        async with await Journal.open(path) as journal:
            assert journal.find(key(2)) is not None
            with pytest.raises(JournalUnusable, match="damaged"):
                journal.find(key(1))
            with pytest.raises(JournalUnusable, match="damaged"):
                list(journal.entries())

    asyncio.run(session())


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        pytest.param(lambda path: path.write_bytes(b"no database " * 999), "another kind of file", id="not a database"),
        pytest.param(lambda path: edit(path, "PRAGMA user_version = 4"), "update Smelt", id="newer"),
        pytest.param(lambda path: edit(path, "PRAGMA user_version = 1"), "the Smelt that made it", id="older"),
        pytest.param(lambda path: edit(path, "PRAGMA application_id = 7"), "not a journal of Smelt", id="foreign"),
        pytest.param(lambda path: edit(path, "UPDATE charge SET cost = 1"), "do not add up", id="a changed line"),
        pytest.param(
            lambda path: edit(path, "DELETE FROM intent WHERE attempt = 2"), "do not add up", id="a lost line"
        ),
        pytest.param(
            lambda path: edit(path, "UPDATE intent SET key = zeroblob(32) WHERE attempt = 2"),
            "do not add up",
            id="a changed key",
        ),
        pytest.param(
            lambda path: edit(path, "UPDATE intent SET bound = 9 WHERE attempt = 2"),
            "do not add up",
            id="a changed bound",
        ),
        pytest.param(
            lambda path: edit(path, "UPDATE intent SET attempt = 7 WHERE attempt = 2"),
            "do not add up",
            id="an intent at another place",
        ),
        pytest.param(
            lambda path: edit(path, "UPDATE charge SET attempt = 7 WHERE attempt = 2"),
            "do not add up",
            id="a charge at another place",
        ),
        pytest.param(
            lambda path: edit(path, "UPDATE charge SET worth = 0 WHERE attempt = 2"),
            "do not add up",
            id="a lost answer",
        ),
        pytest.param(
            lambda path: edit(path, "UPDATE intent SET key = 'not a key' WHERE attempt = 2"),
            "do not add up",
            id="a text for a key",
        ),
        pytest.param(
            lambda path: edit(path, "UPDATE intent SET bound = 'dear' WHERE attempt = 2"),
            "do not add up",
            id="a text for a bound",
        ),
        pytest.param(lambda path: edit(path, "DELETE FROM name"), "its name is gone", id="no name"),
        pytest.param(lambda path: edit(path, "DELETE FROM total"), "damaged", id="no totals"),
        pytest.param(lambda path: edit(path, "DROP TABLE total"), "cannot be used", id="no table"),
        pytest.param(lambda path: os.truncate(path, 6000), "cannot be used", id="cut short"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "cannot be used", id="a folder"),
        pytest.param(
            lambda path: path.with_name("journal.db-mark").write_bytes(b"\x00" * 21), "delete it", id="a damaged mark"
        ),
    ],
)
def test_a_journal_that_is_not_whole_is_refused_in_one_line(
    path: Path, harm: Callable[[Path], object], what: str
) -> None:
    write(path, 1, 2)
    harm(path)

    assert what in refusal(path)


def test_a_journal_of_another_run_is_refused_and_can_be_accepted(tmp_path: Path) -> None:
    """Somebody copies the journal of one run into the folder of another, whose mark is there still."""
    one, other = tmp_path / "one" / "journal.db", tmp_path / "other" / "journal.db"
    write(one, 1, 2)
    write(other, 1, 2, 3, 4)
    shutil.copy(other, one)

    assert "of another run" in refusal(one)
    one.with_name("journal.db-mark").unlink()
    write(one, 5)


def test_a_refused_journal_is_left_unlocked_and_untouched(path: Path) -> None:
    edit(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    refusal(path)
    refusal(path)

    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "check the disk and its folder" in refusal(tmp_path / "file" / "journal.db")


def test_peeking_at_nothing_or_at_something_else_is_refused(path: Path) -> None:
    with pytest.raises(JournalUnusable, match="no journal"):
        peek(path)
    edit(path, "CREATE TABLE theirs (x)")
    with pytest.raises(JournalUnusable, match="not a journal"):
        peek(path)


def harmed(data: bytes, chance: random.Random) -> bytes:
    """A bit flipped, a page zeroed, some bytes overwritten, or the end cut off, anywhere."""
    at = chance.randrange(len(data))
    kinds = [
        (1, bytes([data[at] ^ 1 << chance.randrange(8)])),
        (4096, bytes(4096)),
        (64, chance.randbytes(64)),
        (len(data), b""),
    ]
    length, instead = chance.choice(kinds)
    return (data[:at] + instead + data[at + length :])[: len(data)]


@pytest.mark.slow
def test_whatever_byte_is_damaged_nothing_is_lost_in_silence(path: Path) -> None:
    """Two hundred random damages to the database or its log: refused in one line, or every reply is there."""

    async def crash() -> None:
        async with crashing(path) as journal:
            await asyncio.gather(*(paid(journal, number, reply=raw(bytes(300))) for number in range(200)))

    async def session() -> None:
        async with await Journal.open(path) as journal:
            found = [journal.find(key(number)) for number in range(200)]
            assert all(stored is not None and stored.raw.body == bytes(300) for stored in found)
            entries = list(journal.entries())
            assert [entry.request for entry in entries] == [b"question %d" % number for number in range(200)]
            assert all(entry.raw is not None for entry in entries)
            assert (journal.counts().replies, journal.spent, journal.recovered) == (200, 80_000, 0)

    asyncio.run(crash())
    log = path.with_name("journal.db-wal")
    torn = (path.read_bytes(), log.read_bytes())
    asyncio.run(session())
    closed = path.read_bytes()

    refusals: list[str] = []
    for seed in range(200):
        chance = random.Random(seed)
        if seed % 2:
            path.write_bytes(harmed(closed, chance))
            log.unlink(missing_ok=True)
        else:
            path.write_bytes(torn[0])
            log.write_bytes(harmed(torn[1], chance))
        path.with_name("journal.db-shm").unlink(missing_ok=True)
        try:
            asyncio.run(session())
        except JournalUnusable as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert not any("\n" in line for line in refusals)


# -- disks that fail


def test_when_the_folder_vanishes_everyone_is_told(path: Path) -> None:
    async def session() -> list[object]:
        async with await Journal.open(path.parent / "run" / path.name) as journal:
            await paid(journal, 1)
            shutil.rmtree(path.parent / "run")
            first = await asyncio.gather(*(paid(journal, number) for number in range(2, 9)), return_exceptions=True)
            return [*first, *await asyncio.gather(paid(journal, 9), return_exceptions=True)]

    for end in asyncio.run(session()):
        assert isinstance(end, JournalUnusable)
        assert "is gone" in str(end)


def test_when_the_disk_is_full_everyone_is_told_and_the_rest_is_safe(path: Path) -> None:
    """A limit on the size of files stands in for a full disk, in a process of its own."""
    code = """
import asyncio, pathlib, resource, signal, sys
sys.path.insert(0, "tests/engine")
from test_journal import Journal, JournalUnusable, key, paid, raw
async def session():
    journal = await Journal.open(pathlib.Path(sys.argv[1]))
    await paid(journal, 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    calls = (paid(journal, number, reply=raw(bytes(9000))) for number in range(1, 99))
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(end, (int, JournalUnusable)) for end in ends), ends
    told = {str(end) for end in ends if not isinstance(end, int)}
    assert len(told) == 1, told
    print(*told)
    await journal.aclose()
asyncio.run(asyncio.wait_for(session(), 30))
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-800:]
    assert "cannot be used" in done.stdout

    async def session() -> None:
        async with await Journal.open(path) as journal:
            assert journal.find(key(0)) is not None

    asyncio.run(session())
