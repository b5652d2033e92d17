"""What the rows that a student has learnt from answer themselves: those most like an input, each with its share.

A kernel over likeness of characters, as kNN-LM has one over states (Khandelwal et al. 2020, arXiv 1911.00172), but of
whole answers. What an answer took from its own input it takes from no other: "5 km" cannot be the answer where no 5 is
read. How much that counts, and how much likeness does, is found on the rows alone, each asked of all others. Where no
row is near, what most answers are speaks, as a model of words backs off to shorter contexts. It holds the rows, and
keeps them as JSON.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeAlias

from engine.training.student import Row

__all__ = ["Recollection", "Shares"]

Shares: TypeAlias = dict[str, float]
"""Answers, each with its share; what they lack of 1 is the share of answers that no row has."""

Near: TypeAlias = Sequence[tuple[int, float]]
"""Rows by their numbers, each with how much it is: how like the input, or how usual its answer; the most first."""

FILE: Final = "rows.json"
MOST_ROWS: Final = 20_000  # the first so many; of more, a look at all would take longer than writing an answer
NEIGHBOURS: Final = 32
SOFTNESSES: Final = (0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2)
MIDDLE: Final = 0.07
MISFITS: Final = (1.0, 0.3, 0.1, 0.03, 0.01)
ROWS_TRIED: Final = 1000  # to choose among these

# Beside rows of which the likest counts 1. Shares that come to 1 outvote a writer where no row is like the input, too:
# 906 numbers and units went from 0.191 to 0.219 right, and with half, twice or four times as much came to the same.
ANOTHER: Final = 1.0

# Beside the same, for answers by how often they repeat. On 211 validation rows of dates and 327 of numbers, by 200 and
# by 1,000 rows of each, the memory alone had 36 right with none, 38 with 1, and 47 with 2, 3 and 5; beside a writer 78
# with none, 75 with 1, 77 with 2, and 79 with 3 and 5.
USUAL: Final = 3.0
UNHEARD: Final = 1e-4  # of an answer that no row has, as far as choosing goes
AT_ONCE: Final = 256  # inputs; all of them against all rows at once could be gigabytes


_WORD: Final = re.compile(r"[^\W\d_]+|\d+")


class Candidate(NamedTuple):
    """A row's answer, how much of `Near` it is, and whether all that it took from its input is read here too."""

    answer: str
    near: float
    fits: bool


@dataclass(frozen=True, slots=True)
class Recollection:
    """Rows, and how sharply they are told apart: one less like by `softness` counts 1 / e as much.

    One whose answer took a word from its input that the input asked about lacks counts `misfit` times as much. Answers
    that repeat share `votes` beside the 1 of the likest row, whatever is asked.
    """

    rows: tuple[Row, ...]
    softness: float
    misfit: float
    votes: float
    vectorizer: Any
    known: Any  # (rows, features), each row of length 1
    taken: tuple[frozenset[str], ...]  # what each answer took from its input, in small letters
    usual: Near  # the answers that repeat

    @classmethod
    def of(
        cls, rows: Sequence[Row], *, softness: float | None = None, misfit: float = 1.0, votes: float = USUAL
    ) -> Self:
        """With the softness and the misfit under which the rows answer each other best, unless they are told.

        Raises ValueError where no input holds a character.
        """
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        some = tuple(rows[:MOST_ROWS])
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32)
        known = vectorizer.fit_transform([row.input for row in some])
        taken = tuple(map(_taken, some))
        recollection = cls(some, softness or MIDDLE, misfit, votes, vectorizer, known, taken, _usual(some, taken))
        return recollection if softness else recollection._at_its_best()

    def answers(self, inputs: Sequence[str]) -> list[Shares]:
        """For each input the answers of the rows most like it, and those that repeat."""
        found: list[Shares] = []
        for start in range(0, len(inputs), AT_ONCE):
            some = inputs[start : start + AT_ONCE]
            every = self._nearest(self.vectorizer.transform(some))
            found += [
                self._shares(self._fitting(text, near), self._fitting(text, self.usual))
                for text, near in zip(some, every, strict=True)
            ]
        return found

    def keep(self, folder: Path) -> None:
        rows = [[row.input, row.output] for row in self.rows]
        told = {"softness": self.softness, "misfit": self.misfit, "votes": self.votes, "rows": rows}
        (folder / FILE).write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def kept_in(cls, folder: Path) -> Self:
        """What `keep` kept; raises OSError, ValueError, KeyError or TypeError for what it never did."""
        told = json.loads((folder / FILE).read_bytes())
        rows = [Row(read, answer) for read, answer in told["rows"]]
        if not all(isinstance(text, str) for row in rows for text in (row.input, row.output)):
            raise ValueError(f"{FILE} holds more than texts")
        misfit = float(told.get("misfit", 1.0))  # of this and the votes older files say nothing
        votes = float(told.get("votes", 0.0))
        return cls.of(rows, softness=float(told["softness"]), misfit=misfit, votes=votes)

    def _nearest(self, asked: Any) -> Iterator[list[tuple[int, float]]]:
        """For each the rows most like it and how like they are, the likest first; of equals the first."""
        for likeness in (asked @ self.known.T).toarray():
            best = (-likeness).argsort(kind="stable")[:NEIGHBOURS]
            yield [(int(row), float(likeness[row])) for row in best]

    def _fitting(self, asked: str, near: Near) -> list[Candidate]:
        read = asked.lower()
        return [
            Candidate(self.rows[row].output, how_near, all(word in read for word in self.taken[row]))
            for row, how_near in near
        ]

    def _shares(self, near: Sequence[Candidate], usual: Sequence[Candidate] = ()) -> Shares:
        weights: dict[str, float] = defaultdict(float)
        counts = [math.exp((one.near - near[0].near) / self.softness) for one in near]
        counts += [self.votes * one.near for one in usual]
        for one, count in zip((*near, *usual), counts, strict=True):
            weights[one.answer] += count if one.fits else count * self.misfit
        whole = ANOTHER + math.fsum(weights.values())
        return {answer: weight / whole for answer, weight in weights.items()}

    def _at_its_best(self) -> Self:
        """As the rows' own answers have the greatest shares, each asked of all others: by misfit, then by softness."""
        some = range(min(len(self.rows), ROWS_TRIED))
        every = (self._nearest(self.known[start : min(len(some), start + AT_ONCE)]) for start in some[::AT_ONCE])
        near = [
            self._fitting(self.rows[row].input, [one for one in found if one[0] != row])
            for row, found in enumerate(itertools.chain.from_iterable(every))
        ]

        def told(tried: Self) -> float:
            shares = (
                tried._shares(others).get(self.rows[row].output, 0.0) for row, others in enumerate(near) if others
            )
            return math.fsum(math.log((1 - UNHEARD) * share + UNHEARD) for share in shares)

        fitting = max((replace(self, misfit=misfit) for misfit in MISFITS), key=told)
        return max((replace(fitting, softness=softness) for softness in SOFTNESSES), key=told)


def _usual(rows: Sequence[Row], taken: Sequence[frozenset[str]]) -> Near:
    """The answers that repeat, by the row where each took least, with their shares of the rows but for one row each.

    What one row says is no habit yet (absolute discounting): an answer met once has nothing. Of many the most frequent.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(rows):
        places[one.output].append(row)
    often = sorted((some for some in places.values() if len(some) > 1), key=len, reverse=True)[:NEIGHBOURS]
    return [(min(some, key=lambda row: len(taken[row])), (len(some) - 1) / len(rows)) for some in often]


def _taken(row: Row) -> frozenset[str]:
    """The words and numbers of an answer that stand in its input, in small letters."""
    read = row.input.lower()
    return frozenset(word for word in _WORD.findall(row.output.lower()) if word in read)
