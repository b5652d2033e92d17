"""The same bytes, whoever carries the words, however fast, and whenever it was killed. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from engine.fakes.faults import FaultRates
from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.providers.resolve import world_named
from tests.end_to_end.commands import Ended, Watched, data_of, generating, smelt, stopped_at, teacher

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize(
    ("more", "error_rate"),
    [
        pytest.param((), 0.0, id="plain"),
        pytest.param(("--concurrency", 3), 0.0, id="3 in flight"),
        pytest.param(("--concurrency", 50), 0.05, id="50 in flight and 5 % errors"),
    ],
)
def test_the_same_seed_gives_the_same_bytes_over_every_wire(
    tmp_path: Path, undisturbed: dict[str, bytes], dialect: str, more: tuple[object, ...], error_rate: float
) -> None:
    world = Watched("dates")

    async def run() -> Ended:
        async with FakeProvider(world, latency_scale=0.05, faults=FaultRates(error=error_rate)) as fake:
            done = await smelt(*generating(tmp_path / "run", *more, url=fake.url, dialect=dialect))
            assert bool(fake.audit.count(500)) is (error_rate > 0)
            return done

    done = asyncio.run(run())

    assert (done.code, done.out, done.err) == (0, "", "")
    assert world.lists_of_labels > 100
    assert data_of(tmp_path / "run") == undisturbed


def test_another_seed_gives_other_bytes(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    async def run() -> Ended:
        async with FakeProvider(world_named("dates", seed=0), latency_scale=0) as fake:
            return await smelt(*generating(tmp_path / "run", "--seed", 1, url=fake.url))

    assert asyncio.run(run()).code == 0
    assert data_of(tmp_path / "run")["train"] != undisturbed["train"]


def test_the_same_command_again_goes_on_where_it_was_and_pays_nothing(tmp_path: Path) -> None:
    async def run() -> tuple[Ended, int, Ended, int]:
        world = Watched("dates")
        async with FakeProvider(world, latency_scale=0) as fake:
            words = generating(tmp_path / "run", "--json", url=fake.url)
            return await smelt(*words), world.asked.total(), await smelt(*words), world.asked.total()

    first, asked, second, asked_in_all = asyncio.run(run())

    assert (first.code, second.code) == (0, 0)
    assert asked_in_all == asked
    assert second.table()["data"] == first.table()["data"]


def test_the_same_command_at_another_pace_goes_on_where_it_was(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    """Stopped by a deadline while it goes slowly, then quickly to its end."""
    run = tmp_path / "run"
    world = Watched("dates")

    async def slowly_and_quickly() -> tuple[Ended, int, Ended]:
        world.latency_s = 0.2
        async with FakeProvider(world) as fake:
            slow = await smelt(*generating(run, "--concurrency", 2, "--deadline", 2, url=fake.url))
            world.latency_s = 0
            in_flight = peek(run / "journal.db").in_flight
            return slow, in_flight, await smelt(*generating(run, "--concurrency", 30, url=fake.url))

    slow, in_flight, quick = asyncio.run(slowly_and_quickly())

    assert (slow.code, slow.out, slow.err.count("\n")) == (130, "", 1)
    assert "the run's time of 2 s is over" in slow.err
    assert slow.err.rstrip().endswith(f"to go on: smelt resume {run}")
    assert in_flight == 0
    assert (quick.code, quick.out, quick.err) == (0, "", "")
    assert data_of(run) == undisturbed
    assert world.asked_again == 0


@pytest.mark.parametrize("asked", [1, 7, 40, 100, 140])
def test_a_run_that_was_killed_ends_with_the_same_bytes_and_asks_no_durable_reply_again(
    tmp_path: Path, undisturbed: dict[str, bytes], asked: int
) -> None:
    """`kill -9` at the first question, among the first, and in the thick of it, where labels come in lists."""
    run = tmp_path / "run"
    world = Watched("dates")

    async def kill_and_resume() -> tuple[Ended, int, Ended]:
        async with teacher(world) as fake:
            killed = await stopped_at(world, asked, signal.SIGKILL, generating(run, url=fake.url))
            in_flight = peek(run / "journal.db").in_flight
            return killed, in_flight, await smelt("resume", run, "--quiet")

    killed, in_flight, resumed = asyncio.run(kill_and_resume())

    assert killed.code == -signal.SIGKILL
    assert in_flight >= 1
    assert (resumed.code, resumed.out, resumed.err) == (0, "", "")
    assert data_of(run) == undisturbed
    assert world.asked_again <= in_flight
    assert peek(run / "journal.db").answered_twice == 0
