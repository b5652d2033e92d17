"""How labels fare, one by one: precision, recall and F1 of each, who is taken for whom, and macro-F1 over all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.evaluation.intervals import Measure

__all__ = ["OTHERS", "Confusion", "LabelScore", "confusion", "label_scores", "macro_f1", "wanted_labels"]

OTHERS: Final = "all others"


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How one label fares: of `rows` that have it, `right` were given it; it was `given` in all."""

    label: str
    rows: int
    given: int
    right: int
    precision: float | None  # of those it was given to, the share that have it; None: it was never given
    recall: float | None  # of those that have it, the share it was given to; None: no row has it
    f1: float

    @classmethod
    def of(cls, label: str, *, rows: int, given: int, right: int) -> LabelScore:
        """The shares, from the counts."""
        precision, recall = (right / given if given else None), (right / rows if rows else None)
        return cls(label, rows, given, right, precision, recall, 2 * right / (rows + given) if rows + given else 0.0)


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often rows of a label (a line each) were given a label (a column each), in the order of `labels`.

    Where there are more labels than were asked for, the last stands for all others.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


def wanted_labels(predictions: Sequence[str], answers: Sequence[Sequence[str]]) -> list[str]:
    """The right label of each row; of several, the one that was given counts, or else the first."""
    return [given if given in right else right[0] for given, right in zip(predictions, answers, strict=True)]


def label_scores(
    predictions: Sequence[str | Collection[str]], wanted: Sequence[str | Collection[str]]
) -> tuple[LabelScore, ...]:
    """Every label that was given or wanted, the one with most rows first, then by name.

    An answer may be one label or several: then each of them counts for itself.
    """
    ours, theirs = [_each(answer) for answer in predictions], [_each(answer) for answer in wanted]
    given, rows = (Counter(label for answer in side for label in answer) for side in (ours, theirs))
    right = Counter(label for one, other in zip(ours, theirs, strict=True) for label in one & other)
    found = (LabelScore.of(label, rows=rows[label], given=given[label], right=right[label]) for label in rows | given)
    return tuple(sorted(found, key=lambda score: (-score.rows, score.label)))


def _each(answer: str | Collection[str]) -> frozenset[str]:
    return frozenset((answer,) if isinstance(answer, str) else answer)


def confusion(predictions: Sequence[str], wanted: Sequence[str], *, most: int = 12) -> Confusion:
    """Who is taken for whom, among the `most` labels that err most often, in the order of their rows.

    A label errs where it is given wrongly and where it is not given though wanted.
    """
    pairs = Counter(zip(wanted, predictions, strict=True))
    errors: Counter[str] = Counter()
    for (one, other), count in pairs.items():
        errors[one] += count * (one != other)
        errors[other] += count * (one != other)
    sizes = Counter(wanted)
    by_errors = sorted(errors, key=lambda label: (-errors[label], -sizes[label], label))
    by_errors = by_errors if len(by_errors) <= most + 1 else by_errors[:most]  # "all others" is never a single one
    shown = sorted(by_errors, key=lambda label: (-sizes[label], label))
    labels = (*shown, OTHERS) if len(shown) < len(errors) else tuple(shown)
    place = {label: at for at, label in enumerate(shown)}
    counts = [[0] * len(labels) for _ in labels]
    for (one, other), count in pairs.items():
        counts[place.get(one, len(shown))][place.get(other, len(shown))] += count
    return Confusion(labels, tuple(map(tuple, counts)))


def macro_f1(predictions: Sequence[str], answers: Sequence[Sequence[str]]) -> Measure:
    """The mean F1 over the labels that occur in the draw, as answers or as right answers (as scikit-learn counts)."""
    import numpy as np

    wanted = wanted_labels(predictions, answers)
    number = {label: i for i, label in enumerate(dict.fromkeys([*wanted, *predictions]))}
    given_ids = np.array([number[label] for label in predictions])
    wanted_ids = np.array([number[label] for label in wanted])

    def measure(drawn: Any) -> float:
        given, right = given_ids[drawn], wanted_ids[drawn]
        hits = np.bincount(right[given == right], minlength=len(number))
        uses = np.bincount(right, minlength=len(number)) + np.bincount(given, minlength=len(number))
        return float((2 * hits[uses > 0] / uses[uses > 0]).mean())

    return measure
