"""Answers made of labels: how one or several are written, and how weights become answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training import Prediction, Row, load, train
from engine.training.choice import JOINTS, Choice, choice_of, seems_to_choose
from engine.training.head import Head, choice_kept, keep_choice

LABELS = ("late", "lost", "paid")
SETS = st.lists(st.sets(st.sampled_from(LABELS), min_size=1), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("outputs", "labels", "joint"),
    [
        pytest.param(["pay", "late", "pay"], ("late", "pay"), None, id="one each"),
        pytest.param(["late, paid", "paid", "late", "lost, paid", "lost"], LABELS, ", ", id="several"),
        pytest.param(["paid; late", "paid", "late; lost", "lost", "late"], ("paid", "late", "lost"), "; ", id="order"),
        pytest.param(
            ["Sports, Arts", "Music", "Sports, Arts"], ("Music", "Sports, Arts"), None, id="a comma in a name"
        ),
        pytest.param(["Bonn, DE", "Paris, FR", "Köln, DE"], ("Bonn, DE", "Köln, DE", "Paris, FR"), None, id="places"),
        pytest.param(["a, b", "b, a", "a", "b"], ("a", "b"), ", ", id="no order among them"),
        pytest.param(["a, b", "b, c", "c, a", "a", "b"], ("a", "b", "c"), ", ", id="an order that goes round"),
        pytest.param(["a, a", "a, b", "b", "a"], ("a", "a, a", "a, b", "b"), None, id="twice the same"),
    ],
)
def test_several_labels_are_told_from_one_with_a_comma_in_it(
    outputs: list[str], labels: tuple[str, ...], joint: str | None
) -> None:
    assert choice_of(outputs) == Choice(labels=labels, joint=joint)


@pytest.mark.parametrize("outputs", [['["a", "b"]', '["b"]', "[]"], ['["a","b"]', '["b"]', "[]"]])
def test_json_lists_are_several_labels_written_as_they_were(outputs: list[str]) -> None:
    choice = choice_of(outputs)

    assert (choice.labels, choice.is_json, choice.may_be_empty) == (("a", "b"), True, True)
    assert [choice.text(choice.parts(output)) for output in outputs] == outputs


@pytest.mark.parametrize("output", ["[1, 2]", "[", '{"a": 1}', "[" * 100_000])
def test_what_is_no_list_of_texts_is_a_label(output: str) -> None:
    assert choice_of(['["a"]', output, output]).joint is None


def test_lists_of_nothing_alone_are_labels_as_they_are_written() -> None:
    assert choice_of(["[]", "[ ]"]) == Choice(labels=("[ ]", "[]"))


@given(SETS, st.sampled_from(JOINTS))
def test_an_output_of_several_comes_back_from_its_labels(sets: list[set[str]], joint: str) -> None:
    outputs = [joint.join(sorted(each)) for each in sets]
    choice = choice_of(outputs)

    assert [choice.text(choice.parts(output)) for output in outputs] == outputs


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        pytest.param(["pay", "late"] * 5, True, id="labels"),
        pytest.param([str(n) for n in range(20)], False, id="texts"),
        pytest.param([*(str(n) for n in range(12)), *["N/A"] * 8], False, id="texts and nothing to find"),
        pytest.param(["late, paid", "paid", "late", "lost, paid", "lost"], True, id="several"),
        pytest.param(["pay"] * 9, False, id="one answer for all"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_labels_come_back_and_texts_do_not(outputs: list[str], expected: bool) -> None:
    assert seems_to_choose(outputs) is expected


def head(choice: Choice, bias: list[float]) -> Head:
    """A head that answers the same whatever it is shown."""
    return Head(choice, np.zeros((len(bias), 1), np.float32), np.array(bias, np.float32))


ANYTHING = np.zeros((1, 1), np.float32)


def test_alternatives_are_likeliest_first_add_up_to_one_and_are_twenty_at_most() -> None:
    [few] = head(Choice(labels=("a", "b", "c")), [1, 3, 2]).answer(ANYTHING)
    [many] = head(Choice(labels=tuple(f"{n:02}" for n in range(50))), [0.0] * 50).answer(ANYTHING)

    assert [label for label, _ in few.alternatives] == ["b", "c", "a"]
    assert sum(share for _, share in few.alternatives) == pytest.approx(1)
    assert (few.output, few.confidence) == few.alternatives[0]
    assert [label for label, _ in many.alternatives] == [f"{n:02}" for n in range(20)], "of equals in their order"


def test_several_are_answered_where_each_is_more_likely_than_not() -> None:
    choice = Choice(labels=LABELS, joint=", ")

    [both] = head(choice, [2, -2, 1]).answer(ANYTHING)
    [likeliest] = head(choice, [-2, -1, -3]).answer(ANYTHING)
    [none] = head(Choice(labels=LABELS, joint=", ", is_json=True, may_be_empty=True), [-2, -1, -3]).answer(ANYTHING)

    assert both.output == "late, paid"
    assert both.confidence == pytest.approx(0.881 * 0.881 * 0.731, abs=1e-3), "that all of it is right"
    assert [label for label, _ in both.alternatives] == ["late", "paid", "lost"]
    assert likeliest.output == "lost"
    assert none.output == "[]"


def test_what_was_not_read_whole_is_answered_without_confidence() -> None:
    [answer] = head(Choice(labels=("a", "b")), [5, 0]).answer(ANYTHING, cut=[True])

    assert answer == Prediction("a", 0.0, True, answer.alternatives)
    assert answer.alternatives[0][1] > 0.9


@pytest.mark.parametrize(
    "choice",
    [Choice(labels=("b", "a")), Choice(labels=("b", "a"), joint="; "),
     Choice(labels=("b",), joint=",", is_json=True, may_be_empty=True)],
)  # fmt: skip
def test_labels_come_back_from_what_is_kept_of_them(choice: Choice) -> None:
    assert choice_kept(keep_choice(choice)) == choice


@pytest.mark.parametrize(
    "arrays",
    [
        pytest.param({"weights": np.zeros((2, 4)), "bias": np.zeros(2)}, id="labels"),
        pytest.param({"weights": np.zeros((3, 4)), "bias": np.zeros(2)}, id="bias"),
        pytest.param({"weights": np.zeros(3), "bias": np.zeros(3)}, id="shape"),
    ],
)
def test_weights_that_do_not_fit_the_labels_are_refused(arrays: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="of 3 labels"):
        Head.of_arrays(Choice(labels=("a", "b", "c")), arrays)


@settings(max_examples=20)
@given(st.integers(0, 2**31))
@pytest.mark.long
def test_where_fitting_is_too_dear_the_means_of_labels_stand_in(seed: int) -> None:
    from engine.training.stepwise import means

    chance = np.random.default_rng(seed)
    centres = np.eye(8, dtype=np.float32)
    wanted = [number % 8 for number in range(80)]
    features = centres[wanted] + chance.normal(0, 0.05, (80, 8)).astype(np.float32)

    nearest = Head(Choice(labels=tuple("abcdefgh")), *means(features, wanted, labels=8))

    assert [one.output for one in nearest.answer(centres)] == list("abcdefgh")
    assert all(one.confidence > 0.9 for one in nearest.answer(centres))


@pytest.mark.long
def test_many_labels_are_fitted_to_the_end() -> None:
    chance = np.random.default_rng(0)
    labels = tuple(f"{number:04}" for number in range(1000))
    centres = chance.normal(size=(1000, 64)).astype(np.float32)
    rows = np.repeat(centres, 2, axis=0) + chance.normal(0, 0.3, (2000, 64)).astype(np.float32)

    fitted = Head.fitted(rows, [label for label in labels for _ in range(2)], choice=Choice(labels=labels), strength=30)

    answers = fitted.answer(centres)
    assert sum(one.output == label for one, label in zip(answers, labels, strict=True)) > 990


def test_dense_numbers_go_by_steps_where_a_regression_would_not_end_in_time_and_it_is_said() -> None:
    chance, told = np.random.default_rng(0), list[str]()
    labels = tuple(f"{number:03}" for number in range(800))
    centres = chance.normal(size=(800, 48)).astype(np.float32)
    rows = np.repeat(centres, 2, axis=0) + chance.normal(0, 0.3, (1600, 48)).astype(np.float32)
    outputs = [label for label in labels for _ in range(2)]

    fitted = Head.fitted(rows, outputs, choice=Choice(labels=labels), strength=30, seconds=1.0, note=told.append)

    assert len(told) == 1
    assert "step by step" in told[0]
    answers = fitted.answer(centres)
    assert sum(one.output == label for one, label in zip(answers, labels, strict=True)) > 780


def test_a_label_that_every_row_has_is_always_answered(tmp_path: Path) -> None:
    rows = [Row(f"late {n}", '["all", "late"]') for n in range(5)] + [Row(f"paid {n}", '["all"]') for n in range(5)]

    train("linear", rows, [], tmp_path / "student")

    answers = [one.output for one in load(tmp_path / "student").predict(["late", "paid"])]
    assert answers == ['["all", "late"]', '["all"]']
