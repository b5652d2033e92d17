"""Which rows a student may be judged by, and what is odd about them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agents.evaluate.judgement import RowFacts
from agents.evaluate.measures import chooses_labels
from agents.filtering.filter import same_text
from agents.records import AnswerForm, TaskKind
from engine.evaluation import labels_in
from engine.training import Row

__all__ = ["Sieved", "sieve"]


@dataclass(frozen=True, slots=True)
class Sieved:
    """The rows to judge by, and what there is to know about them."""

    rows: tuple[Row, ...]
    facts: RowFacts


def sieve(rows: Sequence[Row], *, train: Sequence[Row], kind: TaskKind, form: AnswerForm = "text") -> Sieved:
    """The rows that the student has not learnt from: letter case, blanks and a final stop make no other input."""
    learnt = {same_text(row.input) for row in train}
    kept = tuple(row for row in rows if same_text(row.input) not in learnt)
    left_out = len(rows) - len(kept)
    if not chooses_labels(kind, form) or not train:
        return Sieved(kept, RowFacts(learnt=left_out))
    parts: Callable[[Row], frozenset[str]] = _one if kind == "classification" else _several
    known = dict.fromkeys(label for row in train for label in parts(row))
    judged = dict.fromkeys(label for row in kept for label in parts(row))
    folded = {_folded(label) for label in known}
    respelled = {label for label in judged if label not in known and _folded(label) in folded}
    return Sieved(
        kept,
        RowFacts(
            learnt=left_out,
            respelled=sum(bool(parts(row) & respelled) for row in kept),
            missing=tuple(sorted(label for label in known if label not in judged)),
            unlearnt=tuple(sorted(label for label in judged if label not in known and label not in respelled)),
        ),
    )


def _one(row: Row) -> frozenset[str]:
    return frozenset((row.output,))


def _several(row: Row) -> frozenset[str]:
    return labels_in(row.output)


def _folded(label: str) -> str:
    return " ".join(label.casefold().split())
