"""What the live view says of time and of what binds, as arithmetic; and what its keys mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dashboard.binding import Situation, bound_by, named, situation_of, use_of
from engine.dashboard.keys import Presses, pressed
from engine.dashboard.pacing import LONGEST_S, SHORTEST_S, TIMES, Pace, pause_after
from engine.dashboard.timing import Point, Track, percentile, time_left
from engine.dashboard.traffic import Rates, Traffic
from engine.dashboard.view import POINTS_KEPT, Curve, View
from engine.events import AttemptFailed, StageStarted
from engine.throttle import Limits
from tests.engine.pictures import figures

gains = st.lists(st.integers(0, 50), min_size=1, max_size=60)


def points_of(done: list[int], *, every_s: float = 1.0) -> list[Point]:
    """A point after each stretch, from nothing on."""
    return [Point(every_s * at, sum(done[:at])) for at in range(len(done) + 1)]


@given(done=gains, total=st.integers(1, 10_000))
def test_time_left_is_an_interval_around_what_is_likely(done: list[int], total: int) -> None:
    left = time_left(points_of(done), total=total)

    assert (left is None) == (sum(done) == 0)
    if left is not None:
        assert 0 <= left.low <= left.middle <= left.high


@given(done=gains.filter(any), total=st.integers(1, 10_000), scale=st.floats(0.1, 100))
def test_twice_as_slow_takes_twice_as_long(done: list[int], total: int, scale: float) -> None:
    once, scaled = time_left(points_of(done), total=total), time_left(points_of(done, every_s=scale), total=total)

    assert once is not None
    assert scaled is not None
    assert scaled.middle == pytest.approx(scale * once.middle)
    assert scaled.high == pytest.approx(scale * once.high, rel=1e-6)


@given(done=gains.filter(any), less=st.integers(1, 5_000), more=st.integers(0, 5_000))
def test_more_to_do_takes_longer(done: list[int], less: int, more: int) -> None:
    soon, late = time_left(points_of(done), total=less), time_left(points_of(done), total=less + more)

    assert soon is not None
    assert late is not None
    assert soon.middle <= late.middle
    assert soon.high <= late.high


@given(done=gains.filter(any))
def test_what_is_done_takes_no_more_time(done: list[int]) -> None:
    left = time_left(points_of(done), total=sum(done))

    assert left is not None
    assert (left.low, left.middle, left.high) == (0, 0, 0)


def test_an_even_pace_is_known_better_than_one_in_lumps() -> None:
    even, lumps = time_left(points_of([100] * 20), total=4000), time_left(points_of([0, 200] * 10), total=4000)

    assert even is not None
    assert lumps is not None
    assert lumps.high - lumps.low > 3 * (even.high - even.low)


@pytest.mark.long
def test_the_interval_holds_the_truth_nine_times_in_ten() -> None:
    """Rows come in lumps of chance; judged after a quarter of them."""
    from random import Random

    chance, held = Random(0), 0
    for _ in range(100):
        done = [chance.choice((0, 0, 3, 9)) for _ in range(400)]
        reached = [sum(done[:at]) for at in range(len(done))]
        truth = next(at for at, so_far in enumerate(reached) if so_far >= 600)
        left = time_left(points_of(done)[:51], total=600)
        assert left is not None
        held += left.low <= truth - 50 <= left.high

    assert 82 <= held <= 98


@given(steps=st.lists(st.floats(0.01, 5), min_size=1, max_size=400))
def test_a_track_keeps_few_points_from_the_first_to_the_latest(steps: list[float]) -> None:
    track, now = Track(most=16), 0.0
    for step in steps:
        now += step
        track.note(now, now)

    assert 1 <= len(track.points) <= 16
    assert track.points[0].at == steps[0]
    assert now - track.points[-1].at <= 2 * track.every_s + 5
    assert track.points == sorted(track.points)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=1500))
@settings(max_examples=30)
def test_a_curve_keeps_few_values_and_the_latest(values: list[float]) -> None:
    curve = Curve()
    for value in values:
        curve.note(value)

    assert 1 <= len(curve.values) <= POINTS_KEPT
    assert curve.latest == values[-1]
    assert min(values) - 1e-6 <= min(curve.values) <= max(curve.values) <= max(values) + 1e-6


@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=50), share=st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_grows_with_the_share(values: list[float], share: float) -> None:
    at, most = percentile(values, share), percentile(values, 1.0)

    assert at in values
    assert at is not None
    assert most == max(values)
    assert sum(value <= at for value in values) >= share * len(values) - 1e-6


BINDINGS = (
    "requests", "tokens", "input tokens", "output tokens", "requests per day", "tokens per day", "provider weather",
    "concurrency", "money", "CPU", "batches", "pause", "slow consumer", "straggler", "lack of work",
)  # fmt: skip


@given(
    binding=st.sampled_from(BINDINGS),
    stage=st.sampled_from(["", "generate"]),
    in_flight=st.integers(0, 100),
    waiting=st.integers(0, 100),
    share=st.floats(0, 2),
)
def test_there_is_always_something_to_say_of_what_binds(
    binding: str, stage: str, in_flight: int, waiting: int, share: float
) -> None:
    now = Situation(
        binding=binding, stage=stage, in_flight=in_flight, waiting=waiting, allowed=64, use={binding: (share, 40_000.0)}
    )

    assert bound_by(now).what
    assert bound_by(now).told().startswith(bound_by(now).what)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        pytest.param(
            Situation(binding="output tokens", use={"output tokens": (0.98, 40_000.0)}, in_flight=9),
            "bound by output tokens a minute (98 % of 40,000): a second key, a higher tier or --batch would help",
            id="limit",
        ),
        pytest.param(
            Situation(binding="tokens", use={"tokens": (0.31, 200_000.0)}, in_flight=9),
            "bound by tokens a minute (31 % of 200,000 come back; it counts what answers may have): "
            "a second key, a higher tier or --batch would help",
            id="limit-that-counts-otherwise",
        ),
        pytest.param(
            Situation(binding="requests", use={"requests": (0.15, 200.0)}, in_flight=2),
            "bound by requests a minute (200 at most): a second key, a higher tier or --batch would help, and more "
            "rows in a call",
            id="limit-after-a-pause",
        ),
        pytest.param(
            Situation(binding="lack of work", in_flight=12, latency_s=1.24, stage="generate"),
            "bound by the teacher's time (12 in flight, 1.2 s each): no limit is in the way; a faster model would help",
            id="lag",
        ),
        pytest.param(
            Situation(binding="concurrency", in_flight=8, allowed=8),
            "bound by calls in flight (8): --concurrency sets them; else they grow while it pays",
            id="slots",
        ),
        pytest.param(
            Situation(binding="CPU", stage="train"), "train works on this computer: nobody is asked meanwhile", id="own"
        ),
        pytest.param(Situation(binding="pause", in_flight=1), "paused: r goes on", id="pause"),
        pytest.param(Situation(binding="lack of work"), "nothing waits", id="nothing"),
    ],
)
def test_what_binds_in_words(now: Situation, told: str) -> None:
    assert bound_by(now).told() == told


def test_what_bound_has_the_same_name_afterwards_as_in_the_live_view() -> None:
    live = Situation(binding="lack of work", in_flight=1), Situation(binding="concurrency", allowed=8)
    assert [named(now.binding) in bound_by(now).told() for now in live] == [True, True]
    assert [named(each) for each in ("requests", "lack of work", "<b>")] == [
        "requests a minute", "the teacher's time", "<b>"
    ]  # fmt: skip


def test_use_is_of_the_limits_that_are_known() -> None:
    rates = Rates(sent=50.0, input_tokens=600.0, output_tokens=400.0)

    assert use_of(Limits(rpm=100, tpm=4000), rates) == {"requests": (0.5, 100), "tokens": (0.25, 4000)}
    assert use_of(Limits(), rates) == {}


def test_what_binds_is_what_bound_most_of_late() -> None:
    traffic = Traffic()
    for binding in ("CPU", "requests", "requests", "lack of work"):
        traffic.notice_binding(binding, seconds=1.0)

    assert traffic.usual_binding() == "requests"
    assert traffic.bound_s == {"CPU": 1.0, "requests": 2.0, "lack of work": 1.0}


def test_a_pause_is_told_as_soon_as_it_begins_and_no_longer_than_it_lasts() -> None:
    view = View.of((), title="t", model="m", simulated=True)
    for binding in ("requests", *["pause"] * 8):
        view.traffic.notice_binding(binding, seconds=1.0)

    assert situation_of(view, figures(binding="requests")).binding == "requests"
    assert situation_of(view, figures(binding="pause")).binding == "pause"


def test_what_bound_before_does_not_bind_once_nobody_asks() -> None:
    view = View.of(("train",), title="t", model="m", simulated=True)
    view.apply(StageStarted("train"))
    for binding in ("requests",) * 8 + ("CPU",):
        view.traffic.notice_binding(binding, seconds=1.0)
    asking, over = figures(binding="CPU"), replace(figures(binding="CPU"), in_flight=0)

    before = situation_of(view, over).binding
    view.traffic.notice_binding("CPU", seconds=1.0)

    assert (before, situation_of(view, asking).binding) == ("requests", "requests")
    assert bound_by(situation_of(view, over)).what == "train works on this computer"


def test_seconds_with_a_refusal_are_marked() -> None:
    traffic = Traffic()
    for second in range(4):
        traffic.tick(float(second))
        traffic.sent += 3
        if second == 1:
            traffic.apply_failure(AttemptFailed("t", "rate", 1.0))

    assert traffic.curve("sent", 10) == [(3.0, False), (3.0, True), (3.0, False)]


@given(cost=st.floats(0, 100), load=st.floats(-1, 20), shortest=st.floats(0.1, 2), has_news=st.booleans())
def test_a_picture_takes_a_240th_of_what_the_process_does_unless_nobody_would_look_so_long(
    cost: float, load: float, shortest: float, has_news: bool
) -> None:
    pause = pause_after(cost, load=load, has_news=has_news, shortest_s=shortest)

    assert shortest <= pause <= LONGEST_S
    assert cost <= pause * min(1.0, load) / TIMES + 1e-9 or pause == LONGEST_S
    assert pause <= pause_after(cost, load=load, has_news=False, shortest_s=shortest)


@given(load=st.floats(0.25, 8), cost=st.floats(0.0001, 0.003))
def test_looking_on_at_a_run_takes_no_more_than_one_part_in_240(load: float, cost: float) -> None:
    """Of what the run itself takes, however dear a picture is: here as long as 3 s are enough to be sparing."""
    pace, now, own, pictures = Pace(0.0, 0.0), 0.0, 0.0, 0
    for _ in range(30):
        pause = pace.after(cost, now=now, used_s=own + (pictures + 1) * cost)
        pictures += 1
        now, own = now + pause, own + pause * load

    assert pictures * cost <= own / TIMES + cost


def test_where_nothing_happens_pictures_are_rare_and_a_cheap_one_is_soon_followed_by_the_next() -> None:
    assert pause_after(0.001, load=1.0, has_news=False) == 4 * SHORTEST_S
    assert pause_after(0.001, load=0.0) == LONGEST_S
    assert pause_after(0.0, load=1.0) == SHORTEST_S


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("p", ["pause"]), ("R", ["resume"]), ("++", ["raise", "raise"]), ("?", ["help"]), ("x", []), ("", []),
        ("qp", []), ("please quit", []), ("\x1b[A", []),
        ("\x1b[<0;3;4M", []), ("\x1b", ["latest"]), ("qqq", ["finish"]),
        ("\x1b[200~q\x1b[201~", ["finish"]),
    ],
)  # fmt: skip
def test_what_is_pressed(text: str, commands: list[str]) -> None:
    """Arrow keys and the mouse are no commands, and neither is a pasted text."""
    assert pressed(text) == commands


def test_what_spends_or_ends_wants_to_be_pressed_twice() -> None:
    presses = Presses()

    assert not presses.holds("raise", now=0.0)
    assert presses.holds("raise", now=1.0)
    assert presses.holds("raise", now=2.0)
    assert not presses.holds("finish", now=3.0)
    assert presses.holds("pause", now=3.5)
    assert not presses.holds("finish", now=4.0)
    assert not presses.holds("finish", now=9.5)
    assert presses.holds("lower", now=9.6)
