"""In which order rows are learnt: chance, but with neighbours of like length, so that little padding is computed."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["bucketed"]

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
