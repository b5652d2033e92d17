"""Several addresses of one model: the least loaded is asked, one that is down is left alone, none is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.concurrency import FIRST_PAUSE_S, INITIAL, MAXIMUM, News
from engine.errors import UserError
from engine.spread import Spread
from engine.throttle import Demand

ONE = Demand(1, 0, 0, 0)


def sent(spread: Spread, count: int, *, now: float = 0.0) -> list[int]:
    """Where so many go, one right after the other."""
    return [spread.start(ONE, now=now) for _ in range(count) if spread.may_start(0, now=now)]


def down(spread: Spread, place: int, *, now: float = 0.0) -> None:
    """Three fail there, as at a server that has gone."""
    for _ in range(3):
        spread.places[place].in_flight += 1
        spread.end(place, News.FAILED, sent_at=now + 0.1, now=now + 0.1)


def test_equal_addresses_take_turns() -> None:
    assert sent(Spread(3, fixed=30), 7) == [0, 1, 2, 0, 1, 2, 0]


def test_who_bears_more_is_given_more() -> None:
    spread = Spread(2, fixed=40)
    spread.places[0].crowd._limit, spread.places[1].crowd._limit = 30.0, 10.0

    went = sent(spread, 20)

    assert (went.count(0), went.count(1)) == (15, 5)


def test_who_answers_slowly_is_given_less() -> None:
    """Nobody measures how fast an address is: what is still there counts."""
    spread, went = Spread(2, fixed=20), list[int]()
    for moment in range(60):
        went += sent(spread, 1, now=float(moment))
        if went[-1] == 0:  # the first answers at once, the second not at all
            spread.end(0, News.GOOD, sent_at=float(moment), now=moment + 0.5)

    assert went.count(1) <= 2


def test_what_is_fixed_is_for_all_together() -> None:
    spread = Spread(3, fixed=8)

    assert [place.crowd.limit for place in spread.places] == [3, 3, 2]
    assert (spread.limit, spread.most, len(sent(spread, 50))) == (8, 8, 8)
    assert repr(spread) == "<Spread [3 of 3, 3 of 3, 2 of 2 in flight]>"


def test_fewer_at_once_than_addresses_cannot_be_meant() -> None:
    with pytest.raises(UserError, match="concurrency is that of all 3 addresses together: at least 3 \\(got 2\\)"):
        Spread(3, fixed=2)


def test_what_they_bear_is_found_for_each() -> None:
    spread = Spread(2)
    assert (spread.limit, spread.most) == (2 * INITIAL, 2 * MAXIMUM)

    for _ in range(INITIAL):
        spread.places[0].in_flight = MAXIMUM  # saturated
        spread.end(0, News.GOOD, sent_at=0.0, now=0.0)

    assert [place.crowd.limit for place in spread.places] == [2 * INITIAL, INITIAL]


def test_one_that_is_down_is_asked_no_more_and_comes_back_by_a_probe() -> None:
    spread = Spread(2, fixed=20)
    down(spread, 0)
    assert (spread.paused, spread.in_trouble) == (False, True)
    assert sent(spread, 20, now=0.2) == [1] * 10

    at = 0.1 + FIRST_PAUSE_S
    assert spread.reopens_at == pytest.approx(at)
    assert sent(spread, 5, now=at) == [0]  # one finds out
    assert spread.end(0, News.GOOD, sent_at=at, now=at + 0.1)

    assert sent(spread, 3, now=at + 0.2) == [0, 0, 0]


def test_whoever_asks_is_told_of_turns_alone() -> None:
    spread = Spread(2, fixed=20)
    spread.places[0].in_flight = 4

    assert [spread.end(0, News.FAILED, sent_at=1.0, now=1.0) for _ in range(3)] == [False, False, True]


def test_all_of_them_down_is_an_outage() -> None:
    spread = Spread(2, fixed=20)
    down(spread, 0)
    down(spread, 1, now=0.5)

    assert spread.paused
    assert not spread.may_start(0, now=0.7)
    assert spread.reopens_at == pytest.approx(0.1 + FIRST_PAUSE_S)


def test_a_limit_that_one_address_tells_holds_for_it_alone() -> None:
    spread = Spread(2, fixed=200)
    told = {"limit": "60", "remaining": "0", "reset": "60s"}
    told = {f"x-ratelimit-{what}-requests": value for what, value in told.items()}
    spread.places[0].pace.learn(told, sent_at=0.0, now=0.0, wall=0.0)

    assert sent(spread, 60, now=0.01).count(0) <= 1


steps = st.lists(
    st.tuples(st.sampled_from(["start", "end"]), st.integers(0, 3), st.sampled_from(list(News)), st.floats(0.0, 3.0)),
    max_size=60,
)


@settings(max_examples=40, deadline=None)
@given(places=st.integers(1, 4), fixed=st.sampled_from([None, 12]), steps=steps)
def test_no_address_ever_has_more_than_it_bears_and_all_is_counted(places: int, fixed: int | None, steps: Any) -> None:
    """Whatever comes back in whichever order; and of those that are free, the chosen one is the least loaded."""
    spread, out, now = Spread(places, fixed=fixed), list[tuple[int, float]](), 0.0
    for what, which, news, seconds in steps:
        now += seconds
        if what == "start" and spread.may_start(0, now=now):
            free = [p.load for p in spread.places if p.crowd.may_start(p.in_flight, now=now)]
            loads = [p.load for p in spread.places]
            place = spread.start(ONE, now=now)
            assert loads[place] == min(free)
            out.append((place, now))
        elif out and what == "end":
            place, since = out.pop(which % len(out))
            spread.end(place, news, sent_at=since, now=now)
        in_flight = [sum(place == i for place, _ in out) for i in range(places)]
        assert [place.in_flight for place in spread.places] == in_flight
        assert spread.limit == sum(place.crowd.limit for place in spread.places)
        assert fixed is None or len(out) <= fixed


@settings(max_examples=40, deadline=None)
@given(dead=st.sets(st.integers(0, 3), max_size=3), requests=st.integers(1, 200))
def test_while_one_address_answers_nobody_waits_for_long_and_the_dead_get_probes_alone(
    dead: set[int], requests: int
) -> None:
    spread, now, failed = Spread(4), 0.0, 0
    answered = 0
    while answered < requests:
        if not spread.may_start(0, now=now):
            now = max(now + 1e-3, spread.reopens_at or 0.0)
            continue
        place, since = spread.start(ONE, now=now), now
        now += 0.01
        is_dead = place in dead
        spread.end(place, News.FAILED if is_dead else News.GOOD, sent_at=since, now=now)
        answered, failed = answered + (not is_dead), failed + is_dead

    assert failed <= len(dead) * (3 + now / FIRST_PAUSE_S)
    assert now <= 0.02 * (requests + failed) + 0.01
