"""What a request will take is learnt from its kind, and right on the whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.throttle import Demand, Sizes


def test_output_is_reserved_in_full_until_thirty_replies_are_known_and_then_by_their_mean() -> None:
    sizes = Sizes()
    for tokens in range(1, 30):
        sizes.notify("label", input_bound=300, input_tokens=75, output_tokens=tokens, n=1)
    assert sizes.demand("label", input_bound=300, max_tokens=1000, n=2).output_tokens == 2000

    sizes.notify("label", input_bound=300, input_tokens=75, output_tokens=30, n=1)
    assert sizes.demand("label", input_bound=300, max_tokens=1000, n=2).output_tokens == 2 * 15.5
    assert sizes.demand("label", input_bound=300, max_tokens=10, n=1).output_tokens == 10
    assert sizes.demand("other", input_bound=300, max_tokens=1000, n=1).output_tokens == 1000


def test_several_completions_take_as_many_times_the_output_and_the_prompt_once() -> None:
    sizes = Sizes()
    for _ in range(30):
        sizes.notify("", input_bound=300, input_tokens=100, output_tokens=60, n=3)

    demand = sizes.demand("", input_bound=300, max_tokens=50, n=4)
    assert demand == Demand(1, 100 + 200, 100, 80)


def test_a_usage_beyond_what_can_be_is_taken_for_the_bound() -> None:
    sizes = Sizes()
    for _ in range(200):
        sizes.notify("", input_bound=300, input_tokens=10**9, output_tokens=1, n=1)

    assert sizes.demand("", input_bound=300, max_tokens=1, n=1).input_tokens == 300


@settings(deadline=None)
@given(st.lists(st.integers(0, 500), min_size=30, max_size=600))
def test_only_the_last_256_replies_count(outputs: list[int]) -> None:
    sizes = Sizes()
    for tokens in outputs:
        sizes.notify("", input_bound=1, input_tokens=1, output_tokens=tokens, n=1)

    last = outputs[-256:]
    demand = sizes.demand("", input_bound=1, max_tokens=1000, n=1)
    assert demand.output_tokens == pytest.approx(sum(last) / len(last))


@settings(deadline=None)
@given(st.lists(st.integers(20, 1_000), min_size=300, max_size=300), st.integers(0, 200))
@pytest.mark.long
def test_what_prompts_of_any_mixture_take_is_right_on_the_whole(prompts: list[int], around: int) -> None:
    """Each may be off, since a request adds bytes around its prompt; the sum, which is what limits count, is not."""
    sizes, estimated = Sizes(), 0.0
    for i, tokens in enumerate(prompts):
        bound = 4 * tokens + around
        estimated += sizes.demand("", input_bound=bound, max_tokens=1, n=1).input_tokens if i >= 100 else 0
        sizes.notify("", input_bound=bound, input_tokens=tokens, output_tokens=1, n=1)

    assert estimated == pytest.approx(sum(prompts[100:]), rel=0.1)


@pytest.mark.parametrize("around", [0, 144])
def test_short_and_long_prompts_in_turn_are_estimated_to_the_percent(around: int) -> None:
    sizes, estimated = Sizes(), 0.0
    prompts = [20, 1_000, 300, 60] * 200
    for i, tokens in enumerate(prompts):
        bound = 4 * tokens + around
        estimated += sizes.demand("", input_bound=bound, max_tokens=1, n=1).input_tokens if i >= 400 else 0
        sizes.notify("", input_bound=bound, input_tokens=tokens, output_tokens=1, n=1)

    assert estimated == pytest.approx(sum(prompts[400:]), rel=0.01)


def test_input_is_learnt_as_a_share_of_the_bytes() -> None:
    sizes = Sizes()
    for _ in range(100):
        sizes.notify("label", input_bound=1000, input_tokens=250, output_tokens=1, n=1)

    assert 250 <= sizes.demand("label", input_bound=1000, max_tokens=1, n=1).input_tokens <= 251
