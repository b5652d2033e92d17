"""From a prompt to a student and its report. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path

import jsonschema
import pytest

from tests.end_to_end.commands import INTENTS, Ended, Watched, ended, smelt, start, teacher

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


def test_a_run_that_is_killed_in_each_of_its_last_stages_ends_as_one_that_never_was(tmp_path: Path) -> None:
    """The student's bytes and the report, but for what tells the time; and nothing is asked again."""
    worlds = {name: Watched("intents") for name in ("whole", "killed")}
    runs = {name: tmp_path / name / "run" for name in worlds}

    def begin(name: str, url: str) -> tuple[object, ...]:
        return (
            "run", INTENTS / "prompt.md", "--model", "openai/intents", "--base-url", url, "--price-in", "0.25",
            "--price-out", "2", "--budget", "5", "--examples", 150, "--student", "linear", "--out", runs[name],
        )  # fmt: skip

    async def whole() -> Ended:
        async with teacher(worlds["whole"], latency_scale=0) as fake:
            return await smelt(*begin("whole", fake.url))

    async def killed() -> Ended:
        async with teacher(worlds["killed"], latency_scale=0) as fake:
            await killed_at(b"train: started", *begin("killed", fake.url))
            for moment in (b"evaluate: started", b"report: started"):
                await killed_at(moment, "resume", runs["killed"])
            return await smelt("resume", runs["killed"])

    ends = [asyncio.run(way()) for way in (whole, killed)]

    assert [each.code for each in ends] == [0, 0]
    assert worlds["killed"].asked == worlds["whole"].asked
    assert student_in(runs["killed"]) == student_in(runs["whole"])
    assert timeless(runs["killed"]) == timeless(runs["whole"])
    assert {path.name for path in runs["killed"].iterdir()} == {path.name for path in runs["whole"].iterdir()}


async def killed_at(moment: bytes, *words: object) -> None:
    """A command that is killed as soon as it says this."""
    process = await start(*words)
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(moment):
            process.kill()
    assert (await ended(process)).code == -signal.SIGKILL


def student_in(run: Path) -> dict[str, bytes]:
    folder = run / "student"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


TIMES = ("seconds", "_s", "pace", "path", "folder", "requests", "from_journal", "saved_by_journal")
TIME_TOLD = re.compile(r"[\d.,]+ (ms|s|min)\b")


def timeless(run: Path) -> object:
    """The report without what tells the time, the place, or who answered now: the journal's answers are no requests."""

    def without(value: object) -> object:
        if isinstance(value, dict):
            return {name: without(each) for name, each in value.items() if not name.endswith(TIMES)}
        if isinstance(value, list):
            return [without(each) for each in value]
        return TIME_TOLD.sub("", value.replace(str(run), "RUN")) if isinstance(value, str) else value

    return without(json.loads((run / "report.json").read_text()))
