"""Texts that nearly repeat each other: MinHash signatures, found again by bands of them. Knows no rows and no tasks.

Two texts are near-duplicates when at least seven tenths of their letter groups are the same, blanks and letter case
aside, and the same numbers stand in both in the same order: "due on 5 March" and "due on 6 March" ask for two answers.
Of long texts more must be the same: what differs may be some words, however long the form is that both were poured in.

The share is estimated from 128 minima, right to some 0.04. What decides is a function of the two texts alone, the same
in both directions. What is compared at all are texts that share a band: of pairs exactly at the threshold one in a
hundred is missed, above it fewer. A paraphrase is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.signatures import BANDS, LIKENESS, MINIMA, Signed, signed

if TYPE_CHECKING:
    from engine.signatures import Bytes, Numbers, Words

__all__ = ["LIKENESS", "NearDuplicates", "groups", "nearest"]

BLOCK = 1024  # texts at a time
MOST_PAIRS = 1 << 16  # compared in one go
MOST_ALIKE = 64  # texts of one bucket that one text is compared with: of a thousand of a kind, not with all


def groups(texts: Sequence[str], *, likeness: float = LIKENESS) -> list[int]:
    """For each text the number of the first text of its group: near-duplicates, and near-duplicates of those.

    A text without company is a group of its own.
    """
    parents = list(range(len(texts)))
    index = _Index(likeness)
    for start in range(0, len(texts), BLOCK):
        block = signed(texts[start : start + BLOCK])
        for row, other in index.pairs(block):
            _unite(parents, start + row, other)
        index.add(block, range(len(block.short)))
    return [_root(parents, number) for number in range(len(texts))]


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = number = parents[parents[number]]
    return number


def _unite(parents: list[int], one: int, other: int) -> None:
    """The smaller number leads, so that the first text of a group gives it its name."""
    first, second = sorted((_root(parents, one), _root(parents, other)))
    parents[second] = first


class NearDuplicates:
    """Keeps of many texts those that are not nearly one that was kept before; a few hundred bytes a kept text.

    No two kept texts are near-duplicates, up to the few that share no band.
    """

    def __init__(self, *, likeness: float = LIKENESS) -> None:
        self._index = _Index(likeness)
        self._numbers: list[int] = []  # of the kept texts, among all
        self._met = 0

    def __repr__(self) -> str:
        return f"<NearDuplicates [{len(self._numbers)} kept of {self._met}]>"

    def __len__(self) -> int:
        return len(self._numbers)

    def sift(self, texts: Sequence[str], *, kinds: Sequence[str] = ()) -> list[int | None]:
        """For each text the number of the kept text that it nearly is; None for a text that is kept itself.

        With `kinds`, one for each text, texts of different kinds are never alike: of inputs whose answers differ, the
        small difference may be all that matters. Numbers count the texts in the order in which they came, from 0, over
        all calls.
        """
        blocks = (slice(start, start + BLOCK) for start in range(0, len(texts), BLOCK))
        return [found for block in blocks for found in self._sift(texts[block], kinds[block])]

    def find(self, texts: Sequence[str], *, most: int | None = MOST_ALIKE) -> list[int | None]:
        """The same, but no text is kept, and none is compared with another of these.

        Of many kept texts in one bucket each is compared with the first `most`; with None, with all.
        """
        if not self._numbers:  # signing is most of the work, and there is nothing to compare with
            return [None] * len(texts)
        found: list[int | None] = []
        for start in range(0, len(texts), BLOCK):
            block = signed(texts[start : start + BLOCK])
            first: dict[int, int] = {}
            for row, other in self._index.pairs(block, most=most):
                first.setdefault(row, other)
            known = (first.get(row, len(self._numbers)) for row in range(len(block.short)))
            found.extend(self._numbers[other] if other < len(self._numbers) else None for other in known)
        return found

    def knows(self, text: str, *, before: int | None = None) -> bool:
        """Whether the text is nearly one of the first `before` kept ones, by default of all. It is not kept itself.

        What is kept later changes nothing about the answer for an earlier `before`.
        """
        limit = len(self) if before is None else before
        return limit > 0 and any(other < limit for _, other in self._index.pairs(signed([text]), most=None))

    def _sift(self, texts: Sequence[str], kinds: Sequence[str]) -> list[int | None]:
        block = signed(texts, kinds)
        before = len(self._numbers)
        found: list[int | None] = [None] * len(texts)
        for row, other in self._index.pairs(block):
            if found[row] is None and (other < before or found[other - before] is None):
                found[row] = self._numbers[other] if other < before else self._met + other - before
        kept = [row for row, other in enumerate(found) if other is None]
        self._index.add(block, kept)
        self._numbers.extend(self._met + row for row in kept)
        self._met += len(texts)
        return found


def nearest(texts: Sequence[str]) -> list[float]:
    """For each text how like it is to the one among the others that it is most like, 0 to 1; 0 without others.

    Every text is compared with every other: for samples of a thousand or so.
    """
    if len(texts) < 2:
        return [0.0] * len(texts)
    short = signed(texts).short
    shares = []
    for number, signature in enumerate(short):
        alike = (short == signature).sum(axis=1)
        alike[number] = 0
        shares.append(int(alike.max()) / MINIMA)
    return shares


# -- what has been met


class _Index:
    """Signatures by number, in the order in which they were added, and where each band is found."""

    def __init__(self, likeness: float) -> None:
        import numpy as np

        self._likeness = likeness
        self._shorts: Bytes = np.empty((0, MINIMA), dtype=np.uint8)
        self._needed: Bytes = np.empty(0, dtype=np.uint8)  # minima that another text must have in common
        self._size = 0
        self._runs: list[_Run] = []

    def pairs(self, block: Signed, *, most: int | None = MOST_ALIKE) -> Iterator[tuple[int, int]]:
        """Each row of the block with each number that it is nearly like: of what was added, or of its own block.

        Rows of the block count on from what was added, and only earlier ones are told. In order of the rows, and of
        the numbers within a row. Of a full bucket, `most` are looked at: the first ones of each run.
        """
        import numpy as np

        own = _Run.of(block.keys, range(self._size, self._size + len(block.short)))
        found = [run.matches(block.keys, most=most) for run in (*self._runs, own)]
        rows, others = (np.concatenate(side) for side in zip(*found, strict=True))
        earlier = others < self._size + rows
        many = self._size + len(block.short)
        codes = np.unique(rows[earlier] * many + others[earlier])
        self._put(block.short, block.needed(self._likeness))
        for start in range(0, len(codes), MOST_PAIRS):
            row, other = np.divmod(codes[start : start + MOST_PAIRS], many)
            needed = np.maximum(self._needed[self._size + row], self._needed[other])
            alike = (self._shorts[self._size + row] == self._shorts[other]).sum(axis=1) >= needed
            yield from zip(row[alike].tolist(), other[alike].tolist(), strict=True)

    def add(self, block: Signed, rows: Sequence[int]) -> None:
        """Put these rows of a block to the others, under the next numbers."""
        if not rows:
            return
        chosen = list(rows)
        self._put(block.short[chosen], block.needed(self._likeness)[chosen])
        self._runs.append(_Run.of(block.keys[chosen], range(self._size, self._size + len(chosen))))
        self._size += len(chosen)
        # Each run at least twice as long as the next: few to look into, and each text is moved a few times only.
        while len(self._runs) > 1 and len(self._runs[-2].keys) < 2 * len(self._runs[-1].keys):
            self._runs.append(self._runs.pop().merged(self._runs.pop()))

    def _put(self, shorts: Bytes, needed: Bytes) -> None:
        """Write what comes behind the texts that were added; it counts among them only once the size says so."""
        import numpy as np

        end = self._size + len(shorts)
        if end > len(self._shorts):
            room = end + self._size // 2 - self._size
            self._shorts = np.concatenate([self._shorts[: self._size], np.empty((room, MINIMA), dtype=np.uint8)])
            self._needed = np.concatenate([self._needed[: self._size], np.empty(room, dtype=np.uint8)])
        self._shorts[self._size : end] = shorts
        self._needed[self._size : end] = needed


@dataclass(frozen=True, slots=True)
class _Run:
    """Bands in order, each with the number of its text."""

    keys: Words
    numbers: Words

    @classmethod
    def of(cls, keys: Words, numbers: range) -> _Run:
        """The bands of texts, a row of them for each number."""
        import numpy as np

        every = np.repeat(np.arange(numbers.start, numbers.stop, dtype=np.uint32), BANDS)
        return cls._sorted(keys.ravel(), every)

    @classmethod
    def _sorted(cls, keys: Words, numbers: Words) -> _Run:
        import numpy as np

        order = np.lexsort((numbers, keys))
        return cls(keys[order], numbers[order])

    def merged(self, other: _Run) -> _Run:
        import numpy as np

        return self._sorted(np.concatenate([self.keys, other.keys]), np.concatenate([self.numbers, other.numbers]))

    def matches(self, keys: Words, *, most: int | None) -> tuple[Numbers, Numbers]:
        """Which row of the keys meets which number here, once for each band; of a full bucket, the first ones."""
        import numpy as np

        flat = keys.ravel()
        low = np.searchsorted(self.keys, flat, side="left")
        count = np.searchsorted(self.keys, flat, side="right") - low
        count = count if most is None else np.minimum(count, most)
        rows = np.repeat(np.arange(len(flat)) // BANDS, count)
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return rows, self.numbers[np.repeat(low, count) + within].astype(np.int64)
