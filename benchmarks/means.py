"""The means of runs that were measured in the same way."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["mean", "means"]


def mean(runs: Sequence[DataclassInstance], name: str) -> float:
    return statistics.mean(float(getattr(run, name)) for run in runs)


def means(runs: Sequence[DataclassInstance]) -> dict[str, float]:
    """Of every figure that a run has."""
    return {field.name: round(mean(runs, field.name), 4) for field in fields(runs[0])}
