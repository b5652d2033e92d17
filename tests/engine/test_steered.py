"""An engine that somebody steers while it works: paused, resumed, with another budget."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, Engine, UserError
from engine.budget import Share
from engine.fakes import virtual_time
from engine.ledger import Ledger
from engine.messages import Outcome
from tests.engine.asking import GENEROUS, question, questions
from tests.engine.scripted import Scripted


def test_a_pause_sends_nothing_more_and_what_is_in_flight_comes_home() -> None:
    async def main() -> None:
        provider = Scripted(latency_s=1.0)
        async with Engine(provider, budget=GENEROUS, concurrency=2) as engine:
            work = asyncio.create_task(_all(engine, 6))
            await asyncio.sleep(0.5)
            engine.pause()
            await asyncio.sleep(100_000)

            assert len(provider.sent) == 2
            assert engine.statistics().replies == 2
            assert engine.statistics().binding == "pause"

            engine.resume()
            outcomes = await work
            assert all(outcome.error is None for outcome in outcomes)
            assert len(provider.sent) == 6

    virtual_time.run(main())


def test_a_pause_is_told_where_nobody_stands_in_line_either() -> None:
    """What gathers for a batch does not."""

    async def main() -> None:
        async with Engine(Scripted(), budget=GENEROUS) as engine:
            engine.pause()
            assert engine.statistics().binding == "pause"
            engine.resume()
            assert engine.statistics().binding == "lack of work"

    virtual_time.run(main())


def test_a_pause_ends_with_a_drain_too() -> None:
    async def main() -> None:
        provider = Scripted(latency_s=1.0)
        async with Engine(provider, budget=GENEROUS, concurrency=1) as engine:
            work = asyncio.create_task(_all(engine, 3))
            await asyncio.sleep(0.5)
            engine.pause()
            engine.drain()
            outcomes = await work

        assert [type(outcome.error).__name__ for outcome in outcomes] == ["NoneType", "Interrupted", "Interrupted"]

    virtual_time.run(main())


async def _all(engine: Engine, count: int) -> list[Outcome]:
    return [outcome async for outcome in engine.map(questions(count))]


def test_another_budget_holds_from_now_on() -> None:
    async def main() -> None:
        async with Engine(Scripted(), budget=Budget(usd=1)) as engine:
            await engine.ask(question())
            spent = engine.statistics().spent

            engine.set_budget(Budget(usd=2))
            assert engine.statistics().cap == 2 * 10**12

            with pytest.raises(UserError, match="cannot become"):
                engine.set_budget(Budget(usd="0.000001"))
            with pytest.raises(UserError, match="shares"):
                engine.set_budget(Budget(usd=2, at_most={"generate": 0.5}))
            assert (engine.statistics().cap, engine.statistics().spent) == (2 * 10**12, spent)

    virtual_time.run(main())


def test_an_engine_shows_how_it_gets_on(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        async with Engine(Scripted(), budget=GENEROUS, progress=True) as engine:
            await engine.ask(question())

    virtual_time.run(main())

    assert "asking: test/model, a simulated teacher" in capsys.readouterr().err


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["reserve", "settle", "assume", "amend"]), st.integers(1, 900)), max_size=40
    )
)
def test_whatever_the_cap_becomes_no_more_is_taken(steps: list[tuple[str, int]]) -> None:
    ledger, opened = Ledger(1000, shares={"a": Share(at_most=600)}), []
    for step, amount in steps:
        if step == "reserve" and (taken := ledger.try_reserve(amount, stage="a" if amount % 2 else "")):
            opened.append(taken)
        elif step == "amend":
            committed = ledger.spent + ledger.assumed + ledger.reserved
            if amount < committed:
                with pytest.raises(ValueError, match="the cap cannot be"):
                    ledger.amend(amount, shares={"a": Share()})
            else:
                ledger.amend(amount, shares={"a": Share(at_most=amount // 2)})
        elif opened:
            reservation = opened.pop()
            if step == "settle":
                ledger.settle(reservation, min(amount, reservation.amount))
            else:
                ledger.assume(reservation)

        assert ledger.cap is not None
        assert ledger.spent + ledger.assumed + ledger.reserved <= ledger.cap


def test_who_waits_is_served_by_a_larger_cap() -> None:
    async def main() -> None:
        ledger = Ledger(100)
        first = ledger.try_reserve(80)
        assert first is not None
        waiting = asyncio.create_task(ledger.reserve(60))
        await asyncio.sleep(0)
        assert not waiting.done()

        ledger.amend(200)

        assert (await waiting).amount == 60

    virtual_time.run(main())
