"""A report as one HTML page that needs no network; every foreign string is data, escaped, freed of what is unseen."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from agents.reporting.charts import Chart, charts_of
from agents.reporting.drawing import Draw, drawer, harmless
from agents.reporting.stage_lines import stage_lines
from engine.dashboard.binding import named
from engine.text import visible

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["render_html", "shown"]

logger = logging.getLogger("agents.reporting.page")


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart as it stands on the page."""

    title: str
    svg: Markup


def render_html(report: Mapping[str, object], *, template: str = "report.html", draw: Draw | None = None) -> str:
    """The page, from what `report.json` or a comparison holds; with nothing to draw with, tables stand in for charts.

    Charts are drawn by what is installed, unless `draw` is given.
    """
    seen = shown(report)
    stages = stage_lines(seen["money"], seen.get("pace")) if "money" in seen else ()
    plots = _plots(charts_of(seen), draw or drawer())
    return _environment().get_template(template).render(seen, plots=plots, stages=stages)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(percent=_percent, named=named)
    return environment


def _plots(charts: Mapping[str, Chart], draw: Draw | None) -> dict[str, Plot]:
    if draw is None:
        return {}
    plots = ((name, _plot(name, chart, draw)) for name, chart in charts.items())
    return {name: plot for name, plot in plots if plot is not None}


def _plot(name: str, chart: Chart, draw: Draw) -> Plot | None:
    """None for what cannot be drawn: its table stands there all the same."""
    from markupsafe import Markup

    try:
        svg = harmless(draw(chart.drawn), name=f"plot-{name}", title=chart.title, about=chart.about)
    except ValueError as error:  # the library's own error for whatever it does not like
        logger.warning("the chart %r is left out of the report: %s", name, error)
        return None
    return Plot(chart.title, Markup(svg))  # noqa: S704  # made anew of shapes and escaped text


def _source(name: str) -> str:
    return (files("agents") / "templates" / name).read_text(encoding="utf-8")


def shown(value: Any) -> Any:
    """The same without characters that cannot be seen, some of which reverse or hide what stands beside them."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {shown(key): shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list | tuple) else value


def _percent(value: float, metric: str) -> float:
    """Where a score stands on a scale of 0 to 100; chrF++ has that scale already."""
    return value if metric == "chrF++" else 100 * value
