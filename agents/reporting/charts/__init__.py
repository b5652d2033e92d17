"""What a report draws: from its figures, as `report.json` holds them, to charts as plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.reporting.charts.base import Chart
from agents.reporting.charts.data import of_data
from agents.reporting.charts.pace import of_money, of_pace
from agents.reporting.charts.student import of_student

__all__ = ["Chart", "charts_of"]


def charts_of(report: Mapping[str, Any]) -> dict[str, Chart]:
    """Every chart that these figures allow, by the name of its place on the page.

    The figures are of a run, of inputs that were labelled, of rows that were curated, or of runs side by side.
    """
    facts = report if "kept" in report else report.get("data") or report.get("inputs")
    pace, money = report.get("pace"), report.get("money")
    return {
        **dict(of_student(report)),
        **(dict(of_data(facts)) if isinstance(facts, Mapping) else {}),
        **(dict(of_money(money)) if money else {}),
        **(dict(of_pace(pace)) if pace else {}),
    }
