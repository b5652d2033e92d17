"""Python's collector runs rarely while an engine is open, and as before afterwards."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from engine import FREE, Engine, Request
from engine.clock import SystemClock
from engine.collector import RARELY, Collector, collector
from engine.fakes.worlds import EchoWorld
from engine.providers.simulated import Simulated

USUAL = (700, 10, 10)


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)


def test_it_runs_rarely_until_the_last_has_had_enough() -> None:
    collector = Collector()
    collector.slow_down()
    collector.slow_down()
    collector.speed_up()
    assert gc.get_threshold() == (RARELY, 10, 10)

    collector.speed_up()
    assert gc.get_threshold() == USUAL


@pytest.mark.parametrize("own", [(0, 10, 10), (RARELY, 5, 5), (RARELY + 1, 10, 10)])
def test_what_a_user_has_set_is_left_alone(own: tuple[int, int, int]) -> None:
    gc.set_threshold(*own)
    collector = Collector()
    collector.slow_down()
    assert gc.get_threshold() == own

    collector.speed_up()
    assert gc.get_threshold() == own


def test_what_a_user_sets_meanwhile_stays() -> None:
    collector = Collector()
    collector.slow_down()
    gc.set_threshold(1_000, 10, 10)
    collector.speed_up()

    assert gc.get_threshold() == (1_000, 10, 10)


def test_it_is_an_engine_that_wants_it_rarely_from_its_opening_to_its_closing() -> None:
    async def session() -> None:
        async with Engine(Simulated(EchoWorld(), SystemClock()), price=FREE) as engine:
            assert gc.get_threshold() == (RARELY, 10, 10)
            await engine.aclose()
            assert gc.get_threshold() == USUAL
        assert gc.get_threshold() == USUAL

    asyncio.run(session())
    assert collector.__repr__() == "<Collector [0 want it rarely | (700, 10, 10)]>"


@pytest.mark.long
def test_a_request_that_has_ended_leaves_no_cycle_behind() -> None:
    async def session() -> int:
        async with Engine(Simulated(EchoWorld(), SystemClock()), price=FREE) as engine:
            await engine.ask(Request.user("open"))
            gc.collect()
            async for _ in engine.map(Request.user(f"row {i}") for i in range(200)):
                pass
            return gc.collect()

    assert asyncio.run(session()) < 200
