"""More at once while it pays, fewer when the provider is overloaded, none while nothing works, and never frozen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.concurrency import (
    FIRST_PAUSE_S,
    INITIAL,
    LONGEST_FREE_PAUSE_S,
    LONGEST_PAUSE_S,
    MAXIMUM,
    PAUSED_SHARE,
    SILENCE_S,
    Crowd,
    News,
)
from engine.errors import UserError

BURST = 10  # refusals in a row that are surely no chance


def successes(crowd: Crowd, count: int, *, saturated: bool = True, at: float = 0.0) -> None:
    for _ in range(count):
        crowd.notify_end(News.GOOD, sent_at=at, now=at, saturated=saturated)


def trouble(crowd: Crowd, news: News = News.OVERLOADED, *, sent_at: float, now: float, count: int = BURST) -> None:
    for _ in range(count):
        crowd.notify_end(news, sent_at=sent_at, now=now, saturated=True)


def grown(limit: int = 100) -> Crowd:
    crowd = Crowd()
    while crowd.limit < limit:
        successes(crowd, 1)
    return crowd


def opened_breaker() -> Crowd:
    crowd = Crowd()
    break_down(crowd, at=0.0)
    assert crowd.paused
    return crowd


def break_down(crowd: Crowd, *, at: float) -> None:
    """Two bursts of bad news, and nothing good between or after them."""
    trouble(crowd, sent_at=at + 1.0, now=at + 1.5)
    trouble(crowd, sent_at=at + 2.0, now=at + 2.5)


def test_it_starts_with_a_few_and_doubles_each_round() -> None:
    crowd = Crowd()
    assert crowd.limit == INITIAL

    successes(crowd, INITIAL)
    assert crowd.limit == 2 * INITIAL


def test_while_nothing_is_known_a_round_does_not_leave_all_at_once() -> None:
    """Else the round that is too much for a limit that nobody has told is refused whole."""
    crowd = Crowd()
    while crowd.limit < 64:
        crowd.notify_end(News.GOOD, sent_at=0.0, now=0.5, saturated=True)  # half a second there and back
    left, now, at_once = 0, 1.0, 0
    while left < 64:
        if crowd.may_start(left, now=now):
            crowd.notify_start(now=now)
            left, at_once = left + 1, at_once + (now == 1.0)
        else:
            assert crowd.reopens_at is not None
            now = crowd.reopens_at
    assert at_once == 1
    assert 0.2 <= now - 1.0 <= 0.25


def test_those_who_are_told_how_many_leave_all_at_once() -> None:
    crowd = Crowd(fixed=64)
    successes(crowd, 64, at=0.5)
    for in_flight in range(64):
        assert crowd.may_start(in_flight, now=1.0)
        crowd.notify_start(now=1.0)


def test_what_is_not_used_does_not_grow() -> None:
    crowd = Crowd()
    successes(crowd, 1000, saturated=False)

    assert crowd.limit == INITIAL


def test_there_is_an_upper_bound() -> None:
    crowd = Crowd()
    successes(crowd, 10 * MAXIMUM)

    assert crowd.limit == MAXIMUM


def test_when_the_pace_is_known_slots_need_not_be_found() -> None:
    crowd, fixed, cut = Crowd(), Crowd(fixed=5), grown()
    trouble(cut, sent_at=1.0, now=2.0)
    for each in (crowd, fixed, cut):
        each.trust_the_pace()

    assert (crowd.limit, fixed.limit) == (MAXIMUM, 5)
    assert cut.limit == 70


def test_one_burst_of_bad_news_cuts_once() -> None:
    crowd = grown()
    trouble(crowd, sent_at=1.0, now=2.0, count=50)

    assert crowd.limit == 70


def test_news_from_before_a_cut_says_nothing_about_the_time_after_it() -> None:
    crowd = grown()
    trouble(crowd, sent_at=1.0, now=2.0)
    trouble(crowd, sent_at=1.9, now=9.0)
    assert crowd.limit == 70

    successes(crowd, 1, saturated=False, at=2.5)
    trouble(crowd, sent_at=2.6, now=9.0)
    assert crowd.limit == 49


def test_a_few_that_are_turned_away_all_day_long_are_no_reason_to_ask_fewer() -> None:
    crowd = grown()
    for i in range(1, 2000):
        now = float(i)
        if i % 20:
            successes(crowd, 1, saturated=False, at=now)
        else:
            trouble(crowd, sent_at=now, now=now, count=1)

    assert crowd.limit == 100


def test_that_we_ask_too_often_is_no_reason_to_ask_fewer_at_once() -> None:
    crowd = grown()
    trouble(crowd, News.TOO_FAST, sent_at=1.0, now=1.1)
    successes(crowd, 1, saturated=False, at=1.2)

    assert crowd.limit == 100


@pytest.mark.parametrize(("before", "gained"), [(40, 4), (800, 28)])
def test_after_a_cut_a_round_gains_four_slots_or_a_twentieth(before: int, gained: int) -> None:
    crowd = grown(before)
    trouble(crowd, sent_at=1.0, now=2.0)
    cut = crowd.limit
    successes(crowd, cut, at=3.0)

    assert cut + gained - 1 <= crowd.limit <= cut + gained + 1


def test_after_a_cut_old_answers_and_a_single_new_refusal_change_nothing() -> None:
    crowd = grown()
    trouble(crowd, sent_at=1.0, now=2.0)
    successes(crowd, 1, saturated=False, at=3.0)
    trouble(crowd, sent_at=3.1, now=3.2, count=1)
    assert crowd.limit == 70

    trouble(crowd, sent_at=4.0, now=4.1)
    successes(crowd, 200, at=3.9)
    assert crowd.limit == 49


def test_there_is_a_lower_bound() -> None:
    crowd = Crowd()
    for i in range(20):
        trouble(crowd, sent_at=2.0 * i + 1, now=2.0 * i + 1.5)
        successes(crowd, 1, saturated=False, at=2.0 * i + 1.6)

    assert crowd.limit == 1
    assert crowd.may_start(0, now=100.0)


def test_a_failure_now_and_then_is_chance_and_five_in_a_row_are_not() -> None:
    crowd = Crowd()
    for i in range(20):
        trouble(crowd, News.FAILED, sent_at=1.0 + i, now=1.0 + i, count=4)
        successes(crowd, 1, saturated=False, at=1.5 + i)
    assert crowd.limit == INITIAL

    trouble(crowd, News.FAILED, sent_at=50.0, now=50.0, count=5)
    assert crowd.limit < INITIAL


def test_a_number_given_by_the_user_stays() -> None:
    """Whatever happens, a pause included."""
    crowd = Crowd(fixed=5)
    successes(crowd, 100)
    break_down(crowd, at=0.0)
    assert (crowd.limit, crowd.paused) == (5, True)
    reopens = crowd.reopens_at or 0.0
    crowd.notify_start(now=0.0)
    crowd.notify_end(News.GOOD, sent_at=reopens, now=reopens, saturated=False)

    assert (crowd.limit, crowd.paused) == (5, False)


@pytest.mark.parametrize("fixed", [0, -1, 1.5, True])
def test_less_than_one_at_once_is_refused(fixed: Any) -> None:
    with pytest.raises(UserError, match=f"at least 1 \\(got {fixed}\\)"):
        Crowd(fixed=fixed)


def test_when_nothing_succeeds_it_pauses_and_probes_with_one() -> None:
    crowd = opened_breaker()
    reopens = crowd.reopens_at or 0.0
    assert reopens == pytest.approx(2.5 + FIRST_PAUSE_S)

    assert not crowd.may_start(0, now=reopens - 0.01)
    assert crowd.may_start(0, now=reopens)
    crowd.notify_start(now=0.0)
    assert not crowd.may_start(1, now=reopens + 100)


def test_a_window_that_is_merely_full_does_not_open_the_breaker() -> None:
    crowd = grown()
    for i in range(5):
        now = SILENCE_S * i / 6
        trouble(crowd, News.TOO_FAST, sent_at=now + 0.01, now=now + 0.02, count=1)
    assert not crowd.paused

    trouble(crowd, News.TOO_FAST, sent_at=SILENCE_S, now=SILENCE_S + 0.01, count=1)
    assert crowd.paused


def test_a_failed_probe_makes_the_pause_longer_and_a_good_one_ends_it() -> None:
    crowd = opened_breaker()
    first = crowd.reopens_at or 0.0
    crowd.notify_start(now=0.0)
    trouble(crowd, sent_at=first, now=first + 1, count=1)
    second = crowd.reopens_at or 0.0
    assert second == pytest.approx(first + 1 + 2 * FIRST_PAUSE_S)

    crowd.notify_start(now=0.0)
    crowd.notify_end(News.GOOD, sent_at=second, now=second + 1, saturated=False)
    assert not crowd.paused
    assert crowd.may_start(0, now=second + 1)


@pytest.mark.parametrize(("news", "longest"), [(News.OVERLOADED, LONGEST_FREE_PAUSE_S), (News.FAILED, LONGEST_PAUSE_S)])
def test_pauses_stay_short_where_a_probe_costs_nothing(news: News, longest: float) -> None:
    crowd = opened_breaker()
    for _ in range(10):
        now = crowd.reopens_at or 0.0
        crowd.notify_start(now=0.0)
        trouble(crowd, news, sent_at=now, now=now, count=1)

    assert (crowd.reopens_at or 0.0) - now == longest


def test_a_failure_after_refusals_may_be_chance_and_is_not_added_to_their_pauses() -> None:
    """When a storm ends, the probe that would show it may meet the failure that one request in twenty meets."""
    crowd, pauses = opened_breaker(), []
    for news in [News.OVERLOADED] * 5 + [News.FAILED] * 3 + [News.OVERLOADED]:
        now = crowd.reopens_at or 0.0
        crowd.notify_start(now=now)
        trouble(crowd, news, sent_at=now, now=now, count=1)
        pauses.append((crowd.reopens_at or 0.0) - now)

    assert pauses[3:] == [LONGEST_FREE_PAUSE_S] * 2 + [FIRST_PAUSE_S * 2**i for i in range(3)] + [LONGEST_FREE_PAUSE_S]


def test_when_it_lasts_pauses_grow_with_the_time_that_it_has_lasted() -> None:
    """Where refusals count too, too frequent probes would be all that a small limit ever sees."""
    crowd, pauses = opened_breaker(), list[tuple[float, float]]()
    began = (crowd.reopens_at or 0.0) - FIRST_PAUSE_S
    while (now := crowd.reopens_at or 0.0) < began + 3600:
        crowd.notify_start(now=0.0)
        trouble(crowd, News.TOO_FAST, sent_at=now, now=now, count=1)
        pauses.append((now - began, (crowd.reopens_at or 0.0) - now))

    assert max(pause for lasted, pause in pauses if lasted <= 60) == LONGEST_FREE_PAUSE_S
    assert all(pause == pytest.approx(PAUSED_SHARE * lasted) for lasted, pause in pauses if lasted > 100)


def resumed_after(pauses: int) -> tuple[Crowd, float]:
    """After so many pauses something came back."""
    crowd, now = opened_breaker(), 0.0
    for i in range(pauses):
        now = crowd.reopens_at or 0.0
        crowd.notify_start(now=0.0)
        news = News.GOOD if i == pauses - 1 else News.OVERLOADED
        crowd.notify_end(news, sent_at=now, now=now, saturated=False)
    assert not crowd.paused
    return crowd, now


@pytest.mark.parametrize(
    ("answers", "pause_s"), [(0, 4 * FIRST_PAUSE_S), (2 * INITIAL, FIRST_PAUSE_S)], ids=["at once", "after a while"]
)
def test_trouble_that_comes_back_at_once_is_the_same_trouble(answers: int, pause_s: float) -> None:
    crowd, now = resumed_after(3)
    successes(crowd, answers, saturated=False, at=now)
    break_down(crowd, at=now)

    assert crowd.paused
    assert (crowd.reopens_at or 0.0) - (now + 2.5) == pause_s


def test_a_reply_to_what_was_sent_before_the_pause_does_not_end_it() -> None:
    crowd = opened_breaker()
    crowd.notify_end(News.GOOD, sent_at=0.5, now=6.0, saturated=False)

    assert crowd.paused


def test_while_a_probe_is_out_what_ends_of_before_lets_no_other_go() -> None:
    crowd = opened_breaker()
    reopens = crowd.reopens_at or 0.0
    crowd.notify_start(now=0.0)
    crowd.notify_end(News.NONE, sent_at=0.5, now=reopens + 1, saturated=False)

    assert not crowd.may_start(1, now=reopens + 1)


def test_a_probe_that_was_given_up_is_followed_by_another() -> None:
    crowd = opened_breaker()
    reopens = crowd.reopens_at or 0.0
    crowd.notify_start(now=0.0)
    crowd.notify_end(News.NONE, sent_at=reopens, now=reopens + 1, saturated=False)

    assert crowd.may_start(0, now=reopens + 1)


def test_after_a_storm_it_is_back_where_trouble_began_within_two_rounds() -> None:
    crowd = grown(400)
    break_down(crowd, at=0.0)
    reopens = crowd.reopens_at or 0.0
    crowd.notify_start(now=0.0)
    crowd.notify_end(News.GOOD, sent_at=reopens, now=reopens, saturated=False)
    for _ in range(2):
        successes(crowd, crowd.limit, at=reopens + 1)

    assert crowd.limit >= 0.65 * 400


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(News)), st.floats(0, 5), st.booleans()), max_size=200))
def test_whatever_happens_it_never_freezes_and_never_leaves_its_bounds(
    history: list[tuple[News, float, bool]],
) -> None:
    crowd, now = Crowd(), 0.0
    for news, seconds, saturated in history:
        now = max(now + seconds, crowd.reopens_at or 0.0)
        assert crowd.may_start(0, now=now)
        crowd.notify_start(now=0.0)
        sent_at, now = now, now + seconds
        crowd.notify_end(news, sent_at=sent_at, now=now, saturated=saturated)
        assert 1 <= crowd.limit <= MAXIMUM
