"""The metrics by name: what each makes of answers and right answers, and a score with the interval around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from engine.errors import UserError
from engine.evaluation import matching
from engine.evaluation.intervals import Interval, Measure, middle_of, resampled, wilson
from engine.evaluation.labels import macro_f1
from engine.evaluation.matching import Leeway
from engine.evaluation.meaning import EncodesTokens, bert_scores
from engine.evaluation.overlap import chrf, rouge_l

__all__ = [
    "METRICS",
    "PLAIN",
    "Kind",
    "Score",
    "Terms",
    "checked",
    "is_share",
    "measure_of",
    "rightness",
    "score",
    "top",
]

Kind = Literal["classification", "text"]


EXACT: Final = Leeway()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What metrics are told beside the answers: how far a number or a date may lie, and who reads for BERTScore."""

    leeway: Leeway = EXACT
    encoder: EncodesTokens | Path | None = None


PLAIN: Final = Terms()

_BY_KIND: Mapping[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "macro-F1"),
    "text": ("exact match", "chrF++"),
}


@dataclass(frozen=True, slots=True)
class Score:
    """A figure, the 95 % interval around it, and the number of rows it stands on.

    All metrics lie between 0 and 1 but chrF++, which lies between 0 and 100 as everywhere.
    """

    metric: str
    value: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        return f"{self.value:.2f} {self.metric} ({self.low:.2f} to {self.high:.2f})"

    @property
    def figure(self) -> str:
        """The value and its interval without the metric, for a column of that name."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


Compares = Callable[[str, str, Leeway], float]
"""One answer with one right answer, 0 to 1."""

# Right or wrong, row by row: their intervals and tests are those of shares.
_SHARES: Mapping[str, Compares] = {
    "accuracy": matching.equal,
    "exact match": matching.equal,
    "number match": matching.same_number,
    "date match": matching.same_moment,
    "same labels": matching.same_labels,
    "JSON match": matching.same_json,
}
# Between wrong and right, row by row.
_GRADED: Mapping[str, Compares] = {
    "label F1": matching.labels_shared,
    "JSON fields": matching.fields_right,
    "ROUGE-L": lambda given, wanted, _: rouge_l(given, wanted),
}

METRICS: Final = (*_SHARES, "macro-F1", *_GRADED, "chrF++", "BERTScore")


def is_share(metric: str) -> bool:
    """Whether a metric says of each row that it is right or wrong, and nothing between."""
    return metric in _SHARES


def top(metric: str) -> float:
    """The best that can be reached."""
    return 100.0 if metric == "chrF++" else 1.0


def score(
    predictions: Sequence[str],
    references: Sequence[str | Sequence[str]],
    *,
    kind: Kind = "text",
    metrics: Sequence[str] | None = None,
    terms: Terms = PLAIN,
    seed: int = 0,
) -> tuple[Score, ...]:
    """Score answers against right answers; the first score is the one to compare by.

    A row may have several right answers: give a list of them. "classification" gives accuracy and macro-F1, "text"
    gives exact match and chrF++, and `metrics` whatever it names. The interval of a share (accuracy, the matches) is
    Wilson's; those of the others are percentiles of 1,000 bootstrap resamples, the same for the same seed; of a single
    row they know nothing, and reach from the worst to the best.

        score(["N/A"], [["N/A", "none"]], kind="text")
    """
    answers = checked(predictions, references)
    names = _BY_KIND[kind] if metrics is None else metrics
    return tuple(_with_interval(name, list(predictions), answers, terms=terms, seed=seed) for name in names)


def checked(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """The right answers of each row as a list. Raises UserError for what cannot be scored."""
    if not predictions:
        raise UserError("there are no rows to score")
    if len(predictions) != len(references):
        raise UserError(f"{len(predictions)} predictions cannot be scored against {len(references)} references")
    answers = [[reference] if isinstance(reference, str) else list(reference) for reference in references]
    if empty := [i for i, right in enumerate(answers) if not right]:
        raise UserError(f"row {empty[0]} has no right answer to be scored against")
    return answers


def measure_of(
    name: str, predictions: Sequence[str], answers: Sequence[Sequence[str]], *, terms: Terms = PLAIN
) -> Measure:
    """A metric of these rows, for any draw of them. Raises UserError for a name that none has."""
    if name in _SHARES or name in _GRADED:
        return _mean(graded(name, predictions, answers, leeway=terms.leeway))
    if name == "macro-F1":
        return macro_f1(predictions, answers)
    if name == "chrF++":
        return chrf(predictions, answers)
    if name != "BERTScore":
        raise UserError(f"unknown metric {name!r}; there are {', '.join(METRICS)}")
    if terms.encoder is None:
        raise UserError("BERTScore needs an encoder: name the folder of one on this machine")
    return _mean(bert_scores(predictions, answers, encoder=terms.encoder))


def graded(name: str, predictions: Sequence[str], answers: Sequence[Sequence[str]], *, leeway: Leeway) -> list[float]:
    """What a metric that looks at rows one by one makes of each: by the best of its right answers."""
    compare = _SHARES.get(name) or _GRADED[name]
    return [
        max(compare(given, wanted, leeway) for wanted in right)
        for given, right in zip(predictions, answers, strict=True)
    ]


def rightness(
    name: str, predictions: Sequence[str], references: Sequence[str | Sequence[str]], *, terms: Terms = PLAIN
) -> list[bool]:
    """Which rows are right, by a metric that is a share."""
    return [value == 1.0 for value in graded(name, predictions, checked(predictions, references), leeway=terms.leeway)]


def _mean(values: Sequence[float]) -> Measure:
    import numpy as np

    column = np.array(values, dtype=float)
    return lambda drawn: float(column[drawn].mean())


def _with_interval(name: str, predictions: list[str], answers: list[list[str]], *, terms: Terms, seed: int) -> Score:
    import numpy as np

    rows = len(predictions)
    measure = measure_of(name, predictions, answers, terms=terms)
    value = measure(np.arange(rows))
    return Score(name, value, *_interval(name, measure, value, rows=rows, seed=seed), rows)


def _interval(name: str, measure: Measure, value: float, *, rows: int, seed: int) -> Interval:
    if is_share(name):
        return wilson(round(value * rows), rows)
    if rows == 1:  # any draw of it is itself, which would pass for certainty
        return 0.0, top(name)
    return middle_of(resampled(measure, rows, seed=seed))
