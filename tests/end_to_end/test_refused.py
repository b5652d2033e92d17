"""Runs that end before their target: the money is spent, or the key is refused. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from engine.budget import Budget
from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.providers.resolve import world_named
from tests.end_to_end.commands import ROWS, Ended, Watched, data_of, generating, smelt, teacher

pytestmark = pytest.mark.slow


def test_a_budget_that_is_too_small_keeps_what_exists_and_more_money_goes_on_from_there(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")
    cap = Budget("0.012").cap

    async def run_short_and_resume() -> tuple[Ended, int, dict[str, bytes], int, Ended]:
        async with teacher(world) as fake:
            short = await smelt(*generating(run, "--json", url=fake.url, budget="0.012"))
            kept, billed = data_of(run), fake.audit.billed
            spent = sum(tag.spent + tag.assumed for tag in peek(run / "journal.db").by_tag.values())
            return short, spent, kept, billed, await smelt("resume", run, "--budget", "5", "--quiet")

    short, spent, kept, billed, resumed = asyncio.run(run_short_and_resume())
    data, money = short.table()["data"], short.table()["money"]

    assert short.code == 3
    assert isinstance(data, dict)
    assert isinstance(money, dict)
    assert f"smelt resume {run} --budget {money['outlook']['budget']}" in short.err.splitlines()[-1]
    assert f"{money['outlook']['usd']} USD more would bring about" in short.err
    assert 0 < data["accepted"] < ROWS
    assert all(kept.values())
    assert 0.5 * cap < spent <= cap
    assert billed <= cap
    assert resumed.code == 0
    assert data_of(run) == undisturbed
    assert world.asked_again == 0


def test_a_budget_for_nothing_says_so_and_how_to_go_on(tmp_path: Path) -> None:
    async def run() -> Ended:
        async with teacher(Watched("dates")) as fake:
            return await smelt(*generating(tmp_path / "run", url=fake.url, budget="0.000001"))

    done = asyncio.run(run())

    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1
    assert re.search(
        rf"USD more to go on. To go on: smelt resume {tmp_path / 'run'} --budget 0\.\d+$", done.err.strip()
    )


def test_a_provider_that_refuses_the_key_ends_the_run_with_its_own_code(tmp_path: Path) -> None:
    async def run() -> Ended:
        async with FakeProvider(world_named("dates", seed=0), api_key="another") as fake:
            return await smelt(*generating(tmp_path / "run", url=fake.url))

    done = asyncio.run(run())

    assert (done.code, done.out) == (4, "")
    assert done.err.count("\n") == 1
    assert f"when that is mended: smelt resume {tmp_path / 'run'}" in done.err
