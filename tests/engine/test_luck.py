"""Refusals that do not depend on our speed do not bring it to a standstill."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.throttle import Demand, Limits, Pace
from engine.throttle.luck import Luck, News

ONE = Demand(1, 10, 5, 5)


def seconds_for(rows: int, *, share: float, limits: Limits, seed: int = 1) -> float:
    """One after the other, each refused by chance, whenever the pace lets it, at most a hundred a second."""
    pace, chance, now, answered = Pace(limits), Random(seed), 0.0, 0
    while answered < rows:
        now = max(now + 0.01, pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        if chance.random() < share:
            pace.notify_refusal(ONE, sent_at=now, now=now + 0.001, delay_s=None)
        else:
            pace.notify_answer(sent_at=now)
            answered += 1
    return now


@pytest.mark.parametrize("limits", [Limits(), Limits(rpm=6_000)], ids=["untold", "told"])
@pytest.mark.parametrize(
    ("share", "times"), [(0.001, 1.1), (0.005, 1.2), (0.01, 1.4), (0.02, 1.25), (0.05, 1.4), (0.1, 1.5), (0.3, 3.0)]
)
@pytest.mark.parametrize("seed", range(5))
def test_refusals_by_chance_hardly_slow_a_long_run(limits: Limits, share: float, times: float, seed: int) -> None:
    rows = 12_000
    assert seconds_for(rows, share=share, limits=limits, seed=seed) <= times * rows / 100 / (1 - share)


@pytest.mark.parametrize("seed", range(5))
def test_a_limit_is_never_taken_for_bad_luck_for_long(seed: int) -> None:
    """Sixty a second at most, and one in two hundred refused by chance on top: it stays near the sixty."""
    pace, chance, now = Pace(), Random(seed), 0.0
    window, used, let_in, refused = 0, 0, 0, 0
    while now < 120.0:
        now = max(now + 0.002, pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        used = used + 1 if int(now) == window else 1
        window = int(now)
        if used > 60 or chance.random() < 0.005:
            refused += 1
            pace.notify_refusal(ONE, sent_at=now, now=now + 0.001, delay_s=None)
        else:
            let_in += 1
            pace.notify_answer(sent_at=now)

    assert let_in >= 0.9 * 60 * 120
    assert refused <= 0.03 * (let_in + refused)


# -- the two questions


def told(luck: Luck, refusals: Iterable[int], *, may_end: bool = False) -> list[News]:
    return [luck.notify_refusal(number, may_end=may_end) for number in refusals]


def slowed_in_vain(*, share: float) -> tuple[Luck, int]:
    """Slowed down again and again, and refused as before, until a trial is due."""
    luck, number, every = Luck(), 0, round(1 / share)
    while luck.notify_cut(number, is_slow=True, kept=0.94) != "try faster":
        for _ in range(5):
            number += every
            luck.notify_refusal(number, may_end=False)
    return luck, number


def test_one_refusal_is_luck_and_two_close_together_are_not_but_two_far_apart_are() -> None:
    assert told(Luck(), [100]) == ["luck"]
    assert told(Luck(), [100, 110]) == ["luck", "too fast"]
    assert told(Luck(), [100, 400, 700, 1_000]) == ["luck"] * 4


def test_what_left_before_we_slowed_down_is_no_news() -> None:
    luck = Luck()
    luck.notify_cut(200, is_slow=False, kept=1.0)
    assert told(luck, [150, 160, 170]) == ["luck"] * 3


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_who_asks_faster_and_is_refused_no_more_often_knows_the_share_from_then_on(share: float) -> None:
    luck, number = slowed_in_vain(share=share)
    every = round(1 / share)

    assert "not too fast" in told(luck, range(number + every, number + 60 * every, every), may_end=True)
    assert luck.share == pytest.approx(share, rel=0.3)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_who_asks_faster_and_is_refused_half_of_it_goes_back_and_is_slower_to_try_again(share: float) -> None:
    luck, number = slowed_in_vain(share=share)
    patience = luck.patience

    assert "too fast" in told(luck, range(number + 1, number + 40))
    assert luck.notify_cut(number + 40, is_slow=False, kept=1.0) == "a limit"
    assert not luck.in_trial
    assert luck.share == 0.0
    assert patience > Luck().patience


def test_a_share_is_forgotten_when_nothing_is_refused_any_more() -> None:
    luck = Luck(share=0.1, most=0.12, refused_at=1_000)
    told(luck, [1_200])
    assert luck.share == 0.0


@given(
    st.lists(st.tuples(st.sampled_from(["refused", "cut", "end"]), st.integers(0, 500), st.booleans()), max_size=200)
)
def test_whatever_happens_shares_stay_shares_and_a_trial_comes(history: list[tuple[str, int, bool]]) -> None:
    luck, number = Luck(), 0
    for act, step, flag in history:
        number += step
        if act == "refused":
            luck.notify_refusal(number, may_end=flag)
        elif act == "cut":
            luck.notify_cut(number, is_slow=flag, kept=0.9)
        else:
            luck.end_trial()
        assert 0.0 <= luck.share < 1.0
        assert luck.evidence >= 0.0
    luck.end_trial()
    assert "try faster" in [luck.notify_cut(number + i, is_slow=True, kept=0.9) for i in range(40)]
