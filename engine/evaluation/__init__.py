"""How good answers are: a figure never without its interval. One file an idea.

Knows answers and right answers; who gave them is not its business.
"""

from __future__ import annotations

from engine.evaluation.as_metric import metric
from engine.evaluation.calibration import (
    Bin,
    Calibration,
    Threshold,
    as_typed,
    calibrate,
    read_calibration,
    write_calibration,
)
from engine.evaluation.growth import Forecast, forecast
from engine.evaluation.intervals import COVERAGE, RESAMPLES, Measure, wilson
from engine.evaluation.labels import Confusion, LabelScore, confusion, label_scores, wanted_labels
from engine.evaluation.matching import Leeway, labels_in
from engine.evaluation.meaning import bert_scores
from engine.evaluation.metrics import METRICS, PLAIN, Kind, Score, Terms, is_share, measure_of, rightness, score, top
from engine.evaluation.paired import Difference, Gap, better, gap

__all__ = [
    "COVERAGE",
    "METRICS",
    "PLAIN",
    "RESAMPLES",
    "Bin",
    "Calibration",
    "Confusion",
    "Difference",
    "Forecast",
    "Gap",
    "Kind",
    "LabelScore",
    "Leeway",
    "Measure",
    "Score",
    "Terms",
    "Threshold",
    "as_typed",
    "bert_scores",
    "better",
    "calibrate",
    "confusion",
    "forecast",
    "gap",
    "is_share",
    "label_scores",
    "labels_in",
    "measure_of",
    "metric",
    "read_calibration",
    "rightness",
    "score",
    "top",
    "wanted_labels",
    "wilson",
    "write_calibration",
]
