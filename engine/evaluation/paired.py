"""Whether answers are better than others: on the same rows by a paired test, on different rows by their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

from engine.evaluation.intervals import COVERAGE, RESAMPLES, Interval, Measure, middle_of, resampled
from engine.evaluation.metrics import PLAIN, Score, Terms, checked, is_share, measure_of, rightness

__all__ = ["CLEAR", "Difference", "Gap", "better", "gap", "mcnemar"]

CLEAR: Final = 0.05
"""A difference that chance alone brings less often than this is taken for one."""

LEAST_TOLD: Final = 0.001  # smaller ones are not told apart: rows are never drawn by chance so well


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher one scores than another on the same rows, with its 95 % interval.

    `p` is how often chance alone would bring as great a difference, either way.
    """

    metric: str
    value: float
    low: float
    high: float
    p: float
    rows: int

    @property
    def is_better(self) -> bool:
        """Whether the first is better, clearly."""
        return self.value > 0 and self.p < CLEAR

    @property
    def is_worse(self) -> bool:
        """Whether the first is worse, clearly."""
        return self.value < 0 and self.p < CLEAR

    def __str__(self) -> str:
        p = f"p < {LEAST_TOLD}" if self.p < LEAST_TOLD else f"p = {self.p:.2g}"
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f}, {p})"


@dataclass(frozen=True, slots=True)
class Gap:
    """How much higher a score is than another on other rows, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether chance does not explain it."""
        return not self.low <= 0 <= self.high


def better(
    ours: Sequence[str],
    theirs: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    metric: str,
    terms: Terms = PLAIN,
    seed: int = 0,
) -> Difference:
    """How much better `ours` are than `theirs`, answers to the same rows, and whether that is more than chance.

    Of shares (accuracy, the matches) `p` is McNemar's exact one, and the interval that of A. Agresti and Y. Min,
    "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine 24 (2005). Of other
    metrics both come from 1,000 paired bootstrap resamples, as in P. Koehn, "Statistical Significance Tests for Machine
    Translation Evaluation", EMNLP 2004; `p` is never below 0.002 then. A single row tells nothing: p = 1.
    """
    answers = checked(ours, references)
    if is_share(metric):
        return _of_shares(
            metric, rightness(metric, ours, answers, terms=terms), rightness(metric, theirs, answers, terms=terms)
        )
    first, second = (measure_of(metric, each, answers, terms=terms) for each in (ours, theirs))
    return _of_draws(metric, lambda drawn: first(drawn) - second(drawn), rows=len(answers), seed=seed)


def mcnemar(only_ours: int, only_theirs: int) -> float:
    """How often chance would part as many rows at least as unevenly, were both equally good (exact, two-sided).

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947). Only rows count that one of the two got right and the other did not.

        mcnemar(10, 2)  # 0.0386
    """
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(only_ours, only_theirs), only_ours + only_theirs, 0.5)))


def gap(first: Score, second: Score) -> Gap:
    """How much higher the first score is than the second, on rows that have nothing to do with each other.

    From the intervals of the two: G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures",
    Statistics in Medicine 27 (2008); of shares it is R. G. Newcombe's tenth method (Statistics in Medicine 17, 1998).
    """
    value = first.value - second.value
    low = value - sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    high = value + sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    return Gap(value, low, high)


def _of_shares(metric: str, ours: Sequence[bool], theirs: Sequence[bool]) -> Difference:
    only_ours = sum(one and not other for one, other in zip(ours, theirs, strict=True))
    only_theirs = sum(other and not one for one, other in zip(ours, theirs, strict=True))
    rows = len(ours)
    low, high = _agresti_min(only_ours, only_theirs, rows)
    value = (only_ours - only_theirs) / rows
    return Difference(metric, value, min(low, value), max(high, value), mcnemar(only_ours, only_theirs), rows)


def _agresti_min(only_ours: int, only_theirs: int, rows: int) -> Interval:
    """The interval of the difference after half a row was added to each of the four ways in which two can fare."""
    z = NormalDist().inv_cdf((1 + COVERAGE) / 2)
    total, apart, sum_apart = rows + 2, only_ours - only_theirs, only_ours + only_theirs + 1
    reach = z * sqrt(sum_apart - apart * apart / total) / total
    return max(-1.0, apart / total - reach), min(1.0, apart / total + reach)


def _of_draws(metric: str, difference: Measure, *, rows: int, seed: int) -> Difference:
    import numpy as np

    value = difference(np.arange(rows))
    drawn = resampled(difference, rows, seed=seed)
    against = int((drawn <= 0).sum() if value > 0 else (drawn >= 0).sum())
    p = 1.0 if rows == 1 or value == 0 else min(1.0, 2 * (against + 1) / (RESAMPLES + 1))
    return Difference(metric, value, *middle_of(drawn), p, rows)
