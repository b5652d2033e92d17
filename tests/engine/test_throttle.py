"""Limits are kept to the second, used to the full, and waited for in order, with nothing held meanwhile."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.admission import Admission
from engine.clock import SystemClock
from engine.concurrency import Crowd, News
from engine.errors import UserError
from engine.fakes import virtual_time
from engine.headers import duration_s, limit_hints
from engine.throttle import Demand, Limits, Pace, Sizes

ONE = Demand(1, 0, 0, 0)


def admissions(pace: Pace, demands: list[Demand]) -> list[float]:
    """When each leaves if all wait from the beginning."""
    now, moments = 0.0, []
    for demand in demands:
        now = max(now, pace.ready_at(demand))
        pace.take(demand, now=now)
        moments.append(now)
    return moments


# -- what the user tells


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["rpm", "tpm", "input_tpm", "output_tpm"])
def test_a_limit_that_cannot_be_meant_is_refused(name: str, value: float) -> None:
    with pytest.raises(UserError, match=f"{name} must be a number above 0"):
        Limits(**{name: value})


# -- the rule


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


@given(rpm=st.integers(60, 60_000), count=st.integers(1, 300))
def test_a_steady_run_uses_the_limit_to_the_full(rpm: int, count: int) -> None:
    moments = admissions(Pace(Limits(rpm=rpm)), [ONE] * (count + 1))

    assert moments[-1] == pytest.approx(count * 60 / rpm)


def test_the_first_leaves_at_once_and_no_burst_follows_it() -> None:
    assert admissions(Pace(Limits(rpm=600)), [ONE] * 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_lost_time_is_made_up_for_by_a_second_at_most() -> None:
    pace = Pace(Limits(rpm=600))
    pace.take(ONE, now=0.0)
    allowed = 0
    while pace.ready_at(ONE) <= 100.0:
        pace.take(ONE, now=100.0)
        allowed += 1

    assert allowed == 10


def test_a_request_larger_than_a_burst_passes_and_is_paid_for_afterwards() -> None:
    pace = Pace(Limits(tpm=6_000))

    assert admissions(pace, [Demand(1, 3_000, 0, 0), Demand(1, 100, 0, 0)]) == pytest.approx([0.0, 30.0])


def test_what_no_limit_can_ever_admit_is_said_with_limit_and_need() -> None:
    reason = Pace(Limits(tpm=5_000)).never_fits(Demand(1, 6_000, 0, 0))

    assert reason is not None
    assert "5000" in reason
    assert "6000" in reason
    assert Pace(Limits(tpm=5_000)).never_fits(Demand(1, 5_000, 0, 0)) is None


def test_what_was_not_needed_is_given_back_where_output_is_counted_apart() -> None:
    pace = Pace(Limits(output_tpm=6_000))
    demand = Demand(1, 0, 0, 3_000)
    pace.take(demand, now=0.0)
    before = pace.ready_at(demand)
    pace.settle(demand, input_tokens=0, output_tokens=100)

    assert before - pace.ready_at(demand) == pytest.approx(29.0)


def test_a_common_limit_is_charged_at_admission_and_gives_nothing_back() -> None:
    pace = Pace(Limits(tpm=6_000))
    demand = Demand(1, 3_000, 100, 2_900)
    pace.take(demand, now=0.0)
    before = pace.ready_at(demand)
    pace.settle(demand, input_tokens=100, output_tokens=1)

    assert pace.ready_at(demand) == before


def test_what_was_not_sent_is_given_back_whole() -> None:
    pace = Pace(Limits(rpm=60))
    pace.take(ONE, now=0.0)
    before = pace.ready_at(ONE)
    pace.take(ONE, now=5.0)
    pace.give_back(ONE)

    assert pace.ready_at(ONE) <= max(before, 5.0)


def test_when_the_provider_asks_everybody_to_wait_everybody_waits() -> None:
    pace = Pace(Limits(rpm=6_000))
    pace.hold_until(40.0)
    pace.hold_until(20.0)

    assert pace.ready_at(ONE) == 40.0
    assert pace.binding(ONE) == "provider weather"


# -- what the headers tell


def openai_headers(limit: str, *, remaining: str = "50", reset: str = "1s") -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": limit,
        "x-ratelimit-remaining-requests": remaining,
        "x-ratelimit-reset-requests": reset,
    }


def learnt(headers: dict[str, str], *, told: Limits | None = None) -> Limits:
    pace = Pace(told)
    pace.learn(headers, now=0.0, wall=1_700_000_000.0)
    return pace.limits


def test_limits_are_learnt_from_either_family() -> None:
    anthropic = {
        "anthropic-ratelimit-requests-limit": "1000",
        "anthropic-ratelimit-input-tokens-limit": "2000000",
        "anthropic-ratelimit-input-tokens-remaining": "1999000",
        "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:21Z",
        "anthropic-ratelimit-output-tokens-limit": "400000",
        "anthropic-ratelimit-tokens-limit": "400000",
    }

    assert learnt(openai_headers("500") | {"x-ratelimit-limit-tokens": "200000"}) == Limits(rpm=500, tpm=200_000)
    assert learnt(anthropic) == Limits(rpm=1000, input_tpm=2_000_000, output_tpm=400_000)


def test_what_the_user_told_is_not_changed_by_headers() -> None:
    assert learnt(openai_headers("5"), told=Limits(rpm=500)) == Limits(rpm=500)


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "1e30", "many", ""])
def test_absurd_limits_are_taken_as_not_said(limit: str) -> None:
    assert learnt(openai_headers(limit)) == Limits()


def test_a_daily_limit_is_not_taken_for_one_a_minute() -> None:
    assert learnt(openai_headers("14400", remaining="14370", reset="2m59.56s")) == Limits()


def test_credit_that_the_provider_does_not_see_is_not_counted_on() -> None:
    pace = Pace(Limits(rpm=600))
    pace.take(ONE, now=0.0)
    pace.learn(openai_headers("600", remaining="0"), now=100.0, wall=0.0)

    assert pace.ready_at(ONE) == pytest.approx(100.1)


NAMES = [*openai_headers(""), "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-reset"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12)))
def test_headers_of_any_content_are_survived(headers: dict[str, str]) -> None:
    for hint in limit_hints(headers, now=0.0):
        assert hint.per_minute > 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012), ("120ms", 0.12), ("1s", 1.0), ("8.64s", 8.64), ("6m0s", 360.0), ("1h2m3.5s", 3723.5),
        ("0s", 0.0), ("30", 30.0), ("2m59.56s", 179.56), ("", None), ("soon", None), ("5 apples", None),
    ],
)  # fmt: skip
def test_durations_are_read_as_go_writes_them(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


# -- how much a request will take


def test_output_is_reserved_in_full_until_thirty_replies_are_known_and_then_by_their_p95() -> None:
    sizes = Sizes()
    for tokens in range(1, 30):
        sizes.notify("label", input_bound=300, input_tokens=75, output_tokens=tokens, n=1)
    assert sizes.demand("label", input_bound=300, max_tokens=1000, n=2).output_tokens == 2000

    sizes.notify("label", input_bound=300, input_tokens=75, output_tokens=30, n=1)
    assert sizes.demand("label", input_bound=300, max_tokens=1000, n=2).output_tokens == 2 * 29
    assert sizes.demand("label", input_bound=300, max_tokens=10, n=1).output_tokens == 10
    assert sizes.demand("other", input_bound=300, max_tokens=1000, n=1).output_tokens == 1000


def test_input_is_learnt_as_a_share_of_the_bytes() -> None:
    sizes = Sizes()
    for _ in range(100):
        sizes.notify("label", input_bound=1000, input_tokens=250, output_tokens=1, n=1)

    assert 250 <= sizes.demand("label", input_bound=1000, max_tokens=1, n=1).input_tokens <= 251


# -- the line


def line(limits: Limits | None = None, *, concurrency: int = 1000) -> Admission:
    return Admission(pace=Pace(limits), crowd=Crowd(fixed=concurrency), clock=SystemClock())


async def passes(admission: Admission, demand: Demand, moments: list[tuple[int, float]], who: int) -> None:
    await admission.enter(demand)
    moments.append((who, asyncio.get_running_loop().time()))
    admission.leave(News.GOOD, sent_at=moments[-1][1])


def test_the_line_is_first_come_first_served_and_paced() -> None:
    async def main() -> list[tuple[int, float]]:
        admission, moments = line(Limits(tpm=6_000)), list[tuple[int, float]]()
        sizes = [100, 1000, 10, 10]  # the large one is not overtaken by the small ones behind it
        await asyncio.gather(*(passes(admission, Demand(1, s, 0, 0), moments, i) for i, s in enumerate(sizes)))
        return moments

    moments = virtual_time.run(main())
    assert [who for who, _ in moments] == [0, 1, 2, 3]
    assert [moment for _, moment in moments] == pytest.approx([0.0, 1.0, 10.1, 10.2], abs=0.11)


def test_a_limit_is_used_by_ninety_seven_percent_and_never_passed() -> None:
    async def main() -> float:
        admission, moments = line(Limits(rpm=6_000)), list[tuple[int, float]]()
        await asyncio.gather(*(passes(admission, ONE, moments, i) for i in range(3_000)))
        return moments[-1][1]

    seconds = virtual_time.run(main())
    assert 2_999 / 100 - 1e-6 <= seconds <= 30 / 0.97


def test_whoever_waits_for_a_limit_holds_no_slot() -> None:
    async def main() -> Admission:
        admission = line(Limits(rpm=6), concurrency=2)
        await admission.enter(ONE)
        waiting = asyncio.get_running_loop().create_task(admission.enter(ONE))
        await asyncio.sleep(5)
        assert (admission.in_flight, admission.waiting, admission.binding) == (1, 1, "requests")
        await waiting
        return admission

    assert virtual_time.run(main()).in_flight == 2


def test_whoever_waits_for_a_slot_holds_no_permit() -> None:
    """A hundred that waited for slots are still paced when the slots come."""

    async def main() -> list[float]:
        admission, moments = line(Limits(rpm=600), concurrency=1), list[float]()

        async def call() -> None:
            await admission.enter(ONE)
            moments.append(asyncio.get_running_loop().time())
            await asyncio.sleep(60 if len(moments) == 1 else 0)
            admission.leave(News.GOOD, sent_at=moments[-1])

        await asyncio.gather(*(call() for _ in range(50)))
        return moments

    moments = virtual_time.run(main())
    assert moments[1] == 60.0
    assert moments[-1] >= 60 + (48 - 10) / 10  # a second's burst, and then the pace


def test_cancelling_the_head_lets_the_next_one_go() -> None:
    async def main() -> float:
        admission = line(Limits(tpm=6_000))
        await admission.enter(Demand(1, 1, 0, 0))
        loop = asyncio.get_running_loop()
        head = loop.create_task(admission.enter(Demand(1, 6_000, 0, 0)))
        after = loop.create_task(admission.enter(Demand(1, 1, 0, 0)))
        await asyncio.sleep(0.5)
        head.cancel()
        await asyncio.wait([head])
        await after
        return loop.time()

    assert virtual_time.run(main()) == 0.5


@pytest.mark.parametrize("steps", range(6))
def test_cancelling_at_any_moment_leaves_no_slot_and_no_permit(steps: int) -> None:
    async def main() -> None:
        admission = line(Limits(rpm=60), concurrency=1)
        await admission.enter(ONE)
        task = asyncio.get_running_loop().create_task(admission.enter(ONE))
        for step in range(steps):
            if step == 2:
                await asyncio.sleep(1)
                admission.leave(News.GOOD, sent_at=0.0)  # it is let in now, and does not know it yet
            else:
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():
            assert admission.in_flight == (1 if steps <= 2 else 0)
            assert admission.pace.ready_at(ONE) <= 2.0
        assert admission.waiting == 0

    virtual_time.run(main())
