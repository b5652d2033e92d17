"""Runs that several files look at, each carried out once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.fakes.server import FakeProvider
from engine.providers.resolve import world_named
from tests.agents.commands import in_this_process
from tests.at_once import at_once
from tests.end_to_end.commands import DATES, INTENTS, ROWS, Ended, data_of, smelt


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The data as they come of a run in one go, with the teacher in the same process."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    words = ("generate", DATES / "prompt.md", "--model", "simulated/dates", "--examples", ROWS, "--out", run, "--quiet")

    with at_once():
        done = in_this_process(*words)

    assert (done.code, done.out, done.err) == (0, "", "")
    return data_of(run)


@pytest.fixture(scope="session")
def routed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A run with a linear student, judged by real rows too."""
    run = tmp_path_factory.mktemp("routed") / "routing"

    async def make() -> Ended:
        async with FakeProvider(world_named("intents", seed=0), latency_scale=0.02) as fake:
            return await smelt(
                "run", INTENTS / "prompt.md", "--model", "openai/intents", "--base-url", fake.url, "--price-in", "0.25",
                "--price-out", "2", "--budget", "5", "--examples", 600, "--test", INTENTS / "test.jsonl", "--out", run,
                "--json",
            )  # fmt: skip

    return run, asyncio.run(make())
