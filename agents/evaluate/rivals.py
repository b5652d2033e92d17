"""Whom a student must beat: the plainest answers there are, and the plainest thing that learns."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import training
from engine.baselines import Copy, Majority, Nearest
from engine.errors import UserError
from engine.training import Row, Student

__all__ = ["rivals_of", "taught"]

MOST_ROWS = 20_000  # that `linear` learns from as a rival: half a minute or so


def rivals_of(train: Sequence[Row], *, has_labels: bool, family: str) -> tuple[Student, ...]:
    """The rivals of a student of this family, who know the rows that it has learnt from; without any, only Copy can.

    Where answers are labels, `linear` is one of them, unless it is the student itself.
    """
    if not train:
        return (Copy(),)
    learns = taught(train[:MOST_ROWS], family="linear") if has_labels and family != "linear" else None
    plain: tuple[Student, ...] = (Majority.of(train), Copy(), Nearest.of(train))
    return plain if learns is None else (*plain, learns)


def taught(
    rows: Sequence[Row], *, family: str, base: str | None = None, seconds: float | None = None, seed: int = 0
) -> Student | None:
    """A student of these rows, in memory; None where they cannot teach one, such as rows of a single label."""
    with TemporaryDirectory(prefix="smelt-") as place, warnings.catch_warnings():
        # scikit-learn wonders whether so many labels among so few rows are numbers: parts of the rows are like that.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        try:
            return training.train(family, rows, (), Path(place) / family, base=base, time_limit_s=seconds, seed=seed)
        except UserError:
            return None
