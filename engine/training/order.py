"""In which order rows are learnt: chance, but with neighbours of like length, so that little padding is computed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

__all__ = ["Lengths", "bucketed", "presented"]

Lengths = tuple[int, ...]
"""The lengths of a row in tokens: of what it reads and, in an encoder-decoder, of what it writes."""

# Batches sorted together. One would be no help against padding; all of them would put the same rows together always.
BATCHES_SORTED_TOGETHER = 16


def bucketed(lengths: Sequence[Lengths], *, batch: int, chance: random.Random) -> list[list[int]]:
    """Row numbers for one pass, in batches of like lengths: every row once, `batch` of them together on average.

    A batch is as many tokens as `batch` rows of average length, so it has more rows where they are short and fewer
    where they are long, and each is about as much work.

        bucketed([(9, 3), (2, 3), (9, 3), (2, 3)], batch=2, chance=Random(0))  # [[1, 3], [0, 2]], or [[2, 0], [3, 1]]
    """
    rows = list(range(len(lengths)))
    chance.shuffle(rows)
    batches = [one for pool in _pools(rows, batch=batch) for one in _cut(pool, lengths, batch=batch)]
    chance.shuffle(batches)
    return batches


def presented(lengths: Sequence[Lengths], *, batch: int, seed: int, first: int = 0) -> Iterator[list[int]]:
    """Batches without end, pass after pass, each pass in another order. The `first` so many were presented before."""
    before = 0
    for number in itertools.count():
        a_pass = bucketed(lengths, batch=batch, chance=random.Random(f"{seed}/{number}"))
        yield from a_pass[max(0, first - before) :]
        before += len(a_pass)


def _pools(rows: Sequence[int], *, batch: int) -> Iterator[Sequence[int]]:
    """Parts of like size, each of some sixteen batches; one where there are fewer rows than that."""
    count = max(1, round(len(rows) / (batch * BATCHES_SORTED_TOGETHER)))
    edges = [len(rows) * number // count for number in range(count + 1)]
    return (rows[start:end] for start, end in itertools.pairwise(edges))


def _cut(pool: Sequence[int], lengths: Sequence[Lengths], *, batch: int) -> list[list[int]]:
    """The rows of a pool by length, cut where another share of all their tokens is full."""
    alike = sorted(pool, key=lambda row: lengths[row])
    count = max(1, round(len(pool) / batch))
    tokens = sum(sum(lengths[row]) for row in alike)
    batches: dict[int, list[int]] = {}
    before = 0
    for row in alike:
        batches.setdefault(before * count // tokens, []).append(row)
        before += sum(lengths[row])
    return list(batches.values())
