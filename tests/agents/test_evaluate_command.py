"""`smelt evaluate`: in words and as JSON, what it leaves out, beside an LLM, and what it says of bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.reading.rows import read_rows
from tests.agents.commands import Ran, in_this_process
from tests.agents.test_cli import INTENTS, ROWS

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("at_once")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of half of the rows in `learnt.jsonl`, and rows that it has not seen in `fresh.jsonl`."""
    folder = tmp_path_factory.mktemp("judged")
    lines = ROWS.read_text(encoding="utf-8").splitlines(keepends=True)
    half = len(lines) // 2
    (folder / "learnt.jsonl").write_text("".join(lines[:half]), encoding="utf-8")
    (folder / "fresh.jsonl").write_text("".join(lines[half:]), encoding="utf-8")
    done = in_this_process("train", folder / "learnt.jsonl", "--student", "linear", "--out", folder / "mine", "--json")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_CACHE", str(tmp_path / "cache"))


def judged(folder: Path, *more: object, data: str = "fresh.jsonl", learnt: bool = True) -> Ran:
    known = ("--train", folder / "learnt.jsonl") if learnt else ()
    return in_this_process("evaluate", folder / "mine", folder / data, *known, *more)


def table(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    told: dict[str, Any] = json.loads(ran.out)
    return told


def test_a_training_leaves_behind_what_confidence_is_worth(trained: Path) -> None:
    calibration = json.loads((trained / "mine" / "calibration.json").read_text())

    assert calibration["on"] == "validation"
    assert calibration["rows"] >= 10


def test_a_student_is_judged_label_by_label_with_its_speed_and_beside_its_rivals(trained: Path) -> None:
    told = table(judged(trained, "--json"))

    assert [each["name"] for each in told["baselines"]] == ["majority", "copy", "nearest neighbour"]
    assert all(each["behind"]["p"] <= 1 for each in told["baselines"])
    assert sum(each["rows"] for each in told["labels"]) == told["rows"]
    assert sum(map(sum, told["confusion"]["counts"])) <= told["rows"]
    assert sum(each["rows"] for each in told["calibration"]["bins"]) == told["rows"]
    assert told["promised"]["on"] == "validation"
    assert told["costs"]["student"]["alone_s"] > 0
    assert told["costs"]["teacher"] is None


def test_in_words_it_says_the_same(trained: Path) -> None:
    ran = judged(trained)

    assert ran.code == 0
    assert "95 % intervals:" in ran.out.splitlines()[0]
    assert "labels, the worst first:" in ran.out
    assert "A thousand answers take the student" in ran.out


def test_rows_it_has_learnt_are_left_out_and_where_nobody_knows_them_that_is_said(trained: Path) -> None:
    mixed = trained / "mixed.jsonl"
    mixed.write_text(
        "".join((trained / name).read_text(encoding="utf-8") for name in ("learnt.jsonl", "fresh.jsonl")),
        encoding="utf-8",
    )
    fresh = len(read_rows(trained / "fresh.jsonl"))

    told = table(judged(trained, "--json", data="mixed.jsonl"))
    unknown = table(judged(trained, "--json", data="mixed.jsonl", learnt=False))

    assert told["rows"] <= fresh
    assert told["rows"] + told["facts"]["learnt"] == len(read_rows(mixed))
    assert any("more are left out: the student has learnt from them" in text for text in told["warnings"])
    assert unknown["rows"] == len(read_rows(mixed))
    assert any("Nobody has said which rows the student has learnt from" in text for text in unknown["warnings"])


def test_an_llm_stands_beside_it_and_the_same_command_again_pays_nothing(trained: Path) -> None:
    asking = ("--against", "simulated/intents", "--budget", "5", "--prompt", INTENTS, "--json")

    first, second = table(judged(trained, *asking)), table(judged(trained, *asking))

    llm = first["baselines"][-1]
    assert (llm["name"], llm["is_baseline"]) == ("simulated/intents", False)
    assert llm["scores"][0]["value"] > 0.7
    assert first["costs"]["teacher"]["usd"] > 0
    assert second["baselines"] == first["baselines"]


def test_two_students_are_told_apart_on_the_same_rows(trained: Path) -> None:
    mine = trained / "mine"

    told = table(judged(trained, "--beside", mine, "--json"))

    other = told["baselines"][-1]
    assert (other["name"], other["is_baseline"]) == (str(mine), False)
    assert (other["behind"]["value"], other["behind"]["p"]) == (0, 1)


def test_where_the_money_ends_the_student_is_judged_all_the_same(trained: Path) -> None:
    ran = judged(trained, "--against", "simulated/intents", "--budget", "0.002", "--prompt", INTENTS, "--json")
    told = json.loads(ran.out)

    assert ran.code == 3
    assert "simulated/intents" not in [each["name"] for each in told["baselines"]]
    assert any(text.startswith("The LLM is left out, having answered") for text in told["warnings"])


def test_what_more_rows_would_bring_is_told_in_the_time_given(trained: Path) -> None:
    found = table(judged(trained, "--growth", "30", "--json"))["growth"]

    assert (found["family"], found["stands_in"]) == ("linear", False)
    assert len(found["points"]) == 4
    assert found["twice"]["rows"] == 2 * found["points"][-1]["rows"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param(("--budget", "1"), "--budget is for --against", id="a budget for nobody"),
        pytest.param(("--prompt", "p.md"), "--prompt is for --against", id="a prompt for nobody"),
        pytest.param(("--against", "simulated/intents"), "name the prompt for the LLM", id="no prompt"),
        pytest.param(("--against", "openai/gpt-5.4-mini", "--prompt", str(INTENTS)), "OPENAI_API_KEY", id="no key"),
        pytest.param(("--encoder", "nowhere"), "nowhere: holds no encoder", id="no encoder"),
        pytest.param(("--tolerance", "-1"), "--tolerance", id="a tolerance below none"),
        pytest.param(("--growth", "0"), "--growth", id="no time"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_line(trained: Path, more: tuple[str, ...], said: str) -> None:
    ran = judged(trained, *more)

    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_student_is_not_judged_by_what_it_has_learnt_alone(trained: Path) -> None:
    ran = judged(trained, data="learnt.jsonl")

    assert (ran.code, ran.out) == (2, "")
    assert "has learnt from every one of" in ran.err
    assert ran.err.count("\n") == 1


def test_one_row_is_judged_with_an_interval_that_says_so(trained: Path) -> None:
    (trained / "one.jsonl").write_text((trained / "fresh.jsonl").read_text(encoding="utf-8").splitlines()[0])

    told = table(judged(trained, "--json", data="one.jsonl"))

    assert told["rows"] == 1
    assert all(score["high"] - score["low"] > 0.6 for score in told["student"]["scores"])
