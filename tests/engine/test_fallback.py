"""Which model is asked: decided from what happened and when, whatever happens and in whatever order."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import (
    BudgetReached,
    ContentFiltered,
    ContextOverflow,
    DeadlineExceeded,
    Interrupted,
    ProviderUnavailable,
    QuotaExhausted,
    RequestRejected,
    SmeltError,
    UnreadableReply,
)
from engine.fallback import KNOWN_FROM, PATIENCE_S, TIMES, Choice, Fallback, Hush, Standing


def never(_: int) -> bool:
    return False


def always(_: int) -> bool:
    return True


def out(fallback: Fallback, model: int, *, now: float) -> None:
    """An outage from `now` on is waited out for as long as it takes to be one."""
    look_at = fallback.notify_silence(model, now=now)
    assert look_at == now + PATIENCE_S
    assert fallback.look(model, now=look_at)


def test_the_first_is_asked_and_no_other_tried() -> None:
    assert Fallback(3).choose(may_try=always) == Choice(0, is_trial=False)


def test_who_has_failed_a_request_is_not_asked_again_for_it() -> None:
    fallback = Fallback(2)

    assert fallback.choose(but={0}, may_try=never) == Choice(1, is_trial=False)
    assert fallback.choose(but={0, 1}, may_try=never) is None
    assert fallback.choose(may_try=never) == Choice(0, is_trial=False)


def test_one_that_refuses_is_gone_for_good() -> None:
    fallback = Fallback(2)

    fallback.notify_refused(0)
    fallback.notify_back(0)

    assert fallback.choose(may_try=always) == Choice(1, is_trial=False)
    assert fallback[0] is Standing.GONE


def test_nobody_is_asked_when_all_are_gone() -> None:
    fallback = Fallback(2)

    fallback.notify_refused(1)
    fallback.notify_refused(0)

    assert fallback.asked is None
    assert fallback.choose(may_try=always) is None


def test_an_outage_counts_only_after_the_patience_for_it() -> None:
    fallback = Fallback(2)
    look_at = fallback.notify_silence(0, now=10.0)

    assert look_at == 10.0 + PATIENCE_S
    assert (fallback.look(0, now=look_at - 0.1), fallback.asked) == (False, 0)
    assert (fallback.look(0, now=look_at), fallback.asked) == (True, 1)


def test_an_answer_in_between_begins_the_patience_anew() -> None:
    fallback = Fallback(2)
    fallback.notify_silence(0, now=10.0)
    fallback.notify_answer(0)

    assert not fallback.look(0, now=1000.0)
    assert fallback.notify_silence(0, now=1000.0) == 1000.0 + PATIENCE_S


def test_one_request_at_a_time_finds_out_whether_the_first_is_back() -> None:
    fallback = Fallback(2)
    out(fallback, 0, now=0.0)

    assert fallback.choose(may_try=never) == Choice(1, is_trial=False)
    assert fallback.choose(may_try=always) == Choice(0, is_trial=True)
    assert fallback.choose(may_try=always) == Choice(1, is_trial=False)
    fallback.end_trial(0)
    assert fallback.choose(may_try=always) == Choice(0, is_trial=True)
    fallback.notify_back(0)
    assert fallback.choose(may_try=always) == Choice(0, is_trial=False)


def test_one_that_nobody_waits_for_is_not_tried() -> None:
    fallback = Fallback(2)
    out(fallback, 0, now=0.0)
    out(fallback, 1, now=100.0)

    assert fallback[0] is Standing.ASKED
    assert fallback.choose(may_try=always) == Choice(0, is_trial=False)


def test_the_last_that_is_left_is_never_out() -> None:
    fallback = Fallback(2)
    fallback.notify_silence(1, now=0.0)
    fallback.notify_refused(0)

    assert fallback.notify_silence(1, now=5.0) is None
    assert not fallback.look(1, now=1000.0)
    assert fallback.asked == 1


def test_when_all_are_out_the_one_that_was_out_for_longest_is_asked_and_gets_its_full_patience() -> None:
    fallback = Fallback(3)
    out(fallback, 0, now=0.0)
    out(fallback, 1, now=40.0)
    out(fallback, 2, now=80.0)

    assert [fallback[i] for i in range(3)] == [Standing.ASKED, Standing.OUT, Standing.OUT]
    assert not fallback.look(0, now=200.0)
    out(fallback, 0, now=200.0)
    assert fallback.asked == 1


@pytest.mark.parametrize("error", [ProviderUnavailable(""), UnreadableReply(""), DeadlineExceeded("")])
def test_what_lay_with_the_provider_is_passed_on(error: SmeltError) -> None:
    assert Fallback(2).passes_on(0, error)


@pytest.mark.parametrize(
    "error",
    [RequestRejected(""), ContentFiltered(""), ContextOverflow(""), BudgetReached(""), Interrupted("")],
)
def test_what_lies_with_the_request_or_with_us_is_not(error: SmeltError) -> None:
    fallback = Fallback(2)
    fallback.notify_refused(0)

    assert not fallback.passes_on(0, error)


def test_a_refusal_is_passed_on_only_by_one_that_is_gone() -> None:
    fallback = Fallback(2)

    assert not fallback.passes_on(0, QuotaExhausted(""))
    fallback.notify_refused(0)
    assert fallback.passes_on(0, QuotaExhausted(""))


class Story:
    """Anything may happen to any model, at any time."""

    def __init__(self, models: int) -> None:
        self.fallback = Fallback(models)
        self.now = 0.0

    def happen(self, what: str, model: int) -> None:
        happenings: dict[str, Callable[[int], object]] = {
            "answer": self.fallback.notify_answer,
            "back": self.fallback.notify_back,
            "refused": self.fallback.notify_refused,
            "silence": lambda i: self.fallback.notify_silence(i, now=self.now),
            "look": lambda i: self.fallback.look(i, now=self.now),
            "end trial": self.fallback.end_trial,
            "choose": lambda i: self.fallback.choose(may_try=lambda j: j == i),
        }
        happenings[what](model)


HAPPENINGS = ("answer", "back", "refused", "silence", "look", "end trial", "choose")


@given(
    models=st.integers(1, 4),
    events=st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 3), st.floats(0, 100)), max_size=60),
)
@pytest.mark.long
def test_somebody_is_asked_as_long_as_anybody_is_left_and_who_is_gone_stays_gone(
    models: int, events: list[tuple[str, int, float]]
) -> None:
    story, gone = Story(models), set[int]()
    for what, model, later in events:
        story.now += later
        story.happen(what, model % models)
        gone |= {i for i in range(models) if story.fallback[i] is Standing.GONE}

        assert all(story.fallback[i] is Standing.GONE for i in gone)
        assert (story.fallback.asked is None) == (len(gone) == models)
        choice = story.fallback.choose(may_try=never)
        assert (choice is None) == (len(gone) == models)
        assert choice is None or story.fallback[choice.model] is Standing.ASKED
        assert choice is None or all(story.fallback[i] is not Standing.ASKED for i in range(choice.model))


@given(silences=st.lists(st.floats(0.1, 29.0), min_size=1, max_size=20))
def test_a_model_that_answers_now_and_then_is_never_out(silences: list[float]) -> None:
    fallback, now = Fallback(2), 0.0
    for silence_s in silences:
        fallback.notify_silence(0, now=now)
        now += silence_s

        assert not fallback.look(0, now=now)
        fallback.notify_answer(0)


def test_a_silence_is_told_from_slow_answers_by_those_there_were() -> None:
    hush = Hush()

    for _ in range(KNOWN_FROM - 1):
        hush.notify_answer(1.0)
    assert hush.patience_s == math.inf
    hush.notify_answer(2.0)
    assert hush.patience_s == PATIENCE_S
    hush.notify_answer(20.0)
    assert hush.patience_s == TIMES * 20.0


def test_one_that_says_nothing_goes_out_while_another_can_be_asked() -> None:
    fallback = Fallback(2)

    assert fallback.notify_hush(0, now=5.0)
    assert (fallback[0], fallback.asked) == (Standing.OUT, 1)
    fallback.notify_refused(0)
    assert not fallback.notify_hush(1, now=50.0)
    assert fallback.asked == 1
