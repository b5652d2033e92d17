"""The engine through batch endpoints: the answers of online, in the same journal, each paid once at half the price.

Over a socket, with a fake provider whose batches take a moment; nothing waits for longer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, Engine, Events, Interrupted, Message, Price, Request, UserError
from engine.batches import Timing
from engine.events import RequestSent
from engine.fakes.batches import BatchBehaviour
from engine.fakes.rules import Rule, When
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.journal import Journal
from engine.providers.openai import OpenAI
from engine.providers.simulated import Simulated

DIALECTS = pytest.mark.parametrize("dialect", ["openai", "anthropic"])
PRICE = Price(input="0.25", output=2, batch="0.5")  # the fake's, in batches too
SOON = Timing(
    quiet_s=0.02, first_look_s=0.02, longest_look_s=0.05, grace_s=0.3, first_retry_s=0.02, calls_a_second=10_000
)


def opened(
    fake: FakeProvider,
    folder: Path,
    *,
    dialect: str = "openai",
    model: str = "m",
    batch: bool | Collection[str] = True,
    created: asyncio.Event | None = None,
) -> Engine:
    events = Events()
    if created is not None:
        events.subscribe(lambda event: created.set() if isinstance(event, RequestSent) else None)
    return Engine(
        f"{dialect}/{model}",
        base_url=fake.url,
        api_key="nobody-s-key-at-all",
        budget=Budget(usd=1),
        price=PRICE,
        journal=folder / "journal.db",
        events=events,
        batch=batch,
        batch_timing=SOON,
    )


def requests(count: int, *, tag: str = "") -> list[Request]:
    return [Request.user(f"text {number}", max_tokens=20, tag=tag) for number in range(count)]


async def texts(engine: Engine, asked: list[Request], *, ordered: bool = True) -> list[str]:
    return [outcome.unwrap().text async for outcome in engine.map(asked, ordered=ordered)]


def billed_in_batches(fake: FakeProvider) -> int:
    return sum(entry.batch is not None and entry.status == 200 for entry in fake.audit.entries)


def billed_alone(fake: FakeProvider) -> int:
    return sum(entry.batch is None and entry.cost > 0 for entry in fake.audit.entries)


@DIALECTS
def test_in_batches_or_alone_the_answers_are_the_same_and_one_pays_for_the_other(dialect: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld(), batches=BatchBehaviour(seconds=0.05, failing=0.1, expiring=0.1)) as fake:
            async with opened(fake, tmp_path, dialect=dialect, batch=False) as engine:
                await texts(engine, requests(10))
            async with opened(fake, tmp_path, dialect=dialect) as engine:
                assert await texts(engine, requests(40)) == [f"text {number}" for number in range(40)]
                statistics = engine.statistics()
                assert (statistics.replies, statistics.from_journal, statistics.in_flight) == (40, 10, 0)
                assert (statistics.spent, statistics.assumed) == (fake.audit.billed, 0)
            async with opened(fake, tmp_path, dialect=dialect, batch=False) as engine:
                assert await texts(engine, requests(40)) == [f"text {number}" for number in range(40)]
                assert engine.statistics().from_journal == 40
            assert (billed_alone(fake), billed_in_batches(fake)) == (10, 30)

    asyncio.run(main())


@DIALECTS
@pytest.mark.long
def test_ctrl_c_stops_the_waiting_and_whoever_resumes_gets_the_answers_even_online(
    dialect: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld(), batches=BatchBehaviour(seconds=0.5)) as fake:
            created = asyncio.Event()
            async with opened(fake, tmp_path, dialect=dialect, created=created) as engine:
                asking = asyncio.create_task(drained(engine))
                await created.wait()
                engine.drain()
                assert await asking == Counter({"Interrupted": 20})
            async with opened(fake, tmp_path, dialect=dialect, batch=False) as engine:
                assert engine.statistics().reserved > 0
                assert await texts(engine, requests(20)) == [f"text {number}" for number in range(20)]
                statistics = engine.statistics()
                assert (statistics.spent, statistics.assumed, statistics.reserved) == (fake.audit.billed, 0, 0)
            assert (billed_alone(fake), billed_in_batches(fake), len(fake.jobs.jobs)) == (0, 20, 1)

    async def drained(engine: Engine) -> Counter[str]:
        return Counter([type(outcome.error).__name__ async for outcome in engine.map(requests(20))])

    asyncio.run(main())


@DIALECTS
def test_a_creation_whose_reply_never_came_is_not_made_twice(dialect: str, tmp_path: Path) -> None:
    async def main() -> None:
        lost = Rule("reset", When(method="POST", path="/v1/*batches", first=1))  # it is made, and nobody hears of it
        async with FakeProvider(EchoWorld(), rules=(lost,), batches=BatchBehaviour(seconds=0.1)) as fake:
            async with opened(fake, tmp_path, dialect=dialect) as engine:
                await texts(engine, requests(10))
                assert (engine.statistics().spent, engine.statistics().assumed) == (fake.audit.billed, 0)
            assert (billed_in_batches(fake), len(fake.jobs.jobs)) == (10, 1)

    asyncio.run(main())


def test_only_the_stages_that_are_named_go_in_batches(tmp_path: Path) -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld()) as fake:
            async with opened(fake, tmp_path, batch=["label"]) as engine:
                await engine.ask(Request.user("parse this", tag="parse"))
                await texts(engine, requests(5, tag="label"))
            assert (billed_alone(fake), billed_in_batches(fake)) == (1, 5)

    asyncio.run(main())


def test_the_same_question_asked_twice_at_once_is_in_the_batch_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld()) as fake:
            async with opened(fake, tmp_path) as engine:
                assert await texts(engine, [*requests(5), *requests(5)], ordered=False)
            assert billed_in_batches(fake) == 5

    asyncio.run(main())


@DIALECTS
def test_several_completions_come_in_batches_too(dialect: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld()) as fake:
            async with opened(fake, tmp_path, dialect=dialect) as engine:
                reply = await engine.ask(Request.user("hello", n=3))
                assert reply.texts == ("hello",) * 3
            assert billed_in_batches(fake) == {"openai": 1, "anthropic": 3}[dialect]

    asyncio.run(main())


@pytest.mark.long
def test_what_is_out_at_another_model_counts_as_spent_and_is_found_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld(), batches=BatchBehaviour(seconds=0.3)) as fake:
            created = asyncio.Event()
            async with opened(fake, tmp_path, model="first", created=created) as engine:
                asking = asyncio.create_task(engine.ask(requests(1)[0]))
                await created.wait()
                engine.drain()
                with pytest.raises(Interrupted):
                    await asking
            async with opened(fake, tmp_path, model="second", batch=False) as engine:
                statistics = engine.statistics()
                assert statistics.assumed > 0
                assert statistics.reserved == 0
            async with opened(fake, tmp_path, model="first") as engine:
                assert (await engine.ask(requests(1)[0])).text == "text 0"
                assert (engine.statistics().spent, engine.statistics().assumed) == (fake.audit.billed, 0)

    asyncio.run(main())


WANTING: list[tuple[str, dict[str, Any], str]] = [
    ("simulated/echo", {}, "no batch endpoint"),
    ("openai/m", {"journal": None}, "give a journal"),
    ("openai/m", {"hedge": True}, "not hedged"),
    ("openai/m", {"batch": "label"}, "tags of what goes"),
]


@pytest.mark.parametrize(("model", "options", "complaint"), WANTING)
def test_batches_need_an_endpoint_a_journal_and_no_hedging(
    model: str, options: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    url = None if model.startswith("simulated") else "http://127.0.0.1:9/v1"
    given = {
        "base_url": url,
        "budget": Budget(usd=1),
        "price": PRICE,
        "journal": tmp_path / "journal.db",
        "batch": True,
    }

    with pytest.raises(UserError, match=complaint):
        Engine(model, **{**given, **options})


# -- what is written down


@asynccontextmanager
async def journal_at(path: Path) -> AsyncIterator[Journal]:
    async with await Journal.open(path) as journal:
        yield journal


LINES = [(bytes([number]) * 32, 100 + number, "label", b"[]") for number in range(5)]


def test_attempts_in_a_batch_stay_in_flight_when_their_process_ends_and_others_are_charged(tmp_path: Path) -> None:
    async def main() -> None:
        async with journal_at(tmp_path / "journal.db") as journal:
            alone = await journal.intend(b"x" * 32, bound=7, tag="")
            numbers = await journal.intend_batch("b1", LINES, asked_of="m", at=1.5)
            await journal.note_batch("b1", "created", {"batch": "id-1"})
            await journal.settle(numbers[1], raw=None, cost=3, assumed=False)
        async with journal_at(tmp_path / "journal.db") as journal:
            assert (journal.recovered, journal.assumed, journal.spent) == (1, 7, 3)
            (batch,) = journal.open_batches()
            assert (batch.name, batch.asked_of, batch.at) == ("b1", "m", 1.5)
            assert batch.attempts == range(alone + 1, alone + 6)
            assert batch.notes["created"] == {"batch": "id-1"}
            assert [line.attempt for line in batch.lines] == [number for number in numbers if number != numbers[1]]
            for line in batch.lines:
                await journal.settle(line.attempt, raw=None, cost=1, assumed=False)
            assert journal.open_batches() == []
        async with journal_at(tmp_path / "journal.db") as journal:
            assert (journal.recovered, journal.spent) == (0, 7)

    asyncio.run(main())


def test_a_journal_from_before_there_were_batches_can_be_gone_on_with(tmp_path: Path) -> None:
    import sqlite3

    async def main() -> None:
        path = tmp_path / "journal.db"
        async with journal_at(path) as journal:
            await journal.intend(b"x" * 32, bound=7, tag="")
        with sqlite3.connect(path) as database:
            database.execute("DROP TABLE batch")
        database.close()
        async with journal_at(path) as journal:
            assert journal.assumed == 7
            assert len(await journal.intend_batch("b1", LINES, asked_of="m", at=0.0)) == 5
            assert len(journal.open_batches()) == 1

    asyncio.run(main())


def test_a_note_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    import sqlite3

    async def main() -> None:
        path = tmp_path / "journal.db"
        async with journal_at(path) as journal:
            await journal.intend_batch("b1", LINES, asked_of="m", at=0.0)
        with sqlite3.connect(path) as database:
            database.execute("UPDATE batch SET told = replace(told, 'first', 'worst')")
        database.close()
        with pytest.raises(UserError, match="damaged"):
            await Journal.open(path)

    asyncio.run(main())


MESSAGES = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=9))


@given(
    st.builds(
        Request,
        messages=st.lists(
            st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=9)),
            min_size=1,
            max_size=3,
        ),
        max_tokens=st.integers(1, 10**6),
        temperature=st.none() | st.floats(0, 2),
        n=st.integers(1, 9),
        stop=st.lists(st.text(max_size=5), max_size=3),
        seed=st.none() | st.integers(-(2**40), 2**40),
        schema=st.none() | st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=5), max_size=2),
        sample=st.integers(0, 99),
        tag=st.just("label"),
    )
)
def test_a_request_that_was_written_down_is_read_as_it_was(request_: Request) -> None:
    canonical = request_.canonical(asked_of="m")

    again = Request.from_canonical(canonical, tag="label")

    assert again == request_
    assert again.identity(asked_of="m") == request_.identity(asked_of="m")


@pytest.mark.parametrize("provider", [OpenAI, Simulated])
def test_who_has_a_batch_endpoint_says_so(provider: type) -> None:
    assert hasattr(provider, "batches") is (provider is OpenAI)
