"""Votes: majority after normalisation, ties to the shortest and then the first, and not one vote too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.records import Pair, Spec
from agents.vote import fits_spec, normaliser, tally, votes_to_ask
from engine.errors import UserError

LABELS = Spec(instruction="Route it.", kind="classification", labels=("Card", "Cash Out", "None"))
DATES = Spec(
    instruction="Find the date.",
    demonstrations=(Pair("5 March 2021", "2021-03-05"),),
    output_pattern=r"\d{4}-\d{2}-\d{2}",
    empty_answer="N/A",
)
FREE = Spec(instruction="Translate.")

labels = st.sampled_from(["a", "b", "bb", "ccc"])


@pytest.mark.parametrize(
    ("spec", "reply", "expected"),
    [
        pytest.param(LABELS, "Card", "Card", id="clean"),
        pytest.param(LABELS, "  cash out\n", "Cash Out", id="letter case"),
        pytest.param(LABELS, '"Card".', "Card", id="quotes and stop"),
        pytest.param(LABELS, "**Card**", "Card", id="bold"),
        pytest.param(LABELS, "Label: card", "Card", id="stock word"),
        pytest.param(LABELS, "It is Card", "It is Card", id="prose stays prose"),
        pytest.param(DATES, "“2021-03-05”", "2021-03-05", id="curly quotes"),
        pytest.param(DATES, "Answer: 2021-03-05.", "2021-03-05", id="stock word and stop"),
        pytest.param(DATES, "n/a.", "N/A", id="empty answer"),
        pytest.param(DATES, "The date is 2021-03-05.", "The date is 2021-03-05.", id="never dug out of a sentence"),
        pytest.param(DATES, "2021-03-05 or 2021-05-03", "2021-03-05 or 2021-05-03", id="two answers are none"),
        pytest.param(FREE, ' "Bonjour." ', '"Bonjour."', id="only blanks where nothing says what fits"),
    ],
)
def test_only_packing_is_taken_off(spec: Spec, reply: str, expected: str) -> None:
    assert normaliser(spec)(reply) == expected


def test_an_exact_label_wins_over_one_that_differs_in_case() -> None:
    normalise = normaliser(Spec(instruction="?", kind="classification", labels=("us", "US")))

    assert [normalise("us"), normalise("US"), normalise("Us")] == ["us", "US", "us"]


def test_what_fits_is_the_label_set_or_the_pattern_or_the_empty_answer() -> None:
    assert fits_spec("Card", LABELS)
    assert not fits_spec("card", LABELS)
    assert fits_spec("N/A", DATES)
    assert not fits_spec("2021-03-05!", DATES)
    assert fits_spec("anything", FREE)


def test_a_broken_pattern_is_a_users_error() -> None:
    with pytest.raises(UserError, match="no regular expression"):
        fits_spec("x", Spec(instruction="?", output_pattern="("))


@pytest.mark.parametrize(
    ("samples", "winner", "agreement"),
    [
        (["a", "b", "b"], "b", 2 / 3),
        (["bb", "a"], "a", 1 / 2),
        (["b", "a"], "b", 1 / 2),
        (["ccc", "bb", "a", "bb", "ccc"], "bb", 2 / 5),
        ([" a", "a "], "a", 1.0),
    ],
    ids=["majority", "tie to the shortest", "tie to the first", "tie of the leaders", "normalised"],
)
def test_the_majority_wins_and_ties_go_to_the_shortest_then_the_first(
    samples: list[str], winner: str, agreement: float
) -> None:
    vote = tally(samples, str.strip)

    assert vote.winner == winner
    assert vote.agreement == pytest.approx(agreement)
    assert vote.samples == tuple(samples)


@given(samples=st.lists(labels, min_size=1, max_size=9), data=st.data())
def test_the_order_of_votes_matters_only_among_equally_short_leaders(samples: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(samples))
    one, other = tally(samples, str.strip), tally(shuffled, str.strip)

    assert one.agreement == other.agreement
    assert samples.count(one.winner) == max(map(samples.count, samples))
    assert len(one.winner) == len(other.winner)


@given(before=st.lists(labels, max_size=6), after=st.lists(labels, max_size=6))
def test_once_no_vote_is_asked_for_no_vote_could_change_the_winner(before: list[str], after: list[str]) -> None:
    if before and not votes_to_ask(before, remaining=len(after)):
        assert tally(before, str.strip).winner == tally(before + after, str.strip).winner


@given(samples=st.lists(labels, max_size=6), remaining=st.integers(1, 6))
def test_no_fewer_votes_could_end_it(samples: list[str], remaining: int) -> None:
    more = votes_to_ask(samples, remaining=remaining)
    leader = max(samples, key=samples.count, default="a")

    assert more <= remaining
    for fewer in range(more):
        assert votes_to_ask(samples + [leader] * fewer, remaining=remaining - fewer) > 0


def test_of_three_votes_the_third_is_asked_only_when_the_first_two_differ() -> None:
    assert votes_to_ask([], remaining=3) == 2
    assert votes_to_ask(["a", "a"], remaining=1) == 0
    assert votes_to_ask(["a", "b"], remaining=1) == 1
    assert votes_to_ask(["a", "b", "c"], remaining=0) == 0
