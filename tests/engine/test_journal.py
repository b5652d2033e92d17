"""A durable reply is never lost, never asked again, and a journal that is not whole says so."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.errors import JournalUnusable
from engine.fakes import virtual_time
from engine.journal import Journal, Totals, peek, read
from engine.journal.mark import Mark
from engine.journal.store import Store
from engine.messages import RawReply

ROOT = Path(__file__).parents[2]
HEADERS = {"content-type": "application/json", "x-request-id": "r1", "set-cookie": "secret", "x-ratelimit-limit": "5"}


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def raw(body: bytes = b'{"text": "hello"}', *, status: int = 200) -> RawReply:
    return RawReply(status=status, headers=HEADERS, body=body, latency_s=0.25)


async def paid(journal: Journal, number: int, *, cost: int = 400, reply: RawReply | None = None, tag: str = "t") -> int:
    """One question asked, answered and settled."""
    attempt = await journal.intend(key(number), bound=1000, tag=tag, request=b"question %d" % number)
    await journal.settle(attempt, raw=reply or raw(b"reply %d" % number), cost=cost, assumed=False)
    return attempt


def write(path: Path, *numbers: int) -> None:
    """What an orderly process leaves behind."""

    async def session() -> None:
        async with await Journal.open(path) as journal:
            for number in numbers:
                await paid(journal, number)

    asyncio.run(session())


def refusal(path: Path) -> str:
    """The one line with which a journal is refused."""

    async def session() -> None:
        async with await Journal.open(path):
            pass

    with pytest.raises(JournalUnusable) as refused:
        asyncio.run(session())
    assert "\n" not in str(refused.value)
    assert str(path.name) in str(refused.value)
    return str(refused.value)


@asynccontextmanager
async def crashing(path: Path) -> AsyncIterator[Journal]:
    """A journal that is copied away while it is open, as if the process had died at the end of the block."""
    living = path.with_name("living")
    async with await Journal.open(living / path.name) as journal:
        yield journal
        for file in living.iterdir():
            if not file.name.endswith("-shm"):
                shutil.copy(file, path.parent)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture(params=["on disk", "temporary"])
def place(request: pytest.FixtureRequest, path: Path) -> Path | None:
    return path if request.param == "on disk" else None


# -- finding what was paid for


def test_a_reply_is_found_as_soon_as_it_is_settled(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            assert journal.find(key(1)) is None
            attempt = await journal.intend(key(1), bound=1000, tag="t")
            assert journal.find(key(1)) is None
            await journal.settle(attempt, raw=raw(b"\x00\xff"), cost=400, assumed=False)
            stored = journal.find(key(1))

        assert stored is not None
        assert (stored.raw.status, stored.raw.body, stored.raw.latency_s) == (200, b"\x00\xff", 0.25)
        assert (stored.cost, stored.assumed, stored.answers, stored.attempts) == (400, False, True, 1)

    asyncio.run(session())


def test_every_one_of_many_is_found_and_nothing_else(place: Path | None) -> None:
    """What spares look-ups may say yes in error, and never no."""

    async def session() -> None:
        async with await Journal.open(place) as journal:
            await asyncio.gather(*(paid(journal, number) for number in range(2000)))
            assert all(journal.find(key(number)) for number in range(2000))
            assert not any(journal.find(key(number)) for number in range(2000, 4000))

    asyncio.run(session())


def test_the_next_process_finds_it_too(path: Path) -> None:
    write(path, 1, 2, 3)

    async def session() -> None:
        async with await Journal.open(path) as journal:
            found = [journal.find(key(number)) for number in (1, 2, 3)]
            assert [stored.raw.body for stored in found if stored] == [b"reply 1", b"reply 2", b"reply 3"]
            assert (journal.spent, journal.assumed, journal.recovered) == (1200, 0, 0)
            assert await journal.intend(key(4), bound=1, tag="t") == 4

    asyncio.run(session())


def test_headers_that_matter_are_kept_and_cookies_are_not(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            await paid(journal, 1)
            stored = journal.find(key(1))
            assert stored is not None
            assert dict(stored.raw.headers) == {name: HEADERS[name] for name in HEADERS if name != "set-cookie"}

    asyncio.run(session())


def test_an_error_is_kept_but_answers_nothing(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            await paid(journal, 1, reply=raw(status=500))
            assert journal.find(key(1)) is None
            assert journal.counts().replies == 1

    asyncio.run(session())


def test_a_reply_that_could_not_be_parsed_is_found_until_a_better_one_comes(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            first = await journal.intend(key(1), bound=9, tag="t")
            await journal.settle(first, raw=raw(b"{cut"), cost=9, assumed=True, answers=False)
            stored = journal.find(key(1))
            assert stored is not None
            assert (stored.raw.body, stored.answers) == (b"{cut", False)

            await paid(journal, 1, reply=raw(b"whole"))
            third = await journal.intend(key(1), bound=9, tag="t")
            await journal.settle(third, raw=raw(b"cut again"), cost=9, assumed=True, answers=False)
            stored = journal.find(key(1))
            assert stored is not None
            assert (stored.raw.body, stored.answers, stored.attempts) == (b"whole", True, 3)
            assert journal.counts().answered_twice == 0

    asyncio.run(session())


def test_what_was_cut_on_purpose_is_known_and_answers_nothing(place: Path | None) -> None:
    """Of all that answers nothing only this: not an error, not what could not be parsed, and no other question."""

    async def session() -> None:
        async with await Journal.open(place) as journal:
            settled = [(200, False, True), (500, False, False), (200, False, False), (200, True, False)]
            for number, (status, answers, is_cut) in enumerate(settled):
                attempt = await journal.intend(key(number), bound=9, tag="t")
                reply = raw(status=status)
                await journal.settle(attempt, raw=reply, cost=9, assumed=False, answers=answers, is_cut=is_cut)
            await journal.intend(key(4), bound=9, tag="t")
            assert [journal.was_cut(key(number)) for number in range(6)] == [True] + [False] * 5
            assert journal.find(key(0)) is None
        if place is not None:
            async with await Journal.open(place) as journal:
                assert journal.was_cut(key(0))

    asyncio.run(session())


def test_a_reply_of_which_nobody_waits_for_the_end_is_found_too(path: Path) -> None:
    """Whoever settles is cancelled while the disk is busy: the reply is written, so it is found, not paid again."""

    async def session() -> None:
        async with await Journal.open(path) as journal:
            attempt = await journal.intend(key(1), bound=1000, tag="t")
            task = asyncio.create_task(journal.settle(attempt, raw=raw(b"paid"), cost=5, assumed=False))
            await asyncio.sleep(0)
            task.cancel()
            await paid(journal, 2)
            assert journal.find(key(1)) is not None

    asyncio.run(session())


# -- what was asked

QUESTIONS = [b'["who?", 1]', "Größe?".encode(), b"\x00" * 100_000]


def test_what_was_asked_is_kept_with_every_attempt(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            for question in QUESTIONS:
                asked = hashlib.sha256(question).digest()
                for _ in range(2):  # asked, failed, and asked again
                    attempt = await journal.intend(asked, bound=1, tag="t", request=question)
                    await journal.settle(attempt, raw=None, cost=0, assumed=False)
            await paid(journal, 1)

            kept = [entry.request for entry in journal.entries()]
            assert kept == [question for question in QUESTIONS for _ in range(2)] + [b"question 1"]

    asyncio.run(session())


def test_a_journal_can_be_read_while_it_is_written(path: Path) -> None:
    async def session() -> None:
        async with await Journal.open(path) as journal:
            await asyncio.gather(*(paid(journal, number) for number in range(150)))
            assert list(read(path)) == list(journal.entries())
            await paid(journal, 150)
            assert len(list(read(path))) == 151

    asyncio.run(session())
    assert len(list(read(path))) == 151


@pytest.mark.parametrize(
    "harm", ["UPDATE request SET sent = CAST('whut?' AS BLOB)", "DELETE FROM request", "UPDATE intent SET checksum = 1"]
)
def test_a_changed_or_lost_request_is_noticed(path: Path, harm: str) -> None:
    async def session() -> None:
        async with await Journal.open(path) as journal:
            await journal.intend(hashlib.sha256(b"what?").digest(), bound=1, tag="t", request=b"what?")

    asyncio.run(session())
    edit(path, harm)

    with pytest.raises(JournalUnusable, match="a request is not what was written"):
        list(read(path))


# -- text that cannot be written


def test_a_tag_or_a_header_that_is_no_text_costs_nobody_anything(place: Path | None) -> None:
    """Header bytes that are not UTF-8 come as lone surrogates; a reply is not lost because of them."""

    async def session() -> None:
        async with await Journal.open(place) as journal:
            attempt = await journal.intend(key(1), bound=1, tag="a\ud800\x00\u2028")
            headers = {"x-request-id": "caf\udce9", "content-type": "a\x00b", "x-ratelimit-\udcff": "\u2028"}
            odd = RawReply(200, headers, b"paid", 0.0)
            await journal.settle(attempt, raw=odd, cost=1, assumed=False)
            stored = journal.find(key(1))
            assert stored is not None
            assert stored.raw.headers == {
                "x-request-id": "caf?", "content-type": "a\x00b", "x-ratelimit-?": "\u2028",
            }  # fmt: skip
            assert stored.raw.body == b"paid"
            assert list(journal.counts().by_tag) == ["a?\x00\u2028"]

    asyncio.run(session())


# -- the ledger's lines


def test_what_an_attempt_cost_is_told_apart_by_how_it_is_known(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            await paid(journal, 1, cost=300, tag="annotate")
            await paid(journal, 1, cost=300, tag="annotate")
            lost = await journal.intend(key(2), bound=1000, tag="generate")
            await journal.settle(lost, raw=None, cost=1000, assumed=True)
            await journal.intend(key(3), bound=1000, tag="generate")

            counts = journal.counts()
            assert (journal.spent, journal.assumed) == (600, 1000)
            assert (counts.attempts, counts.in_flight, counts.replies, counts.answered_twice) == (4, 1, 2, 1)
            assert counts.by_tag == {
                "annotate": Totals(attempts=2, replies=2, spent=600, assumed=0),
                "generate": Totals(attempts=2, replies=0, spent=0, assumed=1000),
            }

    asyncio.run(session())


def test_entries_tell_every_attempt_in_order(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            await asyncio.gather(*(paid(journal, number) for number in range(250)))  # more than a page of them
            await journal.intend(key(250), bound=7, tag="last")

            entries = list(journal.entries())
            assert [entry.attempt for entry in entries] == list(range(1, 252))
            assert [entry.key for entry in entries] == [key(number) for number in range(251)]
            assert entries[0].raw is not None
            assert entries[0].raw.body == b"reply 0"
            assert (entries[-1].tag, entries[-1].bound, entries[-1].cost, entries[-1].raw) == ("last", 7, None, None)

    asyncio.run(session())


def test_an_attempt_is_settled_once(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            attempt = await paid(journal, 1)
            for wrong in (attempt, 99):
                with pytest.raises(ValueError, match="not in flight"):
                    await journal.settle(wrong, raw=None, cost=0, assumed=False)
            assert journal.spent == 400

    asyncio.run(session())


def test_misuse_is_a_bug_and_harms_nobody_else(place: Path | None) -> None:
    async def session() -> None:
        async with await Journal.open(place) as journal:
            with pytest.raises(ValueError, match="32 bytes"):
                await journal.intend(b"short", bound=1, tag="t")
            for bound in (-1, 2**63):
                with pytest.raises(ValueError, match="between 0 and"):
                    await journal.intend(key(1), bound=bound, tag="t")
            attempt = await journal.intend(key(1), bound=1, tag="t")
            with pytest.raises(ValueError, match="between 0 and"):
                await journal.settle(attempt, raw=None, cost=-1, assumed=False)
            await journal.settle(attempt, raw=raw(), cost=1, assumed=False)
        with pytest.raises(RuntimeError, match="closed"):
            await journal.intend(key(2), bound=1, tag="t")

    asyncio.run(session())


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


def edit(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute(statement)
    database.close()


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
