"""The plainest answers: what each says, and what it needs."""

from __future__ import annotations

import pytest

from engine.baselines import Copy, Majority, Nearest
from engine.errors import UserError
from engine.training import Row

ROWS = [Row("call me", "no"), Row("3 May 2020", "yes"), Row("4 June 2021", "yes"), Row("stay here", "no")]


def test_majority_gives_the_first_of_the_most_frequent_with_its_share() -> None:
    majority = Majority.of([*ROWS, Row("x", "maybe")])

    assert [(one.output, one.confidence) for one in majority.predict(["a", "b"])] == [("no", 0.4), ("no", 0.4)]


def test_copy_gives_the_input_and_claims_nothing() -> None:
    assert [(one.output, one.confidence) for one in Copy().predict(["a", ""])] == [("a", 0.0), ("", 0.0)]


def test_nearest_gives_the_output_of_the_most_similar_input() -> None:
    nearest = Nearest.of(ROWS)

    found = nearest.predict(["5 May 2020", "call him", "3 May 2020"])

    assert [one.output for one in found] == ["yes", "no", "yes"]
    assert found[0].confidence < found[2].confidence == pytest.approx(1)


def test_nearest_of_equals_is_the_first() -> None:
    nearest = Nearest.of([Row("same", "first"), Row("same", "second")])

    assert nearest.predict(["same"])[0].output == "first"


def test_nearest_answers_more_inputs_than_it_takes_at_once() -> None:
    assert len(Nearest.of(ROWS).predict(["call me"] * 600)) == 600


@pytest.mark.parametrize("baseline", [Majority, Nearest])
def test_a_baseline_without_rows_is_refused(baseline: type[Majority | Nearest]) -> None:
    with pytest.raises(UserError, match="at least one row"):
        baseline.of([])


def test_nearest_among_empty_inputs_is_refused() -> None:
    with pytest.raises(UserError, match="every input is empty"):
        Nearest.of([Row("", "a"), Row("", "b")])


@pytest.mark.parametrize("predictor", [Majority.of(ROWS), Copy(), Nearest.of(ROWS)], ids=lambda one: one.family)
def test_no_inputs_no_predictions(predictor: Majority | Copy | Nearest) -> None:
    assert predictor.predict([]) == []
