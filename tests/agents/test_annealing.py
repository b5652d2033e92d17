"""Temperature as a function of what has happened: in range always, and moving the right way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.making.annealing import (
    SCHEDULES,
    SHARES,
    Band,
    Feedback,
    Happened,
    Heats,
    Linear,
    examples_shown,
    make_schedule,
)
from engine.errors import UserError

BAND = Band()

bands = st.tuples(st.floats(0, 2), st.floats(0, 2)).map(lambda ends: Band(low=min(ends), high=max(ends)))
counts = st.integers(0, 50)
happenings = st.builds(
    lambda accepted, wanted, kept, duplicates, rejects: Happened(
        accepted=accepted,
        wanted=wanted,
        drafts=kept + duplicates + rejects,
        duplicates=duplicates,
        rejects=rejects,
    ),
    counts,
    counts,
    counts,
    counts,
    counts,
)


def happened(*, kept: int = 4, duplicates: int = 0, rejects: int = 0) -> Happened:
    drafts = kept + duplicates + rejects
    return Happened(accepted=10, wanted=100, drafts=drafts, duplicates=duplicates, rejects=rejects)


@given(name=st.sampled_from(sorted(SCHEDULES)), band=bands, history=st.lists(happenings, max_size=30))
def test_every_schedule_stays_within_its_band(name: str, band: Band, history: list[Happened]) -> None:
    schedule = make_schedule(name, band=band)
    temperatures = [schedule.first]
    for event in history:
        temperatures.append(schedule.next(temperatures[-1], event))

    assert all(band.low <= temperature <= band.high for temperature in temperatures)


@given(current=st.floats(0.7, 1.0), duplicates=st.integers(0, 8), rejects=st.integers(0, 8))
def test_feedback_heats_on_duplicates_and_cools_on_rejects(current: float, duplicates: int, rejects: int) -> None:
    after = Feedback().next(current, happened(duplicates=duplicates, rejects=rejects))

    if duplicates >= rejects:
        assert after >= current
    if duplicates <= rejects:
        assert after <= current


@given(current=st.floats(0.7, 1.0), fewer=st.integers(0, 8), more=st.integers(0, 8))
def test_more_duplicates_never_mean_cooler(current: float, fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))

    assert Feedback().next(current, happened(duplicates=fewer)) <= Feedback().next(current, happened(duplicates=more))


def test_twenty_requests_of_duplicates_go_from_the_bottom_to_the_top() -> None:
    temperature = BAND.low
    for _ in range(20):
        temperature = Feedback().next(temperature, happened(kept=0, duplicates=8))

    assert temperature == pytest.approx(BAND.high)


def test_feedback_starts_two_thirds_up_and_silence_changes_nothing() -> None:
    assert Feedback().first == pytest.approx(0.9)
    assert Feedback().next(0.8, happened(kept=0)) == 0.8


@pytest.mark.parametrize(("accepted", "expected"), [(0, 0.3), (50, 0.85), (100, 1.4), (120, 1.4)])
def test_linear_is_the_papers_formula(accepted: int, expected: float) -> None:
    schedule = Linear(Band(low=0.3, high=1.4))

    assert schedule.next(0.0, Happened(accepted=accepted, wanted=100)) == pytest.approx(expected)


def test_cosine_rises_slowly_at_both_ends_and_constant_not_at_all() -> None:
    def heat(name: str, accepted: int) -> float:
        return make_schedule(name, band=BAND).next(0.0, Happened(accepted=accepted, wanted=100))

    assert heat("cosine", 0) == BAND.low
    assert heat("cosine", 100) == pytest.approx(BAND.high)
    assert heat("cosine", 10) < heat("linear", 10)
    assert heat("cosine", 90) > heat("linear", 90)
    assert heat("constant", 0) == heat("constant", 100) == BAND.high


def test_every_dialect_can_carry_the_default_band() -> None:
    assert (BAND.low, BAND.high) == (0.7, 1.0)
    assert Band(low=0.7, high=1.4).below(1.0) == BAND


def test_nonsense_is_a_users_error() -> None:
    with pytest.raises(UserError, match="low <= high"):
        Band(low=1.0, high=0.7)
    with pytest.raises(UserError, match="'warm'"):
        make_schedule("warm", band=BAND)


def test_where_no_temperature_may_be_sent_the_hotter_the_fewer_examples() -> None:
    """Where feedback begins, as many as usual."""
    shown = [examples_shown(share, usual=6) for share in (0.0, 1 / 3, Feedback(SHARES).first, 1.0)]

    assert shown == [12, 9, 6, 3]
    assert examples_shown(1.0, usual=1) == 1


KINDS = ("about ships", "about mills", "angry", "polite")


@given(
    told=st.lists(
        st.tuples(st.lists(st.sampled_from(KINDS), unique=True), st.integers(0, 8), st.integers(0, 8)), max_size=40
    )
)
def test_every_kind_is_asked_within_the_band(told: list[tuple[list[str], int, int]]) -> None:
    heats = Heats(Feedback())
    for kinds, duplicates, rejects in told:
        heats.notify(kinds, happened(duplicates=duplicates, rejects=rejects))

    assert all(BAND.low <= heats.at(KINDS[:count]) <= BAND.high for count in range(5))


@given(counts=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40))
def test_without_kinds_there_is_one_temperature(counts: list[tuple[int, int]]) -> None:
    heats, alone = Heats(Feedback()), Feedback().first
    for duplicates, rejects in counts:
        heats.notify([], happened(duplicates=duplicates, rejects=rejects))
        alone = Feedback().next(alone, happened(duplicates=duplicates, rejects=rejects))

    assert heats.at([]) == pytest.approx(alone)


def test_what_repeats_itself_is_asked_hotter_than_what_is_rejected_and_new_kinds_begin_between() -> None:
    heats = Heats(Feedback())
    for _ in range(20):
        heats.notify(["about ships"], happened(kept=0, duplicates=8))
        heats.notify(["about mills"], happened(kept=0, rejects=8))

    cool, usual, hot = (heats.at([kind]) for kind in ("about mills", "about bridges", "about ships"))
    assert cool < usual < hot
    assert usual == pytest.approx(heats.common)
    assert heats.at(["about ships", "about mills"]) == pytest.approx((hot + cool) / 2)
