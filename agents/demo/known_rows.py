"""A simulated teacher made of labelled rows: it knows what all of them mean, and writes from the few that it thinks of.

That is how a teacher and a data set that others made differ: what it writes is right but narrow, what is in the
data set many people have said. How narrow, `ideas` says; it is assumed and not measured.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random

from agents.demo.conversation import Conversation, Split
from agents.demo.rewording import gist, reworded
from agents.demo.subject import Subject
from agents.demo.teacher import Teacher, chance_hardness, favourite
from agents.demo.vices import USUAL_VICES, Vices
from agents.records import Pair

__all__ = ["KnownRows", "World"]

_WORDS = re.compile(r"\w+")


class KnownRows:
    """Texts with labels: what is right is what the row says, or the row that shares most words."""

    def __init__(self, rows: Sequence[Pair], *, ideas: int, about: str) -> None:
        self._right = {gist(row.input): row.output for row in rows}
        self._words = [(frozenset(_WORDS.findall(row.input.casefold())), row.output) for row in rows]
        self._ideas: Mapping[str, list[str]] = defaultdict(list)
        for row in rows:
            if len(self._ideas[row.output]) < ideas:
                self._ideas[row.output].append(row.input)
        self.kinds: Mapping[str, float] = dict.fromkeys(self._ideas, 1.0)
        self.prior = self.kinds
        self.about = {"model": about, "dataset": about}

    def write(self, kind: str, rng: Random, *, temperature: float) -> str:
        """One of the few texts that come to mind, in other words around it."""
        return reworded(favourite(self._ideas[kind], rng, temperature=temperature), rng)

    def nudge(self, text: str, rng: Random) -> str:
        return reworded(text, rng)

    def right(self, text: str) -> str:
        if (known := self._right.get(gist(text))) is not None:
            return known
        words = frozenset(_WORDS.findall(text.casefold()))
        return max(self._words, key=lambda row: len(words & row[0]) / max(1, len(words | row[0])))[1]

    def wrong(self, text: str, rng: Random) -> str:
        right = self.right(text)
        return rng.choice([label for label in self.kinds if label != right])

    def hardness(self, text: str) -> float:
        return chance_hardness(text)


class World(Teacher):
    """Knows one task: the labels of some rows, whenever a task names most of these labels."""

    def __init__(
        self, rows: Sequence[Pair], *, about: str, ideas: int = 8, seed: int = 0, vices: Vices = USUAL_VICES
    ) -> None:
        known = KnownRows(rows, ideas=ideas, about=about)
        super().__init__("known-rows", seed=seed, vices=vices, subject_of=partial(_subject_of, known))


def _subject_of(known: KnownRows, asked: Conversation) -> Subject | None:
    if isinstance(asked, Split):
        return None
    return known if sum(label in asked.task for label in known.kinds) > len(known.kinds) // 2 else None
