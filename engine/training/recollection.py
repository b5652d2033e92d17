"""What the rows that a student has learnt from answer themselves: those most like an input, each with its share.

A kernel over likeness of characters, as kNN-LM has one over states (Khandelwal et al. 2020, arXiv 1911.00172), but of
whole answers. What an answer took from its own input it takes from no other: "5 km" cannot be the answer where no 5 is
read, but where an 8 stands in the 5's place, "8 km" may be (`analogy`). How much each counts, and how much likeness
does, is found on the rows alone, each asked of all others. Where no row is near, what most answers are speaks, as a
model of words backs off to shorter contexts. It holds the rows, and keeps them as JSON.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

from engine.training.analogy import likened, taken
from engine.training.student import Row

__all__ = ["DAMAGED", "Recollection", "Shares"]

Shares: TypeAlias = dict[str, float]
"""Answers, each with its share; what they lack of 1 is the share of answers that no row has."""

Near: TypeAlias = Sequence[tuple[int, float]]
"""Rows by their numbers, each with how much it is: how like the input, or how usual its answer; the most first."""

DAMAGED: Final = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading a memory raises that is not as it was kept."""

FILE: Final = "rows.json"
FIGURES: Final = ("softness", "misfit", "analogy", "votes")
MOST_ROWS: Final = 20_000  # the first so many; of more, a look at all would take longer than writing an answer
NEIGHBOURS: Final = 32
SOFTNESSES: Final = (0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2)
MIDDLE: Final = 0.07
MISFITS: Final = (1.0, 0.3, 0.1, 0.03, 0.01)
ANALOGIES: Final = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
ROWS_TRIED: Final = 500  # to choose among these

# With 8, 16 and 32 of them 200 rows of addresses had 8, 9 and 10 of 50 validation rows right, 1,000 rows of numbers and
# units 43, 45 and 45 of 327; and an answer took 3, 6 and 12 ms.
LIKENED: Final = 16

# Beside rows of which the likest counts 1. Shares that come to 1 outvote a writer where no row is like the input, too:
# 906 numbers and units went from 0.191 to 0.219 right, and with half, twice or four times as much came to the same.
ANOTHER: Final = 1.0

# Beside the same, for answers by how often they repeat. On 211 validation rows of dates and 327 of numbers, by 200 and
# by 1,000 rows of each, the memory alone had 36 right with none, 38 with 1, and 47 with 2, 3 and 5; beside a writer 78
# with none, 75 with 1, 77 with 2, and 79 with 3 and 5.
USUAL: Final = 3.0
UNHEARD: Final = 1e-4  # of an answer that no row has, as far as choosing goes
AT_ONCE: Final = 256  # inputs; all of them against all rows at once could be gigabytes


class Candidate(NamedTuple):
    """An answer, how much of `Near` its row is, and how it came here.

    It fits where all that it took from its row's input is read here too, and else it does not; then another is likened
    to it, if something stands here in the place of what it took.
    """

    answer: str
    near: float
    how: Literal["fits", "misfits", "likened"]


@dataclass(frozen=True, slots=True)
class Recollection:
    """Rows, and how sharply they are told apart: one less like by `softness` counts 1 / e as much.

    One whose answer took a word from its input that the input asked about lacks counts `misfit` times as much, and the
    answer that is likened to it `analogy` times. Answers that repeat share `votes` beside the 1 of the likest row,
    whatever is asked.
    """

    rows: tuple[Row, ...]
    softness: float
    misfit: float
    analogy: float
    votes: float
    vectorizer: Any
    known: Any  # (rows, features), each row of length 1
    taken: tuple[frozenset[str], ...]  # what each answer took from its input, in small letters
    usual: Near  # the answers that repeat

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        *,
        softness: float | None = None,
        misfit: float = 1.0,
        analogy: float = 0.0,
        votes: float = USUAL,
    ) -> Self:
        """With the softness, misfit and analogy under which the rows answer each other best, unless they are told.

        Raises ValueError where no input holds a character.
        """
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        some = tuple(rows[:MOST_ROWS])
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True, dtype=np.float32)
        known = vectorizer.fit_transform([row.input for row in some])
        took = tuple(map(taken, some))
        recollection = cls(
            some, softness or MIDDLE, misfit, analogy, votes, vectorizer, known, took, _usual(some, took)
        )
        return recollection if softness else recollection._at_its_best()

    def answers(self, inputs: Sequence[str]) -> list[Shares]:
        """For each input the answers of the rows most like it, what is likened to them, and those that repeat."""
        found: list[Shares] = []
        for start in range(0, len(inputs), AT_ONCE):
            some = inputs[start : start + AT_ONCE]
            every = self._nearest(self.vectorizer.transform(some))
            found += [
                self._shares(self._candidates(text, near, by_analogy=self.analogy > 0), self._fitting(text, self.usual))
                for text, near in zip(some, every, strict=True)
            ]
        return found

    def keep(self, folder: Path) -> None:
        told: dict[str, object] = {name: getattr(self, name) for name in FIGURES}
        told["rows"] = [[row.input, row.output] for row in self.rows]
        (folder / FILE).write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def kept_in(cls, folder: Path) -> Self:
        """What `keep` kept; for what it never did raises one of `DAMAGED`."""
        told = json.loads((folder / FILE).read_bytes())
        rows = [Row(read, answer) for read, answer in told["rows"]]
        texts = [text for pair in told["rows"] if isinstance(pair, list) for text in pair if isinstance(text, str)]
        if len(texts) != 2 * len(rows):
            raise ValueError(f"{FILE} holds more than texts")
        softness, misfit, analogy, votes = (float(told[name]) for name in FIGURES)
        if not (0 < softness < math.inf and all(0 <= each < math.inf for each in (misfit, analogy, votes))):
            raise ValueError(f"{FILE} holds figures that no memory has")
        return cls.of(rows, softness=softness, misfit=misfit, analogy=analogy, votes=votes)

    def _nearest(self, asked: Any) -> Iterator[list[tuple[int, float]]]:
        """For each the rows most like it and how like they are, the likest first; of equals the first."""
        for likeness in (asked @ self.known.T).toarray():
            best = (-likeness).argsort(kind="stable")[:NEIGHBOURS]
            yield [(int(row), float(likeness[row])) for row in best]

    def _candidates(self, asked: str, near: Near, *, by_analogy: bool) -> list[Candidate]:
        fitting = self._fitting(asked, near)
        return fitting + (self._likened(asked, near, fitting) if by_analogy else [])

    def _fitting(self, asked: str, near: Near) -> list[Candidate]:
        read = asked.lower()
        return [
            Candidate(
                self.rows[row].output, how_near, "fits" if all(word in read for word in self.taken[row]) else "misfits"
            )
            for row, how_near in near
        ]

    def _likened(self, asked: str, near: Near, fitting: Sequence[Candidate]) -> list[Candidate]:
        """To the nearest of those that do not fit."""
        places = [place for place, one in enumerate(fitting) if one.how == "misfits"][:LIKENED]
        answers = ((place, likened(self.rows[near[place][0]], asked)) for place in places)
        return [Candidate(answer, near[place][1], "likened") for place, answer in answers if answer is not None]

    def _shares(self, near: Sequence[Candidate], usual: Sequence[Candidate] = ()) -> Shares:
        worth = {"fits": 1.0, "misfits": self.misfit, "likened": self.analogy}
        weights: dict[str, float] = defaultdict(float)
        for one in near:
            weights[one.answer] += math.exp((one.near - near[0].near) / self.softness) * worth[one.how]
        for one in usual:
            weights[one.answer] += self.votes * one.near * worth[one.how]
        whole = ANOTHER + math.fsum(weights.values())
        return {answer: weight / whole for answer, weight in weights.items()}

    def _at_its_best(self) -> Self:
        """As the rows' own answers have the greatest shares, each asked of all others: the softness is found last."""
        near = list(self._of_each_other())

        def told(tried: Self) -> float:
            shares = (tried._shares(others).get(row.output, 0.0) for row, others in zip(self.rows, near, strict=False))
            return math.fsum(math.log((1 - UNHEARD) * share + UNHEARD) for share in shares)

        fitting = max(
            (replace(self, misfit=misfit, analogy=analogy) for misfit in MISFITS for analogy in ANALOGIES), key=told
        )
        return max((replace(fitting, softness=softness) for softness in SOFTNESSES), key=told)

    def _of_each_other(self) -> Iterator[list[Candidate]]:
        """What the others have for each of the first rows."""
        some = range(min(len(self.rows), ROWS_TRIED))
        every = (self._nearest(self.known[start : min(len(some), start + AT_ONCE)]) for start in some[::AT_ONCE])
        for row, found in enumerate(itertools.chain.from_iterable(every)):
            others = [one for one in found if one[0] != row]
            yield self._candidates(self.rows[row].input, others, by_analogy=True)


def _usual(rows: Sequence[Row], took: Sequence[frozenset[str]]) -> Near:
    """The answers that repeat, by the row where each took least, with their shares of the rows but for one row each.

    What one row says is no habit yet (absolute discounting): an answer met once has nothing. Of many the most frequent.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(rows):
        places[one.output].append(row)
    often = sorted((some for some in places.values() if len(some) > 1), key=len, reverse=True)[:NEIGHBOURS]
    return [(min(some, key=lambda row: len(took[row])), (len(some) - 1) / len(rows)) for some in often]
