"""The model card: what the student is, whose data taught it, what it cannot read; foreign text stays text."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agents.records import Spec
from agents.students.card_facts import Facts, facts_of
from agents.students.model_card import model_card, write_model_card
from agents.students.task import Task, as_table, read_task
from engine.training import Card, Row, train
from engine.training.folder import write_card

TINY = Card(
    family="tiny",
    sizes={"parameters": 312832, "longest_input": 201, "longest_output": 20},
    metrics={"rows": 3201, "validation_exact_match": 0.9866},
)


def task(*, simulated: bool = False, instruction: str = "Find the date.") -> Task:
    return Task(
        name="dates", prompt="p", spec=Spec(instruction=instruction), teacher="openai/dates", simulated=simulated
    )


def test_it_says_what_it_is_how_good_it_was_and_how_much_it_reads() -> None:
    page = model_card(TINY, task())

    assert "\n---\n\n# dates\n" in page
    assert "the family `tiny` of 312,832 parameters, trained from nothing" in page
    assert "    Find the date." in page
    assert "Rows learnt from: 3201." in page
    assert "0.987" in page
    assert "up to 200 bytes; the answer to a longer one has confidence 0" in page


def test_it_says_that_rows_lie_in_the_folder_where_they_do() -> None:
    remembering = replace(TINY, sizes={**TINY.sizes, "rows_remembered": 1500})

    assert "**1,500 of the rows that it learnt from lie in its folder `memory`**" in model_card(remembering, None)
    assert "memory" not in model_card(TINY, None)


def test_rows_that_were_taken_away_are_not_said_to_be_there_and_the_figures_are_those_with_them(tmp_path: Path) -> None:
    write_card(tmp_path, replace(TINY, sizes={**TINY.sizes, "rows_remembered": 1500}))
    (tmp_path / "memory").mkdir()
    write_model_card(tmp_path)
    before = (tmp_path / "README.md").read_text()
    (tmp_path / "memory").rmdir()
    write_model_card(tmp_path)
    after = (tmp_path / "README.md").read_text()

    assert "lie in its folder `memory`" in before
    assert "lie in its folder" not in after
    assert "1,500 of the rows that it learnt from. They are not in its folder any more" in after


def test_it_names_the_checkpoint_it_started_from() -> None:
    page = model_card(Card(family="seq2seq", sizes={"longest_input": 64}, base="org/t5"), task())

    assert "tuned from `org/t5`" in page
    assert "up to 64 tokens" in page
    assert "not measured" in page


@pytest.mark.parametrize(
    ("about", "said"),
    [
        pytest.param(task(), "written by `openai/dates`, not by people", id="a teacher"),
        pytest.param(task(simulated=True), "**simulated teacher** (openai/dates)", id="a simulated one"),
        pytest.param(None, "who wrote them is not known", id="bare rows"),
    ],
)
def test_it_says_who_made_the_data(about: Task | None, said: str) -> None:
    assert said in model_card(TINY, about)


def test_foreign_text_stays_a_block_and_shows_nothing_unseen() -> None:
    page = model_card(TINY, task(instruction="one\n# two\n```\x1b[31m\u202e"))

    assert "    one\n    # two\n    ```[31m\n" in page


def test_it_is_written_beside_the_student_with_or_without_a_task(tmp_path: Path) -> None:
    rows = [Row("good day", "hello"), Row("see you", "bye"), Row("good morning", "hello")]
    for name, table in (("bare", {}), ("told", as_table(task()))):
        train("linear", rows, rows, tmp_path / name, task=table)
        write_model_card(tmp_path / name)

    bare, told = ((tmp_path / name / "README.md").read_text(encoding="utf-8") for name in ("bare", "told"))

    assert "\n---\n\n# A student\n" in bare
    assert "one of the labels that it has seen" in bare
    assert "flatter" not in bare, "nothing was chosen by these rows"
    assert "\n---\n\n# dates\n" in told
    assert read_task(tmp_path / "bare") is None
    assert read_task(tmp_path / "told") == task()


SCORE = {"metric": "accuracy", "value": 0.81, "low": 0.74, "high": 0.87}
REPORT = {
    "judgements": [
        {
            "on": "test",
            "rows": 120,
            "student": {"name": "linear", "scores": [SCORE]},
            "baselines": [
                {"name": "majority", "is_baseline": True, "scores": [{**SCORE, "value": 0.3}]},
                {"name": "the teacher", "is_baseline": False, "scores": [{**SCORE, "value": 0.9}]},
            ],
        },
        {"on": "synthetic", "rows": 5, "student": {"name": "linear", "scores": []}, "baselines": []},
    ],
    "data": {
        "sources": [
            {"dataset": "some/rows", "kept": 40, "licence": "cc-by-4.0"},
            {"dataset": "un/used", "kept": 0, "licence": "x"},
        ]
    },
}


@pytest.fixture
def student_of_a_run(tmp_path: Path) -> Path:
    rows = [Row("good day", "hello"), Row("see you", "bye"), Row("good morning", "hello")]
    train("linear", rows, rows, tmp_path / "student", task=as_table(task()))
    return tmp_path / "student"


def test_beside_a_run_it_has_scores_with_intervals_and_whose_rows_they_were(student_of_a_run: Path) -> None:
    (student_of_a_run.parent / "report.json").write_text(json.dumps(REPORT))

    write_model_card(student_of_a_run)

    page = (student_of_a_run / "README.md").read_text()
    assert "| real rows | 120 | accuracy | 0.810 | 0.740 to 0.870 | 0.300 |" in page
    assert "What real rows say counts" in page
    assert "- some/rows: 40 rows, licence: cc-by-4.0" in page
    assert "un/used" not in page


@pytest.mark.parametrize("report", ["", "[]", '{"judgements": 3, "data": []}', '{"judgements": [{"student": 1}]}'])
def test_a_report_that_is_none_tells_nothing(student_of_a_run: Path, report: str) -> None:
    (student_of_a_run.parent / "report.json").write_text(report)

    assert facts_of(student_of_a_run) == Facts()


def test_the_licence_of_what_it_starts_from_is_told_where_it_is_known() -> None:
    card = Card(family="seq2seq", sizes={"longest_input": 64}, base="org/t5")
    known, unknown = (model_card(card, task(), Facts(base_licence=licence)) for licence in ("apache-2.0", ""))

    assert 'license: "apache-2.0"\n' in known
    assert "has the licence apache-2.0, which goes on holding" in known
    assert "license:" not in unknown
    assert "has its own licence" in unknown
    assert 'base_model: "org/t5"' in unknown


@pytest.mark.parametrize(
    ("about", "said"),
    [
        pytest.param(task(), "some forbid training models that compete", id="a provider"),
        pytest.param(task(simulated=True), "A simulated teacher has no terms", id="simulated"),
        pytest.param(None, "Whose rows taught it may bind", id="bare rows"),
    ],
)
def test_it_points_to_the_terms_of_whoever_taught_it(about: Task | None, said: str) -> None:
    assert said in model_card(TINY, about)


def test_its_head_is_yaml_whatever_the_task_says() -> None:
    yaml = pytest.importorskip("yaml")
    spec = Spec(instruction="x", kind="classification", labels=("a", "b"), language="x: [", output_language="de")
    hostile = Task(name="a\n---\nlicense: mit", prompt="p", spec=spec, teacher="x", simulated=False)
    card = Card(family="linear", base="../../home\nlicense: mit", base_licence="mit\ntags: [x]")

    page = model_card(card, hostile, Facts(base_licence="mit\ntags: [x]"))

    assert page.startswith("---\n")
    assert yaml.safe_load(page.split("---\n")[1]) == {
        "tags": ["smelt", "synthetic"], "language": ["de"], "pipeline_tag": "text-classification",
    }  # fmt: skip


def test_a_name_in_a_line_cannot_begin_anything() -> None:
    card = Card(family="linear", base="<script>x</script>", sizes={"labels": 2})
    page = model_card(
        card, Task(name="![x](http://e)", prompt="", spec=Spec(instruction="i"), teacher="<b>", simulated=False)
    )

    assert "# \\!\\[x\\](http://e)" in page
    assert "\\<b\\>" in page
