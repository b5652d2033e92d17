"""How good answers are: a figure never without its interval.

Knows answers and right answers; who gave them is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any, Literal

from engine.errors import UserError

__all__ = ["METRICS", "Kind", "Score", "metric", "score", "wilson"]

Kind = Literal["classification", "text"]

METRICS = ("accuracy", "macro-F1", "exact match", "chrF++")

_BY_KIND: dict[Kind, tuple[str, ...]] = {
    "classification": ("accuracy", "macro-F1"),
    "text": ("exact match", "chrF++"),
}

_SHARES = frozenset({"accuracy", "exact match"})

RESAMPLES = 1000
COVERAGE = 0.95


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


# What a metric makes of all rows, and of any draw of row numbers from them.
Measure = Callable[[Any], float]


def score(
    predictions: Sequence[str], references: Sequence[str | Sequence[str]], *, kind: Kind, seed: int = 0
) -> tuple[Score, ...]:
    """Score answers against right answers; the first score is the one to compare by.

    A row may have several right answers: give a list of them. "classification" gives accuracy and macro-F1, "text"
    gives exact match and chrF++. The interval of a share (accuracy, exact match) is Wilson's; those of macro-F1 and
    chrF++ are percentiles of 1,000 bootstrap resamples, the same for the same seed.

        score(["N/A"], [["N/A", "none"]], kind="text")
    """
    answers = _checked(predictions, references)
    return tuple(_with_interval(name, list(predictions), answers, seed=seed) for name in _BY_KIND[kind])


def _checked(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> list[list[str]]:
    if not predictions:
        raise UserError("there are no rows to score")
    if len(predictions) != len(references):
        raise UserError(f"{len(predictions)} predictions cannot be scored against {len(references)} references")
    answers = [[reference] if isinstance(reference, str) else list(reference) for reference in references]
    if empty := [i for i, right in enumerate(answers) if not right]:
        raise UserError(f"row {empty[0]} has no right answer to be scored against")
    return answers


def wilson(hits: int, rows: int, *, coverage: float = COVERAGE) -> tuple[float, float]:
    """The 95 % interval of a share, `hits` of `rows`; it keeps its width where all or none are hits.

    The score interval of E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    Journal of the American Statistical Association 22 (1927), 209-212. Resampling rows that are all right can only
    give rows that are all right, and so an interval without width; this one says how many wrong ones may be unseen.

        wilson(8, 8)  # (0.676, 1.0)
    """
    if not 0 <= hits <= rows or not rows:
        raise UserError(f"{hits} of {rows} is no share")
    z = NormalDist().inv_cdf((1 + coverage) / 2)
    middle = (hits + z * z / 2) / (rows + z * z)
    reach = z * sqrt(hits * (rows - hits) / rows + z * z / 4) / (rows + z * z)
    # Rounding must not push an end past the share itself: at none and at all, they are equal.
    return max(0.0, min(middle - reach, hits / rows)), min(1.0, max(middle + reach, hits / rows))


def _with_interval(name: str, predictions: list[str], answers: list[list[str]], *, seed: int) -> Score:
    import numpy as np

    rows = len(predictions)
    measure = _MEASURES[name](predictions, answers)
    if name in _SHARES:
        value = measure(np.arange(rows))
        return Score(name, value, *wilson(round(value * rows), rows), rows)
    chance = np.random.default_rng(seed)
    drawn = [measure(chance.integers(rows, size=rows)) for _ in range(RESAMPLES)]
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return Score(name, measure(np.arange(rows)), float(low), float(high), rows)


def _exact_match(predictions: list[str], answers: list[list[str]]) -> Measure:
    import numpy as np

    right = np.array([given in wanted for given, wanted in zip(predictions, answers, strict=True)], dtype=float)
    return lambda drawn: float(right[drawn].mean())


def _macro_f1(predictions: list[str], answers: list[list[str]]) -> Measure:
    """The mean F1 over the labels that occur in the draw, as answers or as right answers (as scikit-learn counts)."""
    import numpy as np

    # Of several right answers, the one that was given counts, or else the first.
    wanted = [given if given in right else right[0] for given, right in zip(predictions, answers, strict=True)]
    number = {label: i for i, label in enumerate(dict.fromkeys([*wanted, *predictions]))}
    given_ids = np.array([number[label] for label in predictions])
    wanted_ids = np.array([number[label] for label in wanted])

    def measure(drawn: Any) -> float:
        given, right = given_ids[drawn], wanted_ids[drawn]
        hits = np.bincount(right[given == right], minlength=len(number))
        uses = np.bincount(right, minlength=len(number)) + np.bincount(given, minlength=len(number))
        return float((2 * hits[uses > 0] / uses[uses > 0]).mean())

    return measure


def _chrf(predictions: list[str], answers: list[list[str]]) -> Measure:
    """Corpus chrF++ of a draw, from per-row counts: counting again for each resample would take minutes."""
    import numpy as np
    from sacrebleu.metrics import CHRF

    chrf = CHRF(word_order=2)
    most = max(len(right) for right in answers)
    # sacrebleu reads references by column: the first right answer of every row, then the second, ...
    columns = [[right[i] if i < len(right) else None for right in answers] for i in range(most)]
    counts = np.array(chrf._extract_corpus_statistics(predictions, columns))  # noqa: SLF001  # no public way to resample
    return lambda drawn: float(chrf._compute_f_score(counts[drawn].sum(axis=0).tolist()))  # noqa: SLF001


_MEASURES: dict[str, Callable[[list[str], list[list[str]]], Measure]] = {
    "accuracy": _exact_match,
    "macro-F1": _macro_f1,
    "exact match": _exact_match,
    "chrF++": _chrf,
}


def metric(name: str) -> Any:
    """One of `METRICS` as an `evaluate.Metric`, for whatever works with those: no download, no row on disk.

        metric("chrF++").compute(predictions=["a b"], references=[["a b"]])  # {"chrF++": 100.0}

    A row's references are a list of right answers. It combines with others in `evaluate.combine`.
    """
    if name not in METRICS:
        raise UserError(f"unknown metric {name!r}; there are {', '.join(METRICS)}")
    import evaluate
    from datasets import Features, Sequence, Value

    class SmeltMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate is untyped
        def _info(self) -> Any:
            features = Features({"predictions": Value("string"), "references": Sequence(Value("string"))})
            return evaluate.MetricInfo(description=name, citation="", inputs_description="", features=features)

        def _compute(self, predictions: list[str], references: list[list[str]]) -> dict[str, float]:
            import numpy as np

            answers = _checked(predictions, references)
            return {name: _MEASURES[name](list(predictions), answers)(np.arange(len(answers)))}

    return SmeltMetric(keep_in_memory=True)
