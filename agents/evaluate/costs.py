"""What an answer costs and takes, of the student and of the teacher in whose place it stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from engine.training import Student

__all__ = ["Costs", "StudentSpeed", "TeacherCosts", "speed_of"]

ALONE = 20  # answers asked for one by one
ALONE_SECONDS = 2.0
TOGETHER = 256  # inputs answered at once, or as many as one by one would take about ten seconds
TOGETHER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StudentSpeed:
    """How long an answer takes here: the median of `answers` asked for one by one, and each of many at once."""

    alone_s: float
    together_s: float
    answers: int


@dataclass(frozen=True, slots=True)
class TeacherCosts:
    """What a label of the teacher's has cost in this run, and how long a call took in the median; None: not known.

    Where calls held several inputs or completions the cost is a label's part of them.
    """

    usd: float | None  # for a label
    call_s: float | None
    labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """A thousand answers of either."""

    student: StudentSpeed
    teacher: TeacherCosts | None = None

    def told(self) -> str:
        """As a sentence."""
        student = (
            f"A thousand answers take the student {_time(1000 * self.student.together_s)} on this machine, one of them "
            f"{_time(self.student.alone_s)}"
        )
        if self.teacher is None or (self.teacher.usd is None and self.teacher.call_s is None):
            return f"{student}."
        usd, call = self.teacher.usd, self.teacher.call_s
        cost = "" if usd is None else f"cost ${1000 * usd:,.2f}"
        took = "" if call is None else f"took {_time(call)} a call"
        return f"{student}; of the teacher a thousand labels {' and '.join(filter(None, (cost, took)))}."


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.{0 if seconds >= 0.01 else 1}f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def speed_of(
    student: Student, inputs: Sequence[str], *, now: Callable[[], float] = time.perf_counter
) -> StudentSpeed | None:
    """Measure it on some of the inputs, for some seconds at most; None without any."""
    if not inputs:
        return None
    student.predict(inputs[:1])  # the first answer pays for what the others find ready
    alone: list[float] = []
    for text in inputs[:ALONE]:
        alone.append(_seconds(student, [text], now))
        if sum(alone) > ALONE_SECONDS:
            break
    each = median(alone)
    many = inputs[: min(TOGETHER, max(1, int(TOGETHER_SECONDS / max(each, 1e-6))))]
    return StudentSpeed(each, _seconds(student, many, now) / len(many), len(alone))


def _seconds(student: Student, inputs: Sequence[str], now: Callable[[], float]) -> float:
    before = now()
    student.predict(inputs)
    return now() - before
