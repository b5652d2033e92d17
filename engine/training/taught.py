"""What teaching a model that writes came to, and which rows could teach it. Knows lengths in tokens alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.errors import UserError
from engine.training.fitting import Fitted
from engine.training.lesson import Lesson

__all__ = ["Taught", "short_enough"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught(Fitted):
    """What came of the teaching, as it stands in `student.json`. Rows are counted before anything was left out."""

    rows: int
    rows_left_out: int  # their outputs are longer than the model may write
    inputs_cut: int
    validation_rows: int
    longest_input: int
    longest_output: int


def short_enough(every: Sequence[T], lesson: Lesson, *, longest: int, length: Callable[[T], int]) -> list[T]:
    """Those whose outputs may be written; how many are left out is told. One that is cut would teach to break off.

    `length` gives an output's tokens. Raises UserError where all are too long.
    """
    short = [each for each in every if length(each) <= longest]
    if not short:
        raise UserError(
            f"every output is longer than the {longest} tokens this student may write"
            f" (the shortest has {min(map(length, every))}): give rows with shorter outputs"
        )
    if left_out := len(every) - len(short):
        rows = "1 row is" if left_out == 1 else f"{left_out:,} rows are"
        lesson.note(f"{rows} left out: outputs of more than {longest:,} tokens")
    return short
