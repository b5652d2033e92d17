"""Whether one is better than another: known values, and how often chance alone is taken for a difference."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluation import Difference, Score, better, gap, wilson
from engine.evaluation.paired import mcnemar


@pytest.mark.parametrize(
    ("ours", "theirs", "p"),
    [
        pytest.param(10, 2, 0.03857, id="ten to two"),
        pytest.param(0, 0, 1.0, id="none apart"),
        pytest.param(5, 5, 1.0, id="even"),
        pytest.param(6, 0, 2 / 2**6, id="six to none"),
        pytest.param(121, 59, 4.434e-6, id="Agresti's example"),
    ],
)
def test_mcnemars_test_is_exact(ours: int, theirs: int, p: float) -> None:
    assert mcnemar(ours, theirs) == pytest.approx(p, rel=1e-3)
    assert mcnemar(theirs, ours) == pytest.approx(p, rel=1e-3)


def test_the_same_rows_show_what_intervals_side_by_side_would_not() -> None:
    """80 and 72 of 100 right: the intervals overlap widely, but one is right wherever the other is."""
    wanted = ["y"] * 100
    ours, theirs = ["y"] * 80 + ["n"] * 20, ["y"] * 72 + ["n"] * 28

    found = better(ours, theirs, wanted, metric="accuracy")

    assert found.is_better
    assert found.value == pytest.approx(0.08)
    assert 0 < found.low < 0.08 < found.high
    assert found.p == pytest.approx(2 / 2**8)
    assert not found.is_worse
    back = better(theirs, ours, wanted, metric="accuracy")
    assert (back.is_better, back.is_worse) == (False, True)


@pytest.mark.parametrize("metric", ["exact match", "chrF++", "macro-F1", "ROUGE-L"])
def test_nobody_is_better_than_itself_and_one_row_tells_nothing(metric: str) -> None:
    same = better(["a b"] * 9, ["a b"] * 9, ["a c"] * 9, metric=metric)
    one = better(["a b"], ["x y"], ["a b"], metric=metric)

    assert (same.value, same.p) == (0, 1)
    assert one.p == 1
    assert not one.is_better


def test_a_metric_without_right_and_wrong_is_tested_by_resampling() -> None:
    ours, theirs, wanted = ["a b c"] * 30, ["a b d"] * 30, ["a b c"] * 30

    first, again = (better(ours, theirs, wanted, metric="ROUGE-L", seed=1) for _ in range(2))

    assert first == again
    assert first.value == pytest.approx(1 / 3)
    assert first.p == pytest.approx(2 / 1001)
    assert first.is_better


@pytest.mark.parametrize("metric", ["accuracy", "ROUGE-L"])
def test_equals_are_hardly_ever_taken_for_different(metric: str) -> None:
    """Of two that guess alike, one is called better in at most a tenth of a hundred trials (a twentieth is meant)."""
    chance = random.Random(3)
    rows = 60 if metric == "accuracy" else 30
    clear = 0
    for _ in range(100 if metric == "accuracy" else 20):
        ours, theirs = (chance.choices("yn", k=rows) for _ in range(2))
        clear += better(ours, theirs, ["y"] * rows, metric=metric).p < 0.05

    assert clear <= (10 if metric == "accuracy" else 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_the_interval_of_a_difference_holds_it_and_turns_round(pairs: list[tuple[bool, bool]]) -> None:
    ours, theirs = (["y" if each[side] else "n" for each in pairs] for side in (0, 1))
    wanted = ["y"] * len(pairs)

    there = better(ours, theirs, wanted, metric="accuracy")
    back = better(theirs, ours, wanted, metric="accuracy")

    assert -1 <= there.low <= there.value <= there.high <= 1
    assert (back.low, back.high, back.p) == pytest.approx((-there.high, -there.low, there.p))


def test_the_gap_between_shares_is_newcombes() -> None:
    """56 of 70 against 48 of 80: Newcombe 1998, table II, method 10."""
    first = Score("accuracy", 56 / 70, *wilson(56, 70), 70)
    second = Score("accuracy", 48 / 80, *wilson(48, 80), 80)

    found = gap(first, second)

    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=3e-4)
    assert found.is_clear
    assert not gap(first, first).is_clear


def test_a_difference_reads_as_a_sentence() -> None:
    told = str(better(["y"] * 20, ["n"] * 20, ["y"] * 20, metric="accuracy"))

    assert told.startswith("+1.000 (+0.")
    assert told.endswith("p < 0.001)")


def test_what_chance_brings_seldom_or_often_is_told_in_two_digits() -> None:
    assert str(Difference("accuracy", 0.1, 0.0, 0.2, 0.00104, 9)).endswith("p = 0.001)")
    assert str(Difference("accuracy", 0.1, 0.0, 0.2, 0.0, 9)).endswith("p < 0.001)")
