"""Votes: majority after normalisation, ties to the shortest and then the first, and not one vote too many."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.records import Pair, Spec
from agents.voting.vote import SURE, Aim, Aims, Trust, confidence, fits_spec, lasting, normaliser, tally, votes_to_ask
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


def test_a_pattern_with_too_many_ways_to_read_an_answer_holds_nobody_up() -> None:
    assert not fits_spec("a" * 200, Spec(instruction="?", output_pattern="(a+)+b"))


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


def gap(samples: list[str]) -> tuple[int, int]:
    """How often the leader and the second stand in a list."""
    leader, second = (*sorted(map(samples.count, set(samples)), reverse=True), 0, 0)[:2]
    return leader, second


@given(before=st.lists(labels, max_size=9), after=st.lists(labels, max_size=9))
def test_once_no_vote_is_asked_for_no_vote_could_change_the_winner_or_it_is_sure(
    before: list[str], after: list[str]
) -> None:
    if before and not votes_to_ask(before, remaining=len(after)):
        unchanged = tally(before, str.strip).winner == tally(before + after, str.strip).winner
        assert unchanged or confidence(*gap(before)) >= SURE


@given(leader=st.integers(0, 20), second=st.integers(0, 20))
@pytest.mark.long
def test_confidence_is_the_part_of_a_beta_posterior_above_one_half(leader: int, second: int) -> None:
    shares = [(step + 0.5) / 20_000 for step in range(20_000)]
    density = [share**leader * (1 - share) ** second for share in shares]

    assert confidence(leader, second) == pytest.approx(sum(density[10_000:]) / sum(density), abs=1e-6)
    assert confidence(leader, second) + confidence(second, leader) == pytest.approx(1)
    assert confidence(leader + 1, second) > confidence(leader, second) > confidence(leader, second + 1)


def test_of_many_votes_four_in_agreement_are_enough_and_dissent_asks_for_more() -> None:
    assert votes_to_ask([], remaining=40) == 4
    assert votes_to_ask(["a"] * 4, remaining=36) == 0
    assert votes_to_ask(["a"] * 4 + ["b"], remaining=35) == 2
    assert votes_to_ask(["a"] * 6 + ["b"], remaining=33) == 0


@given(samples=st.lists(labels, max_size=9), remaining=st.integers(0, 9))
def test_weights_of_one_change_nothing(samples: list[str], remaining: int) -> None:
    ones = [1.0] * len(samples)

    assert votes_to_ask(samples, remaining=remaining, weights=ones) == votes_to_ask(samples, remaining=remaining)
    if samples:
        assert tally(samples, str.strip, weights=ones) == tally(samples, str.strip)


@given(cast=st.lists(st.tuples(labels, st.floats(0.01, 1)), min_size=1, max_size=9))
def test_the_heaviest_label_wins_and_agreement_is_its_share_of_the_weight(cast: list[tuple[str, float]]) -> None:
    vote = tally([label for label, _ in cast], str.strip, weights=[weight for _, weight in cast])
    weight_of = {label: sum(weight for other, weight in cast if other == label) for label, _ in cast}

    assert weight_of[vote.winner] == pytest.approx(max(weight_of.values()))
    assert vote.agreement == pytest.approx(weight_of[vote.winner] / sum(weight_of.values()))


@given(
    cast=st.lists(st.tuples(labels, st.sampled_from([0.25, 0.5, 1.0])), min_size=1, max_size=6),
    after=st.lists(st.tuples(labels, st.sampled_from([0.25, 0.5, 1.0])), max_size=6),
)
def test_weighted_votes_are_not_stopped_while_they_could_change_the_winner(
    cast: list[tuple[str, float]], after: list[tuple[str, float]]
) -> None:
    def won(votes: list[tuple[str, float]]) -> str:
        return tally([label for label, _ in votes], str.strip, weights=[weight for _, weight in votes]).winner

    names, weights = [label for label, _ in cast], [weight for _, weight in cast]
    if not votes_to_ask(names, remaining=len(after), weights=weights):
        heavy = {label: sum(weight for other, weight in cast if other == label) for label in names}
        leader, second = (*sorted(heavy.values(), reverse=True), 0.0)[:2]
        assert won(cast) == won(cast + after) or confidence(leader, second) >= SURE


@given(samples=st.lists(labels, max_size=6), remaining=st.integers(1, 6))
@pytest.mark.long
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


@pytest.mark.parametrize("votes", range(1, 8))
def test_up_to_seven_votes_a_winner_is_always_that_of_a_fixed_vote(votes: int) -> None:
    for leader in range(votes + 1):
        for second in range(min(leader, votes - leader + 1)):
            if leader + second <= votes and confidence(leader, second) >= SURE:
                assert leader > second + (votes - leader - second)


@given(samples=st.lists(labels, min_size=1, max_size=7), remaining=st.integers(0, 4))
def test_a_winner_that_nobody_could_catch_up_with_lasts_and_any_other_may(samples: list[str], remaining: int) -> None:
    leader, second = gap(samples)
    sure = lasting(samples, remaining=remaining)

    assert sure == (1.0 if not remaining or leader > second + remaining else confidence(leader, second))
    assert sure >= SURE or votes_to_ask(samples, remaining=remaining)


def told(*, rights: dict[str, float], inputs: int = 4000) -> Trust:
    """Three votes on each of many inputs, by models that are right so often, and else wrong in one of nine ways."""
    chance = random.Random(0)
    trust = Trust()
    for _ in range(inputs):
        models = [chance.choice(sorted(rights)) for _ in range(3)]
        cast = ["right" if chance.random() < rights[model] else f"wrong {chance.randrange(9)}" for model in models]
        trust.notify(cast, models)
    return trust


def test_the_model_that_is_right_more_often_weighs_more_whichever_labels_more() -> None:
    weights = told(rights={"good": 0.95, "fair": 0.8, "poor": 0.6}).weights

    assert weights["good"] == 1.0
    assert 0 < weights["poor"] < weights["fair"] < 0.8


def test_one_model_alone_and_few_votes_weigh_the_same() -> None:
    assert told(rights={"good": 0.95}).weights == {}
    assert told(rights={"good": 0.95, "poor": 0.6}, inputs=30).weights == {}


@given(cast=st.lists(st.tuples(labels, st.sampled_from(["m", "n", "o"])), max_size=6), times=st.integers(1, 300))
def test_weights_lie_between_nothing_and_one_whatever_was_voted(cast: list[tuple[str, str]], times: int) -> None:
    trust = Trust()
    for _ in range(times):
        trust.notify([label for label, _ in cast], [model for _, model in cast])

    assert all(0 < weight <= 1 for weight in trust.weights.values())
    assert not trust.weights or max(trust.weights.values()) == 1.0


def test_a_good_model_outvotes_two_poor_ones() -> None:
    weights = told(rights={"good": 0.99, "poor": 0.6}).weights
    vote = tally(["a", "b", "b"], str, weights=[weights["good"], weights["poor"], weights["poor"]])

    assert vote.winner == "a"


AIM = Aim("yes", 0.98)


def test_a_first_vote_for_what_the_input_was_written_for_is_enough() -> None:
    assert votes_to_ask([], remaining=3, aim=AIM) == 1
    assert votes_to_ask(["yes"], remaining=2, aim=AIM) == 0
    assert lasting(["yes"], remaining=2, aim=AIM) == AIM.lasting


@given(
    first=st.sampled_from(["no", "perhaps"]),
    later=st.lists(st.sampled_from(["yes", "no"]), max_size=4),
    remaining=st.integers(0, 4),
)
def test_any_other_first_vote_is_followed_as_if_nothing_had_been_asked_for(
    first: str, later: list[str], remaining: int
) -> None:
    labels = [first, *later]

    assert votes_to_ask(labels, remaining=remaining, aim=AIM) == votes_to_ask(labels, remaining=remaining)
    assert lasting(labels, remaining=remaining, aim=AIM) == lasting(labels, remaining=remaining)


def test_an_answer_is_an_aim_once_first_votes_for_it_have_lasted_nineteen_times_in_twenty() -> None:
    aims = Aims()
    for _ in range(17):
        aims.notify("yes", first="yes", winner="yes")
    assert aims.aim("yes") is None

    for _ in range(20):
        aims.notify("yes", first="no", winner="no")  # overlooked, and the vote says so: no word against the aim
        aims.notify("yes", first="yes", winner="yes")
        aims.notify("no", first="no", winner="yes")
        aims.notify(None, first="no", winner="yes")

    assert aims.aim("yes") == Aim("yes", 38 / 39)
    assert aims.aim("no") is None
    assert aims.aim(None) is None


def test_an_aim_that_votes_in_full_gainsay_is_one_no_longer() -> None:
    aims = Aims()
    for winner in ("yes",) * 40 + ("no",) * 10:
        aims.notify("yes", first="yes", winner=winner)

    assert aims.aim("yes") is None
