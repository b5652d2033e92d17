"""In which order rows are learnt: chance, but with neighbours of like length, so that little padding is computed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Presented", "bucketed"]

T = TypeVar("T")

# Batches sorted together. One would be no help against padding; all of them would put the same rows together always.
BATCHES_SORTED_TOGETHER = 16


def bucketed(lengths: Sequence[tuple[int, int]], *, batch: int, chance: random.Random) -> list[int]:
    """Row numbers for one pass, such that each run of `batch` of them has like lengths.

    Only full batches: up to `batch` - 1 rows sit out, others in each pass.

        bucketed([(9, 3), (2, 3), (9, 3), (2, 3)], batch=2, chance=Random(0))  # [1, 3, 0, 2], or [3, 1, 2, 0]
    """
    rows = list(range(len(lengths)))
    chance.shuffle(rows)
    del rows[len(rows) - len(rows) % batch :]
    pool = batch * BATCHES_SORTED_TOGETHER
    batches: list[list[int]] = []
    for start in range(0, len(rows), pool):
        alike = sorted(rows[start : start + pool], key=lambda row: lengths[row])
        batches += [alike[at : at + batch] for at in range(0, len(alike), batch)]
    chance.shuffle(batches)
    return [row for one in batches for row in one]


class Presented(Generic[T]):
    """The rows in the order of their presentation, pass after pass: what a data loader reads from front to back.

    `first` says how many batches were presented before, by a process that is no more.
    """

    def __init__(
        self,
        rows: Sequence[T],
        *,
        lengths: Callable[[T], tuple[int, int]],
        batch: int,
        batches: int,
        first: int = 0,
        seed: int,
    ) -> None:
        self._rows = rows
        self._lengths = [lengths(row) for row in rows]
        self._batch = batch
        self._first = first * batch
        self._length = (batches - first) * batch
        self._seed = seed
        self._pass = -1
        self._order: list[int] = []

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: int) -> T:
        number, place = divmod(self._first + at, len(self._rows) // self._batch * self._batch)
        if number != self._pass:
            chance = random.Random(f"{self._seed}/{number}")
            self._pass, self._order = number, bucketed(self._lengths, batch=self._batch, chance=chance)
        return self._rows[self._order[place]]
