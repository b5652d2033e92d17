"""How long texts are, in bins that a person can read off. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LengthBin", "Lengths", "lengths_counted", "lengths_of"]

MOST_BINS = 12
WHOLE = 0.98  # of the texts lie within the bins of equal width; the few that are far longer share the last


@dataclass(frozen=True, slots=True)
class LengthBin:
    """Texts of `low` to below `high` characters; None: of whatever length."""

    low: int
    high: int | None
    rows: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of some texts, in characters."""

    median: int = 0
    longest: int = 0
    bins: tuple[LengthBin, ...] = ()


def lengths_of(texts: Iterable[str]) -> Lengths:
    """The median, the longest, and counts in at most thirteen bins; nothing of no texts."""
    return lengths_counted(Counter(map(len, texts)))


def lengths_counted(sizes: Counter[int]) -> Lengths:
    """The same of texts that have gone by, of which only the lengths were counted."""
    texts = sizes.total()
    if not texts:
        return Lengths()
    width = _round_up(_at(sizes, int(WHOLE * (texts - 1))) // MOST_BINS + 1)
    bins = [0] * (MOST_BINS + 1)
    for size, rows in sizes.items():
        bins[min(size // width, MOST_BINS)] += rows
    while not bins[-1]:
        bins.pop()
    counted = tuple(_bin(at, width, rows) for at, rows in enumerate(bins))
    return Lengths(_at(sizes, texts // 2), max(sizes), counted)


def _at(sizes: Counter[int], place: int) -> int:
    """The length that stands at this place, from 0 on, in their order."""
    for size in sorted(sizes):
        place -= sizes[size]
        if place < 0:
            return size
    raise AssertionError("unreachable: there are fewer texts than that")


def _bin(at: int, width: int, rows: int) -> LengthBin:
    return LengthBin(at * width, None if at == MOST_BINS else (at + 1) * width, rows)


def _round_up(width: int) -> int:
    """To 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= width:
                return step * power
        power *= 10
