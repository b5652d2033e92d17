"""What a report draws: from its figures, as `report.json` holds them, to charts as plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.reporting.charts.base import Chart
from agents.reporting.charts.data import of_data
from agents.reporting.charts.pace import of_pace
from agents.reporting.charts.student import of_student

__all__ = ["Chart", "charts_of"]


def charts_of(report: Mapping[str, Any]) -> dict[str, Chart]:
    """Every chart that these figures allow, by the name of its place on the page."""
    facts = report.get("data") or report.get("inputs")
    pace = report.get("pace")
    return {
        **dict(of_student(report)),
        **(dict(of_data(facts)) if facts else {}),
        **(dict(of_pace(pace)) if pace else {}),
    }
