"""The sampler: every procedure by its name, the tasks that its settings make of it, and batches of examples.

A task is a procedure and a number, from which its settings are drawn: "the third field" and "the last field" are two
tasks of one procedure. What an example is depends on the names and numbers given here alone, never on a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from engine.training.seed import (
    choosing,
    copying,
    dating,
    extracting,
    lettering,
    looking_up,
    numbering,
    permuting,
    records,
    shaping,
)
from engine.training.seed.material import Maker
from engine.training.student import Row

__all__ = ["HELD_OUT", "PROCEDURES", "Drawn", "Task", "draw", "maker_of", "rows_of", "trained_tasks"]

Procedure = Callable[[Random], Maker]

_FAMILIES: Final = (
    copying, shaping, choosing, looking_up, records, extracting, permuting, lettering, numbering, dating,
)  # fmt: skip

PROCEDURES: Final[Mapping[str, Procedure]] = {
    procedure.__name__: procedure for family in _FAMILIES for procedure in family.PROCEDURES
}

HELD_OUT: Final = (
    "between_cues", "camel", "found_money", "letters_to_groups", "named_date_rewritten", "recognised", "surname_first",
    "table_cell",
)  # fmt: skip
"""Procedures that the seed is judged by, and so never learns."""

TASKS_OF_EACH: Final = 4
LONGEST_INPUT: Final = 384  # bytes; the few longer examples are drawn again
LONGEST_OUTPUT: Final = 256


class Task(NamedTuple):
    """A procedure and the number that its settings are drawn from."""

    procedure: str
    number: int


class Drawn(NamedTuple):
    """An example and the place of its task in the list that it was drawn from."""

    task: int
    row: Row


def trained_tasks() -> tuple[Task, ...]:
    """The tasks that the seed learns: some of every procedure that is not held out."""
    return tuple(Task(name, number) for name in PROCEDURES if name not in HELD_OUT for number in range(TASKS_OF_EACH))


def maker_of(task: Task) -> Maker:
    """What makes examples of this task."""
    return PROCEDURES[task.procedure](Random(f"settings/{task.procedure}/{task.number}"))


def draw(makers: Sequence[Maker], *, count: int, chance: Random) -> list[Drawn]:
    """So many examples, each of a task of chance; none longer than the seed learns from."""
    drawn: list[Drawn] = []
    while len(drawn) < count:
        task = chance.randrange(len(makers))
        row = makers[task](chance)
        if _fits(row):
            drawn.append(Drawn(task, row))
    return drawn


def rows_of(task: Task, *, count: int, seed: int) -> list[Row]:
    """Different examples of one task, for judging: fewer than `count` where there are no more in ten times as many."""
    make, chance = maker_of(task), Random(f"rows/{task.procedure}/{task.number}/{seed}")
    different: dict[str, Row] = {}
    for _ in range(10 * count):
        row = make(chance)
        different.setdefault(row.input, row)
        if len(different) == count:
            break
    return list(different.values())


def _fits(row: Row) -> bool:
    return len(row.input.encode()) <= LONGEST_INPUT and 0 < len(row.output.encode()) <= LONGEST_OUTPUT
