"""What binds right now: one thing is named, it is the right one, and finding out costs the run nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import FREE, Budget, Engine, Limits, Request
from engine.clock import SystemClock
from engine.fakes import virtual_time
from engine.fakes.worlds import EchoWorld
from engine.providers.simulated import Simulated
from engine.statistics import BUSY, SHORTEST_LOOK_S, Load, wanted_s, what_binds


class WorkingClock(SystemClock):
    """A clock on which no time passes but what the processor spends: there is never a moment without work."""

    def monotonic(self) -> float:
        return wanted_s() + 1000.0


def questions(count: int) -> list[Request]:
    return [Request.user(f"row {i}", max_tokens=10) for i in range(count)]


def bound_at(seconds: float, engine: Callable[[], Engine], run: Callable[[Engine], Coroutine[Any, Any, None]]) -> str:
    """What binds so many seconds into a run."""

    async def main() -> str:
        async with engine() as opened:
            running = asyncio.get_running_loop().create_task(run(opened))
            await asyncio.sleep(seconds)
            binding = opened.statistics().binding
            running.cancel()
            await asyncio.wait([running])
            return binding

    return virtual_time.run(main())


def echo(**given: Any) -> Engine:
    told: dict[str, Any] = {"price": FREE} | given
    return Engine(Simulated(EchoWorld(latency_s=1.0), SystemClock()), **told)


async def take_all(engine: Engine) -> None:
    async for _ in engine.map(questions(2000), ordered=False):
        pass


# -- one of them is named


NOTHING = {"money": False, "line": None, "held_up_by": None, "cpu": False}


@pytest.mark.parametrize(
    ("found", "binding"),
    [
        pytest.param({}, "lack of work", id="nothing"),
        pytest.param({"line": "requests"}, "requests", id="a limit"),
        pytest.param({"line": "concurrency"}, "concurrency", id="slots"),
        pytest.param({"line": "provider weather"}, "provider weather", id="weather"),
        pytest.param({"money": True, "line": "concurrency"}, "money", id="money before slots"),
        pytest.param({"cpu": True}, "CPU", id="the processor"),
        pytest.param({"cpu": True, "line": "concurrency"}, "CPU", id="slots are taken because the processor is full"),
        pytest.param({"cpu": True, "line": "tokens"}, "tokens", id="a limit that is reached is reached"),
        pytest.param({"held_up_by": "slow consumer"}, "slow consumer", id="the consumer"),
        pytest.param({"held_up_by": "slow consumer", "cpu": True}, "slow consumer", id="a consumer that computes"),
        pytest.param({"held_up_by": "straggler"}, "straggler", id="a straggler"),
        pytest.param({"held_up_by": "straggler", "line": "requests"}, "requests", id="others wait besides"),
    ],
)
def test_what_binds_is_one_thing(found: dict[str, Any], binding: str) -> None:
    assert what_binds(**(NOTHING | found)) == binding


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(SHORTEST_LOOK_S, 10.0)), min_size=1, max_size=20))
def test_the_load_is_that_between_two_looks(spans: list[tuple[float, float]]) -> None:
    load, cpu, now = Load(0.0, 0.0), 0.0, 0.0
    for share, seconds in spans:
        cpu, now = cpu + share * seconds, now + seconds * (1 + 1e-9)
        is_full = load.is_full(wanted_s=cpu, now=now)
        assert load.share == pytest.approx(share, abs=1e-6)
        assert is_full == (load.share >= BUSY)


def test_a_look_too_soon_says_what_the_last_one_said() -> None:
    load = Load(0.0, 0.0)

    assert load.is_full(wanted_s=1.0, now=1.0)
    assert load.is_full(wanted_s=1.0, now=1.0 + SHORTEST_LOOK_S / 2)
    assert not load.is_full(wanted_s=1.0, now=1.0 + SHORTEST_LOOK_S * 2)


def test_a_clock_that_is_not_the_machines_tells_no_load() -> None:
    assert not Load(0.0, 0.0).is_full(wanted_s=50.0, now=1.0)


# -- in an engine


def test_before_anything_is_asked_there_is_a_lack_of_work() -> None:
    async def nothing(_: Engine) -> None:
        await asyncio.sleep(60)

    assert bound_at(5, echo, nothing) == "lack of work"


def test_slots_bind() -> None:
    assert bound_at(5, lambda: echo(concurrency=10), take_all) == "concurrency"


def test_a_limit_binds() -> None:
    assert bound_at(5, lambda: echo(limits=Limits(rpm=60)), take_all) == "requests"
    assert bound_at(5, lambda: echo(limits=Limits(tpm=600)), take_all) == "tokens"
    assert bound_at(5, lambda: echo(limits=Limits(rpd=20)), take_all) == "requests per day"


def test_money_binds_while_what_is_in_flight_may_give_some_back() -> None:
    def poor() -> Engine:
        return Engine(Simulated(EchoWorld(latency_s=10.0), SystemClock()), budget=Budget(usd="0.0002"))

    assert bound_at(5, poor, take_all) == "money"


def test_a_consumer_that_takes_its_time_binds() -> None:
    async def dawdle(engine: Engine) -> None:
        async for _ in engine.map(questions(2000), ordered=True):
            await asyncio.sleep(10)

    assert bound_at(100, lambda: echo(concurrency=10), dawdle) == "slow consumer"


def test_in_order_a_straggler_binds() -> None:
    class OneIsSlow(EchoWorld):
        def answer(self, messages: Any, **given: Any) -> Any:
            answer = super().answer(messages, **given)
            return type(answer)(answer.text, latency_s=100.0) if answer.text == "row 0" else answer

    async def in_order(engine: Engine) -> None:
        async for _ in engine.map(questions(2000), ordered=True):
            pass

    def slow() -> Engine:
        return Engine(Simulated(OneIsSlow(latency_s=1.0), SystemClock()), price=FREE, concurrency=50)

    assert bound_at(50, slow, in_order) == "straggler"


def test_an_iterable_that_takes_its_time_is_a_lack_of_work() -> None:
    async def slowly() -> AsyncIterator[Request]:
        for request in questions(100):
            await asyncio.sleep(10)
            yield request

    async def take(engine: Engine) -> None:
        async for _ in engine.map(slowly()):
            pass

    assert bound_at(55, echo, take) == "lack of work"


def test_what_a_thread_wants_of_the_processor_only_grows_while_it_computes() -> None:
    before = wanted_s()
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        pass

    assert wanted_s() - before >= 0.02


def test_a_processor_that_never_rests_binds() -> None:
    def busy() -> Engine:
        return echo(clock=WorkingClock())

    async def main() -> str:
        async with busy() as engine:
            until = time.thread_time() + 1.5 * SHORTEST_LOOK_S
            while time.thread_time() < until:
                await engine.ask(Request.user(f"{time.thread_time()}", max_tokens=10))
            return engine.statistics().binding

    assert virtual_time.run(main()) == "CPU"
