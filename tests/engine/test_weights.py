"""What rows count where labels are not alike in number."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.training import Row, train
from engine.training.choice import choice_of
from engine.training.lesson import Lesson
from engine.training.weights import label_weights, row_weights


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=100))
def test_rows_of_rare_labels_count_more_and_all_together_as_many_as_they_are(outputs: list[str]) -> None:
    weights = label_weights(outputs)

    counts = [outputs.count(output) for output in outputs]
    if weights is None:
        assert max(counts) < 3 * min(counts)
        return
    assert statistics.mean(weights) == pytest.approx(1)
    assert [weight * count**0.5 for weight, count in zip(weights, counts, strict=True)] == pytest.approx(
        [weights[0] * counts[0] ** 0.5] * len(outputs)
    )


def lesson(*outputs: str, weights: tuple[float, ...] | None = None) -> Lesson:
    return Lesson(rows=tuple(Row("x", output) for output in outputs), weights=weights)


def test_what_a_lesson_says_and_what_labels_ask_for_go_together() -> None:
    uneven = lesson("a", "a", "a", "a", "b", weights=(1, 1, 1, 1, 3))
    choice = choice_of([row.output for row in uneven.rows])

    weights = row_weights(uneven, choice)

    assert weights is not None
    assert weights[4] == pytest.approx(6 * weights[0])
    assert row_weights(lesson("a", "b", weights=(1, 2)), choice) == (1, 2)
    assert row_weights(lesson("a", "b"), choice) is None


def test_answers_of_several_labels_are_taken_as_they_come() -> None:
    several = lesson("a, b", "a, b", "a", "a", "a", "a", "b, c", "b, c", "c")
    choice = choice_of([row.output for row in several.rows])

    assert choice.is_of_several
    assert row_weights(several, choice) is None


@pytest.mark.long
def test_a_rare_label_is_held_more_likely_than_its_rows_alone_would_make_it(tmp_path: Path) -> None:
    """ "Maybe" has been seen with both: nine times as a yes, once as a no. Rows told to count less take that back."""
    rows = [*(Row(f"maybe {n}", "yes") for n in range(9)), Row("maybe 9", "no"), Row("no way", "no")]
    owed = label_weights([row.output for row in rows])
    assert owed is not None

    own = train("linear", rows, (), tmp_path / "own")
    even = train("linear", rows, (), tmp_path / "even", weights=[1 / each for each in owed])

    assert own.predict(["maybe"])[0].confidence < even.predict(["maybe"])[0].confidence - 0.005
