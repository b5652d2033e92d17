"""What more rows would bring: a known law is found again, and nothing is promised where errors do not fall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.evaluation import forecast
from engine.evaluation.intervals import Measure

ROWS = 1000
SIZES = (125, 250, 500, 1000)


def measures(errors: Sequence[float], *, times: float = 1.0) -> list[Measure]:
    """The share right of a thousand rows, of which as many are wrong."""

    def of(error: float) -> Measure:
        right = np.arange(ROWS) >= round(error * ROWS)
        return lambda drawn: times * float(right[drawn].mean())

    return [of(error) for error in errors]


@pytest.mark.parametrize("top", [1.0, 100.0])
def test_a_power_law_is_found_again(top: float) -> None:
    """Errors of 0.4, 0.2 * sqrt 2 and so on fall by half with four times the rows."""
    errors = [0.4 / 2 ** (at / 2) for at in range(4)]

    found = forecast(SIZES, measures(errors, times=top), rows=ROWS, top=top)

    assert found.rows == 2000
    assert found.exponent == pytest.approx(0.5, abs=0.01)
    assert found.value == pytest.approx(top * 0.9, rel=0.003)
    assert found.low < found.value < found.high


def test_nothing_less_than_there_is_is_promised() -> None:
    falling = forecast(SIZES, measures([0.1, 0.2, 0.3, 0.4]), rows=ROWS, top=1.0)

    assert falling.exponent == 0
    assert falling.value == pytest.approx(0.6)


def test_perfection_stays_perfect() -> None:
    found = forecast(SIZES, measures([0, 0, 0, 0]), rows=ROWS, top=1.0)

    assert found.value == 1
    assert found.high <= 1


def test_the_same_seed_gives_the_same_interval() -> None:
    def again(seed: int) -> Any:
        return forecast(SIZES, measures([0.4, 0.3, 0.22, 0.16]), rows=ROWS, top=1.0, seed=seed)

    assert again(1) == again(1) != again(2)


def test_of_one_row_nothing_is_known() -> None:
    found = forecast((1, 2, 3), [lambda _: 1.0] * 3, rows=1, top=1.0)

    assert (found.low, found.high) == (0, 1)


def test_a_line_through_two_points_is_none() -> None:
    with pytest.raises(UserError, match="2 sizes are too few"):
        forecast((1, 2), [lambda _: 1.0] * 2, rows=9, top=1.0)
