"""What more rows would bring: students of an eighth, a quarter, half of the rows, and the line through their errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.chance import chance
from agents.evaluate.judgement import Origin
from agents.evaluate.sieve import sieve
from engine.errors import UserError
from engine.evaluation import PLAIN, Forecast, Measure, Score, Terms, forecast, measure_of, score, top
from engine.training import Row, Student

__all__ = ["FEWEST_JUDGED", "PARTS", "GrowthCurve", "Point", "Teach", "growth_of"]

PARTS = (8, 4, 2)  # the part of the rows that each learns from: an eighth, a quarter, half
FEWEST_PARTS = 2  # beside the whole: a line through two points says nothing of how well it fits
FEWEST_ROWS = 20  # of a part
FEWEST_JUDGED = 50  # rows: by fewer a slope cannot be told from none

Teach = Callable[[Sequence[Row]], Student | None]
"""Train a student of the same kind on rows; None where these cannot teach one."""


@dataclass(frozen=True, slots=True)
class Point:
    """How well a student of so many rows does, with the 95 % interval."""

    rows: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthCurve:
    """Scores by the number of rows learnt from, the whole last, and what twice as many would bring.

    `family` is who learnt; where training the student itself again would take too long, `linear` stands in for it.
    """

    family: str
    stands_in: bool
    metric: str
    on: Origin
    judged: int  # rows
    points: tuple[Point, ...]
    twice: Forecast

    def told(self) -> str:
        """As a sentence."""
        now, then = self.points[-1], self.twice
        who = f"{self.family!r}, which stands in for it here," if self.stands_in else "it"
        return (
            f"With twice the rows ({then.rows:,}) {who} would come from {now.value:.3f} to about {then.value:.3f} "
            f"{self.metric} ({then.low:.3f} to {then.high:.3f}), by what fewer rows have brought."
        )


def growth_of(
    student: Student,
    train: Sequence[Row],
    judged: Sequence[Row],
    *,
    teach: Teach,
    metric: str,
    on: Origin,
    seconds: float,
    labels: int = 0,
    stands_in: bool = False,
    terms: Terms = PLAIN,
    seed: int = 0,
    now: Callable[[], float] = time.monotonic,
) -> GrowthCurve | None:
    """How the score grows with the rows, `student` being the one that has learnt from all of them.

    A part has twenty rows at least, and as many as there are `labels`: of labels that hardly any row has, nobody learns
    as of others, and the line would be too flat. None where that leaves fewer than two parts, where there are fewer
    than 50 rows to judge by, where parts teach nobody, or where `seconds` would not suffice: each part takes about
    twice as long as the one before.
    """
    unseen = sieve(judged, train=train, kind="text").rows
    sizes = [size for part in PARTS if (size := len(train) // part) >= max(FEWEST_ROWS, labels)]
    if len(sizes) < FEWEST_PARTS or len(unseen) < FEWEST_JUDGED:
        return None
    order = list(train)
    chance(seed, "growth").shuffle(order)
    slices = [order[:size] for size in sizes]
    smaller = _taught(slices, teach=teach, seconds=seconds, now=now)
    if smaller is None:
        return None
    taught = [*smaller, (len(train), student)]
    return _curve(taught, unseen, metric=metric, on=on, stands_in=stands_in, terms=terms, seed=seed)


def _taught(
    slices: Sequence[Sequence[Row]], *, teach: Teach, seconds: float, now: Callable[[], float]
) -> list[tuple[int, Student]] | None:
    """A student of each slice; None when one cannot be taught, or the next would end after `seconds`."""
    began = before = now()
    taught: list[tuple[int, Student]] = []
    took = 0.0
    for rows in slices:
        if now() - began + 2 * took > seconds or (student := teach(rows)) is None:
            return None
        taught.append((len(rows), student))
        took, before = now() - before, now()
    return taught


def _curve(
    taught: Sequence[tuple[int, Student]],
    judged: Sequence[Row],
    *,
    metric: str,
    on: Origin,
    stands_in: bool,
    terms: Terms,
    seed: int,
) -> GrowthCurve | None:
    inputs, wanted = [row.input for row in judged], [row.output for row in judged]
    measures: list[Measure] = []
    points: list[Point] = []
    for rows, student in taught:
        answers = [answer.output for answer in student.predict(inputs)]
        measures.append(measure_of(metric, answers, [[each] for each in wanted], terms=terms))
        points.append(_point(rows, score(answers, wanted, metrics=(metric,), terms=terms, seed=seed)[0]))
    try:
        twice = forecast([rows for rows, _ in taught], measures, rows=len(judged), top=top(metric), seed=seed)
    except UserError:
        return None
    return GrowthCurve(
        family=taught[-1][1].family, stands_in=stands_in, metric=metric, on=on, judged=len(judged),
        points=tuple(points), twice=twice,
    )  # fmt: skip


def _point(rows: int, found: Score) -> Point:
    return Point(rows, found.value, found.low, found.high)
