"""Limits are kept to the second and used to the full, whoever told them; where nobody did, refusals teach them."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.throttle import Demand, Limits, Pace, strictest
from engine.throttle.bucket import BURST_OF_REQUESTS_S, STEADY, Bucket
from engine.throttle.governor import Governor

ONE = Demand(1, 0, 0, 0)
WALL = 1_700_000_000.0


def admissions(pace: Pace, demands: list[Demand], *, begin: float = 0.0) -> list[float]:
    """When each leaves if all wait from the beginning."""
    now, moments = begin, []
    for demand in demands:
        now = max(now, pace.ready_at(demand, now=now))
        pace.take(demand, now=now)
        moments.append(now)
    return moments


def flow(pace: Pace, *, begin: float, seconds: float) -> int:
    """How many requests leave in so many seconds, when there are always more."""
    now, count = begin, 0
    while (now := max(now, pace.ready_at(ONE, now=now))) < begin + seconds:
        pace.take(ONE, now=now)
        count += 1
    return count


# -- what the user tells


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "5000", "", True, [5]])
@pytest.mark.parametrize("name", ["rpm", "tpm", "input_tpm", "output_tpm", "rpd", "tpd"])
def test_a_limit_that_cannot_be_meant_is_refused_in_one_line_that_says_where_what_and_the_way_out(
    name: str, value: Any
) -> None:
    with pytest.raises(UserError) as caught:
        Limits(**{name: value})

    message = f"limits: {name} must be a number above 0 (got {value!r}); leave it out to learn it"
    assert str(caught.value) == message


def test_a_limit_too_large_for_arithmetic_is_refused_too() -> None:
    with pytest.raises(UserError, match=r"^limits: rpm must be a number above 0 .got one beyond 1e"):
        Limits(rpm=10**6000)


@pytest.mark.parametrize("value", [1, 0.5, 1e9])
def test_any_number_above_zero_may_be_a_limit(value: Any) -> None:
    assert Limits(rpm=value).rpm == value


def test_those_who_share_keep_to_the_strictest_of_what_they_were_told() -> None:
    assert strictest([Limits(rpm=5, tpm=100), Limits(rpm=7, rpd=9)]) == Limits(rpm=5, tpm=100, rpd=9)
    assert strictest([]) == Limits()


# -- the rule


@settings(deadline=None)
@given(
    rpm=st.integers(30, 60_000),
    tpm=st.integers(1_000, 1_000_000),
    sizes=st.lists(st.integers(1, 1_000), min_size=1, max_size=60),
)
def test_no_window_holds_more_than_the_limit_and_a_burst(rpm: int, tpm: int, sizes: list[int]) -> None:
    demands = [Demand(1, size, 0, 0) for size in sizes]
    moments = admissions(Pace(Limits(rpm=rpm, tpm=tpm)), demands)

    for i, begin in enumerate(moments):
        for j in range(i, len(moments)):
            seconds = moments[j] - begin + 1.0  # the burst
            assert j - i + 1 <= rpm / 60 * seconds + 1 + 1e-6
            tokens = sum(sizes[i : j + 1])
            assert tokens <= tpm / 60 * seconds + max(sizes) + 1e-6


@settings(deadline=None)
@given(rpm=st.integers(2, 500).map(lambda n: 60 * n), pauses=st.lists(st.floats(0, 2), min_size=1, max_size=150))
def test_no_second_ever_holds_more_than_a_seconds_worth(rpm: int, pauses: list[float]) -> None:
    """Whenever the requests come, however late they are let go: services that count in seconds refuse none."""
    pace, now, moments = Pace(Limits(rpm=rpm)), 0.0, list[float]()
    for pause in pauses:
        now = max(now + (pause if pause > 1 else 0), pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        moments.append(now)

    for i, begin in enumerate(moments):
        assert sum(moment < begin + 1.0 for moment in moments[i:]) <= rpm / 60


@settings(deadline=None)
@given(rpm=st.integers(60, 60_000), count=st.integers(1, 300))
def test_a_steady_run_uses_the_limit_nearly_to_the_full(rpm: int, count: int) -> None:
    moments = admissions(Pace(Limits(rpm=rpm)), [ONE] * (count + 1))

    assert moments[-1] == pytest.approx(count * 60 / rpm / STEADY)
    assert STEADY > 0.97


def test_the_first_leaves_at_once_and_no_burst_follows_it() -> None:
    moments = admissions(Pace(Limits(rpm=600 / STEADY)), [ONE] * 4)

    assert moments == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_lost_time_is_made_up_for_but_only_a_little_of_it_at_once() -> None:
    pace = Pace(Limits(rpm=6_000))
    pace.take(ONE, now=0.0)
    at_once = 0
    while pace.ready_at(ONE, now=100.0) <= 100.0:
        pace.take(ONE, now=100.0)
        at_once += 1

    assert 0.9 * BURST_OF_REQUESTS_S * 100 < at_once <= BURST_OF_REQUESTS_S * 100


def test_timers_that_fire_late_cost_hardly_anything() -> None:
    pace, chance, now, count = Pace(Limits(rpm=6_000)), Random(0), 0.0, 0
    while now < 20.0:
        pace.take(ONE, now=now)
        count += 1
        now = max(now, pace.ready_at(ONE, now=now)) + (0.1 if chance.random() < 0.005 else 0.001)

    assert count >= 0.975 * 20 * 100


def test_a_request_larger_than_a_burst_passes_and_is_paid_for_afterwards() -> None:
    pace = Pace(Limits(tpm=6_000 / STEADY))

    assert admissions(pace, [Demand(1, 3_000, 0, 0), Demand(1, 100, 0, 0)]) == pytest.approx([0.0, 30.0])


@pytest.mark.parametrize(
    ("limits", "demand", "words"),
    [
        (Limits(tpm=5_000), Demand(1, 6_000, 0, 0), ("5000", "6000", "tokens per minute", "max_tokens")),
        (Limits(tpd=5_000), Demand(1, 0, 4_000, 2_000), ("5000", "6000", "tokens per day", "max_tokens")),
    ],
    ids=["minute", "day"],
)
def test_what_no_limit_can_ever_admit_is_said_with_limit_and_need(
    limits: Limits, demand: Demand, words: tuple[str, ...]
) -> None:
    reason = Pace(limits).never_fits(demand)

    assert reason is not None
    assert all(word in reason for word in words)
    assert Pace(limits).never_fits(Demand(1, 5_000, 3_000, 2_000)) is None


def test_less_than_one_request_a_minute_is_one_in_some_minutes() -> None:
    pace = Pace(Limits(rpm=0.5 / STEADY))

    assert pace.never_fits(ONE) is None
    assert admissions(pace, [ONE] * 3) == pytest.approx([0.0, 120.0, 240.0])


@pytest.mark.parametrize(
    ("limits", "used"),
    [(Limits(input_tpm=6_000 / STEADY), (100, 3_000)), (Limits(output_tpm=6_000 / STEADY), (3_000, 100))],
    ids=["input", "output"],
)
def test_what_was_not_needed_is_given_back_where_input_and_output_are_counted_apart(
    limits: Limits, used: tuple[int, int]
) -> None:
    pace, demand = Pace(limits), Demand(1, 6_000, 3_000, 3_000)
    pace.take(demand, now=0.0)
    before = pace.ready_at(demand, now=0.0)
    pace.settle(demand, input_tokens=used[0], output_tokens=used[1], now=0.0)

    assert before - pace.ready_at(demand, now=0.0) == pytest.approx(29.0)


def test_what_was_needed_beyond_the_estimate_is_paid_for_afterwards() -> None:
    pace, demand = Pace(Limits(output_tpm=6_000 / STEADY)), Demand(1, 0, 0, 100)
    pace.take(demand, now=0.0)
    before = pace.ready_at(demand, now=0.0)
    pace.settle(demand, input_tokens=0, output_tokens=1_100, now=0.0)

    assert pace.ready_at(demand, now=0.0) - before == pytest.approx(10.0)


def test_a_common_limit_is_charged_at_admission_and_gives_nothing_back() -> None:
    pace = Pace(Limits(tpm=6_000))
    demand = Demand(1, 3_000, 100, 2_900)
    pace.take(demand, now=0.0)
    before = pace.ready_at(demand, now=0.0)
    pace.settle(demand, input_tokens=100, output_tokens=1, now=0.0)

    assert pace.ready_at(demand, now=0.0) == before


def test_what_was_not_sent_is_given_back_whole() -> None:
    """As if it had never been taken: not from the limits, nor from the window of a second, nor from what is known."""
    taken, untouched = Pace(Limits(rpm=120, tpm=9_000)), Pace(Limits(rpm=120, tpm=9_000))
    demand = Demand(1, 70, 50, 20)
    for pace in (taken, untouched):
        pace.take(ONE, now=0.0)
        pace.take(ONE, now=4.9)
    taken.take(demand, now=5.0)
    taken.give_back(demand, taken_at=5.0, now=5.0)

    assert admissions(taken, [ONE] * 5, begin=5.0) == pytest.approx(admissions(untouched, [ONE] * 5, begin=5.0))
    assert taken.use(now=5.0) == untouched.use(now=5.0) > 0


def test_when_the_provider_asks_everybody_to_wait_everybody_waits_and_none_of_it_is_made_up_for() -> None:
    pace = Pace(Limits(rpm=600 / STEADY))
    pace.take(ONE, now=0.0)
    pace.hold_until(40.0)
    pace.hold_until(20.0)

    assert pace.binding(ONE, now=1.0) == "provider weather"
    assert admissions(pace, [ONE] * 3, begin=1.0) == pytest.approx([40.0, 40.2, 40.3])


# -- by the day


def test_a_days_allowance_may_be_used_at_once_and_then_comes_back_slowly() -> None:
    pace = Pace(Limits(rpd=100))

    moments = admissions(pace, [ONE] * 102)
    assert moments[99] == 0.0
    assert moments[100:] == pytest.approx([864.0, 1728.0])
    assert pace.binding(ONE, now=0.0) == "requests per day"


def test_tokens_of_the_day_are_counted_as_they_turn_out() -> None:
    pace = Pace(Limits(tpd=1_000))
    demand = Demand(1, 0, 500, 500)
    pace.take(demand, now=0.0)
    assert pace.ready_at(Demand(1, 0, 400, 100), now=0.0) > 0.0

    pace.settle(demand, input_tokens=400, output_tokens=100, now=0.0)
    assert pace.ready_at(Demand(1, 0, 400, 100), now=0.0) <= 0.0


def test_a_wait_does_not_use_up_the_days_allowance() -> None:
    pace = Pace(Limits(rpd=100))
    pace.take(ONE, now=0.0)
    pace.hold_until(10.0)

    assert pace.ready_at(ONE, now=0.0) == 10.0


@pytest.mark.parametrize(
    ("remaining", "left"), [(90, 50), (10, 10)], ids=["others gave up", "others use it too, or we did, yesterday"]
)
def test_of_a_told_daily_allowance_the_smaller_rest_counts(remaining: float, left: int) -> None:
    pace = Pace(Limits(rpd=100))
    for _ in range(50):
        pace.take(ONE, now=0.0)
    hear(pace, said(100, remaining=remaining, reset="9h0m0s"))

    assert flow(pace, begin=0.0, seconds=0.001) == left


# -- what the headers tell


def said(limit: float, *, remaining: float | None = None, reset: str = "1s", what: str = "requests") -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": f"{limit:g}",
        f"x-ratelimit-remaining-{what}": f"{limit if remaining is None else remaining:g}",
        f"x-ratelimit-reset-{what}": reset,
    }


def hear(pace: Pace, headers: dict[str, str], *, sent_at: float = 0.0, now: float = 0.0) -> None:
    pace.learn(headers, sent_at=sent_at, now=now, wall=WALL)


def test_limits_are_learnt_and_what_the_user_told_is_not_changed() -> None:
    pace = Pace(Limits(rpm=500))
    hear(pace, said(5) | said(200_000, what="tokens"))

    assert pace.limits == Limits(rpm=500, tpm=200_000)
    assert pace.knows_limits


def test_a_limit_below_what_was_just_let_in_is_not_believed() -> None:
    """A provider that counts something else under the same name would stop every row for good."""
    pace, large = Pace(), Demand(1, 300, 100, 200)
    pace.learn(said(100, what="tokens") | said(60), sent_at=0.0, now=0.0, wall=WALL, served=large)

    assert pace.limits == Limits(rpm=60)
    assert pace.never_fits(large) is None


def test_a_limit_that_is_learnt_is_approached_and_not_jumped_to() -> None:
    pace = Pace()
    admissions(pace, [ONE] * 8)
    hear(pace, said(6_000), now=0.5)

    first, second, third = (flow(pace, begin=0.5 + second, seconds=1.0) for second in range(3))
    assert 50 <= first < 90
    assert 95 <= second <= 100
    assert 97 <= third <= 100


def test_a_limit_is_approached_from_what_is_used_already() -> None:
    pace, now = Pace(), 0.0
    while now < 2.0:
        pace.take(ONE, now=now)
        now += 1 / 60
    hear(pace, said(6_000), sent_at=1.5, now=2.0)

    assert pace._buckets[0].rate(2.0) == pytest.approx(60, rel=0.05)


def test_the_approach_is_not_held_up_by_the_silence_before_it() -> None:
    pace = Pace()
    pace.take(ONE, now=0.0)
    hear(pace, said(6_000), now=100.0)
    flow(pace, begin=100.1, seconds=1.5)

    assert flow(pace, begin=101.6, seconds=1.0) >= 95


def test_what_left_before_a_limit_was_known_counts_against_it() -> None:
    pace = Pace()
    admissions(pace, [ONE] * 40)
    hear(pace, said(3_000), now=0.1)

    assert flow(pace, begin=0.1, seconds=0.9) <= 10


def test_a_lowered_limit_holds_at_once_and_a_raised_one_within_seconds() -> None:
    pace = Pace()
    hear(pace, said(6_000))
    flow(pace, begin=0.0, seconds=5.0)
    hear(pace, said(3_000), sent_at=5.0, now=5.0)
    assert flow(pace, begin=6.0, seconds=1.0) <= 50

    hear(pace, said(6_000), sent_at=7.0, now=7.0)
    assert flow(pace, begin=7.0, seconds=1.0) < 95
    assert flow(pace, begin=8.0, seconds=2.0) >= 190


def test_hearing_the_same_again_does_not_hold_the_approach_up() -> None:
    pace = Pace()
    for i in range(40):
        hear(pace, said(6_000), sent_at=i / 40, now=i / 40)

    assert pace._buckets[0].rate(1.0) == pace._buckets[0].full_rate


def test_what_was_learnt_and_is_then_told_is_told() -> None:
    pace = Pace()
    hear(pace, said(6_000))
    pace.tell(Limits(rpm=3_000), now=1.0)
    hear(pace, said(6_000), sent_at=2.0, now=2.0)

    assert pace.limits == Limits(rpm=3_000)


def test_headers_are_not_read_for_every_reply() -> None:
    class Counted(dict[str, str]):
        read = 0

        def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
            Counted.read += 1
            return super().get(name, default)

    pace, headers = Pace(), Counted(said(6_000))
    for i in range(1_000):
        hear(pace, headers, sent_at=i / 1_000, now=i / 1_000)

    assert Counted.read <= 60 * 20


def test_a_daily_limit_of_input_alone_is_left_alone() -> None:
    pace = Pace()
    hear(pace, {
        "anthropic-ratelimit-input-tokens-limit": "1000000",
        "anthropic-ratelimit-input-tokens-remaining": "1000",
        "anthropic-ratelimit-input-tokens-reset": "2023-11-15T08:13:20Z",
    })  # fmt: skip

    assert pace.limits == Limits()


def test_stale_headers_do_not_bring_an_old_limit_back() -> None:
    pace = Pace()
    hear(pace, said(3_000), sent_at=5.0, now=5.0)
    hear(pace, said(6_000), sent_at=1.0, now=9.0)

    assert pace.limits == Limits(rpm=3_000)


def test_a_daily_limit_is_not_taken_for_one_a_minute() -> None:
    pace = Pace()
    hear(pace, said(14_400, remaining=14_370, reset="2m59.56s"))

    assert pace.limits == Limits(rpd=14_400)
    assert not pace.knows_limits
    assert flow(pace, begin=0.0, seconds=0.001) == 14_370


def test_a_daily_limit_that_looked_like_one_a_minute_is_found_out() -> None:
    pace = Pace()
    hear(pace, said(30_000, remaining=29_999, reset="2.88s"))
    hear(pace, said(30_000, remaining=29_990, reset="28.8s"), now=1.0)

    assert pace.limits == Limits(rpd=30_000)


def test_a_limit_that_proved_to_be_one_a_minute_stays_one_when_its_window_begins_anew() -> None:
    pace = Pace()
    hear(pace, said(6_000, remaining=3_000, reset="25s"))
    hear(pace, said(6_000, remaining=5_999, reset="59s"), now=1.0)

    assert pace.limits == Limits(rpm=6_000)


def test_credit_that_the_provider_does_not_see_is_not_counted_on() -> None:
    pace = Pace(Limits(rpm=6_000))
    pace.take(ONE, now=0.0)
    hear(pace, said(6_000, remaining=0, reset="60s"), now=100.0)

    assert pace.ready_at(ONE, now=100.0) > 100.0


@pytest.mark.parametrize(
    ("remaining", "reset", "least", "most"),
    [
        pytest.param(6_000, "0s", 95, 100, id="nothing used"),
        pytest.param(3_000, "30s", 95, 100, id="half used"),
        pytest.param(250, "57s", 40, 60, id="half of the reserve left"),
        pytest.param(0, "60s", 5, 15, id="nothing left"),
        pytest.param(600, "6s", 95, 100, id="enough until the window ends"),
        pytest.param(300, "6s", 40, 60, id="half of enough until the window ends"),
        pytest.param(300, "30s", 5, 15, id="a tenth of enough until the window ends"),
    ],
)
def test_when_others_use_the_limit_too_what_is_left_is_shared(
    remaining: float, reset: str, least: int, most: int
) -> None:
    pace = Pace(Limits(rpm=6_000))
    flow(pace, begin=0.0, seconds=3.0)
    hear(pace, said(6_000, remaining=remaining, reset=reset), sent_at=3.0, now=3.0)

    assert least <= flow(pace, begin=3.2, seconds=1.0) <= most


def test_what_was_said_long_ago_is_shared_over_as_long_a_time() -> None:
    """Others have seen the same and sent since, and nobody hears of it before the next reply."""
    pace = Pace(Limits(rpm=6_000))
    flow(pace, begin=0.0, seconds=3.0)
    hear(pace, said(6_000, remaining=500, reset="55s"), sent_at=3.0, now=13.0)

    assert 20 <= flow(pace, begin=13.2, seconds=1.0) <= 30


def test_scarcity_ends_as_soon_as_more_remains() -> None:
    pace = Pace(Limits(rpm=6_000))
    flow(pace, begin=0.0, seconds=3.0)
    hear(pace, said(6_000, remaining=0, reset="60s"), sent_at=3.0, now=3.0)
    hear(pace, said(6_000, remaining=3_000, reset="30s"), sent_at=3.1, now=3.1)

    assert flow(pace, begin=3.2, seconds=1.0) >= 95


def test_scarcity_is_forgotten_when_nobody_speaks_of_it_any_more() -> None:
    pace = Pace(Limits(rpm=6_000))
    flow(pace, begin=0.0, seconds=1.0)
    hear(pace, said(6_000, remaining=0, reset="60s"), sent_at=1.0, now=1.0)

    assert flow(pace, begin=10.0, seconds=1.0) >= 95


def test_what_remains_of_something_else_does_not_slow_what_was_told() -> None:
    """Azure counts requests in windows of seconds and says so under the same name."""
    pace = Pace(Limits(rpm=6_000))
    flow(pace, begin=0.0, seconds=1.0)
    hear(pace, said(100, remaining=0, reset="1s"), sent_at=1.0, now=1.0)

    assert flow(pace, begin=1.0, seconds=1.0) >= 95


@pytest.mark.parametrize("dwindles", [True, False], ids=["10 in 10 s", "10 in 10 s, of which the end is told"])
def test_a_limit_of_some_seconds_is_not_taken_for_one_a_minute(dwindles: bool) -> None:
    """Azure: ten requests in ten seconds, and `1s` until there are more. As a minute's it would stop everything."""
    pace, now = Pace(), 0.0
    for i in range(60):
        now = max(now + 1.0, pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        hear(pace, said(10, remaining=9 - i % 10, reset=f"{10 - i % 10}s" if dwindles else "1s"), sent_at=now, now=now)

    assert pace.limits == Limits()
    assert now <= 80.0


def windowed(pace: Pace, *, limit: int, window_s: int, seconds: float, begin: float = 0.0) -> tuple[int, int]:
    """How many were let in and refused by a service that counts in windows, and says so under the name of a minute."""
    now, window, used, let_in, refused = begin, -1, 0, 0, 0
    while (now := max(now + 1e-3, pace.ready_at(ONE, now=now))) < begin + seconds:
        pace.take(ONE, now=now)
        if int(now // window_s) != window:
            window, used = int(now // window_s), 0
        left_s = (window + 1) * window_s - now
        if used < limit:
            used, let_in = used + 1, let_in + 1
            pace.notify_answer(sent_at=now)
        else:
            refused += 1
            pace.notify_refusal(ONE, sent_at=now, now=now, delay_s=left_s)
        hear(pace, said(limit, remaining=limit - used, reset=f"{math.ceil(left_s)}s"), sent_at=now, now=now)
    return let_in, refused


@pytest.mark.parametrize("window_s", [5, 10, 20, 30])
def test_a_window_of_some_seconds_is_found_from_what_is_left_of_it_and_kept_to(window_s: int) -> None:
    pace = Pace()
    begin = max(30.0, 4.0 * window_s)
    windowed(pace, limit=60, window_s=window_s, seconds=begin)

    let_in, refused = windowed(pace, limit=60, window_s=window_s, begin=begin, seconds=60.0)

    assert refused == 0
    assert let_in >= 0.95 * 60 * 60 / window_s
    assert pace.limits == Limits()
    assert f"60 requests/{window_s} s" in repr(pace)


def test_a_window_that_was_found_gives_way_to_what_is_told_and_to_a_limit_a_minute() -> None:
    told, heard = Pace(), Pace()
    for pace in (told, heard):
        windowed(pace, limit=60, window_s=5, seconds=30.0)

    told.tell(Limits(rpm=600), now=30.0)
    hear(heard, said(300, remaining=200, reset="40s"), sent_at=30.0, now=30.0)

    assert told.limits == Limits(rpm=600)
    assert heard.limits == Limits(rpm=300)


@pytest.mark.parametrize("shift_s", [1, 20, 59])
def test_a_limit_of_a_minute_that_is_full_again_when_the_minute_ends_is_one(shift_s: int) -> None:
    pace, now = Pace(), 0.0
    for _ in range(120):
        now = max(now + 0.5, pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        left_s = 60 - (now + shift_s) % 60
        hear(pace, said(600, remaining=600 - (60 - left_s) * 2, reset=f"{left_s:.0f}s"), sent_at=now, now=now)

    assert pace.limits.rpm == 600


@pytest.mark.parametrize("left_s", [3, 9, 14])
def test_who_begins_in_the_last_seconds_of_a_minute_keeps_to_the_limit_all_the_same(left_s: int) -> None:
    """Nearly nothing was used, and soon all is back: what a limit of some seconds says, too, until the minute ends."""
    pace, now, at = Pace(), 0.0, list[float]()
    while now < 70.0:
        now = max(now + 0.001, pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        at.append(now)
        ends_at = left_s if now < left_s else left_s + 60
        used = sum(ends_at - 60 <= moment < ends_at for moment in at)
        hear(pace, said(300, remaining=max(0, 300 - used), reset=f"{ends_at - now:.3f}s"), sent_at=now, now=now)

    assert pace.limits.rpm == 300
    assert max(sum(start <= moment < start + 1.0 for moment in at) for start in at) <= 6


def test_what_was_refused_late_in_a_long_wait_is_asked_again_when_others_are_answered() -> None:
    """A wait that one request was asked for is not the account's: what left after it is answered."""
    pace = Pace(Limits(rpm=6_000))
    for i in range(10):
        pace.take(ONE, now=i / 100)
    pace.hold_until(1_200.0, sent_at=0.05)
    pace.notify_answer(sent_at=0.04)
    assert pace.ready_at(ONE, now=0.3) == 1_200.0

    pace.notify_answer(sent_at=0.06)
    assert pace.ready_at(ONE, now=0.3) <= 0.3


# -- what refusals teach


def refused(pace: Pace, *, sent_at: float, now: float, delay_s: float | None = None, times: int = 2) -> None:
    """One may be chance; two in a row hardly."""
    for _ in range(times):
        pace.notify_refusal(ONE, sent_at=sent_at, now=now, delay_s=delay_s)


def test_where_no_limit_is_known_refusals_set_a_rate_below_what_was_let_in() -> None:
    pace = Pace()
    for i in range(101):
        pace.take(ONE, now=i / 100)
    refused(pace, sent_at=1.0, now=1.01)

    assert 60 <= flow(pace, begin=2.0, seconds=1.0) <= 100
    assert pace.limits.rpm is not None
    assert 5_500 <= pace.limits.rpm <= 6_100


def test_all_refusals_of_what_left_before_we_slowed_down_are_one_piece_of_news() -> None:
    once, often = Pace(), Pace()
    for pace in (once, often):
        for i in range(101):
            pace.take(ONE, now=i / 100)
    refused(once, sent_at=1.0, now=1.01)
    for i in range(10):
        refused(often, sent_at=1.0 - i / 1000, now=1.01 + i / 1000)

    assert repr(often._buckets) == repr(once._buckets)


def test_a_refusal_makes_everybody_pause_for_a_moment_and_longer_when_it_goes_on() -> None:
    pace, now, pauses = Pace(Limits(rpm=600_000)), 1.0, list[float]()
    for answered in (False, False, False, False, False, False, False, True, False):
        if answered:
            pace.notify_answer(sent_at=now)
        pace.take(ONE, now=now)
        refused(pace, sent_at=now, now=now)
        pauses.append(pace.ready_at(ONE, now=now) - now)
        now += pauses[-1]

    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 0.1, 0.2], rel=0.05)


def test_a_wait_that_is_more_than_rounding_holds_for_everybody() -> None:
    pace = Pace(Limits(rpm=6_000))
    pace.take(ONE, now=0.0)
    refused(pace, sent_at=0.0, now=0.1, delay_s=1.0)
    assert pace.ready_at(ONE, now=0.1) < 0.5

    refused(pace, sent_at=0.0, now=0.1, delay_s=20.0)
    assert pace.ready_at(ONE, now=0.1) >= 20.1


def test_refusals_at_a_known_limit_are_chance_once_and_not_twice() -> None:
    pace = Pace(Limits(rpm=6_000))
    flow(pace, begin=0.0, seconds=3.0)
    refused(pace, sent_at=3.0, now=3.0)
    assert flow(pace, begin=3.2, seconds=1.0) >= 97

    flow(pace, begin=4.2, seconds=1.0)
    refused(pace, sent_at=5.2, now=5.2)
    assert flow(pace, begin=5.4, seconds=1.0) <= 97


@pytest.mark.parametrize("limits", [Limits(), Limits(rpm=6_000)], ids=["untold", "told"])
def test_a_single_refusal_slows_nobody_down_and_holds_nobody_up(limits: Limits) -> None:
    once, never = Pace(limits), Pace(limits)
    for pace in (once, never):
        for i in range(301):
            pace.take(ONE, now=i / 100)
    refused(once, sent_at=3.0, now=3.01, delay_s=1_200.0, times=1)

    assert once.ready_at(ONE, now=3.01) == never.ready_at(ONE, now=3.01)
    assert once.limits == never.limits


def test_a_refusal_when_known_limits_are_hardly_used_is_for_one_that_nobody_told() -> None:
    pace = Pace(Limits(tpm=10_000_000))
    for i in range(101):
        pace.take(ONE, now=i / 100)
    refused(pace, sent_at=1.0, now=1.01)

    assert pace.limits.rpm is not None
    assert pace.limits.tpm == 10_000_000


def test_a_refusal_never_makes_it_faster() -> None:
    bucket = Bucket(
        limit=None, told=False, governor=Governor(ceiling=10.0, start=10.0, since=0.0, recover_s=4.0, probe_s=4.0)
    )
    bucket.slow_down(50.0, cost=1.0, age_s=0.0, now=2.0)

    assert bucket.rate(2.0) < 10.0
    assert bucket.rate(6.0) < 10.0


@pytest.mark.parametrize(
    ("requests_a_second", "age_s", "probe_s"),
    [(100.0, 0.1, 4.0), (12.0, 0.1, 160 / 12), (0.1, 0.1, 120.0), (100.0, 3.0, 12.0)],
    ids=["many", "fewer", "hardly any", "late refusals"],
)
@pytest.mark.parametrize("cost", [1.0, 500.0], ids=["requests", "tokens"])
def test_how_soon_more_is_tried_depends_on_how_many_requests_that_may_cost(
    requests_a_second: float, age_s: float, probe_s: float, cost: float
) -> None:
    bucket = Bucket(limit=None, told=False)
    bucket.slow_down(cost * requests_a_second / STEADY, cost=cost, age_s=age_s, now=0.0)

    assert bucket.governor is not None
    assert bucket.governor.probe_s == pytest.approx(probe_s)


def test_a_refusal_that_comes_back_late_is_judged_by_what_left_before_it() -> None:
    pace, now = Pace(), 0.0
    for _ in range(2):  # the first tells how late they come, from the second on it is known what to remember
        for _ in range(600):
            now += 1 / 60
            pace.take(ONE, now=now)
        refused(pace, sent_at=now - 6.0, now=now)

    assert pace._buckets[0].rate(now) == pytest.approx(60, rel=0.15)


def test_a_day_that_is_used_up_slows_nobody_down() -> None:
    pace = Pace(Limits(rpd=1_000))
    for i in range(101):
        pace.take(ONE, now=i / 100)
    refused(pace, sent_at=1.0, now=1.01)

    assert pace.limits.rpd == 1_000
    assert pace._buckets[4].governor is None
    assert pace.limits.rpm is not None


def test_a_refusal_right_after_an_approach_is_chance_still() -> None:
    pace = Pace()
    hear(pace, said(6_000))
    flow(pace, begin=0.0, seconds=5.0)
    refused(pace, sent_at=5.0, now=5.0)

    assert flow(pace, begin=5.2, seconds=1.0) >= 97


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["take", "refuse", "answer", "headers", "wait"]), st.floats(0.0, 3.0)), max_size=80
    ),
    st.sampled_from([Limits(), Limits(rpm=60), Limits(rpm=6_000, tpm=100_000)]),
)
def test_whatever_happens_the_next_request_leaves_within_minutes(
    history: list[tuple[str, float]], limits: Limits
) -> None:
    pace, now, sent_at = Pace(limits), 0.0, 0.0
    acts: dict[str, Callable[[], None]] = {
        "refuse": lambda: refused(pace, sent_at=sent_at, now=now),
        "answer": lambda: pace.notify_answer(sent_at=sent_at),
        "headers": lambda: hear(pace, said(600, remaining=now % 7, reset="9s"), sent_at=sent_at, now=now),
    }
    for act, seconds in history:
        now += seconds
        if act == "take":
            now = sent_at = max(now, pace.ready_at(ONE, now=now))
            pace.take(ONE, now=now)
        elif act in acts:
            acts[act]()
        assert pace.ready_at(ONE, now=now) - now < 120


# -- a rate that is found by trying


def test_a_governor_comes_back_to_the_ceiling_stays_near_it_and_then_goes_beyond() -> None:
    governor = Governor(ceiling=100.0, start=50.0, since=0.0, recover_s=4.0, probe_s=4.0)

    assert governor.rate(0.0) == 50.0
    assert governor.rate(2.0) > 90.0
    assert governor.rate(4.0) == pytest.approx(100.0)
    assert governor.rate(6.0) < 101.0
    assert governor.rate(8.0) == pytest.approx(105.0)
    assert governor.rate(16.0) > 200.0


def test_what_is_not_used_is_not_tried() -> None:
    """A rate that was never reached says nothing about a higher one."""
    pace = Pace()
    for i in range(101):
        pace.take(ONE, now=i / 100)
    refused(pace, sent_at=1.0, now=1.01)
    for i in range(500):
        pace.take(ONE, now=2.0 + i / 5)  # five a second, for a hundred seconds

    assert flow(pace, begin=102.0, seconds=1.0) <= 100


def test_a_part_of_the_limits_is_used_and_no_more_and_a_larger_one_from_when_it_is_ours() -> None:
    pace, now, left = Pace(Limits(rpm=6000)), 0.0, [0, 0]
    pace.take_part(0.25, now=now)
    while now < 40.0:
        if now >= 20.0 and pace._part < 0.5:
            pace.take_part(0.5, now=now)
        now = max(now, pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        left[now >= 20.0] += 1

    assert left[0] == pytest.approx(0.25 * 2000 * STEADY, rel=0.02)
    assert left[1] == pytest.approx(0.5 * 2000 * STEADY, rel=0.02)
    assert pace.use(now=now) == pytest.approx(0.5, rel=0.05)


def test_a_part_holds_for_limits_that_are_learnt_later_but_says_nothing_of_what_one_request_may_need() -> None:
    pace = Pace()
    pace.take_part(0.1, now=0.0)
    pace.tell(Limits(tpm=1000), now=0.0)

    assert pace.never_fits(Demand(1, 500, 400, 100)) is None
    assert pace.limits == Limits(tpm=1000)
    assert pace._buckets[1].full_rate == pytest.approx(0.1 * 1000 / 60 * STEADY)
    with pytest.raises(ValueError, match="a part"):
        pace.take_part(0.0, now=0.0)
