"""Rows that cannot teach, or are odd: one line whatever the family, before anything is read or fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UserError
from engine.training import FAMILIES, Row, train

ROWS = [Row(f"where is parcel {n}", "track") for n in range(6)] + [Row(f"pay bill {n}", "pay") for n in range(6)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([], "at least 2 rows to learn from \\(got 0\\)", id="no row"),
        pytest.param(ROWS[:1], "at least 2 rows to learn from \\(got 1\\)", id="one row"),
        pytest.param(ROWS[:6], "all 6 rows have the output 'track'", id="one class"),
    ],
)
def test_rows_that_cannot_teach_are_one_line(tmp_path: Path, family: str, rows: list[Row], said: str) -> None:
    with pytest.raises(UserError, match=said):
        train(family, rows, [], tmp_path / "student")

    assert list(tmp_path.iterdir()) == []


def test_labels_that_differ_by_case_and_empty_ones_are_answers_like_others(tmp_path: Path) -> None:
    rows = [*ROWS, *(Row(f"hello there {n}", "Track") for n in range(6)), *(Row(f"? {n}", "") for n in range(6))]

    student = train("linear", rows, [], tmp_path / "student")

    said = [one.output for one in student.predict(["where is parcel 1", "hello there 2", "? 3"])]
    assert said == ["track", "Track", ""]


@pytest.mark.long
def test_an_input_of_a_megabyte_is_read_and_answered(tmp_path: Path) -> None:
    rows = [*ROWS, Row("where is parcel " * 20_000, "track")]

    student = train("linear", rows, [], tmp_path / "student")

    assert [one.output for one in student.predict(["pay bill " * 30_000])] == ["pay"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        pytest.param(500, "", id="fitted"),
        pytest.param(10_200, "10,200 labels and these rows are too many for a regression in full", id="stepwise"),
    ],
)
def test_very_many_labels_are_learnt_within_the_time(tmp_path: Path, labels: int, said: str) -> None:
    """Five hundred are fitted in full; ten thousand step by step, which is said."""
    rows = [Row(f"item {number:05}", f"label {number}") for number in range(labels)]
    told: list[str] = []

    student = train("linear", rows, [], tmp_path / "student", time_limit_s=30 if not said else 2, on_note=told.append)

    asked = rows[:: labels // 100]
    right = sum(
        one.output == row.output for one, row in zip(student.predict([r.input for r in asked]), asked, strict=True)
    )
    assert right >= 0.9 * len(asked)
    assert [line[: len(said)] for line in told] == ([said] if said else [])


def test_labels_too_many_for_dense_vectors_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from engine.training import head
    from engine.training.choice import choice_of

    monkeypatch.setattr(head, "MOST_PRODUCTS", 10)
    told: list[str] = []

    fitted = head.Head.fitted(
        np.eye(3, dtype=np.float32), ["a", "b", "c"], choice=choice_of(["a", "b", "c"]), strength=1, note=told.append
    )

    assert [each.output for each in fitted.answer(np.eye(3, dtype=np.float32))] == ["a", "b", "c"]
    assert told == ["3 labels are too many to be fitted: the nearest mean of a label's rows is answered"]
