"""The model card: what the student is, whose data taught it, what it cannot read; foreign text stays text."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.model_card import model_card, write_model_card
from agents.records import Spec
from agents.task import Task, as_table, read_task
from engine.training import Card, Row, train

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

    assert page.startswith("# dates\n")
    assert "the family `tiny` of 312,832 parameters, trained from nothing" in page
    assert "    Find the date." in page
    assert "Rows learnt from: 3201." in page
    assert "0.987" in page
    assert "up to 200 bytes; the answer to a longer one has confidence 0" in page


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

    assert bare.startswith("# A student\n")
    assert "one of the labels that it has seen" in bare
    assert "flatter" not in bare, "nothing was chosen by these rows"
    assert told.startswith("# dates\n")
    assert read_task(tmp_path / "bare") is None
    assert read_task(tmp_path / "told") == task()
