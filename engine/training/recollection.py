"""What the rows that a student has learnt from answer themselves: those most like an input, each with its share.

A kernel over likeness of characters, as kNN-LM has one over states (Khandelwal et al. 2020, arXiv 1911.00172), but of
whole answers. How much likeness counts is found on the rows alone, each asked of all others. It holds the rows, and
keeps them as JSON.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from engine.training.student import Row

__all__ = ["Recollection", "Shares"]

Shares: TypeAlias = dict[str, float]
"""Answers, each with its share of 1."""

FILE: Final = "rows.json"
MOST_ROWS: Final = 20_000  # the first so many; of more, a look at all would take longer than writing an answer
NEIGHBOURS: Final = 32
SOFTNESSES: Final = (0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2)
ROWS_TRIED: Final = 1000  # to choose among these
UNHEARD: Final = 1e-4  # of an answer that no row has, as far as choosing goes
AT_ONCE: Final = 256  # inputs; all of them against all rows at once could be gigabytes


@dataclass(frozen=True, slots=True)
class Recollection:
    """Rows, and how sharply they are told apart: one less like by `softness` counts 1 / e as much."""

    rows: tuple[Row, ...]
    softness: float
    vectorizer: Any
    known: Any  # (rows, features), each row of length 1

    @classmethod
    def of(cls, rows: Sequence[Row], *, softness: float | None = None) -> Self:
        """With the softness under which the rows answer each other best, unless it is told.

        Raises ValueError where no input holds a character.
        """
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        some = tuple(rows[:MOST_ROWS])
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32)
        known = vectorizer.fit_transform([row.input for row in some])
        recollection = cls(some, softness or SOFTNESSES[0], vectorizer, known)
        return recollection if softness else cls(some, recollection._best_softness(), vectorizer, known)

    def answers(self, inputs: Sequence[str]) -> list[Shares]:
        """For each input the answers of the rows most like it."""
        found: list[Shares] = []
        for start in range(0, len(inputs), AT_ONCE):
            asked = self.vectorizer.transform(inputs[start : start + AT_ONCE])
            found += [self._shares(near, softness=self.softness) for near in self._nearest(asked)]
        return found

    def keep(self, folder: Path) -> None:
        told = {"softness": self.softness, "rows": [[row.input, row.output] for row in self.rows]}
        (folder / FILE).write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def kept_in(cls, folder: Path) -> Self:
        """What `keep` kept; raises OSError, ValueError, KeyError or TypeError for what it never did."""
        told = json.loads((folder / FILE).read_bytes())
        rows = [Row(read, answer) for read, answer in told["rows"]]
        if not all(isinstance(text, str) for row in rows for text in (row.input, row.output)):
            raise ValueError(f"{FILE} holds more than texts")
        return cls.of(rows, softness=float(told["softness"]))

    def _nearest(self, asked: Any) -> Iterator[list[tuple[int, float]]]:
        """For each the rows most like it and how like they are, the likest first; of equals the first."""
        for likeness in (asked @ self.known.T).toarray():
            best = (-likeness).argsort(kind="stable")[:NEIGHBOURS]
            yield [(int(row), float(likeness[row])) for row in best]

    def _shares(self, near: Sequence[tuple[int, float]], *, softness: float) -> Shares:
        weights: dict[str, float] = defaultdict(float)
        for row, likeness in near:
            weights[self.rows[row].output] += math.exp((likeness - near[0][1]) / softness)
        whole = math.fsum(weights.values())
        return {answer: weight / whole for answer, weight in weights.items()}

    def _best_softness(self) -> float:
        """Under which the rows' own answers have the greatest shares, each row asked of all others."""
        some = range(min(len(self.rows), ROWS_TRIED))
        near = [
            [one for one in found if one[0] != row]
            for start in range(0, len(some), AT_ONCE)
            for row, found in enumerate(self._nearest(self.known[start : min(len(some), start + AT_ONCE)]), start=start)
        ]

        def told(softness: float) -> float:
            shares = (self._shares(others, softness=softness).get(self.rows[row].output, 0.0)
                      for row, others in enumerate(near) if others)  # fmt: skip
            return math.fsum(math.log((1 - UNHEARD) * share + UNHEARD) for share in shares)

        return max(SOFTNESSES, key=told)
