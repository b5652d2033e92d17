"""The same input with two answers: which answer it has more often. Pure, and 24 bytes an answer."""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict
from typing import TYPE_CHECKING

from agents.filtering.filter import same_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Answers", "digest"]


def digest(text: str) -> int:
    """A text as a number of 64 bits, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class Answers:
    """The answers that each input has been given."""

    def __init__(self) -> None:
        self._inputs = array("Q")
        self._answers = array("Q")
        self._lengths = array("Q")

    def __len__(self) -> int:
        return len(self._inputs)

    def add(self, given: str, answer: str) -> None:
        """Another row; letter case, blanks and a final stop make no other answer."""
        self._inputs.append(digest(given))
        self._answers.append(digest(same_text(answer)))
        self._lengths.append(len(answer))

    def extend(self, given: NDArray[np.uint64], answers: NDArray[np.uint64], lengths: NDArray[np.int64]) -> None:
        """Further rows by what `add` would note of each: the digests of input and folded answer, and its length."""
        import numpy as np

        self._inputs.frombytes(given.tobytes())
        self._answers.frombytes(answers.tobytes())
        self._lengths.frombytes(lengths.astype(np.uint64).tobytes())

    def losers(self) -> dict[int, int]:
        """Of each input with different answers, by its digest: the digest of the answer that it has most often.

        Ties go to the shortest answer, then to the first, as votes do.
        """
        import numpy as np

        inputs = np.frombuffer(self._inputs, dtype=np.uint64)
        names, counts = np.unique(inputs, return_counts=True)
        repeated = np.flatnonzero(np.isin(inputs, names[counts > 1]))
        rows: dict[int, list[int]] = defaultdict(list)
        for row in repeated.tolist():
            rows[self._inputs[row]].append(row)
        return {name: self._winner(places) for name, places in rows.items() if self._differ(places)}

    def _differ(self, rows: list[int]) -> bool:
        return len({self._answers[row] for row in rows}) > 1

    def _winner(self, rows: list[int]) -> int:
        answers = [self._answers[row] for row in rows]
        first = min(rows, key=lambda row: (-answers.count(self._answers[row]), self._lengths[row], row))
        return self._answers[first]
