"""What a search may turn in a recipe: which settings it compares, and what they make of the recipe."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.training.dials import adjusted, dials_told, settings
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.student import Row

RECIPE = Recipe(batch=32, peak_learning_rate=1e-3, fewest_steps=1, passes=1, most_passes=1, longest_input=8)
ROWS = (Row("a", "b"), Row("b", "c"))


@given(st.sampled_from(["tiny", "linear"]), st.integers(1, 12), st.integers())
def test_the_family_s_own_setting_is_first_and_the_others_are_different_and_near(
    family: str, count: int, seed: int
) -> None:
    found = settings(family, count=count, seed=seed)

    assert found[0] == {}
    assert len(found) == count
    assert all(0.1 <= factor <= 10 for each in found for factor in each.values())
    assert found == settings(family, count=count, seed=seed)
    assert found[:1] == settings(family, count=1, seed=seed)


def test_settings_are_spread_evenly_over_each_dial() -> None:
    """Of eight, four turn the learning rate down and four up, as far as four times."""
    rates = sorted(each["learning_rate"] for each in settings("tiny", count=9, seed=3)[1:])

    assert [rate < 1 for rate in rates] == [True] * 4 + [False] * 4
    assert rates[0] <= 4**-0.75 < 4**0.75 <= rates[-1]


def test_dials_are_factors_on_the_recipe_and_nothing_else_moves() -> None:
    turned = adjusted(RECIPE, {"learning_rate": 0.5, "batch": 0.01})

    assert (turned.peak_learning_rate, turned.batch) == (5e-4, 1)
    assert adjusted(RECIPE, {}) == RECIPE
    assert dials_told({"learning_rate": 0.5, "batch": 2.0}) == "learning rate x 0.5, batch x 2"
    assert dials_told({}) == "as it stands"


@pytest.mark.parametrize(
    ("dials", "says"),
    [({"dropout": 2.0}, "there is no dial 'dropout' to turn; there are learning_rate"), ({"batch": 0.0}, "above 0")],
)
def test_a_dial_that_makes_no_sense_is_one_line(dials: dict[str, float], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Lesson(rows=ROWS, dials=dials)


def test_a_device_that_nobody_knows_is_refused_for_every_student() -> None:
    with pytest.raises(UserError, match=r"unknown device 'tpu'.*there are auto, cpu, cuda, mps"):
        Lesson(rows=ROWS, device="tpu")


def test_a_lesson_applies_its_preset_and_then_its_dials() -> None:
    paper = Lesson(rows=ROWS, preset="paper", dials={"batch": 2.0}).applied(RECIPE)

    assert (paper.peak_learning_rate, paper.batch) == (5e-5, 16)
