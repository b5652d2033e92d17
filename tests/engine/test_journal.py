"""What was paid for is found, what was asked is kept, and the ledger adds up."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from engine.errors import JournalUnusable
from engine.journal import Journal, Totals, read
from engine.messages import RawReply
from tests.engine.journals import HEADERS, edit, key, paid, raw, write


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


@pytest.mark.long
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
