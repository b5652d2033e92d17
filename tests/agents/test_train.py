"""What is learnt from, what chooses and what judges, and which student is trained anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.choose import StudentChoice
from agents.records import Pair, Spec
from agents.task import Task
from agents.train import Trained, split_off, train_student
from engine.errors import UserError
from engine.events import Events
from engine.training import Row

INPUTS = st.lists(st.text(max_size=5), min_size=3, max_size=60).filter(lambda inputs: len(set(inputs)) >= 3)


@given(INPUTS, st.integers(0, 9))
def test_every_row_is_in_one_share_and_copies_of_an_input_are_together(inputs: list[str], seed: int) -> None:
    rows = [Pair(text, str(number)) for number, text in enumerate(inputs)]

    shares = split_off(rows, seed=seed)

    parts = (shares.train, shares.validation, shares.test)
    assert sorted(int(row.output) for part in parts for row in part) == list(range(len(rows)))
    assert sum(len({row.input for row in part}) for part in parts) == len(set(inputs))
    assert all(parts)


@pytest.mark.parametrize(
    ("inputs", "aside"),
    [
        pytest.param(3, 1, id="the fewest"),
        pytest.param(10, 1, id="ten"),
        pytest.param(11, 2, id="at least a tenth"),
        pytest.param(1000, 100, id="many"),
    ],
)
def test_a_tenth_chooses_another_judges_and_the_rest_is_learnt(inputs: int, aside: int) -> None:
    shares = split_off([Pair(f"input {n}", "x") for n in range(inputs)], seed=0)

    assert (len(shares.validation), len(shares.test)) == (aside, aside)
    assert len(shares.train) == inputs - 2 * aside


def test_another_seed_draws_other_rows_and_the_order_given_changes_nothing() -> None:
    rows = [Pair(f"input {n}", "x") for n in range(100)]

    assert set(split_off(rows, seed=0).test) == set(split_off(rows[::-1], seed=0).test)
    assert set(split_off(rows, seed=0).test) != set(split_off(rows, seed=1).test)


def test_too_few_inputs_to_share_out_are_one_line() -> None:
    with pytest.raises(UserError, match="2 different inputs are too few"):
        split_off([Pair("a", "x"), Pair("b", "y"), Pair("a", "x")], seed=0)


GREETINGS = [Row("good day", "hello"), Row("see you", "bye"), Row("good morning", "hello")]


def trained(folder: Path, *, seed: int = 0) -> Trained:
    task = Task(name="greet", prompt="p", spec=Spec(instruction="Greet."), teacher="simulated/x", simulated=True)
    return train_student(
        StudentChoice(family="linear", checkpoint=None, why="it is small"),
        GREETINGS,
        GREETINGS,
        folder,
        task=task,
        seed=seed,
        time_limit_s=10,
        threads=1,
        events=Events(),
    )


def test_a_student_is_trained_anew_only_for_other_conditions_and_has_its_card_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    trained(folder)
    first = (folder / "student.json").stat().st_ino
    (folder / "README.md").unlink()

    trained(folder)
    again = (folder / "student.json").stat().st_ino
    card = (folder / "README.md").read_text(encoding="utf-8")
    trained(folder, seed=1)

    assert again == first != (folder / "student.json").stat().st_ino
    assert card.startswith("# greet\n")
    assert "simulated teacher" in card
