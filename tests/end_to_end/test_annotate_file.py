"""A file of inputs is labelled over HTTP, killed and gone on with: nothing is paid twice. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from engine.journal import peek
from tests.end_to_end.commands import DATES, Ended, Watched, smelt, stopped_at, teacher

pytestmark = pytest.mark.slow

FILES = ("labelled.parquet", "unlabelled.parquet", "README.md")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred texts, some of them twice, and one that is empty."""
    rows = [json.loads(line)["input"] for line in (DATES / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [*rows[:270], *rows[:29], ""]
    path = tmp_path_factory.mktemp("inputs") / "posts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def annotating(inputs: Path, run: Path, *more: object, url: str, dialect: str = "openai") -> list[str]:
    prices = ("--price-in", "0.25", "--price-out", "2", "--budget", "5")
    model = ("--model", f"{dialect}/dates", "--base-url", url, *prices)
    words = ("annotate", DATES / "prompt.md", "--inputs", inputs, *model, "--out", run, "--quiet", *more)
    return [str(word) for word in words]


def labels_of(run: Path) -> dict[str, bytes]:
    return {name: (run / "data" / name).read_bytes() for name in FILES[:2]}


async def labelled(inputs: Path, run: Path, *more: object, dialect: str = "openai") -> Ended:
    async with teacher(Watched("dates")) as fake:
        return await smelt(*annotating(inputs, run, *more, url=fake.url, dialect=dialect))


@pytest.fixture(scope="module")
def undisturbed(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    done = asyncio.run(labelled(inputs, run))

    assert done.code == 0
    return labels_of(run)


@pytest.mark.parametrize("more", [("--concurrency", "2"), ("--concurrency", "100")], ids=" ".join)
def test_the_same_inputs_give_the_same_bytes_whoever_was_first(
    inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path, more: tuple[str, ...]
) -> None:
    done = asyncio.run(labelled(inputs, tmp_path / "run", *more))

    assert (done.code, done.out) == (0, "")
    assert labels_of(tmp_path / "run") == undisturbed


@pytest.mark.parametrize("asked", [1, 20, 50, 70])
def test_a_run_that_was_killed_ends_with_the_same_bytes_and_pays_no_reply_twice(
    inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path, asked: int
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def kill_and_resume() -> tuple[Ended, int, bool, Ended]:
        async with teacher(world) as fake:
            killed = await stopped_at(world, asked, signal.SIGKILL, annotating(inputs, run, url=fake.url))
            left = (run / "data" / "labelled.parquet").exists()
            return killed, peek(run / "journal.db").in_flight, left, await smelt("resume", run, "--quiet")

    killed, in_flight, left, resumed = asyncio.run(kill_and_resume())

    assert killed.code == -signal.SIGKILL
    assert not left
    assert (resumed.code, resumed.out, resumed.err) == (0, "", "")
    assert labels_of(run) == undisturbed
    assert sorted(path.name for path in (run / "data").iterdir()) == sorted(FILES)
    assert world.asked_again <= in_flight
    assert peek(run / "journal.db").answered_twice == 0


def test_an_interrupted_run_keeps_what_is_in_flight_and_says_how_to_go_on(
    inputs: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    world = Watched("dates")

    async def interrupt_and_resume() -> tuple[Ended, int, Ended]:
        async with teacher(world) as fake:
            stopped = await stopped_at(world, 50, signal.SIGINT, annotating(inputs, run, url=fake.url))
            return stopped, peek(run / "journal.db").in_flight, await smelt("resume", run, "--quiet")

    stopped, in_flight, resumed = asyncio.run(interrupt_and_resume())

    assert (stopped.code, stopped.out) == (130, "")
    assert stopped.err.rstrip().endswith(f"to go on: smelt resume {run}")
    assert in_flight == 0
    assert resumed.code == 0
    assert labels_of(run) == undisturbed
    assert world.asked_again == 0


def test_a_key_that_is_refused_ends_with_4_and_nothing_half_done(inputs: Path, tmp_path: Path) -> None:
    done = asyncio.run(smelt(*annotating(inputs, tmp_path / "run", "--deadline", "60", url="http://127.0.0.1:9/v1")))

    assert (done.code, done.out) == (4, "")
    assert not list((tmp_path / "run" / "data").glob("*.parquet"))
    assert "smelt resume" in done.err
