"""`--judge` from the command to the files: calibration, what it refused, what it cost; and rows that exist already."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agents.curating.curate import Wanted, curate
from agents.curating.curate_judge import Judging
from agents.curating.progress import Advance
from agents.judging.calibration import too_few
from agents.judging.judging import JudgeFacts, Ruled
from agents.reading.roles import Row
from agents.records import Verdict
from engine.errors import BudgetReached
from tests.agents.commands import in_this_process as smelt

pytestmark = pytest.mark.usefixtures("at_once")

pq = pytest.importorskip("pyarrow.parquet")

COUNTRIES = Path(__file__).parents[2] / "agents" / "demo" / "countries"
PROMPT = COUNTRIES / "prompt.md"
FACTS = JudgeFacts(
    told="the judge is used",
    calibration=too_few(0),
    ruled=Ruled(passed=2, unjudged=1, refused={"output": 1}),
    charged="$0.01",
    per_accepted="$0.003",
)


def rows_file(folder: Path, count: int = 4) -> Path:
    path = folder / "rows.jsonl"
    texts = (COUNTRIES / "test.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def table(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def stage_on_the_page(run: Path, stage: str) -> list[str]:
    """The cells of a stage's line under "What each stage cost and took", as they are read."""
    page = (run / "report.html").read_text(encoding="utf-8").partition("What each stage cost and took")[2]
    [line] = re.findall(rf"<tr><td>{stage}</td>.*</tr>", page)
    return re.findall(r"<td[^>]*>([^<]*)</td>", line)


def second_refused(rows: Iterable[Row], _: Advance) -> Judging:
    """A judge that refuses the second row, and says nothing of the third."""
    found = {row.number: Verdict(1, "output", "no", refused=True) if row.number == 2 else Verdict(5) for row in rows}
    return Judging({number: verdict for number, verdict in found.items() if number != 3}, FACTS)


def test_rows_that_a_judge_refuses_are_left_out_with_its_verdict_and_the_others_keep_theirs(tmp_path: Path) -> None:
    came = curate([str(rows_file(tmp_path))], Wanted(judge=second_refused), tmp_path / "out")
    [refused] = table(tmp_path / "out" / "rejected.parquet")

    assert (came.kept, dict(came.rejected)) == (3, {"judge": 1})
    assert (refused["row"], refused["reason"], refused["detail"]) == (2, "judge", "output (1 of 5): no")
    assert [row["judge_score"] for row in table(tmp_path / "out" / "rows.parquet")] == [5, None, 5]
    assert json.loads((tmp_path / "out" / "report.json").read_bytes())["judge"]["charged"] == "$0.01"
    assert "The judge is used" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_without_a_judge_its_columns_are_not_there(tmp_path: Path) -> None:
    curate([str(rows_file(tmp_path))], Wanted(), tmp_path / "out")

    assert not [name for name in table(tmp_path / "out" / "rows.parquet")[0] if name.startswith("judge")]


def test_a_judge_is_asked_only_about_rows_that_nothing_else_speaks_against(tmp_path: Path) -> None:
    path = rows_file(tmp_path)
    path.write_text(path.read_text(encoding="utf-8") * 2, encoding="utf-8")
    asked: list[int] = []

    def judge(rows: Iterable[Row], _: Advance) -> Judging:
        asked.extend(row.number for row in rows)
        return Judging({}, FACTS)

    curate([str(path)], Wanted(judge=judge), tmp_path / "out")

    assert asked == [1, 2, 3, 4]


def test_when_the_money_ends_nothing_is_written_and_the_folder_can_be_used_again(tmp_path: Path) -> None:
    path, out = str(rows_file(tmp_path)), tmp_path / "out"

    def broke(_: Iterable[Row], __: Advance) -> Judging:
        (out / "journal.db").write_bytes(b"what was paid for")
        raise BudgetReached("spent")

    with pytest.raises(BudgetReached):
        curate([path], Wanted(judge=broke), out)

    assert [each.name for each in out.iterdir()] == ["journal.db"]
    assert curate([path], Wanted(judge=second_refused), out).kept == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(["--model", "simulated/countries"], "--model: nobody is asked without --judge", id="no judge"),
        pytest.param(["--budget", "1"], "--budget: nobody is asked without --judge", id="a budget for nothing"),
        pytest.param(["--judge", "--model", "simulated/countries"], "name the prompt with --prompt", id="no task"),
        pytest.param(
            ["--judge", "--prompt", PROMPT, "--model", "openai/gpt-5.4-mini", "--price-in", "1", "--price-out", "1",
             "--base-url", "http://127.0.0.1:9/v1"],
            "say how much may be spent at most",
            id="no budget",
        ),
    ],
)  # fmt: skip
def test_what_a_judge_of_rows_needs_is_said_in_one_line(tmp_path: Path, options: list[object], told: str) -> None:
    ran = smelt("curate", rows_file(tmp_path), "--out", tmp_path / "out", *options)

    assert ran.code == 2
    assert told in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_run_with_a_judge_reports_what_it_refused_and_asks_nobody_twice(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = smelt("generate", PROMPT, "--model", "simulated/countries", "--examples", 60, "--judge", "--out", run,
                  "--json", "--quiet")  # fmt: skip
    before = {path.name: path.read_bytes() for path in (run / "data").iterdir()}
    again = smelt("resume", run, "--json", "--quiet")
    one, other = (json.loads(ran.out) for ran in (first, again))
    judge = one["data"]["judge"]

    assert (first.code, again.code) == (0, 0)
    assert {path.name: path.read_bytes() for path in (run / "data").iterdir()} == before
    assert other["money"]["requests"] == other["money"]["from_journal"]
    assert other["data"]["judge"] == judge
    assert judge["calibration"]["threshold"] > 0
    assert sum(judge["ruled"]["refused"].values()) == one["data"]["rejected"]["judge"]
    assert any("A judge was asked about" in sentence for sentence in one["details"])
    _, within, calls, charged, *_ = stage_on_the_page(run, "judge")
    assert (within, int(calls) > 0) == ("within generate", True)
    assert charged == judge["charged"]
    kept = table(run / "data" / "train.parquet")
    assert all(row["judge_score"] >= judge["calibration"]["threshold"] for row in kept if row["judge_score"])


@pytest.mark.slow
def test_labels_of_ones_own_inputs_are_judged_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    ran = smelt("annotate", PROMPT, "--inputs", rows_file(tmp_path, 60), "--input-column", "input", "--model",
                "simulated/countries", "--votes", 1, "--judge", "--out", run, "--json", "--quiet")  # fmt: skip
    report = json.loads(ran.out)

    assert ran.code == 0
    assert report["inputs"]["unlabelled"]["judge"] == sum(report["inputs"]["judge"]["ruled"]["refused"].values())
    assert {row["judge_score"] for row in table(run / "data" / "labelled.parquet")} <= {3, 4, 5, None}
    _, within, calls, charged, *_ = stage_on_the_page(run, "judge")
    assert (within, int(calls) > 0) == ("within annotate", True)
    assert charged == report["inputs"]["judge"]["charged"]


@pytest.mark.slow
def test_rows_that_exist_are_judged_within_a_budget_and_paid_for_once(tmp_path: Path) -> None:
    path, out = rows_file(tmp_path, 200), tmp_path / "out"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows[::5]:
        row["output"] = "FR" if row["output"] != "FR" else "DE"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def curated(budget: str) -> Any:
        return smelt("curate", path, "--prompt", PROMPT, "--judge", "--model", "simulated/countries", "--budget",
                     budget, "--out", out, "--json")  # fmt: skip

    short = curated("0.006")
    whole = curated("1")
    refused = {row["row"] for row in table(out / "rejected.parquet") if row["reason"] == "judge"}

    assert (short.code, whole.code) == (3, 0)
    assert f"--out {out} goes on" in short.err
    assert len(refused & set(range(1, 201, 5))) >= 30
    assert len(refused - set(range(1, 201, 5))) <= 40
    assert json.loads(whole.out)["judge"]["charged"] > "$0.006"
