"""How good a student is, as charts: scores with intervals, what its confidence is worth, what more rows would bring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agents.evaluate.judgement import CALLED, Origin
from agents.reporting.charts.base import ROW, Chart, by_kind, distinct, names, spec

__all__ = ["of_student"]


def of_student(report: Mapping[str, Any]) -> Iterator[tuple[str, Chart]]:
    """The charts of whatever the student was judged on but the few demonstrations."""
    for judgement in report.get("judgements") or ():
        if judgement["on"] != "demonstrations":
            yield f"scores-{judgement['on']}", _scores(judgement)
            if (calibration := judgement.get("calibration")) and len(calibration["bins"]) > 1:
                yield f"confidence-{judgement['on']}", _confidence(calibration, judgement["on"])
    if growth := report.get("growth"):
        yield "growth", _growth(growth)


def _scores(judgement: Mapping[str, Any]) -> Chart:
    """Dots with intervals, the student's first."""
    judged = [judgement["student"], *judgement["baselines"]]
    called = distinct([each["name"] for each in judged])
    main = [each["scores"][0] for each in judged]
    top = 100 if main[0]["metric"] == "chrF++" else 1
    kinds = ["student", *("baseline" if each["is_baseline"] else "other" for each in judged[1:])]
    rows = [
        {"who": name, "value": score["value"], "low": score["low"], "high": score["high"], "kind": kind}
        for name, score, kind in zip(called, main, kinds, strict=True)
    ]
    told = "; ".join(f"{row['who']} {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})" for row in rows)
    colours = {"student": "var(--bar)", "baseline": "var(--soft)", "other": "var(--warn)"}
    shapes = {"student": "circle", "baseline": "square", "other": "diamond"}
    across = {"type": "quantitative", "title": main[0]["metric"], "scale": {"domain": [0, top]}}
    return Chart(
        f"Scores on the {CALLED[judgement['on']]}",
        f"{main[0]['metric']} with 95 % intervals: {told}.",
        spec(
            rows,
            height={"step": ROW + 4},
            encoding={
                "y": names("who"),
                "color": by_kind(colours),
            },
            layer=[
                {
                    "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55},
                    "encoding": {"x": {"field": "low", **across}, "x2": {"field": "high"}},
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                    "encoding": {
                        "x": {"field": "value", **across},
                        "shape": {**by_kind(shapes), "legend": None},
                    },
                },
            ],
        ),
    )  # fmt: skip


def _confidence(calibration: Mapping[str, Any], on: Origin) -> Chart:
    """How often it is right, against how sure it said to be; on the line the two are one."""
    rows = [{"said": each["confidence"], "right": each["right"], "rows": each["rows"]} for each in calibration["bins"]]
    share = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"format": "%"}}
    diagonal = [{"said": 0, "right": 0}, {"said": 1, "right": 1}]
    return Chart(
        f"What its confidence is worth on the {CALLED[on]}",
        "; ".join(f"{row['said']:.0%} sure, {row['right']:.0%} right of {row['rows']}" for row in rows) + ".",
        spec(
            rows,
            height=220,
            encoding={
                "x": {"field": "said", "title": "said", **share},
                "y": {"field": "right", "title": "right", **share},
            },
            layer=[
                {
                    "data": {"values": diagonal},
                    "mark": {"type": "line", "color": "var(--faint)", "strokeDash": [4, 4]},
                },
                {"mark": {"type": "line", "color": "var(--bar)"}},
                {
                    "mark": {"type": "point", "filled": True, "color": "var(--bar)", "opacity": 1},
                    "encoding": {"size": {"field": "rows", "type": "quantitative", "legend": None}},
                },
            ],
        ),
    )


def _growth(growth: Mapping[str, Any]) -> Chart:
    """Scores by the number of rows, each with its interval, and what is expected of twice as many."""
    points = [{**{name: each[name] for name in ("rows", "value", "low", "high")}, "kind": "measured"}
              for each in growth["points"]]  # fmt: skip
    twice = {**{name: growth["twice"][name] for name in ("rows", "value", "low", "high")}, "kind": "expected"}
    rows = [*points, twice]
    told = "; ".join(f"{row['rows']:,} rows {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})" for row in rows)
    across = {
        "field": "rows",
        "type": "quantitative",
        "title": "rows learnt from",
        "scale": {"type": "log", "nice": False},
        "axis": {"values": [row["rows"] for row in rows], "grid": False},
    }
    up = {"type": "quantitative", "title": growth["metric"], "scale": {"zero": False}}
    colours = {"measured": "var(--bar)", "expected": "var(--warn)"}
    return Chart(
        "What more rows would bring",
        f"{growth['metric']} with 95 % intervals: {told}; the last is expected.",
        spec(
            rows,
            height=220,
            encoding={"x": across, "color": by_kind(colours)},
            layer=[
                {
                    "mark": {"type": "line", "color": "var(--faint)", "strokeDash": [4, 4]},
                    "encoding": {"y": {"field": "value", **up}, "color": {"value": "var(--faint)"}},
                },
                {
                    "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.55},
                    "encoding": {"y": {"field": "low", **up}, "y2": {"field": "high"}},
                },
                {
                    "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
                    "encoding": {"y": {"field": "value", **up}},
                },
            ],
        ),
    )  # fmt: skip
