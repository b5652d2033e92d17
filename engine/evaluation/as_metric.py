"""Our metrics in the interface of the package `evaluate`: no download, no row on disk."""

from __future__ import annotations

from typing import Any

from engine.errors import UserError
from engine.evaluation.metrics import METRICS, PLAIN, Terms, checked, measure_of

__all__ = ["metric"]


def metric(name: str, *, terms: Terms = PLAIN) -> Any:
    """One of `METRICS` as an `evaluate.Metric`, for whatever works with those: no download, no row on disk.

        metric("chrF++").compute(predictions=["a b"], references=[["a b"]])  # {"chrF++": 100.0}

    A row's references are a list of right answers. It combines with others in `evaluate.combine`. `terms` has the
    leeway of numbers and dates, and the encoder that BERTScore needs.
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

            answers = checked(predictions, references)
            return {name: measure_of(name, predictions, answers, terms=terms)(np.arange(len(answers)))}

    return SmeltMetric(keep_in_memory=True)
