"""Disks that fail: a run ends in order, with one line that says what to do, and goes on when that is mended. Slow.

The whole command line, on a disk that is full, broken, read-only or gone, and over files that were cut, flipped,
zeroed, swapped or deleted. What the journal alone does with such files is in tests/engine/test_journal_damage.py.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.messages import Message
from engine.providers.resolve import world_named
from engine.providers.simulated import Answer
from tests.nursery import MODULES, ROWS, Ended, Nursery, files_of, generating, nursery, strace_refusal

pytestmark = pytest.mark.slow

needs_strace = pytest.mark.skipif(strace_refusal() is not None, reason=str(strace_refusal()))


@dataclass(frozen=True)
class Machine:
    """A provider, and a place to run commands at."""

    url: str
    nursery: Nursery

    def words(self, run: Path) -> list[str]:
        return generating(run, self.url)

    async def smelt(self, *words: object) -> Ended:
        return await self.nursery.order("smelt", {"words": [str(word) for word in words]})

    async def suffer(self, inject: str, *words: object) -> Ended:
        return await self.nursery.order_traced("smelt", {"words": [str(word) for word in words]}, inject=inject)


@asynccontextmanager
async def machine(*, port: int = 0) -> AsyncIterator[Machine]:
    provider = FakeProvider(world_named("dates", seed=0), port=port, latency_scale=0.02)
    async with provider as fake, nursery(*MODULES) as children:
        yield Machine(fake.url, children)


def on_a_machine(work: Callable[[Machine], Awaitable[None]], *, port: int = 0) -> None:
    async def main() -> None:
        async with machine(port=port) as there:
            await work(there)

    asyncio.run(main())


def assert_ended_in_order(ended: Ended, *, saying: str = "") -> None:
    """Exit code 2, and one line on standard error and nothing else."""
    assert (ended.status, ended.out) == (2, ""), ended
    assert ended.err.startswith("smelt: ")
    assert ended.err.count("\n") == 1, ended.err
    assert saying in ended.err


@dataclass(frozen=True)
class Killed:
    """A run that was killed in the thick of it, with everything in its log still; and one that came to its end.

    Its last commit was marked: whatever is missing of the log was promised to somebody.
    """

    run: Path
    whole: Path
    port: int
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    place = tmp_path_factory.mktemp("killed")

    async def main() -> Killed:
        async with machine() as there:
            whole = await there.smelt(*there.words(place / "whole"))
            half = peek(place / "whole" / "journal.db").replies // 2
            words = {"words": there.words(place / "run")}
            dead = await there.nursery.order("smelt", words, point=("charged", half))
            assert (whole.status, dead.status) == (0, -signal.SIGKILL), (whole, dead)
            port = int(there.url.rpartition(":")[2].partition("/")[0])
            return Killed(place / "run", place / "whole", port, files_of(place / "whole"))

    found = asyncio.run(main())
    assert (found.run / "journal.db-wal").stat().st_size > 50_000
    return found


# -- disks that fail while a run is under way

FAULTS = {
    "an fsync fails": "fdatasync:error=EIO:when=6",
    "the first fsync fails": "fdatasync:error=EIO:when=1",
    "the disk is full": "pwrite64:error=ENOSPC:when=60+",
    "the disk is full from the start": "pwrite64:error=ENOSPC:when=1+",
    "writing fails": "pwrite64:error=EIO:when=40+",
    "a quota is reached": "pwrite64:error=EDQUOT:when=50+",
    "whole files cannot be fsynced": "fsync:error=EIO:when=1+",
    "the third whole file cannot be fsynced": "fsync:error=ENOSPC:when=3",
    "a file cannot be put in its place": "rename:error=EIO:when=3",
    "no folder can be made": "mkdir:error=EROFS",
    "the disk knows no locks": "flock:error=ENOLCK",
    "somebody holds the database": "fcntl:error=EAGAIN:when=10+",
}


@needs_strace
def test_a_run_on_a_failing_disk_ends_in_order_and_goes_on_when_it_is_mended(tmp_path: Path, killed: Killed) -> None:
    async def work(there: Machine) -> None:
        for name, inject in FAULTS.items():
            run = tmp_path / name.replace(" ", "-")

            failed = await there.suffer(inject, *there.words(run))
            mended = await there.smelt(*there.words(run))

            assert_ended_in_order(failed, saying=str(run))
            assert (mended.status, mended.err) == (0, ""), (name, mended)
            assert files_of(run) == killed.files, name

    on_a_machine(work, port=killed.port)


@needs_strace
def test_a_full_disk_that_takes_no_line_of_a_log_either_leaves_its_exit_code(tmp_path: Path, killed: Killed) -> None:
    async def work(there: Machine) -> None:
        failed = await there.suffer("write:error=ENOSPC:when=4+", *there.words(tmp_path / "run"))
        mended = await there.smelt(*there.words(tmp_path / "run"))

        assert (failed.status, failed.out, failed.err) == (2, "", "")
        assert (mended.status, mended.err) == (0, "")
        assert files_of(tmp_path / "run") == killed.files

    on_a_machine(work, port=killed.port)


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path) -> None:
    """Where nothing can be injected, this can be had."""

    async def work(there: Machine) -> None:
        words = {"words": there.words(tmp_path / "run")}

        failed = await there.nursery.order("smelt", words, largest_file=60_000)
        mended = await there.nursery.order("smelt", words)

        assert_ended_in_order(failed, saying="journal.db cannot be used")
        assert (mended.status, mended.err) == (0, "")

    on_a_machine(work)


@contextmanager
def small_disk(place: Path, *, size: str) -> Iterator[Path]:
    """A disk of its own; skips where none may be mounted."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(disk: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


def test_a_disk_that_fills_up_is_made_room_on_and_the_run_goes_on(tmp_path: Path) -> None:
    async def work(there: Machine) -> None:
        with small_disk(tmp_path / "disk", size="300k") as disk:
            failed = await there.smelt(*there.words(disk / "run"))
            assert_ended_in_order(failed, saying="make room on the disk, then resume")

            remount(disk, "size=50m")
            mended = await there.smelt("resume", disk / "run", "--quiet")
            assert (mended.status, mended.err) == (0, "")

    on_a_machine(work)


def test_on_a_disk_that_cannot_be_written_a_run_is_refused_and_can_still_be_read(tmp_path: Path) -> None:
    async def work(there: Machine) -> None:
        with small_disk(tmp_path / "disk", size="50m") as disk:
            assert (await there.smelt(*there.words(disk / "run"))).status == 0
            remount(disk, "ro")

            assert_ended_in_order(await there.smelt("resume", disk / "run", "--quiet"), saying=str(disk / "run"))
            assert_ended_in_order(await there.smelt(*there.words(disk / "other")), saying="cannot be written")
            exported = await there.smelt("export", disk / "run", "--requests")
            assert (exported.status, exported.err) == (0, "")
            assert exported.out.count("\n") > ROWS / 10

    on_a_machine(work)


class Undermined:
    """The world of dates, in which something happens at the tenth question."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._world = world_named("dates", seed=0)
        self._then = then
        self._asked = 0
        self.name, self.seed, self.price = self._world.name, self._world.seed, self._world.price

    def answer(self, messages: Sequence[Message], **how: Any) -> Answer:
        self._asked += 1
        if self._asked == 10:
            self._then()
        return self._world.answer(messages, **how)

    def truth(self, messages: Sequence[Message]) -> str | None:
        return self._world.truth(messages)


def test_a_folder_that_is_deleted_during_the_run_is_said_in_one_line(tmp_path: Path) -> None:
    run = tmp_path / "run"

    async def main() -> Ended:
        world = Undermined(lambda: shutil.rmtree(run))
        async with FakeProvider(world, latency_scale=0.02) as fake, nursery(*MODULES) as children:
            there = Machine(fake.url, children)
            return await there.smelt(*there.words(run))

    assert_ended_in_order(asyncio.run(main()), saying="is gone: its folder was deleted or unmounted during the run")


# -- files that are not what was written


def flipped(path: Path, *, seed: int) -> None:
    data, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(20):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def zeroed(path: Path, *, share: float) -> None:
    data = path.read_bytes()
    start = int(len(data) * share) // 4096 * 4096
    path.write_bytes(data[:start] + bytes(min(8192, len(data) - start)) + data[start + 8192 :])


def cut(path: Path, *, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def edited(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


LOG, BASE, MARK = "journal.db-wal", "journal.db", "journal.db-mark"
HARM: dict[str, Callable[[Path], object]] = {
    "the log is deleted": lambda run: (run / LOG).unlink(),
    "the log is cut short": lambda run: cut(run / LOG, share=0.9),
    "the log is cut to half": lambda run: cut(run / LOG, share=0.5),
    "the log is emptied": lambda run: cut(run / LOG, share=0),
    "bits of the log are flipped": lambda run: flipped(run / LOG, seed=1),
    "a page of the log is zeroed": lambda run: zeroed(run / LOG, share=0.6),
    "the head of the log is zeroed": lambda run: zeroed(run / LOG, share=0),
    "the database is deleted": lambda run: (run / BASE).unlink(),
    "the database is emptied": lambda run: cut(run / BASE, share=0),
    "the database is cut short": lambda run: cut(run / BASE, share=0.7),
    "bits of the database are flipped": lambda run: flipped(run / BASE, seed=2),
    "a page of the database is zeroed": lambda run: zeroed(run / BASE, share=0.3),
    "the head of the database is zeroed": lambda run: zeroed(run / BASE, share=0),
    "the database is something else": lambda run: (run / BASE).write_bytes(b"no database " * 999),
    "the mark is zeroed": lambda run: (run / MARK).write_bytes(bytes(38)),
    "the mark is cut short": lambda run: cut(run / MARK, share=0.5),
    "the mark is a folder": lambda run: made_a_folder(run / MARK),
    "the index of the log is flipped": lambda run: flipped(run / "journal.db-shm", seed=3),
    "the journal is of another run": lambda run: edited(run / BASE, "UPDATE name SET name = 'ANOTHER'"),
    "the journal is newer": lambda run: edited(run / BASE, "PRAGMA user_version = 99"),
}
MENDED_WITHOUT_THE_MARK = {
    "the log is deleted", "the log is cut short", "the log is cut to half", "the log is emptied", "the mark is zeroed",
    "the mark is cut short", "the journal is of another run",
}  # fmt: skip
# What nothing reads may be anything: the log's index is made anew, and a finished run reads few of its replies.
MAY_DO_NO_HARM = {
    "the index of the log is flipped", "bits of the database are flipped", "a page of the database is zeroed",
}  # fmt: skip


def test_files_that_are_not_whole_are_refused_in_one_line_or_do_no_harm(tmp_path: Path, killed: Killed) -> None:
    async def work(there: Machine) -> None:
        refused, asked = set(), peek(killed.whole / BASE).attempts
        for name, harm in HARM.items():
            run = tmp_path / name.replace(" ", "-")
            shutil.copytree(killed.whole if "the database" in name else killed.run, run)
            harm(run)

            ended = await there.smelt("resume", run, "--quiet")

            if ended.status:
                assert_ended_in_order(ended, saying="journal.db")
                refused.add(name)
            else:
                assert files_of(run) == killed.files, name
                assert "the database" not in name or peek(run / BASE).attempts == asked, name
            if name in MENDED_WITHOUT_THE_MARK:
                assert "delete" in ended.err, name
                assert str(run / MARK) in ended.err, name
                (run / MARK).unlink()
                assert (await there.smelt("resume", run, "--quiet")).status == 0, name
                assert files_of(run) == killed.files, name
        assert HARM.keys() - refused <= MAY_DO_NO_HARM

    on_a_machine(work, port=killed.port)
