"""A run that tries several students first, on a machine whose cache has two base models, one of them damaged. Slow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.fakes.checkpoints import save_seq2seq
from engine.fakes.server import FakeProvider
from engine.providers.resolve import world_named
from tests.end_to_end.commands import INTENTS, Ended, smelt

pytestmark = pytest.mark.slow

WHOLE, DAMAGED = "google/t5-efficient-tiny", "google/t5-efficient-mini"


def cached(cache: Path, name: str) -> Path:
    """A small model with random weights, where the hub's cache would have the one of that name."""
    place = cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("some-revision")
    return save_seq2seq(place / "snapshots" / "some-revision")


def test_students_are_tried_the_best_is_trained_in_full_and_the_report_has_the_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(tmp_path / "cache", WHOLE)
    (cached(tmp_path / "cache", DAMAGED) / "model.safetensors").write_bytes(b"half")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run = tmp_path / "run"

    async def make() -> tuple[Ended, Ended]:
        async with FakeProvider(world_named("intents", seed=0), latency_scale=0) as fake:
            made = await smelt(
                "run", INTENTS / "prompt.md", "--model", "openai/intents", "--base-url", fake.url, "--price-in", "0.25",
                "--price-out", "2", "--budget", "5", "--examples", 200, "--trial", 3, "--train-seconds", 60,
                "--threads", 1, "--out", run, "--json",
            )  # fmt: skip
            return made, await smelt("resume", run, "--json")

    done, again = asyncio.run(make())
    choice = done.table()["choice"]
    rounds = choice["trial"]  # type: ignore[index]

    assert (done.code, again.code) == (0, 0)
    assert [line["student"] for line in rounds if line["round"] == "1"][-1] == DAMAGED
    assert {line["student"] for line in rounds} == {"linear", "tiny", WHOLE, DAMAGED}
    assert choice["student"] == "linear"  # type: ignore[index]
    assert f"{DAMAGED} is out: " in done.err
    assert "the trial is over: the best of 4 students" in again.err
    assert again.table()["choice"] == choice
    assert again.table()["judgements"] == done.table()["judgements"]
    assert not {"trial", "trial.part", "student.part"} & {path.name for path in run.iterdir()}
