"""Texts that nearly repeat each other: MinHash signatures, found again by bands of them. Knows no rows and no tasks.

Two texts are near-duplicates when at least seven tenths of their letter groups are the same, blanks and letter case
aside, and the same numbers stand in both in the same order: "due on 5 March" and "due on 6 March" ask for two answers.
Of long texts more must be the same: what differs may be some words, however long the form is that both were poured in.

The share is estimated from 128 minima, right to some 0.04. What decides is a function of the two texts alone, the same
in both directions. What is compared at all are texts that share a band: of pairs exactly at the threshold one in a
hundred is missed, above it fewer. A paraphrase is not found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple, TypeAlias
from zlib import crc32

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]
    Words: TypeAlias = NDArray[np.uint32]
    Hashes: TypeAlias = NDArray[np.uint64]
    Numbers: TypeAlias = NDArray[np.int64]

__all__ = ["LIKENESS", "NearDuplicates", "groups", "nearest"]

# The share of letter groups that two texts must have in common. Of pairs so alike in labelled sets of short messages,
# 96 to 100 in 100 have the same label; where answers are text, few have the same answer: see `kinds`.
LIKENESS = 0.7

# Letter groups that each of two long texts may have alone, at the usual likeness: some five words. Without that bound a
# fifth of the rows of public puzzles were taken for others that have the same form, and the same answer by chance.
MOST_ALONE = 30

LETTERS = 4  # in a group
LONGEST = 20_000  # characters that are looked at: half of them from the start, half from the end
MINIMA = 128
BANDS, ROWS = 25, 5  # of 100 pairs that are 0.7 alike 99 share a band, of 100 that are 0.3 alike 6
BLOCK = 1024  # texts at a time
MOST_CHARACTERS = 1 << 20  # hashed in one go, unless one text has more
MOST_PAIRS = 1 << 16  # compared in one go
MOST_ALIKE = 64  # texts of one bucket that one text is compared with: of a thousand of a kind, not with all

_NUMBERS = re.compile(r"\d+")
_MIXER = 0x9E3779B97F4A7C15  # odd, so that multiplying by it loses nothing, and its bits are well spread


def groups(texts: Sequence[str], *, likeness: float = LIKENESS) -> list[int]:
    """For each text the number of the first text of its group: near-duplicates, and near-duplicates of those.

    A text without company is a group of its own.
    """
    parents = list(range(len(texts)))
    index = _Index(likeness)
    for start in range(0, len(texts), BLOCK):
        signed = _signed(texts[start : start + BLOCK])
        for row, other in index.pairs(signed):
            _unite(parents, start + row, other)
        index.add(signed, range(len(signed.short)))
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
        found: list[int | None] = []
        for start in range(0, len(texts), BLOCK):
            signed = _signed(texts[start : start + BLOCK])
            first: dict[int, int] = {}
            for row, other in self._index.pairs(signed, most=most):
                first.setdefault(row, other)
            known = (first.get(row, len(self._numbers)) for row in range(len(signed.short)))
            found.extend(self._numbers[other] if other < len(self._numbers) else None for other in known)
        return found

    def knows(self, text: str, *, before: int | None = None) -> bool:
        """Whether the text is nearly one of the first `before` kept ones, by default of all. It is not kept itself.

        What is kept later changes nothing about the answer for an earlier `before`.
        """
        limit = len(self) if before is None else before
        return any(other < limit for _, other in self._index.pairs(_signed([text]), most=None))

    def _sift(self, texts: Sequence[str], kinds: Sequence[str]) -> list[int | None]:
        signed = _signed(texts, kinds)
        before = len(self._numbers)
        found: list[int | None] = [None] * len(texts)
        for row, other in self._index.pairs(signed):
            if found[row] is None and (other < before or found[other - before] is None):
                found[row] = self._numbers[other] if other < before else self._met + other - before
        kept = [row for row, other in enumerate(found) if other is None]
        self._index.add(signed, kept)
        self._numbers.extend(self._met + row for row in kept)
        self._met += len(texts)
        return found


def nearest(texts: Sequence[str]) -> list[float]:
    """For each text how like it is to the one among the others that it is most like, 0 to 1; 0 without others.

    Every text is compared with every other: for samples of a thousand or so.
    """
    if len(texts) < 2:
        return [0.0] * len(texts)
    short = _signed(texts).short
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

    def pairs(self, signed: _Signed, *, most: int | None = MOST_ALIKE) -> Iterator[tuple[int, int]]:
        """Each row of the block with each number that it is nearly like: of what was added, or of its own block.

        Rows of the block count on from what was added, and only earlier ones are told. In order of the rows, and of
        the numbers within a row. Of a full bucket, `most` are looked at: the first ones of each run.
        """
        import numpy as np

        own = _Run.of(signed.keys, range(self._size, self._size + len(signed.short)))
        found = [run.matches(signed.keys, most=most) for run in (*self._runs, own)]
        rows, others = (np.concatenate(side) for side in zip(*found, strict=True))
        earlier = others < self._size + rows
        many = self._size + len(signed.short)
        codes = np.unique(rows[earlier] * many + others[earlier])
        self._put(signed.short, signed.needed(self._likeness))
        for start in range(0, len(codes), MOST_PAIRS):
            row, other = np.divmod(codes[start : start + MOST_PAIRS], many)
            needed = np.maximum(self._needed[self._size + row], self._needed[other])
            alike = (self._shorts[self._size + row] == self._shorts[other]).sum(axis=1) >= needed
            yield from zip(row[alike].tolist(), other[alike].tolist(), strict=True)

    def add(self, signed: _Signed, rows: Sequence[int]) -> None:
        """Put these rows of a block to the others, under the next numbers."""
        if not rows:
            return
        chosen = list(rows)
        self._put(signed.short[chosen], signed.needed(self._likeness)[chosen])
        self._runs.append(_Run.of(signed.keys[chosen], range(self._size, self._size + len(chosen))))
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


# -- signatures


@dataclass(frozen=True, slots=True)
class _Signed:
    """A block of texts by their signatures: a byte of each minimum, to compare; and the bands, to find them by."""

    short: Bytes  # (texts, MINIMA)
    keys: Words  # (texts, BANDS)
    sizes: Numbers  # letter groups of each text

    def needed(self, likeness: float) -> Bytes:
        """How many minima another text must have in common: the likeness, or in long texts all but some groups."""
        import numpy as np

        alone = MOST_ALONE * (1 - likeness) / (1 - LIKENESS)
        return np.round(MINIMA * np.maximum(likeness, (self.sizes - alone) / (self.sizes + alone))).astype(np.uint8)


def _signed(texts: Sequence[str], kinds: Sequence[str] = ()) -> _Signed:
    import numpy as np

    folded = [_Folded.of(text, kind) for text, kind in zip_longest(texts, kinds, fillvalue="")]
    minima = np.concatenate([_minima(part) for part in _parts(folded)])
    keys = np.tile(np.arange(BANDS, dtype=np.uint64), (len(texts), 1))
    for row in minima[:, : BANDS * ROWS].reshape(len(texts), BANDS, ROWS).transpose(2, 0, 1):
        keys = _mixed(keys ^ row)
    sizes = np.array([len(each.text) - LETTERS + 1 for each in folded])
    return _Signed(minima.astype(np.uint8), (keys >> np.uint64(32)).astype(np.uint32), sizes)


class _Folded(NamedTuple):
    """A text as it is compared, and what it must share with another to have anything in common with it."""

    text: str
    salt: int

    @classmethod
    def of(cls, text: str, kind: str) -> _Folded:
        """Letter case, width and blanks aside, with a blank before and behind; and the numbers in it and its kind."""
        if len(text) > LONGEST:
            text = f"{text[: LONGEST // 2]} {text[-LONGEST // 2 :]}"
        words = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        salt = crc32(",".join([*_NUMBERS.findall(words), kind]).encode("utf-8", "surrogatepass"))
        return cls(f" {words} ".ljust(LETTERS), salt)


def _parts(texts: Sequence[_Folded]) -> Iterator[list[_Folded]]:
    """The texts in parts that are small enough to be hashed at once."""
    part: list[_Folded] = []
    size = 0
    for each in texts:
        if part and size + len(each.text) > MOST_CHARACTERS:
            yield part
            part, size = [], 0
        part.append(each)
        size += len(each.text)
    yield part


def _minima(texts: Sequence[_Folded]) -> Hashes:
    """The signatures of folded texts, (texts, MINIMA)."""
    import numpy as np
    from rensa import RMinHash

    hashes, offsets = _letter_groups(texts)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, num_perm=MINIMA, seed=0)
    return np.array(matrix.to_rows(), dtype=np.uint64)


def _letter_groups(texts: Sequence[_Folded]) -> tuple[Hashes, Hashes]:
    """A hash for each group of letters in each text, and where each text's begin and end.

    The salt of a text is part of every one of its groups: with another, texts have nothing in common.
    """
    import numpy as np

    letters = np.frombuffer("".join(each.text for each in texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    lengths = np.array([len(each.text) for each in texts])
    size = len(letters) - LETTERS + 1
    hashes = np.zeros(size, dtype=np.uint64)
    for i in range(LETTERS):
        hashes = _mixed(hashes ^ letters[i : i + size])
    within = np.ones(len(letters), dtype=bool)  # groups that begin here lie within one text
    for i in range(1, LETTERS):
        within[np.cumsum(lengths) - i] = False
    many = lengths - LETTERS + 1
    salts = np.array([each.salt for each in texts], dtype=np.uint64)
    ends = np.concatenate([[0], np.cumsum(many)]).astype(np.uint64)
    return _mixed(hashes[within[:size]] ^ (np.repeat(salts, many) << np.uint64(31))), ends


def _mixed(hashes: Hashes) -> Hashes:
    import numpy as np

    mixed = hashes * np.uint64(_MIXER)
    return mixed ^ (mixed >> np.uint64(29))
