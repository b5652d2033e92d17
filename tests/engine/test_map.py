"""Many rows through one engine: bounded, pushed back at both ends, stopped cleanly, and over when the run's time is."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from engine import (
    FREE,
    Engine,
    Interrupted,
    Limits,
    Outcome,
    Request,
    SmeltError,
)
from engine.attempt import SHORTEST_LINE
from engine.fakes import virtual_time
from engine.messages import RawReply
from engine.throttle import Demand
from tests.engine.asking import GENEROUS, Given, nothing_is_left, now, question

LATENCY_S = 1.0
AT_ONCE = 5 + SHORTEST_LINE + 1  # in flight, in line, and just ended


class Plain(Given):
    """Answers every text in capitals after a second; a text that was told to gets that status at first."""

    def __init__(
        self,
        *,
        latency_s: float = LATENCY_S,
        statuses: dict[str, list[int]] | None = None,
        retry_after: str | None = None,
    ) -> None:
        self.latency_s = latency_s
        self.headers = {} if retry_after is None else {"retry-after": retry_after}
        self.statuses = statuses or {}
        self.sent: list[str] = []
        self.at_once = self.most_at_once = 0

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - never that slow
        text = request.messages[-1].content
        self.sent.append(text)
        statuses = self.statuses.get(text, [])
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.at_once -= 1
        if statuses:
            return RawReply(statuses.pop(0), self.headers, text.upper().encode(), self.latency_s)
        return RawReply(200, {}, text.upper().encode(), self.latency_s)


def the_next_may_leave(engine: Engine) -> bool:
    """No permit is lost: at a hundred a second, nobody has to wait for much longer than one takes."""
    return engine._routes.branches[0].admission.pace.ready_at(Demand(1, 1, 1, 1), now=now()) <= now() + 0.05


class Rows:
    """So many rows, as an iterable of either kind, that knows how many were taken, and may break at its end."""

    def __init__(self, count: int, *, is_async: bool, breaks: bool = False) -> None:
        self.count, self.is_async, self.breaks = count, is_async, breaks
        self.pulled = 0

    def items(self) -> Any:
        return self.slowly() if self.is_async else self.at_once()

    def at_once(self) -> Iterator[Request]:
        for i in range(self.count):
            self.pulled += 1
            yield question(f"row {i}")
        if self.breaks:
            raise LookupError("the file ends here")

    async def slowly(self) -> AsyncIterator[Request]:
        for row in self.at_once():
            await asyncio.sleep(0.001)
            yield row


BOTH_KINDS = pytest.mark.parametrize("is_async", [False, True], ids=["iterable", "async iterable"])
BOTH_ORDERS = pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "as completed"])


# -- bounded


@BOTH_KINDS
@BOTH_ORDERS
def test_a_slow_consumer_stops_the_pulling_and_the_sending(ordered: bool, is_async: bool) -> None:
    async def main() -> None:
        provider, rows, taken = Plain(), Rows(2000, is_async=is_async), 0
        async with Engine(provider, budget=GENEROUS, concurrency=5) as engine:
            async for _ in engine.map(rows.items(), ordered=ordered):
                taken += 1
                await asyncio.sleep(20)
                most = 8 * 5 + AT_ONCE
                assert rows.pulled - taken < most
                assert len(provider.sent) - taken < most
                if taken == 100:
                    break

    virtual_time.run(main())


def test_a_slow_provider_stops_the_pulling() -> None:
    async def main() -> None:
        provider, rows, taken = Plain(latency_s=30), Rows(500, is_async=False), 0
        async with Engine(provider, budget=GENEROUS, concurrency=5) as engine:
            async for _ in engine.map(rows.items(), ordered=False):
                taken += 1
                assert rows.pulled - taken <= AT_ONCE
        assert provider.most_at_once == 5

    virtual_time.run(main())


@BOTH_ORDERS
def test_rows_that_wait_for_another_try_keep_no_slot_from_the_others(ordered: bool) -> None:
    async def main() -> float:
        provider = Plain(statuses={f"row {i}": [503] for i in range(10, 800, 20)}, retry_after="30")
        questions = (question(f"row {i}") for i in range(800))
        async with Engine(provider, price=FREE, concurrency=4) as engine:
            started_at = now()
            outcomes = [outcome async for outcome in engine.map(questions, ordered=ordered)]
            assert all(outcome.reply for outcome in outcomes)
            return now() - started_at

    least_s = 800 * LATENCY_S / 4
    assert virtual_time.run(main()) < 1.25 * least_s + 30


@BOTH_ORDERS
def test_hardly_more_is_pulled_than_a_limit_lets_through(ordered: bool) -> None:
    async def main() -> int:
        rows, taken = Rows(100_000, is_async=False), 0
        async with (
            Engine(Plain(), price=FREE, limits=Limits(rpm=600)) as engine,
            aclosing(engine.map(rows.items(), ordered=ordered)) as outcomes,
        ):
            async for _ in outcomes:
                taken += 1
                if taken == 200:
                    break
        return rows.pulled - taken

    assert virtual_time.run(main()) <= 3 * SHORTEST_LINE


@BOTH_ORDERS
@pytest.mark.long
def test_rows_take_no_task_and_no_memory_each(ordered: bool) -> None:
    """What is alive in the middle of a run does not depend on how long it is."""

    async def alive(count: int) -> tuple[int, int]:
        async with Engine(Plain(), price=FREE, concurrency=20) as engine:
            async for outcome in engine.map((question(f"row {i}") for i in range(count)), ordered=ordered):
                if outcome.request.messages[0].content == f"row {count - 200}":
                    gc.collect()
                    kinds = Counter(type(thing).__name__ for thing in gc.get_objects())
                    return len(asyncio.all_tasks()), sum(
                        kinds[kind] for kind in ("Request", "Outcome", "Reply", "Question", "Task", "Future")
                    )
        raise AssertionError("unreachable")

    (few_tasks, few), (many_tasks, many) = virtual_time.run(alive(400)), virtual_time.run(alive(1_600))
    assert many_tasks <= few_tasks + 1 <= 2 * 20 + 3
    assert many <= few + 10


# -- broken and stopped


@BOTH_KINDS
@BOTH_ORDERS
def test_rows_that_raise_half_way_are_heard_once_after_all_that_was_sent(ordered: bool, is_async: bool) -> None:
    async def main() -> None:
        provider, rows = Plain(), Rows(50, is_async=is_async, breaks=True)
        texts, errors = [], 0
        async with Engine(provider, budget=GENEROUS) as engine:
            outcomes = engine.map(rows.items(), ordered=ordered)
            try:
                async for outcome in outcomes:
                    texts.append(outcome.unwrap().text)  # noqa: PERF401 - what came before the error counts
            except LookupError:
                errors += 1
            with pytest.raises(StopAsyncIteration):
                await anext(outcomes)
            assert engine._opened().counts().replies == len(provider.sent) == 50
            assert nothing_is_left(engine)
        assert sorted(texts) == sorted(f"ROW {i}" for i in range(50))
        assert errors == 1
        assert not ordered or texts == [f"ROW {i}" for i in range(50)]

    virtual_time.run(main())


@BOTH_KINDS
@BOTH_ORDERS
@pytest.mark.parametrize("hedge", [False, True], ids=["", "hedging"])
def test_a_consumer_that_stops_early_leaves_nobody_at_work(ordered: bool, is_async: bool, hedge: bool) -> None:
    async def main() -> None:
        provider, rows = Plain(), Rows(5000, is_async=is_async)
        async with Engine(provider, budget=GENEROUS, concurrency=30, hedge=hedge) as engine:
            taken = 0
            outcomes = engine.map(rows.items(), ordered=ordered)
            async for _ in outcomes:
                taken += 1
                if taken == 100:
                    break
            await outcomes.aclose()
            sent = len(provider.sent)
            assert nothing_is_left(engine)
            assert len(asyncio.all_tasks()) == 1
            await asyncio.sleep(10)
            assert len(provider.sent) == sent
            assert (await engine.ask(question("still works"))).text == "STILL WORKS"

    virtual_time.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("hedge", [False, True], ids=["", "hedging"])
@pytest.mark.parametrize("run_deadline_s", [None, 2.5], ids=["", "with a deadline"])
def test_cancelling_a_map_at_any_step_leaves_no_permit_no_slot_and_no_money(
    hedge: bool, run_deadline_s: float | None
) -> None:
    async def main(seconds: float, steps: int) -> None:
        statuses = {"row 1": [500, 500], "row 7": [503]}
        provider = Plain(statuses=statuses)
        told: dict[str, Any] = {"limits": Limits(rpm=6000), "hedge": hedge, "run_deadline_s": run_deadline_s}
        async with Engine(provider, budget=GENEROUS, concurrency=4, **told) as engine:

            async def consume() -> None:
                async with aclosing(engine.map(Rows(40, is_async=False).items())) as outcomes:
                    async for _ in outcomes:
                        pass

            consumer = asyncio.get_running_loop().create_task(consume())
            await asyncio.sleep(seconds)
            for _ in range(steps):
                await asyncio.sleep(0)
            consumer.cancel()
            await asyncio.wait([consumer])
            assert nothing_is_left(engine)
            assert len(asyncio.all_tasks()) == 1
            assert the_next_may_leave(engine)

    for seconds in (0.0, 1.0, 1.5, 2.5, 3.0):
        for steps in range(12):
            virtual_time.run(main(seconds, steps))


# -- the run's deadline


async def all_of(engine: Engine, count: int) -> list[Outcome]:
    return [outcome async for outcome in engine.map(Rows(count, is_async=False).items())]


def test_after_the_runs_deadline_nothing_is_sent_and_what_was_in_flight_is_kept() -> None:
    async def main() -> None:
        provider = Plain(latency_s=10)
        async with Engine(provider, budget=GENEROUS, concurrency=10, run_deadline_s=25) as engine:
            outcomes = await all_of(engine, 100)
            assert now() == 30
            assert nothing_is_left(engine)
        assert len(provider.sent) == 30
        assert [outcome.unwrap().text for outcome in outcomes[:30]] == [f"ROW {i}" for i in range(30)]
        errors = {str(outcome.error) for outcome in outcomes[30:]}
        assert {type(outcome.error) for outcome in outcomes[30:]} == {Interrupted}
        assert errors == {"the run's time of 25 s is over: nothing more is asked, and what was in flight is kept"}

    virtual_time.run(main())


def test_after_the_runs_deadline_the_journal_answers_still() -> None:
    async def main() -> None:
        async with Engine(Plain(), budget=GENEROUS, run_deadline_s=5) as engine:
            await engine.ask(question("known"))
            await asyncio.sleep(10)
            assert (await engine.ask(question("known"))).from_journal
            with pytest.raises(Interrupted, match="time of 5 s is over"):
                await engine.ask(question("new"))

    virtual_time.run(main())


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_fails_after_the_end_is_not_tried_again(status: int) -> None:
    """Nor is anything waited for: the last attempt in flight is the end."""

    async def main() -> None:
        async with Engine(Plain(statuses={"late": [status] * 9}), budget=GENEROUS, run_deadline_s=0.5) as engine:
            with pytest.raises(Interrupted):
                await engine.ask(question("late"))
            assert now() == LATENCY_S
            assert nothing_is_left(engine)

    virtual_time.run(main())


def test_whoever_waits_to_try_again_is_told_at_once_when_the_time_is_over() -> None:
    async def main() -> None:
        async with Engine(Plain(statuses={"late": [500] * 9}), budget=GENEROUS, run_deadline_s=1.1) as engine:
            with pytest.raises(Interrupted):
                await engine.ask(question("late"))
            assert now() == 1.1

    virtual_time.run(main())


def test_a_run_that_is_done_in_time_does_not_wait_for_its_deadline() -> None:
    async def main() -> float:
        async with Engine(Plain(), budget=GENEROUS, run_deadline_s=1000) as engine:
            await all_of(engine, 10)
        await asyncio.sleep(2000)  # and nothing happens to it afterwards
        return now()

    assert virtual_time.run(main()) == pytest.approx(2002, abs=1)


def test_the_first_reason_to_stop_is_the_one_that_is_told() -> None:
    async def main() -> None:
        async with Engine(Plain(), budget=GENEROUS, run_deadline_s=5) as engine:
            engine.drain()
            await asyncio.sleep(10)
            with pytest.raises(SmeltError, match="interrupted: nothing more is asked"):
                await engine.ask(question("new"))

    virtual_time.run(main())
