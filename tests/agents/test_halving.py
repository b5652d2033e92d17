"""Who goes on in a trial, from how many rows each learns, and for how long: arithmetic."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.students.halving import (
    Candidate,
    Outcome,
    Round,
    best_first,
    goes_on,
    half,
    rounds_for,
    seconds_each,
    slice_sizes,
    winner,
)
from engine.evaluation import Score

few = settings(max_examples=50)


def scores(*values: float) -> tuple[Score, ...]:
    return tuple(Score("accuracy", value, 0.0, 1.0, 100) for value in values)


def outcome(rank: int, *values: float, size: int = 0, problem: str = "") -> Outcome:
    candidate = Candidate(name=f"s{rank}", family="tiny", bytes=size, rank=rank)
    return Outcome(candidate=candidate, scores=scores(*values), problem=problem)


OUTCOMES = st.lists(
    st.tuples(st.none() | st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0, 100])), min_size=1, max_size=9
).map(
    lambda drawn: [
        outcome(rank, *([] if value is None else [value]), size=size) for rank, (value, size) in enumerate(drawn)
    ]
)


def names(outcomes: list[Outcome]) -> list[str]:
    return [each.candidate.name for each in outcomes]


@few
@given(st.integers(1, 100))
def test_after_the_rounds_one_is_left_and_before_the_last_more(candidates: int) -> None:
    standing = candidates
    for _ in range(rounds_for(candidates)):
        assert standing > 1
        standing = half(standing)

    assert standing == 1


@few
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_each_slice_is_twice_the_one_before_as_long_as_there_are_rows(rows: int, rounds: int) -> None:
    sizes = slice_sizes(rows, rounds=rounds)

    assert len(sizes) == rounds
    assert all(later == min(rows, 2 * earlier) for earlier, later in pairwise(sizes))
    assert all(min(50, rows) <= size <= rows for size in sizes)


@pytest.mark.parametrize(
    ("rows", "rounds", "sizes"),
    [
        pytest.param(2000, 3, (250, 500, 1000), id="half of all in the last"),
        pytest.param(120, 3, (50, 100, 120), id="few"),
        pytest.param(10, 2, (10, 10), id="hardly any"),
        pytest.param(2000, 0, (), id="nobody to compare"),
    ],
)
def test_slices_of_some_sizes(rows: int, rounds: int, sizes: tuple[int, ...]) -> None:
    assert slice_sizes(rows, rounds=rounds) == sizes


@few
@given(st.integers(2, 40), st.floats(0.1, 1e4))
def test_all_rounds_together_take_the_time_that_there_is(candidates: int, seconds: float) -> None:
    left, standing, previous = seconds, candidates, 0.0
    while standing > 1:
        each = seconds_each(left, standing=standing)
        assert each == pytest.approx(2 * previous) or not previous
        left, standing, previous = left - each * standing, half(standing), each

    assert left == pytest.approx(0, abs=1e-6 * seconds)


@few
@given(OUTCOMES)
def test_nobody_who_goes_on_is_worse_than_one_who_does_not(outcomes: list[Outcome]) -> None:
    ahead = goes_on(outcomes)
    by_candidate = {each.candidate: each for each in outcomes}
    out = [each for each in outcomes if each.candidate not in ahead and each.scores]

    assert len(ahead) == min(half(len(outcomes)), sum(bool(each.scores) for each in outcomes))
    assert all(by_candidate[one].scores[0].value >= each.scores[0].value for one in ahead for each in out)


@few
@given(OUTCOMES)
def test_the_order_in_which_they_were_tried_changes_nothing(outcomes: list[Outcome]) -> None:
    assert goes_on(outcomes) == goes_on(outcomes[::-1])


def test_of_equals_the_cheaper_is_first_and_then_the_higher_ranked() -> None:
    told = [outcome(0, 0.5, size=9), outcome(1, 0.5, size=1), outcome(2, 0.5, size=1), outcome(3, 0.6, size=99)]

    assert names(best_first(told)) == ["s3", "s1", "s2", "s0"]


def test_the_second_score_decides_between_equal_first_ones() -> None:
    assert names(best_first([outcome(0, 0.5, 0.1), outcome(1, 0.5, 0.2, size=9)])) == ["s1", "s0"]


def test_the_winner_is_the_best_of_the_last_round_in_which_anybody_could_be_scored() -> None:
    first, second = outcome(0, 0.9), outcome(1, 0.8)
    both = Round(50, (first, second))

    assert winner([both, Round(100, (outcome(1, 0.7), outcome(0, 0.6)))]) == outcome(1, 0.7)
    assert winner([both, Round(100, (outcome(0, problem="broke"), outcome(1, problem="broke")))]) == first
    assert winner([Round(50, (outcome(0, problem="broke"),))]) is None
    assert winner([]) is None
