"""What a report shows of however many rows: some by chance, the same ones in whatever order they came, and counts."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from agents.filtering.conflicts import digest

__all__ = ["LONGEST_COMPARED", "MOST_ANSWERS", "SAMPLED", "SHOWN", "Sample", "Shown", "count", "cut", "drawn"]

SHOWN = 20  # rows of each kind
SAMPLED = 1000  # inputs whose variety is measured: each is compared with all others
LONGEST_COMPARED = 20_000  # characters of each of these
MOST_ANSWERS = 10_000  # different ones that are counted: those that are texts are hardly ever equal
LONGEST = 1000  # characters of a text on the page; the rows' own files have the whole

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A row as a report shows it; `about` says where it is from, `reason` and `detail` why it was left out, if so."""

    input: str
    output: str = ""
    context: str = ""
    about: str = ""
    reason: str = ""
    detail: str = ""


def cut(text: str) -> str:
    """A text, or its beginning and how much is missing."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text) - LONGEST:,} more characters)"


def count(counts: Counter[str], text: str) -> None:
    """Count it, unless there are too many different ones already."""
    if text in counts or len(counts) < MOST_ANSWERS:
        counts[text] += 1


class Sample(Generic[T]):
    """So many of the things that go by, each with the same chance, and the same ones in whatever order they come."""

    def __init__(self, size: int, *, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._drawn: list[tuple[int, int, T]] = []

    def add(self, number: int, thing: T) -> None:
        """Let thing number so-and-so go by; no two have the same number."""
        drawn = (-digest(f"{self._seed} {number}"), number, thing)
        if len(self._drawn) < self._size:
            heapq.heappush(self._drawn, drawn)
        elif drawn[0] > self._drawn[0][0]:
            heapq.heapreplace(self._drawn, drawn)

    def things(self) -> list[T]:
        """In the order of their numbers."""
        return [thing for _, _, thing in sorted(self._drawn, key=lambda drawn: drawn[1])]


def drawn(things: Iterable[T], size: int, *, seed: int) -> list[T]:
    """So many of some things, by chance, in their order."""
    sample = Sample[T](size, seed=seed)
    for number, thing in enumerate(things):
        sample.add(number, thing)
    return sample.things()
