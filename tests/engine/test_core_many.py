"""Many requests at once: every row ends, whoever stops or is cancelled leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import Engine, Limits, Outcome
from engine.fakes import virtual_time
from engine.journal import Journal
from engine.providers import ConnectionFailed
from tests.engine.asking import GENEROUS, nothing_is_left, question, questions
from tests.engine.scripted import Scripted, Step, ask_all, refusal

# -- many


@pytest.mark.parametrize("ordered", [True, False])
def test_every_row_ends_as_a_value_or_as_a_typed_failure(ordered: bool) -> None:
    steps: list[Step] = [ConnectionFailed("reset"), refusal(400, "context_length_exceeded"), refusal(503)]
    rows = questions(200)
    outcomes = ask_all(Scripted(*steps), rows, ordered=ordered)

    assert len(outcomes) == 200
    assert sum(outcome.error is not None for outcome in outcomes) == 1
    if ordered:
        assert [outcome.request for outcome in outcomes] == rows


@pytest.mark.long
def test_a_consumer_that_stops_early_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with Engine(Scripted(), budget=GENEROUS) as engine:
            async for _ in engine.map(questions(1000), ordered=False):
                break
            gc.collect()
            await asyncio.sleep(1)
            assert nothing_is_left(engine)
            assert (await engine.ask(question("still works"))).text == "STILL WORKS"

    virtual_time.run(main())


def test_closing_while_rows_are_on_their_way_is_said_and_leaves_no_open_intent(tmp_path: Path) -> None:
    async def main() -> None:
        engine = Engine(Scripted(latency_s=30), budget=GENEROUS, journal=tmp_path / "journal.db")
        await engine.__aenter__()
        rows = engine.map(questions(100))

        async def consume() -> Outcome:
            return await anext(rows)

        consumer = asyncio.get_running_loop().create_task(consume())
        await asyncio.sleep(0.1)
        await engine.aclose()
        with pytest.raises(RuntimeError, match="still on their way"):
            await consumer

    async def after() -> int:
        async with await Journal.open(tmp_path / "journal.db") as journal:
            return journal.recovered

    asyncio.run(main())
    assert asyncio.run(after()) == 0


# -- cancelled


def cancel_after(steps: int, provider: Callable[[], Scripted], journal: Path | None) -> Callable[[], object]:
    """Ask, let the loop turn so many times, cancel, and look for what stayed behind."""

    async def main() -> bool:
        async with Engine(
            provider(), budget=GENEROUS, concurrency=1, limits=Limits(rpm=60_000), journal=journal
        ) as engine:
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(engine.ask(question(f"{i}"))) for i in range(3)]
            for _ in range(steps):
                await asyncio.sleep(0)
                time.sleep(0)  # noqa: ASYNC251 - lets the journal's thread run, which a loop that only turns would keep waiting
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert (await engine.ask(question("after"))).text == "AFTER"
            assert nothing_is_left(engine)  # now that what was written off before is on disk
            return all(not task.cancelled() for task in tasks)

    return main


def zero_latency() -> Scripted:
    return Scripted(latency_s=0)


def stumbling() -> Scripted:
    return Scripted(ConnectionFailed("reset"), refusal(429, "rate_limit_exceeded"), latency_s=0)


@pytest.mark.parametrize("provider", [zero_latency, stumbling])
def test_cancelling_at_any_step_leaves_nothing_behind(provider: Callable[[], Scripted]) -> None:
    for steps in range(40):
        virtual_time.run(cancel_after(steps, provider, None)())  # type: ignore[arg-type]


def test_cancelling_at_any_step_leaves_nothing_behind_on_disk(tmp_path: Path) -> None:
    steps, ended = 0, False
    while not ended:
        ended = bool(asyncio.run(cancel_after(steps, zero_latency, tmp_path / f"{steps}" / "journal.db")()))  # type: ignore[arg-type]
        steps += 1 + steps // 2
        assert steps < 20_000
