"""Which token comes next: fair draws, advice of a model's makers, and ties that are told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.messages import Request
from engine.providers.local.sampling import Chance, Nucleus, next_tokens, seed_of

ALL = Nucleus()
CPU = torch.device("cpu")


def choose(
    logits: Sequence[float], *, temperature: float = 0.0, lucks: Any = None, nucleus: Nucleus = ALL, tie: float = 1e-4
) -> tuple[int, bool]:
    chosen = next_tokens(
        torch.tensor([logits]),
        temperatures=torch.tensor([temperature]),
        lucks=torch.zeros(1, len(logits)) if lucks is None else lucks[None],
        nucleus=nucleus,
        tie=tie,
    )
    return chosen.tokens[0], chosen.ties[0]


def drawn(logits: Sequence[float], *, times: int, nucleus: Nucleus = ALL, temperature: float = 1.0) -> list[float]:
    """How often each token is drawn."""
    chance = Chance(1, device=CPU)
    counts = [0] * len(logits)
    for _ in range(times):
        token, _ = choose(logits, temperature=temperature, lucks=chance.lucks(len(logits)), nucleus=nucleus)
        counts[token] += 1
    return [count / times for count in counts]


def test_the_likeliest_is_taken_at_temperature_zero() -> None:
    assert choose([1.0, 3.0, 2.0]) == (1, False)


def test_draws_are_fair() -> None:
    shares = drawn([math.log(0.6), math.log(0.3), math.log(0.1)], times=2000)

    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.04)


def test_heat_makes_the_likely_less_likely() -> None:
    cold, hot = (drawn([1.0, 0.0], times=500, temperature=heat)[0] for heat in (0.3, 2.0))

    assert cold > 0.93 > 0.7 > hot


@pytest.mark.long
def test_top_k_and_top_p_leave_the_others_out() -> None:
    logits = [math.log(share) for share in (0.5, 0.3, 0.15, 0.05)]

    assert drawn(logits, times=300, nucleus=Nucleus(top_k=2))[2:] == [0, 0]
    assert drawn(logits, times=300, nucleus=Nucleus(top_p=0.75))[2:] == [0, 0]
    assert drawn(logits, times=300, nucleus=Nucleus(top_p=0.9))[2] > 0.05
    assert drawn(logits, times=300, nucleus=Nucleus(top_p=0.01)) == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("logits", "nucleus", "is_tie"),
    [
        pytest.param([1.0, 1.00001, 0.0], ALL, True, id="two are nearly as likely"),
        pytest.param([1.0, 2.0, 0.0], ALL, False, id="one is likelier"),
        pytest.param([100.0, 100.01, 0.0], ALL, True, id="large logits round more coarsely"),
    ],
)
def test_a_tie_is_where_rounding_could_decide(logits: list[float], nucleus: Nucleus, is_tie: bool) -> None:
    assert choose(logits, nucleus=nucleus)[1] is is_tie


def test_what_hardly_makes_it_among_the_first_is_a_tie_when_it_would_win() -> None:
    lucks = torch.tensor([0.0, 0.0, 50.0])

    assert choose([2.0, 1.00001, 1.0], temperature=1.0, lucks=lucks, nucleus=Nucleus(top_k=2))[1]
    assert choose([2.0, 1.5, 1.0], temperature=1.0, lucks=lucks, nucleus=Nucleus(top_k=2)) == (0, False)


def test_nothing_is_a_tie_when_a_row_is_alone() -> None:
    assert choose([1.0, 1.0, 1.0], tie=0.0)[1] is False


def test_what_a_grammar_forbids_is_never_drawn() -> None:
    assert drawn([0.0, -math.inf, 0.0], times=100)[1] == 0
    assert choose([-math.inf, -7.0, -math.inf]) == (1, False)


@settings(max_examples=300)
@given(
    logits=st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=12),
    noise=st.lists(st.floats(-1, 1, width=32), min_size=12, max_size=12),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    nucleus=st.sampled_from([ALL, Nucleus(top_k=3), Nucleus(top_p=0.8), Nucleus(top_k=4, top_p=0.5)]),
    seed=st.integers(0, 2**63 - 1),
)
@example(  # the likeliest of two that are nearly alike leaves the other out
    logits=[0.0, 0.0, 0.0, 28.625, 0.0, 28.5],
    noise=[0.0, 0.0, 0.0, 0.0, 0.0, 1.0] + [0.0] * 6,
    temperature=1.0,
    nucleus=Nucleus(top_k=4, top_p=0.5),
    seed=0,
)
@pytest.mark.long
def test_what_is_no_tie_is_chosen_whatever_rounding_does(
    logits: list[float], noise: list[float], temperature: float, nucleus: Nucleus, seed: int
) -> None:
    """Moved by less than what is allowed for, logits lead to the same token, or are called a tie."""
    tie = 0.01
    allowed = 0.9 * tie * max(1.0, *(abs(logit) for logit in logits))
    moved = [logit + allowed * wobble for logit, wobble in zip(logits, noise, strict=False)]
    lucks = Chance(seed, device=CPU).lucks(len(logits))

    told, is_tie = choose(moved, temperature=temperature, lucks=lucks, nucleus=nucleus, tie=tie)
    alone, _ = choose(logits, temperature=temperature, lucks=lucks, nucleus=nucleus, tie=0.0)

    assert is_tie or told == alone


def test_chance_depends_on_the_seed_and_the_place_alone() -> None:
    one, same, other = Chance(5, device=CPU), Chance(5, device=CPU), Chance(6, device=CPU)

    assert torch.equal(one.lucks(8), same.lucks(8))
    assert torch.equal(one.lucks(8), same.lucks(8))
    assert not torch.equal(Chance(5, device=CPU).lucks(8), other.lucks(8))


def test_a_seed_comes_from_what_is_asked_and_not_from_how_it_is_kept() -> None:
    request = Request.user("x", temperature=0.5, seed=1)

    def of(**how: Any) -> int:
        told = {"temperature": 0.5, "seed": 1, **how}
        return seed_of(Request.user("x", **told), seed=0, completion=0)

    assert seed_of(request, seed=0, completion=0) == of(max_tokens=9) == of(tag="t") == of(stop=("y",)) == of(n=3)
    different = {of(seed=2), of(sample=1), of(temperature=0.6), seed_of(request, seed=1, completion=0)}
    assert len(different | {of(), seed_of(request, seed=0, completion=1)}) == 6
