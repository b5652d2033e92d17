"""The grammar of all charts: bars, lines, names down the side, in Vega-Lite's words. Pure; nothing is drawn here.

Colours are the page's own variables, so that one picture serves light and dark. Foreign text is data in a chart, and
never part of an expression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ROW", "Chart", "Spec", "bars", "by_kind", "distinct", "line", "names", "spec"]

WIDTH = 460  # two stand side by side on a desk, and one can still be read on a telephone
ROW = 24  # of a bar or a dot with its label
LABEL = 150  # the most that a label may take; the rest of it stands in the table


Spec = dict[str, Any]

CONFIG: Spec = {
    "background": None,
    "view": {"stroke": None},
    "font": "sans-serif",
    "axis": {
        "labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 12, "titleFontSize": 12,
        "titleFontWeight": "normal", "gridColor": "var(--line)", "domainColor": "var(--line)",
        "tickColor": "var(--line)", "labelLimit": LABEL, "labelPadding": 7, "labelSeparation": 4,
    },
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "labelFontSize": 12, "orient": "top"},
    "rule": {"color": "var(--bar)"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: what it shows, in a heading and in a sentence for who cannot see it, and how it is drawn."""

    title: str
    about: str
    drawn: Mapping[str, object]


def bars(title: str, rows: Sequence[Mapping[str, Any]], *, unit: str, form: str = "~s") -> Chart:
    """A bar for each name, with its figure."""
    told = "; ".join(f"{row['name']} {row['value']:,.6g}" for row in rows)
    return Chart(
        title,
        f"{unit}: {told}.",
        spec(
            rows,
            height={"step": ROW},
            encoding={
                "y": names("name"),
                "x": {"field": "value", "type": "quantitative", "title": unit, "axis": {"format": form}},
            },
            layer=[{"mark": {"type": "bar", "color": "var(--fill)"}}],
        ),
    )


def line(
    title: str, across: Sequence[float], values: Sequence[float | None], *, form: str,
    floor: float | None = None, of: str = "generating requests",
) -> Chart:  # fmt: skip
    known = [value for value in values if value is not None]
    rows = [{"at": at, "value": value} for at, value in zip(across, values, strict=True)]
    return Chart(
        title,
        f"{title}, from {_figure(known[0], form)} to {_figure(known[-1], form)}; at least {_figure(min(known), form)}, "
        f"at most {_figure(max(known), form)}." if known else f"{title}: not known.",
        spec(
            rows,
            height=130,
            encoding={
                "x": {"field": "at", "type": "quantitative", "title": of, "axis": {"grid": False, "format": "~s"}},
                "y": {"field": "value", "type": "quantitative", "title": None, "axis": {"format": form, "tickCount": 4},
                      "scale": {"zero": floor is not None}},
            },
            layer=[{"mark": {"type": "line", "color": "var(--bar)", "strokeWidth": 2}}],
        ),
    )  # fmt: skip


def _figure(value: float, form: str) -> str:
    return f"{value:.0%}" if form == "%" else f"{value:,.3g}"


def spec(rows: Sequence[Mapping[str, Any]], **rest: Any) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": CONFIG,
        "data": {"values": list(rows)},
        **rest,
    }


def names(field: str) -> Spec:
    """Names down the side, in the order of the rows."""
    return {"field": field, "type": "nominal", "sort": None, "title": None, "axis": {"grid": False, "ticks": False}}


def by_kind(values: Mapping[str, str]) -> Spec:
    return {
        "field": "kind", "type": "nominal", "legend": None,
        "scale": {"domain": list(values), "range": list(values.values())},
    }  # fmt: skip


def distinct(names: Sequence[str]) -> list[str]:
    """The names, a number behind each that stood there before: of two of one name none may hide the other."""
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        seen[name] += 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told
