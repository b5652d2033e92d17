"""How many rows of a step are computed together: as many as fit, and half as many each time when they did not.

A step's gradient is the same however its rows are parted: each part counts by its share of the loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeVar

from engine.errors import UserError

__all__ = ["Room", "parts"]

T = TypeVar("T")

MOST_ATTENTION: Final = 32 * 256**2  # rows times length squared: 32 rows of 256 tokens, some hundred megabytes in all


class Room:
    """How many rows may be computed together, as far as is known: less after each time that memory ran out."""

    def __init__(self, *, gib: float = 0.0) -> None:
        """`gib` is what is free on a graphics card, on which more is tried first."""
        self.most_attention = MOST_ATTENTION * max(1.0, gib)
        self.most_rows: int | None = None
        self.halved = 0

    def rows(self, longest: int) -> int:
        """How many rows of this length, in tokens, to compute together. At least 1."""
        fit = max(1, int(self.most_attention // max(1, longest) ** 2))
        return fit if self.most_rows is None else min(fit, self.most_rows)

    def too_many(self, rows: int, *, longest: int) -> None:
        """So many did not fit: take half from now on. Raises UserError where it was one row alone."""
        if rows <= 1:
            raise UserError(
                f"one row of {longest:,} tokens does not fit into memory: leave out the longest rows, start from a "
                "smaller model, or give the training more memory"
            )
        self.most_rows = rows // 2
        self.halved += 1


def parts(rows: Sequence[T], lengths: Sequence[int], *, room: Room) -> list[list[T]]:
    """The rows of a step in as few parts as fit, of like size and of like lengths; the shortest rows first."""
    order = sorted(range(len(rows)), key=lambda row: lengths[row])
    count = -(-len(rows) // room.rows(max(lengths)))
    edges = [len(rows) * number // count for number in range(count + 1)]
    return [[rows[row] for row in order[start:end]] for start, end in pairwise(edges)]
