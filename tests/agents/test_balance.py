"""Contradictions go to the majority, labels are brought into proportion, and neither depends on the order of rows."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.filtering.balance import caps_of, shares_of, surplus
from agents.filtering.conflicts import Answers, digest
from agents.reading.roles import Row
from engine.errors import UserError

LABELS = st.dictionaries(st.sampled_from(["card", "cash", "bill", "train"]), st.integers(1, 500), min_size=1)


def rows_of(labels: list[str]) -> list[Row]:
    return [Row(number, "rows", number, f"input {number}", label, None) for number, label in enumerate(labels)]


@given(LABELS, st.lists(st.sampled_from(["card", "cash", "other"])), st.floats(1, 10))
def test_a_cap_keeps_something_and_no_more_than_there_is(
    counts: dict[str, int], anchors: list[str], factor: float
) -> None:
    caps = caps_of(counts, anchors=anchors, factor=factor)

    assert all(1 <= caps[label] <= counts[label] for label in counts)
    assert sum(shares_of(list(counts), anchors).values()) == pytest.approx(1)


@given(LABELS)
def test_without_anchors_all_labels_are_brought_to_the_scarcest(counts: dict[str, int]) -> None:
    assert set(caps_of(counts).values()) == {min(counts.values())}


def test_anchors_say_the_shares_and_a_factor_is_slack() -> None:
    counts = {"often": 100, "rare": 10}

    assert caps_of(counts, anchors=["often", "often"]) == {"often": 30, "rare": 10}
    assert caps_of(counts, factor=2.0) == {"often": 20, "rare": 10}


def test_too_many_answers_are_no_labels() -> None:
    with pytest.raises(UserError, match="201 different answers"):
        caps_of({str(number): 1 for number in range(201)})


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1), st.randoms(use_true_random=False), st.integers(0, 3))
@pytest.mark.long
def test_which_rows_are_too_many_depends_on_the_rows_and_the_seed_alone(
    labels: list[str], rng: random.Random, seed: int
) -> None:
    rows, counts = rows_of(labels), Counter(labels)
    caps = caps_of(counts)
    shuffled = rng.sample(rows, len(rows))

    over = surplus(rows, caps, counts, seed=seed)

    assert over == surplus(shuffled, caps, counts, seed=seed)
    assert Counter(row.output for row in rows if row.number not in over) == caps


ANSWERS = st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), st.sampled_from(["a", "bb", "c", "A."])))


@given(ANSWERS)
def test_an_input_with_one_answer_is_in_no_conflict(rows: list[tuple[str, str]]) -> None:
    answers = Answers()
    for given_, answer in rows:
        answers.add(given_, answer)
    losers = answers.losers()

    told: dict[str, set[str]] = {}
    for given_, answer in rows:
        told.setdefault(given_, set()).add(answer.casefold().rstrip("."))
    assert len(answers) == len(rows)
    assert set(losers) == {digest(given_) for given_, different in told.items() if len(different) > 1}


@pytest.mark.parametrize(
    ("told", "winner"),
    [
        pytest.param(["a", "b", "B."], "b", id="the most frequent, spelling aside"),
        pytest.param(["long answer", "brief"], "brief", id="ties to the shortest"),
        pytest.param(["c", "b"], "c", id="then to the first"),
    ],
)
def test_the_answer_that_wins_is_the_one_that_votes_would_choose(told: list[str], winner: str) -> None:
    answers = Answers()
    for answer in told:
        answers.add("the input", answer)

    assert answers.losers() == {digest("the input"): digest(winner)}
