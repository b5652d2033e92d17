"""Runs that are interrupted or entered by another, and brought to their end. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from engine.fakes.server import FakeProvider
from engine.journal import peek
from tests.end_to_end.commands import (
    Ended,
    Watched,
    data_of,
    ended,
    generating,
    signal_to,
    smelt,
    start,
    stopped_at,
    teacher,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_brings_home_what_is_in_flight_and_says_how_to_go_on(
    tmp_path: Path, undisturbed: dict[str, bytes], number: signal.Signals
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def interrupt_and_resume() -> tuple[Ended, int, Ended]:
        async with teacher(world) as fake:
            stopped = await stopped_at(world, 100, number, generating(run, url=fake.url))
            return stopped, peek(run / "journal.db").in_flight, await smelt("resume", run, "--quiet")

    stopped, in_flight, resumed = asyncio.run(interrupt_and_resume())

    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.count("\n") == 1
    assert stopped.err.rstrip().endswith(f"to go on: smelt resume {run}")
    assert in_flight == 0
    assert resumed.code == 0
    assert data_of(run) == undisturbed
    assert world.asked_again == 0


def test_a_second_interrupt_stops_at_once_and_the_run_can_still_be_resumed(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def interrupt_twice() -> tuple[Ended, int]:
        async with FakeProvider(world, latency_scale=1) as fake:
            process = await start(*generating(run, url=fake.url))

            def interrupt_in_a_long_wait() -> None:
                world.latency_s = 1000
                signal_to(process, signal.SIGINT)

            world.when(30, interrupt_in_a_long_wait)
            async with asyncio.timeout(30):
                while process.returncode is None:
                    await asyncio.sleep(0.2)  # an impatient hand on Ctrl-C
                    if world.latency_s is not None:
                        signal_to(process, signal.SIGINT)
            return await ended(process), fake.port

    async def resume(port: int) -> Ended:
        world.latency_s = 0
        async with FakeProvider(world, port=port):
            return await smelt("resume", run, "--quiet")

    stopped, port = asyncio.run(interrupt_twice())
    resumed = asyncio.run(resume(port))

    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.count("\n") == 1
    assert f"smelt resume {run}" in stopped.err
    assert resumed.code == 0
    assert data_of(run) == undisturbed


def test_a_run_that_is_under_way_is_not_entered_by_another(tmp_path: Path) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def enter() -> Ended:
        async with FakeProvider(world, latency_scale=1) as fake:
            words = generating(run, url=fake.url)
            first = await start(*words)
            under_way = asyncio.Event()

            def wait_long() -> None:
                world.latency_s = 1000
                under_way.set()

            world.when(20, wait_long)
            await under_way.wait()
            second = await smelt(*words)
            first.kill()
            await ended(first)
            return second

    second = asyncio.run(enter())

    assert (second.code, second.out) == (2, "")
    assert second.err.count("\n") == 1
    assert "is in use: wait for the run that holds it" in second.err
