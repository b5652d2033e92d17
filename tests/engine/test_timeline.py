"""Events folded into slices: nothing is lost however long it goes on, and it never grows."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import AttemptFailed, Noted, ReplyReceived, RequestSent
from engine.timeline import MOST_SLICES, Timeline

REPLY = ReplyReceived("generate", 7, 10, 5, 0.1, from_journal=False)


def test_a_slice_counts_what_fell_into_it() -> None:
    timeline = Timeline()
    for now, event in (
        (100.0, RequestSent("generate")),
        (100.5, REPLY),
        (100.6, AttemptFailed("generate", "rate", 1.0)),
        (101.2, AttemptFailed("generate", "overload", 1.0)),
        (101.4, ReplyReceived("generate", 0, 10, 5, 0.0, from_journal=True)),
        (101.5, Noted("nothing of calls")),
    ):
        timeline.apply(event, now=now)

    first, second = timeline.slices()

    assert (first.sent, first.replies, first.limits_met, first.failed, first.tokens, first.cost) == (1, 1, 1, 0, 15, 7)
    assert (second.start_s, second.failed, second.from_journal, second.replies) == (1.0, 1, 1, 0)


def test_what_binds_counts_for_the_time_since_the_last_look() -> None:
    timeline = Timeline()
    timeline.look(now=10.0, binding="money", in_flight=9, allowed=9)  # how it stood before is not known
    timeline.apply(RequestSent("generate"), now=10.0)
    timeline.look(now=10.25, binding="requests", in_flight=2, allowed=8)
    timeline.look(now=10.75, binding="CPU", in_flight=5, allowed=8)

    (only,) = timeline.slices()

    assert only.bound == {"requests": 0.25, "CPU": 0.5}
    assert (only.seconds, only.in_flight, only.allowed) == (0.75, 4.0, 8.0)


@settings(max_examples=50)
@given(st.lists(st.floats(0.0, 5000.0), min_size=1, max_size=60))
def test_however_long_it_goes_on_nothing_is_lost_and_it_stays_small(waits: list[float]) -> None:
    timeline, now = Timeline(), 0.0
    for wait in waits:
        timeline.apply(REPLY, now=now)
        timeline.look(now=now, binding="money", in_flight=1, allowed=1)
        now += wait

    slices = timeline.slices()

    assert sum(each.replies for each in slices) == len(waits)
    assert len(slices) <= MOST_SLICES
    assert [each.start_s for each in slices] == [number * timeline.width_s for number in range(len(slices))]
