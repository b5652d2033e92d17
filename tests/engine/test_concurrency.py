"""More at once while it pays, fewer when the provider complains, none while nothing works, and never frozen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.admission import Admission
from engine.clock import SystemClock
from engine.concurrency import FIRST_PAUSE_S, FRUITLESS_CUTS, INITIAL, MAXIMUM, Crowd, News
from engine.errors import UserError
from engine.fakes import virtual_time
from engine.throttle import Demand, Pace

ONE = Demand(1, 0, 0, 0)


def successes(crowd: Crowd, count: int, *, saturated: bool = True) -> None:
    for _ in range(count):
        crowd.notify_end(News.GOOD, sent_at=0.0, now=0.0, saturated=saturated)


def trouble(crowd: Crowd, news: News = News.REFUSED, *, sent_at: float, now: float, count: int = 1) -> None:
    for _ in range(count):
        crowd.notify_end(news, sent_at=sent_at, now=now, saturated=True)


def opened_breaker() -> Crowd:
    crowd = Crowd()
    for i in range(FRUITLESS_CUTS):
        trouble(crowd, sent_at=2.0 * i + 1, now=2.0 * i + 1.5)
    assert crowd.paused
    return crowd


def test_it_starts_with_a_few_and_doubles_each_round() -> None:
    crowd = Crowd()
    assert crowd.limit == INITIAL

    successes(crowd, INITIAL)
    assert crowd.limit == 2 * INITIAL


def test_what_is_not_used_does_not_grow() -> None:
    crowd = Crowd()
    successes(crowd, 1000, saturated=False)

    assert crowd.limit == INITIAL


def test_there_is_an_upper_bound() -> None:
    crowd = Crowd()
    successes(crowd, 10 * MAXIMUM)

    assert crowd.limit == MAXIMUM


def test_one_burst_of_bad_news_cuts_once() -> None:
    crowd = Crowd()
    successes(crowd, 100 - INITIAL)
    trouble(crowd, sent_at=1.0, now=2.0, count=50)

    assert crowd.limit == 70


def test_news_from_before_a_cut_says_nothing_about_the_time_after_it() -> None:
    crowd = Crowd()
    successes(crowd, 100 - INITIAL)
    trouble(crowd, sent_at=1.0, now=2.0)
    trouble(crowd, sent_at=1.9, now=9.0)
    assert crowd.limit == 70

    trouble(crowd, sent_at=2.1, now=9.0)
    assert crowd.limit == 49


def test_after_a_cut_growth_is_slow() -> None:
    crowd = Crowd()
    successes(crowd, 100 - INITIAL)
    trouble(crowd, sent_at=1.0, now=2.0)
    successes(crowd, 70)

    assert 72 <= crowd.limit <= 75


def test_a_failure_now_and_then_is_chance_and_five_in_a_row_are_not() -> None:
    crowd = Crowd()
    for _ in range(20):
        trouble(crowd, News.FAILED, sent_at=1.0, now=1.0, count=4)
        successes(crowd, 1, saturated=False)
    assert crowd.limit == INITIAL

    trouble(crowd, News.FAILED, sent_at=1.0, now=1.0, count=5)
    assert crowd.limit < INITIAL


def test_a_number_given_by_the_user_stays() -> None:
    crowd = Crowd(fixed=5)
    successes(crowd, 100)
    trouble(crowd, sent_at=1.0, now=2.0)

    assert crowd.limit == 5


@pytest.mark.parametrize("fixed", [0, -1, 1.5, True])
def test_less_than_one_at_once_is_refused(fixed: Any) -> None:
    with pytest.raises(UserError, match=f"at least 1 \\(got {fixed}\\)"):
        Crowd(fixed=fixed)


def test_when_nothing_succeeds_it_pauses_and_probes_with_one() -> None:
    crowd = opened_breaker()
    reopens = crowd.reopens_at or 0.0
    assert reopens == pytest.approx(2.0 * (FRUITLESS_CUTS - 1) + 1.5 + FIRST_PAUSE_S)

    assert not crowd.may_start(0, now=reopens - 0.01)
    assert crowd.may_start(0, now=reopens)
    crowd.notify_start()
    assert not crowd.may_start(1, now=reopens + 100)


def test_a_failed_probe_makes_the_pause_longer_and_a_good_one_ends_it() -> None:
    crowd = opened_breaker()
    first = crowd.reopens_at or 0.0
    crowd.notify_start()
    trouble(crowd, sent_at=first, now=first + 1)
    second = crowd.reopens_at or 0.0
    assert second == pytest.approx(first + 1 + 2 * FIRST_PAUSE_S)

    crowd.notify_start()
    crowd.notify_end(News.GOOD, sent_at=second, now=second + 1, saturated=False)
    assert not crowd.paused
    assert crowd.may_start(0, now=second + 1)


def test_a_probe_that_was_given_up_is_followed_by_another() -> None:
    crowd = opened_breaker()
    reopens = crowd.reopens_at or 0.0
    crowd.notify_start()
    crowd.notify_end(News.NONE, sent_at=reopens, now=reopens + 1, saturated=False)

    assert crowd.may_start(0, now=reopens + 1)


@given(st.lists(st.tuples(st.sampled_from(list(News)), st.floats(0, 5), st.booleans()), max_size=200))
def test_whatever_happens_it_never_freezes_and_never_leaves_its_bounds(
    history: list[tuple[News, float, bool]],
) -> None:
    crowd, now = Crowd(), 0.0
    for news, seconds, saturated in history:
        now = max(now + seconds, crowd.reopens_at or 0.0)
        assert crowd.may_start(0, now=now)
        crowd.notify_start()
        sent_at, now = now, now + seconds
        crowd.notify_end(news, sent_at=sent_at, now=now, saturated=saturated)
        assert 1 <= crowd.limit <= MAXIMUM


def test_never_more_than_allowed_are_in_flight_and_slots_go_in_order() -> None:
    async def main() -> tuple[int, list[int]]:
        admission, order, most = Admission(pace=Pace(), crowd=Crowd(fixed=3), clock=SystemClock()), list[int](), 0

        async def call(i: int) -> None:
            nonlocal most
            await admission.enter(ONE)
            order.append(i)
            most = max(most, admission.in_flight)
            await asyncio.sleep(1 + i % 3)
            admission.leave(News.GOOD, sent_at=0.0)

        await asyncio.gather(*(call(i) for i in range(30)))
        return most, order

    assert virtual_time.run(main()) == (3, list(range(30)))


def test_a_storm_is_survived_without_a_request_being_given_up() -> None:
    """Everything fails for a minute; ten seconds after it the line moves as before."""

    async def main() -> tuple[int, float]:
        admission, loop = Admission(pace=Pace(), crowd=Crowd(), clock=SystemClock()), asyncio.get_running_loop()
        sent = 0

        async def call() -> None:
            nonlocal sent
            while True:
                await admission.enter(ONE)
                sent_at, sent = loop.time(), sent + 1
                await asyncio.sleep(0.5)
                works = not 5 < sent_at < 65
                admission.leave(News.GOOD if works else News.REFUSED, sent_at=sent_at)
                if works:
                    return

        await asyncio.gather(*(call() for _ in range(4000)))
        return sent, loop.time()

    sent, seconds = virtual_time.run(main())
    assert sent < 4000 + 400
    assert seconds < 65 + 45
