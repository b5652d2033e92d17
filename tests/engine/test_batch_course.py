"""What is done next about a batch: nothing is created twice, nothing that may exist given up, nothing forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.batches.course import (
    NEVER_CREATED,
    Progress,
    Step,
    Timing,
    after_finding,
    gone,
    is_queue_full,
    next_step,
    on_line_missing,
    on_not_run,
    progress_of,
    should_give_up,
)
from engine.providers.batches import Flaw, Found, Look
from engine.verdict import Kind, Verdict

RUNNING = Look(state="running", word="in_progress")
ENDED = Look(state="ended", word="completed", ended=3, total=3)
FAILED = Look(state="failed", word="failed")

looks = st.sampled_from([None, RUNNING, ENDED, FAILED])
progresses = st.builds(
    Progress,
    uploads=st.booleans(),
    file=st.none() | st.just("file-1"),
    creating_since=st.none() | st.floats(0, 1000),
    batch=st.none() | st.just("batch-1"),
    look=looks,
    refusal=st.none() | st.just(NEVER_CREATED),
)


@given(progresses, st.integers(1, 9))
def test_what_exists_or_may_exist_is_never_created(progress: Progress, open_lines: int) -> None:
    step = next_step(progress, open_lines=open_lines)

    if progress.batch is not None or progress.creating_since is not None:
        assert step not in (Step.CREATE, Step.UPLOAD)


@given(progresses, st.integers(1, 9))
def test_nothing_is_given_back_that_may_have_been_run(progress: Progress, open_lines: int) -> None:
    if next_step(progress, open_lines=open_lines) is not Step.GIVE_BACK:
        return

    surely_never_was = progress.batch is None and progress.creating_since is None and progress.refusal is not None
    was_not_run = progress.batch is not None and progress.look is not None and progress.look.state == "failed"
    assert surely_never_was or was_not_run


@given(progresses)
def test_it_is_done_when_and_only_when_every_line_has_ended(progress: Progress) -> None:
    assert next_step(progress, open_lines=0) is Step.DONE
    assert next_step(progress, open_lines=1) is not Step.DONE


@pytest.mark.parametrize("uploads", [True, False])
def test_an_undisturbed_batch_takes_one_step_after_the_other(uploads: bool) -> None:
    progress = Progress(uploads=uploads)
    steps = []
    for change in (
        *([{"file": "file-1"}] if uploads else []),
        {"creating_since": 1.0},
        {"batch": "batch-1", "creating_since": None},
        {"look": RUNNING},
        {"look": ENDED},
    ):
        steps.append(next_step(progress, open_lines=3))
        progress = replace(progress, **change)  # type: ignore[arg-type]
    steps.append(next_step(progress, open_lines=3))

    before = [Step.UPLOAD] if uploads else []
    assert steps == [*before, Step.CREATE, Step.FIND, Step.LOOK, Step.LOOK, Step.FETCH]


NOTES: list[tuple[dict[str, dict[str, object]], Step]] = [
    ({}, Step.GIVE_BACK),
    ({"uploaded": {"file": "file-1"}}, Step.GIVE_BACK),
    ({"uploaded": {"file": "file-1"}, "creating": {"at": 5}}, Step.FIND),
    ({"creating": {"at": 5}}, Step.FIND),
    ({"creating": {"at": 5}, "created": {"batch": "batch-1"}}, Step.LOOK),
]


@pytest.mark.parametrize(("notes", "step"), NOTES, ids=[" ".join(notes) or "begun" for notes, _ in NOTES])
def test_what_a_dead_process_noted_says_how_to_go_on(notes: dict[str, dict[str, object]], step: Step) -> None:
    """What it was not about to create never will be; what it was is looked for; what it created is followed."""
    assert next_step(progress_of(notes, uploads=True), open_lines=1) is step


@given(st.booleans(), st.floats(0, 2000), st.floats(0, 1000))
def test_a_batch_counts_as_never_created_only_when_it_is_surely_nowhere_and_that_long_ago(
    is_sure: bool, now: float, grace_s: float
) -> None:
    progress = Progress(uploads=True, file="file-1", creating_since=100.0)

    after = after_finding(progress, Found(None, is_sure), now=now, grace_s=grace_s)

    assert (after.refusal is not None) == (is_sure and now - 100.0 >= grace_s)
    assert after.refusal is None or after.creating_since is None


def test_a_batch_that_is_found_is_followed() -> None:
    progress = Progress(uploads=True, file="file-1", creating_since=100.0)

    after = after_finding(progress, Found("batch-1", is_sure=True), now=0.0, grace_s=600.0)

    assert next_step(after, open_lines=1) is Step.LOOK


@given(st.floats(0, 1e7))
def test_looks_are_ever_rarer_within_bounds(age_s: float) -> None:
    timing = Timing()

    assert timing.first_look_s <= timing.until_look_s(age_s) <= timing.longest_look_s
    assert timing.until_look_s(age_s) <= timing.until_look_s(age_s + 10)


@given(st.integers(1, 10_000), st.none() | st.floats(0, 7200))
def test_a_retry_never_comes_before_the_provider_asked_for_it(failures: int, delay_s: float | None) -> None:
    timing = Timing()

    wait_s = timing.until_retry_s(failures, Verdict(kind=Kind.RATE, message="", delay_s=delay_s))

    assert wait_s >= max(timing.first_retry_s, delay_s or 0)
    assert wait_s <= max(timing.longest_retry_s, delay_s or 0)


@pytest.mark.parametrize(
    ("kind", "failures", "gives_up"),
    [
        (Kind.AUTH, 1, True),
        (Kind.CONFIG, 1, True),
        (Kind.QUOTA, 1, True),
        (Kind.TRANSIENT, 5, False),
        (Kind.TRANSIENT, 6, True),
        (Kind.RATE, 600, False),
        (Kind.OVERLOAD, 600, False),
    ],
)
def test_weather_is_waited_out_chance_gets_some_tries_and_a_refusal_none(
    kind: Kind, failures: int, gives_up: bool
) -> None:
    assert should_give_up(Verdict(kind=kind, message=""), failures=failures) is gives_up


@given(st.sampled_from(["completed", "ended", "expired", "cancelled"]), st.integers(0, 9), st.integers(0, 9))
def test_a_line_without_a_word_costs_nothing_only_when_all_that_ran_are_told(word: str, ended: int, ran: int) -> None:
    verdict = on_line_missing(Look(state="ended", word=word, ended=ended, total=9), ran=ran)

    is_free = word in {"expired", "cancelled"} and ran >= ended
    assert verdict.billed is (False if is_free else None)
    assert verdict.may_retry


def test_results_that_are_gone_are_assumed_paid_and_a_batch_that_should_be_there_means_a_wrong_key() -> None:
    assert gone(age_s=60.0, kept_s=1000.0, has_ended=False) is None
    for verdict in (
        gone(age_s=60.0, kept_s=1000.0, has_ended=True),
        gone(age_s=2000.0, kept_s=1000.0, has_ended=False),
    ):
        assert verdict is not None
        assert verdict.billed is None


def failed_with(*flaws: Flaw) -> Progress:
    return Progress(uploads=True, batch="batch-1", look=Look(state="failed", word="failed", flaws=flaws))


def test_a_flaw_in_one_line_is_that_line_s_and_the_others_are_asked_again() -> None:
    progress = failed_with(Flaw(2, "invalid_json_line", "This line is not parseable as valid JSON."))

    assert on_not_run(progress, 2).kind is Kind.CONFIG
    assert not on_not_run(progress, 2).may_retry
    assert on_not_run(progress, 1).may_retry
    assert {on_not_run(progress, number).billed for number in (1, 2, 3)} == {False}


def test_a_flaw_in_everything_is_everybody_s() -> None:
    verdict = on_not_run(failed_with(Flaw(None, "model_not_found", "The model does not exist.")), 7)

    assert verdict.kind is Kind.CONFIG
    assert verdict.everywhere
    assert verdict.billed is False


def test_a_full_queue_is_weather() -> None:
    progress = failed_with(Flaw(None, "token_limit_exceeded", "Enqueued token limit reached."))

    assert on_not_run(progress, 1).kind is Kind.RATE
    assert on_not_run(progress, 1).billed is False
    assert progress.look is not None
    assert is_queue_full(progress.look)
    assert not is_queue_full(FAILED)


@given(looks.filter(bool), st.integers(1, 9))
def test_what_comes_of_a_batch_is_never_taken_for_silence(look: Look, number: int) -> None:
    """A verdict without a wait would count towards giving the endpoint up."""
    progress = Progress(uploads=True, batch="batch-1", look=look)

    assert on_not_run(progress, number).delay_s is not None
    assert on_line_missing(look, ran=0).delay_s is not None
    assert NEVER_CREATED.delay_s is not None
