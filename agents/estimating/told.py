"""An estimate in words: a few lines that fit eighty columns, and the table of budgets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from shlex import quote

from agents.estimating.estimate import Estimate
from agents.estimating.expected import Between
from engine.prices import PICO_PER_USD, dollars

__all__ = ["facts_told", "next_told", "pilot_told", "table_told", "time_told"]


def pilot_told(estimate: Estimate) -> str:
    """What was done to find out, and what it cost."""
    pilot = estimate.pilot
    simulated = " simulated" if estimate.simulated else ""
    brought = f"{pilot.rows:,} {estimate.what}"
    return (
        f"pilot: {pilot.calls:,} calls brought {brought} in {time_told(pilot.seconds)} for {_usd(pilot.usd)}{simulated}"
    )


def facts_told(estimate: Estimate) -> dict[str, str]:
    """What the whole comes to, by name: the middle of the forecasts, and where nine in ten of them lie."""
    told = {"rows": _rows_told(estimate)}
    told["cost"] = "nothing" if estimate.is_free else _interval(estimate.usd, _usd)
    told["time"] = _interval(estimate.seconds, time_told)
    if estimate.training_s:
        told["time"] += f"; then at most {time_told(estimate.training_s)} of training"
    told["calls"] = _interval(estimate.calls, _count)
    return told


def _rows_told(estimate: Estimate) -> str:
    if estimate.rows.low >= estimate.wanted:
        return f"all {estimate.wanted:,}"
    return f"{_interval(estimate.rows, _count)}, of {estimate.wanted:,} wanted"


def table_told(estimate: Estimate) -> list[dict[str, str]]:
    """What budgets bring."""
    return [
        {
            "budget": _usd(each.usd),
            estimate.what: _count(each.rows.middle),
            "nine in ten lie between": f"{_count(each.rows.low)} and {_count(each.rows.high)}",
        }
        for each in estimate.table
    ]


def next_told(estimate: Estimate) -> Iterator[str]:
    """What to do with it."""
    folder = quote(estimate.folder)
    suffices = estimate.is_free or (estimate.budget is not None and estimate.reaches >= 0.95)
    budget = "" if suffices else f" --budget {estimate.needed_usd}"
    yield f"to carry it out, the pilot paid already: smelt resume {folder}{budget}"


def _interval(each: Between, told: Callable[[float], str]) -> str:
    middle, low, high = told(each.middle), told(each.low), told(each.high)
    return middle if low == high else f"{middle} ({low} to {high})"


def _usd(usd: float) -> str:
    return dollars(round(usd * PICO_PER_USD))


def _count(number: float) -> str:
    return f"{number:,.0f}"


def time_told(seconds: float) -> str:
    """As people say it: 8 s, 4 min, 2.5 h, 3 days."""
    for most, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h")):
        if seconds < most:
            amount = seconds / unit
            return f"{amount:.1f} {name}" if name == "h" and amount < 10 else f"{amount:.0f} {name}"
    return f"{seconds / 86400:.1f} days"
