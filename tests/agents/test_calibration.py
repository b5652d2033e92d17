"""A judge is tried on rows of known truth, and used only where that shows that it beats chance."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.judging.calibration import Calibration, Trial, anchors_of, calibrated, deal, trials_of
from agents.records import Pair, Spec, Verdict
from tests.agents.courts import ANCHORS, SPEC, Judgment, always, coin, is_right, truthful

PASSAGES = Spec(
    instruction="Find the place.",
    demonstrations=tuple(Pair(f"Somebody {n} met us near harbour {n}.", f"near harbour {n}") for n in range(8)),
)

TRIALS = {anchors: trials_of(SPEC, ANCHORS[:anchors], seed=0) for anchors in (8, 40)}


def tried(judges: Judgment, anchors: int = 40, *, seed: int = 0) -> Calibration:
    trials = TRIALS[anchors]
    chance = Random(seed)
    verdicts = [Verdict(5) if judges(trial.row, chance) else Verdict(1, "output") for trial in trials]
    return calibrated(trials, verdicts, anchors=anchors)


def test_anchors_are_tried_as_they_are_and_spoiled_in_ways_that_are_wrong() -> None:
    trials = trials_of(SPEC, ANCHORS, seed=0)

    assert [trial.row for trial in trials if not trial.spoiled] == list(ANCHORS)
    assert not any(is_right(trial.row) for trial in trials if trial.spoiled)
    assert {trial.spoiled for trial in trials} == {"", "another answer", "gap in the input"}
    assert len({trial.row for trial in trials}) == len(trials)


def test_what_a_filter_would_find_for_nothing_is_not_tried() -> None:
    """Half of such an answer breaks the output pattern, and a filter knows."""
    halves = trials_of(PASSAGES, PASSAGES.demonstrations, seed=0)
    trials = trials_of(replace(PASSAGES, output_pattern=r"near harbour \d+"), PASSAGES.demonstrations, seed=0)

    assert "half of the answer" in {trial.spoiled for trial in halves}
    assert "half of the answer" not in {trial.spoiled for trial in trials}


def test_some_fifty_rows_are_enough_and_fewer_where_they_are_long() -> None:
    many = tuple(Pair(f"row {n}", "a") for n in range(200))
    long = tuple(Pair(f"row {n}{'.' * 20_000}", "a") for n in range(20))

    assert len(anchors_of(many[:10], many, seed=0)) == 48
    assert set(many[:10]) < set(anchors_of(many[:10], many, seed=0))
    assert len(anchors_of(long, long, seed=0)) == 5
    assert set(anchors_of(many, (), seed=0)) != set(many[:48])
    assert anchors_of(many[:10], (Pair("row 1", "b"),), seed=0) == many[:10]


def test_the_same_seed_tries_the_same_rows() -> None:
    assert trials_of(SPEC, ANCHORS, seed=3) == trials_of(SPEC, ANCHORS, seed=3)


@settings(max_examples=30)
@given(anchors=st.integers(5, 40), together=st.integers(1, 9), seed=st.integers(0, 99))
def test_no_call_shows_an_anchor_twice_and_some_demonstrations_stay_outside(
    anchors: int, together: int, seed: int
) -> None:
    trials = trials_of(SPEC, ANCHORS[:anchors], seed=seed)
    demonstrations = min(anchors, 12)
    calls = deal(trials, together=together, shown=4, demonstrations=demonstrations, seed=seed)

    assert sorted(map(repr, (trial for call in calls for trial in call))) == sorted(map(repr, trials))
    for call in calls:
        assert len(call) <= together
        assert len({trial.anchor for trial in call}) == len(call)
        assert len(call) == 1 or sum(trial.anchor < demonstrations for trial in call) <= demonstrations - 4


@pytest.mark.parametrize("anchors", [8, 40])
@pytest.mark.parametrize("seed", range(5))
def test_a_judge_that_is_nearly_always_right_is_used(anchors: int, seed: int) -> None:
    assert tried(truthful(0.97), anchors, seed=seed).is_used


@pytest.mark.parametrize("anchors", [8, 40])
@pytest.mark.parametrize(
    "judges",
    [pytest.param(always(True), id="all is right"), pytest.param(always(False), id="all is wrong")],
)
def test_a_judge_that_always_says_the_same_is_not_used(judges: Judgment, anchors: int) -> None:
    calibration = tried(judges, anchors)

    assert not calibration.is_used
    assert "not used" in calibration.told()
    assert f"of {calibration.found.rows}" in calibration.told()


def test_a_coin_is_hardly_ever_taken_for_a_judge() -> None:
    """Four thresholds are tried, and the interval holds for all of them: once in forty at the most."""
    assert sum(tried(coin, seed=seed).is_used for seed in range(60)) <= 3


def test_a_judge_that_contradicts_the_truth_is_not_used() -> None:
    assert not tried(truthful(0.0)).is_used


def test_the_threshold_is_the_one_that_tells_right_from_spoiled_best() -> None:
    """This judge gives right rows 4 and spoiled ones 3; of thresholds that do as well the lower one refuses less."""
    trials = trials_of(SPEC, ANCHORS, seed=0)
    hard = [Verdict(3 if trial.spoiled else 4) for trial in trials]
    clear = [Verdict(1 if trial.spoiled else 5) for trial in trials]

    assert calibrated(trials, hard, anchors=40).threshold == 4
    assert calibrated(trials, clear, anchors=40).threshold == 2


def test_a_trial_without_a_verdict_counts_as_let_pass() -> None:
    trials = [Trial(ANCHORS[0], 0), Trial(Pair("number 0", "odd"), 0, "another answer")]
    calibration = calibrated(trials, [None, None], anchors=1)

    assert (calibration.passed.hits, calibration.found.hits, calibration.silent) == (1, 0, 2)
    assert not calibration.is_used
