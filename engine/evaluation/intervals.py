"""How sure a figure is: intervals of shares, of differences, and of anything that rows can be drawn again for."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from statistics import NormalDist
from typing import Any, Final

from engine.errors import UserError

__all__ = ["COVERAGE", "RESAMPLES", "Interval", "Measure", "at_least", "middle_of", "resampled", "wilson"]

RESAMPLES: Final = 1000
COVERAGE: Final = 0.95

Interval = tuple[float, float]

Measure = Callable[[Any], float]
"""What a metric makes of any draw of row numbers, an array; of all of them in order it is the metric itself."""


def wilson(hits: int, rows: int, *, coverage: float = COVERAGE) -> Interval:
    """The 95 % interval of a share, `hits` of `rows`; it keeps its width where all or none are hits.

    The score interval of E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    Journal of the American Statistical Association 22 (1927), 209-212. Resampling rows that are all right can only
    give rows that are all right, and so an interval without width; this one says how many wrong ones may be unseen.

        wilson(8, 8)  # (0.676, 1.0)
    """
    _check_share(hits, rows)
    z = NormalDist().inv_cdf((1 + coverage) / 2)
    middle = (hits + z * z / 2) / (rows + z * z)
    reach = z * sqrt(hits * (rows - hits) / rows + z * z / 4) / (rows + z * z)
    # Rounding must not push an end past the share itself: at none and at all, they are equal.
    return max(0.0, min(middle - reach, hits / rows)), min(1.0, max(middle + reach, hits / rows))


def at_least(hits: int, rows: int, *, doubt: float) -> float:
    """What a share is at least, but for a probability of `doubt`; exact, so on the safe side for any number of rows.

    The lower bound of C. J. Clopper and E. S. Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the
    Case of the Binomial", Biometrika 26 (1934), 404-413.

        at_least(29, 29, doubt=0.05)  # 0.902
    """
    from scipy.special import betaincinv

    _check_share(hits, rows)
    return float(betaincinv(hits, rows - hits + 1, doubt)) if hits else 0.0


def resampled(measure: Measure, rows: int, *, seed: int) -> Any:
    """The measure of 1,000 draws of as many rows, with replacement; the same for the same seed. An array."""
    import numpy as np

    chance = np.random.default_rng(seed)
    return np.array([measure(chance.integers(rows, size=rows)) for _ in range(RESAMPLES)])


def middle_of(drawn: Any) -> Interval:
    """The middle 95 % of what was drawn."""
    import numpy as np

    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)


def _check_share(hits: int, rows: int) -> None:
    if not 0 <= hits <= rows or not rows:
        raise UserError(f"{hits} of {rows} is no share")
