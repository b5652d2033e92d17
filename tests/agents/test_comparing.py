"""Runs side by side: what differs is shown, the same rows decide, and one that cannot be compared costs a line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from agents.cli import main
from agents.config import Configuration
from agents.evaluate import Sample
from agents.evaluate.judged_rows import judged_rows, keep_judged
from agents.records import Spec
from agents.reporting.charts import charts_of
from agents.reporting.comparing import Compared, Line, compared, is_of_another_task
from agents.reporting.report import as_json
from agents.run_folder import RunFolder
from engine.errors import UserError
from tests.agents.reports import Skeleton, report


def samples(right: int, *, of: int = 100, first: int = 0) -> list[Sample]:
    """Rows of which so many are answered rightly."""
    return [
        Sample(f"row {number}", "Pisa", "Pisa" if number - first < right else "Rome", 0.5, number - first < right)
        for number in range(first, first + of)
    ]


def table(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(orjson.dumps(as_json(report(**changes))))
    return told


def run(
    name: str, *, right: int = 50, first: int = 0, prompt: str = "Name it.", changes: Any = None, **options: Any
) -> Compared:
    judged = {"test": samples(right, first=first)}
    return Compared(name, Configuration(**options), prompt, table(**(changes or {})), judged)


def folder_of(path: Path, *, right: int = 50, spec: Spec | None = None, **options: Any) -> Path:
    """A run on disk, as far as comparing looks at it."""
    folder = RunFolder(path)
    folder.begin(prompt="Name it.", configuration=Configuration(model="simulated/dates", budget="1", **options))
    changes = {} if spec is None else {"spec": spec}
    folder.write_json(folder.report_json, as_json(report(name=path.name, **changes)))
    keep_judged(folder.judged, {"test": samples(right)})
    return path


def test_settings_that_differ_are_shown_and_no_others() -> None:
    lines = compared([run("a", examples=200, rpm=60), run("b", examples=400, rpm=60, prompt="Name the city.")]).settings

    assert lines == (Line("examples", ("200", "400")), Line("prompt", ("prompt 1", "prompt 2")))


def test_students_are_compared_on_the_rows_that_both_were_judged_by() -> None:
    told = compared([run("a", right=50), run("b", right=90), run("c", right=50, first=60)])

    better, apart = told.paired

    assert (better.run, better.on, better.ahead.rows, better.of) == ("b", "test", 100, 100)
    assert (better.ahead.value, better.ahead.is_better) == (0.4, True)
    assert better.told("a").startswith("On 100 given test rows, b is clearly better than a: +0.400 (")
    assert (apart.ahead.rows, apart.of) == (40, 160)
    assert "On 40 given test rows that they share, of 160, c is clearly better than a" in apart.told("a")


def test_without_a_row_in_common_there_is_no_test() -> None:
    assert not compared([run("a"), run("b", first=500)]).paired


def test_figures_stand_in_the_order_of_the_runs_and_what_a_run_lacks_is_a_dash() -> None:
    told = compared([run("a"), run("a", changes={"training": None, "judgements": (), "pace": None})])

    assert told.runs == ("1: a", "2: a")
    assert Line("seconds of training", ("12", "-")) in told.cost
    assert Line("seconds in all", ("300", "-")) in told.cost
    assert Line("given test rows", ("0.800 (0.750 to 0.850) exact match, 200 rows", "-")) in told.scores


@pytest.mark.parametrize(
    ("spec", "other"),
    [
        pytest.param(Spec(instruction="Name the country."), False, id="another wording"),
        pytest.param(Spec(instruction="Which?", kind="classification", labels=("a",), form="label"), True, id="labels"),
        pytest.param(Spec(instruction="When?", form="date"), True, id="another form"),
    ],
)
def test_a_task_is_another_one_where_its_answers_are(spec: Spec, other: bool) -> None:
    assert is_of_another_task(run("b", changes={"spec": spec}), run("a")) is other


def test_every_judged_row_is_kept_with_its_answer(tmp_path: Path) -> None:
    rows = [Sample("in\ud800", "Pisa", "Rome", 0.25, False)]
    keep_judged(tmp_path / "judged.parquet", {"test": rows, "synthetic": samples(1, of=2)})

    kept = judged_rows(tmp_path / "judged.parquet")

    assert kept == {"test": [dataclasses.replace(rows[0], input="in\ufffd")], "synthetic": samples(1, of=2)}
    assert judged_rows(tmp_path / "none.parquet") == {}
    (tmp_path / "judged.parquet").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"judged\.parquet: cannot be read .* smelt resume"):
        judged_rows(tmp_path / "judged.parquet")


def smelt(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(str(ended.value.code))


def test_a_run_that_cannot_be_compared_costs_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = folder_of(tmp_path / "one", examples=200), folder_of(tmp_path / "two", right=90, examples=400)
    labels = Spec(instruction="Which?", kind="classification", labels=("a",), form="label")
    other = folder_of(tmp_path / "other", spec=labels)
    (tmp_path / "dead").mkdir()

    code = smelt("compare", first, second, other, tmp_path / "dead", tmp_path / "missing", "--json")

    out, err = capsys.readouterr()
    told = json.loads(out)
    assert code == 0
    assert told["runs"] == ["one", "two"]
    assert told["paired"][0]["ahead"]["value"] == 0.4
    assert err.splitlines() == [
        f"left out: {other}: is of another task than one",
        f"left out: {tmp_path / 'dead'}: holds no run (no run.toml in it)",
        f"left out: {tmp_path / 'missing'}: holds no run (no run.toml in it)",
    ]


def test_tables_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = smelt("compare", folder_of(tmp_path / "one", examples=200), folder_of(tmp_path / "two", examples=400))

    out = capsys.readouterr().out
    assert code == 0
    for line in (
        "settings that differ:",
        "examples  200  400",
        "On 100 given test rows, two is not clearly apart",
    ):
        assert line in out


def test_one_run_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert smelt("compare", folder_of(tmp_path / "one")) == 2
    assert capsys.readouterr().err == "smelt: one run is nothing to compare: give two or more\n"


@pytest.mark.parametrize(("form", "begins"), [("md", b"# one"), ("json", b"{\n"), ("html", b"<!doctype html>")])
def test_a_report_can_be_had_as_a_text(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], form: str, begins: bytes
) -> None:
    assert smelt("report", folder_of(tmp_path / "one"), "--format", form) == 0
    assert capfdbinary.readouterr().out.startswith(begins)


def test_a_page_says_the_same_and_names_are_text_on_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = folder_of(tmp_path / "<b>one", examples=200), folder_of(tmp_path / "two", right=90, examples=400)
    page = tmp_path / "compared.html"

    code, refused = smelt("compare", first, second, "--out", page), smelt("compare", first, second, "--out", first)
    told = capsys.readouterr()
    seen = Skeleton(page.read_text(encoding="utf-8"))

    assert (code, refused) == (0, 2)
    assert "give it a name that ends in .html" in told.err
    assert "On 100 given test rows, two is clearly better than <b>one" in " ".join(seen.text.split())
    assert "examples200400" in seen.text
    assert "b" not in {tag for tag, _ in seen.elements}


def test_scores_stand_in_one_chart_by_run() -> None:
    told = dataclasses.asdict(compared([run("a", right=50), run("b", right=90)]))

    charts = charts_of(told)

    assert charts["scores-test"].about.startswith("exact match with 95 % intervals: a 0.80 (0.75 to 0.85); b 0.80")
