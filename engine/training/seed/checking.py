"""How good a seed is: students of procedures that it has not seen, from it and from scratch, in the same time."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from engine.training.seed.tasks import HELD_OUT, Task, rows_of
from engine.training.student import Row

__all__ = ["Checked", "check", "check_table"]

TEST_ROWS: Final = 300
VALIDATION_ROWS: Final = 50


class Checked(NamedTuple):
    """The shares of test rows that two students of the same rows answer exactly."""

    procedure: str
    rows: int
    scratch: float
    seed: float


def check(folder: Path, *, seconds: float, rows: Sequence[int], procedures: Sequence[str] = HELD_OUT) -> list[Checked]:
    """Train both students on each procedure and each number of rows, `seconds` each, and count right answers."""
    checked = []
    for procedure in procedures:
        drawn = rows_of(Task(procedure, 0), count=TEST_ROWS + VALIDATION_ROWS + max(rows), seed=1)
        test, rest = drawn[:TEST_ROWS], drawn[TEST_ROWS:]
        for count in rows:
            taught = rest[: count + VALIDATION_ROWS]
            scratch, seed = (_score(taught, test, base=base, seconds=seconds) for base in ("scratch", str(folder)))
            checked.append(Checked(procedure, count, scratch, seed))
    return checked


def check_table(checked: Sequence[Checked]) -> str:
    """One line a procedure and number of rows, and the means."""
    lines = [f"{'held-out procedure':24}{'rows':>8}{'scratch':>10}{'seed':>8}"]
    lines += [f"{one.procedure:24}{one.rows:8,}{one.scratch:10.3f}{one.seed:8.3f}" for one in checked]
    scratch, seed = (
        sum(column) / len(checked) for column in zip(*((one.scratch, one.seed) for one in checked), strict=True)
    )
    return "\n".join([*lines, f"{'mean':32}{scratch:10.3f}{seed:8.3f}"]) + "\n"


def _score(rows: Sequence[Row], test: Sequence[Row], *, base: str, seconds: float) -> float:
    from engine.training import train

    with tempfile.TemporaryDirectory() as place:
        student = train(
            "tiny",
            rows[VALIDATION_ROWS:],
            rows[:VALIDATION_ROWS],
            Path(place) / "student",
            base=base,
            threads=1,
            time_limit_s=seconds,
        )
        answers = student.predict([row.input for row in test])
    return sum(one.output == row.output for one, row in zip(answers, test, strict=True)) / len(test)
