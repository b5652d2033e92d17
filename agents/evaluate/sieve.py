"""Which rows a student may be judged by, and what is odd about them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.evaluate.judgement import RowFacts
from agents.filter import same_text
from agents.records import TaskKind
from engine.training import Row

__all__ = ["Sieved", "sieve"]


@dataclass(frozen=True, slots=True)
class Sieved:
    """The rows to judge by, and what there is to know about them."""

    rows: tuple[Row, ...]
    facts: RowFacts


def sieve(rows: Sequence[Row], *, train: Sequence[Row], kind: TaskKind) -> Sieved:
    """The rows that the student has not learnt from: letter case, blanks and a final stop make no other input."""
    learnt = {same_text(row.input) for row in train}
    kept = tuple(row for row in rows if same_text(row.input) not in learnt)
    if kind != "classification" or not train:
        return Sieved(kept, RowFacts(learnt=len(rows) - len(kept)))
    known = dict.fromkeys(row.output for row in train)
    judged = dict.fromkeys(row.output for row in kept)
    folded = {_folded(label) for label in known}
    return Sieved(
        kept,
        RowFacts(
            learnt=len(rows) - len(kept),
            respelled=sum(row.output not in known and _folded(row.output) in folded for row in kept),
            missing=tuple(sorted(label for label in known if label not in judged)),
            unlearnt=tuple(sorted(label for label in judged if label not in known and _folded(label) not in folded)),
        ),
    )


def _folded(label: str) -> str:
    return " ".join(label.casefold().split())
