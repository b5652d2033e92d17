"""What more rows would bring: a power law through the errors of students that learnt from fewer. Pure.

Knows measures and numbers of rows; who trained on them is not its business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.errors import UserError
from engine.evaluation.intervals import RESAMPLES, Interval, Measure, middle_of

__all__ = ["Forecast", "forecast"]

FEWEST_SIZES: Final = 3  # a line through two points says nothing of how well it fits


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to be expected of `rows` rows: the score, and the middle 95 % of what resampling makes of it.

    `exponent` is how fast errors fall: with twice the rows they are 2 ** -exponent times as many.
    """

    rows: int
    value: float
    low: float
    high: float
    exponent: float


def forecast(
    sizes: Sequence[int], measures: Sequence[Measure], *, rows: int, top: float, times: float = 2.0, seed: int = 0
) -> Forecast:
    """The score with `times` as many rows as the largest of the sizes, by a power law: error = a * size ** -b.

    There is a measure for each size, all on the same `rows` test rows; errors are what a score lacks of `top`. Learning
    curves follow such laws (Hestness et al., arXiv 1712.00409; Figueroa et al., "Predicting sample size required for
    classification performance", 2012). The law gives the slope and the largest size the height, so that what is
    promised begins where the student is. Never is less promised than there is.

    Raises UserError for fewer than three sizes.
    """
    import numpy as np

    if len(sizes) < FEWEST_SIZES:
        raise UserError(f"{len(sizes)} sizes are too few to see how errors fall; three or more are needed")
    chance = np.random.default_rng(seed)
    draws = [np.arange(rows), *(chance.integers(rows, size=rows) for _ in range(RESAMPLES))]
    # Half a row's worth of error more: the logarithm of none would be endless.
    errors = np.array([[top - measure(drawn) + top / (2 * rows) for measure in measures] for drawn in draws])
    slopes = _slopes(np.log(np.array(sizes, dtype=float)), np.log(errors))
    then = np.maximum(errors[:, -1] * times**-slopes - top / (2 * rows), 0.0)
    low, high = _spread(top - then[1:], rows=rows, top=top)
    return Forecast(round(times * sizes[-1]), float(top - then[0]), low, high, float(slopes[0]))


def _slopes(sizes: Any, errors: Any) -> Any:
    """How fast each line of errors falls with the sizes, both as logarithms; 0 where it does not."""
    import numpy as np

    apart = sizes - sizes.mean()
    falls = -(errors - errors.mean(axis=1, keepdims=True)) @ apart / (apart @ apart)
    return np.maximum(falls, 0.0)


def _spread(drawn: Any, *, rows: int, top: float) -> Interval:
    return (0.0, top) if rows == 1 else middle_of(drawn)
