"""Hard cases by design: a planned share of the inputs that a careless reader gets wrong, kept by counting rows. Pure.

A teacher that is left alone writes inputs that are easy to answer. Which cases suit a task follows from its spec; the
plan in the run's folder has them and their share, for editing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.chance import chance
from agents.making.plan import Target
from agents.records import Spec

__all__ = ["ALL_CASES", "NO_CASES", "USUAL_SHARE", "Case", "Hard", "HardCases", "cases_for", "hard_rows"]

USUAL_SHARE = 0.1
# Hard cases are rejected more often, for votes that disagree. To make up for it, they are asked for at most this many
# times as often as their share says.
PERSISTENCE = 2.0

ALL_CASES: Mapping[str, str] = {
    "borderline": "looks at first as if another label were right",
    "nothing": "looks as if there were something to find, and there is not",
    "several": "holds several things that could be the answer, of which one is",
    "long": "is long, with much beside the point",
    "noisy": "is written as in haste, with slips and pasted bits",
}
"""The cases by name, each with what such an input does; the words to the teacher are in `prompts/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hard:
    """The share (0 to 1) of rows that shall be hard cases, and of which kinds."""

    share: float = 0.0
    cases: tuple[str, ...] = ()


NO_CASES = Hard()


@dataclass(frozen=True, slots=True)
class Case:
    """What a request asks for; a borderline case is mistaken for `other`."""

    name: str
    other: str | None = None

    def __str__(self) -> str:
        return self.name if self.other is None else f"{self.name}: {self.other}"


def cases_for(spec: Spec) -> tuple[str, ...]:
    """The kinds of hard case that a task can have."""
    if spec.labels:
        return ("borderline", "long", "noisy")
    nothing = () if spec.empty_answer is None else ("nothing",)
    several = ("several",) if nothing or spec.extractive else ()
    return (*nothing, *several, "long", "noisy")


class HardCases:
    """Says which hard case a request asks for, if it does; told of requests and rows in order, it says the same again.

    Chance decides, so that every target gets some. The likelihood is the share of hard ones among the rows that are
    missing still, at most twice the planned share. Of the kinds that suit the target the one that was asked for least
    is taken.
    """

    def __init__(self, hard: Hard, *, labels: Sequence[str], wanted: int, seed: int) -> None:
        self._hard, self._labels, self._wanted, self._seed = hard, labels, wanted, seed
        self._asked: Counter[str] = Counter()  # requests by kind
        self._pending = 0  # inputs asked for as hard cases and not judged yet
        self._rows = 0  # accepted ones

    def __repr__(self) -> str:
        return f"<HardCases [{self._rows} rows, {self._pending} pending, share {self._hard.share:.2f}]>"

    def choose(self, number: int, *, target: Target | None, rows: int) -> Case | None:
        """The hard case that request `number` asks for; `rows` have come or are on their way, hard ones and others."""
        suited = _suited(self._hard.cases, target, self._labels)
        draw = chance(self._seed, "hard", number)
        if not suited or draw.random() >= self._likelihood(rows):
            return None
        name = min(suited, key=lambda case: (self._asked[case], draw.random()))
        if name != "borderline" or target is None:
            return Case(name)
        return Case(name, draw.choice([label for label in self._labels if label != target.answer]))

    def _likelihood(self, rows: int) -> float:
        share = self._hard.share
        lacking = share * self._wanted - self._rows - self._pending
        return min(1.0, PERSISTENCE * share, max(0.0, lacking) / max(1, self._wanted - rows))

    def notify_asked(self, case: Case | None, *, inputs: int) -> None:
        """A request asked for so many inputs of that kind; None for those that are as they come."""
        if case is not None:
            self._asked[case.name] += 1
            self._pending += inputs

    def notify_judged(self, case: Case | None, *, inputs: int, rows: int) -> None:
        """Of such a request's inputs, so many became rows."""
        if case is not None:
            self._pending -= inputs
            self._rows += rows


def _suited(cases: Sequence[str], target: Target | None, labels: Sequence[str]) -> list[str]:
    is_label = target is not None and target.answer in labels
    is_nothing = target is not None and not is_label and not target.negated
    suits = {"borderline": is_label and len(labels) > 1, "nothing": is_nothing, "several": not is_nothing}
    return [case for case in cases if suits.get(case, True)]


def hard_rows(cases: Sequence[str], asked: Iterable[str | None]) -> dict[str, int]:
    """How many rows were asked for as hard cases of each of these kinds, and how many as they come."""
    counts = Counter("none" if case is None else case.partition(":")[0] for case in asked)
    return {name: counts[name] for name in (*cases, "none")}
