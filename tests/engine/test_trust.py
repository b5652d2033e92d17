"""How far a writer and a memory are trusted: what follows for answers, and what is found on rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.trust import MIDDLES, SPREADS, Opinion, Trust

TRUSTS = st.builds(Trust, st.floats(0, 5), st.floats(0, 1), st.floats(-9, 9))
OPINIONS = st.lists(
    st.builds(Opinion, st.sampled_from("abcde"), st.floats(0, 1), st.floats(-200, 0) | st.just(-math.inf)),
    max_size=5,
    unique_by=lambda one: one.answer,
)


@given(TRUSTS, OPINIONS)
def test_shares_leave_some_to_answers_that_nobody_has(trust: Trust, told: list[Opinion]) -> None:
    shares = trust.shares(told)

    assert all(0 <= share <= 1 for share in shares)
    assert len(shares) == len(told)
    assert sum(shares) <= 1 + 1e-9


@given(TRUSTS, OPINIONS.filter(bool), st.floats(0, 1), st.floats(0, 50))
def test_what_either_holds_to_be_likelier_is_never_less_likely(
    trust: Trust, told: list[Opinion], share: float, likelier: float
) -> None:
    first, *others = told
    raised = first._replace(share=max(first.share, share), log_likelihood=first.log_likelihood + likelier)

    assert trust.shares([raised, *others])[0] >= trust.shares(told)[0] - 1e-12


def test_the_writer_tells_apart_what_is_likened_to_many_rows() -> None:
    trust = Trust(memory=1.0, writer=0.2, unknown=-5.0)
    written, likened, other = Opinion("8 mi", 0.0, -4.0), Opinion("8 km", 0.2, -6.0), Opinion("8 kg", 0.3, -30.0)

    shares = trust.shares([written, likened, other])

    assert max(shares) == shares[1]


def test_where_a_writer_knows_no_figure_it_says_as_little_as_can_be() -> None:
    [nan, none] = (Trust.found_on([[Opinion("a", 0.5, likely)]], ["a"]) for likely in (math.nan, -math.inf))

    assert nan == none
    assert nan.shares([Opinion("a", 0.5, math.nan)]) == none.shares([Opinion("a", 0.5, -math.inf)])


def test_rows_of_which_nobody_holds_anything_tell_nothing() -> None:
    told = [Opinion("a", 0.5, -1.0)]

    assert Trust.found_on([told, []], ["a", "a"]) == Trust.found_on([told], ["a"])


def test_with_no_rows_it_is_what_it_usually_is() -> None:
    assert astuple(Trust.found_on([], [])) == pytest.approx(MIDDLES)


def test_whoever_is_right_is_trusted() -> None:
    told = [Opinion("a", 0.9, -20.0), Opinion("b", 0.05, -1.0)]
    memory, writer = (Trust.found_on([told] * 50, [answer] * 50) for answer in "ab")

    assert max(range(2), key=memory.shares(told).__getitem__) == 0
    assert max(range(2), key=writer.shares(told).__getitem__) == 1
    assert min(writer.memory, memory.writer) >= 0


def test_where_nobody_is_right_no_answer_is_sure() -> None:
    told = [Opinion("a", 0.9, -1.0), Opinion("b", 0.05, -1.0)]

    assert sum(Trust.found_on([told] * 50, ["c"] * 50).shares(told)) < 0.1
    assert sum(Trust.found_on([told] * 50, ["a"] * 50).shares(told)) > 0.9


@given(
    st.lists(st.tuples(OPINIONS, st.sampled_from("abcde")), max_size=6),
    st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
@settings(max_examples=60, deadline=None)
def test_no_other_trust_near_by_has_the_right_answers_likelier(
    rows: list[tuple[list[Opinion], str]], away: tuple[float, ...]
) -> None:
    told, right = [some for some, _ in rows], [answer for _, answer in rows]
    found = Trust.found_on(told, right)
    other = Trust(
        max(0.0, found.memory + away[0] * SPREADS[0]),
        max(0.0, found.writer + away[1] * SPREADS[1]),
        found.unknown + away[2] * SPREADS[2],
    )

    assert unlikeliness(found, told, right) <= unlikeliness(other, told, right) + 1e-4


def unlikeliness(trust: Trust, told: Sequence[Sequence[Opinion]], right: Sequence[str]) -> float:
    figures = zip(astuple(trust), MIDDLES, SPREADS, strict=True)
    far = math.fsum(((float(own) - middle) / spread) ** 2 for own, middle, spread in figures)
    return far / 2 - math.fsum(math.log(likely(trust, some, answer)) for some, answer in zip(told, right, strict=True))


def likely(trust: Trust, told: Sequence[Opinion], answer: str) -> float:
    shares = dict(zip((one.answer for one in told), trust.shares(told), strict=True))
    return max(1e-300, shares.get(answer, 1 - sum(shares.values())))


@pytest.mark.parametrize("figures", [(-0.1, 0, 0), (0, -0.1, 0), (math.nan, 0, 0), (0, math.inf, 0), (0, 0, math.nan)])
def test_figures_that_none_has_are_refused(figures: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="trust"):
        Trust(*figures)
