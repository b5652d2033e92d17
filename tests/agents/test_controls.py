"""What keys do to a run, and how it stands for whoever looks on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agents.controls import NOBODY_ASKED, RunControls, cap_above, cap_below
from agents.run_folder import RunFolder
from engine import Budget, Engine
from engine.events import StageStarted
from engine.prices import PICO_PER_USD

CENT = PICO_PER_USD // 100


@given(cap=st.integers(CENT, 10**5 * PICO_PER_USD))
def test_a_step_is_a_small_part_of_the_cap(cap: int) -> None:
    assert cap < cap_above(cap) <= 1.11 * cap
    assert 0.89 * cap <= cap_below(cap) < cap


@given(cap=st.integers(CENT, 10**5 * PICO_PER_USD), steps=st.integers(1, 60))
def test_from_a_round_cap_up_and_down_again_is_where_it_was(cap: int, steps: int) -> None:
    round_cap = moved = cap_above(cap)
    for _ in range(steps):
        moved = cap_above(moved)
    for _ in range(steps):
        moved = cap_below(moved)

    assert moved == round_cap


def test_a_dollar_goes_up_in_dimes() -> None:
    caps = [PICO_PER_USD]
    while caps[-1] < 6 * PICO_PER_USD:
        caps.append(cap_above(caps[-1]))

    assert [cap / PICO_PER_USD for cap in (*caps[:3], *caps[-3:])] == [1.0, 1.1, 1.2, 5.0, 5.5, 6.0]


def test_without_an_engine_there_is_nothing_to_steer(tmp_path: Path) -> None:
    controls = RunControls(RunFolder(tmp_path))

    assert controls.pause() == controls.resume() == controls.raise_cap() == controls.lower_cap() == NOBODY_ASKED


def after_asking(folder: Path) -> RunControls:
    """The controls of a run whose teacher has been asked for everything."""
    controls = RunControls(RunFolder(folder))

    async def ask() -> None:
        async with Engine("simulated/dates", budget=Budget(usd=1)) as engine:
            controls.take(engine)
            assert "calls in flight come home" in controls.finishing()

    asyncio.run(ask())
    return controls


def test_to_finish_in_a_training_is_to_have_what_it_has_learnt(tmp_path: Path) -> None:
    controls = after_asking(tmp_path)
    controls.notice(StageStarted("train"))

    assert "its best student so far is judged" in controls.finishing()
    assert not controls.is_enough()
    assert controls.finish().startswith("the training ends")
    assert controls.is_enough()
    assert controls.finish().startswith("it finishes already")


def test_to_finish_what_is_nearly_over_changes_nothing(tmp_path: Path) -> None:
    controls = after_asking(tmp_path)
    controls.notice(StageStarted("evaluate"))

    assert controls.finishing().startswith("nothing changes")
    assert "ends by itself" in controls.finish()
    assert not controls.is_enough()
