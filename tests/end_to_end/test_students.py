"""From a prompt to a student and its report. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import jsonschema
import pytest

from tests.end_to_end.commands import DATES, INTENTS, Ended, Watched, ended, smelt, start, teacher

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"

pytestmark = pytest.mark.slow


def test_a_prompt_becomes_a_student_with_an_honest_report(routed: tuple[Path, Ended]) -> None:
    run, done = routed
    report = done.table()
    judgements = {judgement["on"]: judgement for judgement in report["judgements"]}  # type: ignore[attr-defined]
    real = judgements["test"]
    best_rival = max(judged["scores"][0]["value"] for judged in real["baselines"])

    assert done.code == 0
    assert done.out.count("\n") == 1
    assert {"run.toml", "prompt.md", "journal.db", "spec.json", "data", "student", "report.json", "report.html"} <= {
        path.name for path in run.iterdir()
    }
    assert json.loads((run / "report.json").read_text()) == report
    jsonschema.validate(report, json.loads(SCHEMA.read_bytes()))
    assert report["choice"]["student"] == "linear"  # type: ignore[index]
    assert real["student"]["scores"][0]["low"] > best_rival
    assert "synthetic" in judgements
    assert report["simulated"] is True
    assert "simulated teacher" in done.err
    assert "simulated teacher" in (run / "report.html").read_text()
    assert "generate: done" in done.err


def test_the_parts_of_a_run_can_be_had_one_by_one(routed: tuple[Path, Ended], tmp_path: Path) -> None:
    """report, evaluate, train, each with one JSON object on its last line and nothing beside it."""
    run, done = routed

    async def look() -> tuple[Ended, Ended, Ended]:
        return (
            await smelt("report", run, "--json"),
            await smelt("evaluate", run, INTENTS / "test.jsonl", "--json"),
            await smelt("train", run / "data/train.parquet", "--student", "linear", "--out", tmp_path / "s", "--json"),
        )

    reported, evaluated, trained = asyncio.run(look())
    of_the_run = next(each for each in done.table()["judgements"] if each["on"] == "test")  # type: ignore[attr-defined]

    assert [each.code for each in (reported, evaluated, trained)] == [0, 0, 0]
    assert [each.out.count("\n") for each in (reported, evaluated, trained)] == [1, 1, 1]
    assert [each.err for each in (reported, evaluated, trained)] == ["", "", ""]
    assert reported.table() == done.table()
    assert evaluated.table()["student"] == of_the_run["student"]
    assert evaluated.table()["baselines"] == of_the_run["baselines"]
    assert trained.table()["student"]


def test_a_run_that_is_killed_while_it_trains_trains_when_it_is_resumed(tmp_path: Path) -> None:
    """The student `tiny`, for a few seconds: too few to learn dates, enough to be kept, judged and reported."""
    run = tmp_path / "run"
    world = Watched("dates")

    async def kill_in_training() -> tuple[int, Ended, int]:
        async with teacher(world, latency_scale=0) as fake:
            process = await start(
                "run", DATES / "prompt.md", "--model", "openai/dates", "--base-url", fake.url, "--price-in", "0.25",
                "--price-out", "2", "--budget", "5", "--examples", 120, "--student", "tiny", "--train-seconds", "8",
                "--threads", 1, "--out", run,
            )  # fmt: skip
            assert process.stdout is not None
            async for line in process.stdout:
                if line.startswith(b"train: started"):
                    process.kill()
            asked = world.asked.total()
            await ended(process)
            return asked, await smelt("resume", run, "--json"), world.asked.total()

    asked, resumed, asked_in_all = asyncio.run(kill_in_training())
    report = resumed.table()

    assert resumed.code == 0
    assert resumed.out.count("\n") == 1
    assert asked_in_all == asked
    assert report["training"]["family"] == "tiny"  # type: ignore[index]
    assert {path.name for path in (run / "student").iterdir()} >= {"student.json", "model.safetensors", "config.json"}
