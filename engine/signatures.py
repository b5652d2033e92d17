"""Texts by their MinHash signatures: what of two texts is compared, and the bands by which they are found. Pure.

A signature is the least of the hashes of all groups of four letters, under 128 hash functions: the share of minima that
two texts have in common is, up to some 0.04, the share of groups that they have in common.
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
    Mask: TypeAlias = NDArray[np.bool_]

__all__ = ["BANDS", "LIKENESS", "MINIMA", "Signed", "signed"]

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
MOST_CHARACTERS = 1 << 20  # hashed in one go, unless one text has more

_NUMBERS = re.compile(r"\d+")
_MIXER = 0x9E3779B97F4A7C15  # odd, so that multiplying by it loses nothing, and its bits are well spread


@dataclass(frozen=True, slots=True)
class Signed:
    """A block of texts by their signatures: a byte of each minimum, to compare; and the bands, to find them by."""

    short: Bytes  # (texts, MINIMA)
    keys: Words  # (texts, BANDS)
    sizes: Numbers  # letter groups of each text

    def needed(self, likeness: float) -> Bytes:
        """How many minima another text must have in common: the likeness, or in long texts all but some groups."""
        import numpy as np

        alone = MOST_ALONE * (1 - likeness) / (1 - LIKENESS)
        return np.round(MINIMA * np.maximum(likeness, (self.sizes - alone) / (self.sizes + alone))).astype(np.uint8)


def signed(texts: Sequence[str], kinds: Sequence[str] = ()) -> Signed:
    import numpy as np

    folded = [_Folded.of(text, kind) for text, kind in zip_longest(texts, kinds, fillvalue="")]
    minima = np.concatenate([_minima(part) for part in _parts(folded)])
    keys = np.tile(np.arange(BANDS, dtype=np.uint64), (len(texts), 1))
    for row in minima[:, : BANDS * ROWS].reshape(len(texts), BANDS, ROWS).transpose(2, 0, 1):
        keys = _mixed(keys ^ row)
    sizes = np.array([len(each.text) - LETTERS + 1 for each in folded])
    return Signed(minima.astype(np.uint8), (keys >> np.uint64(32)).astype(np.uint32), sizes)


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
