"""A data set as charts: balance, what was left out, agreement, lengths, and how making it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.reporting.charts.base import ROW, Chart, bars, distinct, line, names, spec

__all__ = ["of_data"]

MOST_BARS = 20


def of_data(facts: Mapping[str, Any]) -> Iterator[tuple[str, Chart]]:
    """The charts of a data set that was made, of inputs that were labelled, or of rows that were curated."""
    rows = next(facts[name] for name in ("accepted", "labelled", "kept") if name in facts)
    if facts["balance"] and rows:
        yield "balance", _balance(facts, rows)
    left_out = facts.get("rejected") or facts.get("unlabelled")
    if left_out:
        yield "rejected", _rejected(left_out)
    if sum(facts.get("agreements") or ()):
        yield "agreement", _agreement(facts["agreements"])
    for what in ("input", "output"):
        if (lengths := facts.get(f"{what}_lengths")) and len(lengths["bins"]) > 1:
            yield f"{what}-lengths", _lengths(lengths, what)
    if len(course := facts.get("course") or ()) > 1:
        yield from _of_course(course)


def _balance(facts: Mapping[str, Any], rows: int) -> Chart:
    """Each answer's share of the rows as a bar; a mark where it was wanted to be, or is among the anchors."""
    anchors, shown = facts["anchors"], facts["balance"][:MOST_BARS]
    called = distinct([each["answer"] for each in shown])
    wanted = any(each.get("wanted") is not None for each in shown)
    marks = [each.get("wanted") if wanted else each["anchors"] / anchors if anchors else None for each in shown]
    shares = [
        {"answer": name or "(nothing)", "share": each["rows"] / rows, "mark": mark}
        for name, each, mark in zip(called, shown, marks, strict=True)
    ]
    marked = "wanted" if wanted else f"of {anchors:,} anchors"
    told = "; ".join(
        f"{bar['answer']} {bar['share']:.0%}" + ("" if bar["mark"] is None else f" ({marked} {bar['mark']:.0%})")
        for bar in shares
    )
    across = {"type": "quantitative", "title": "share of the rows", "axis": {"format": "%"}}
    marks_drawn = (
        [
            {
                "transform": [{"filter": {"field": "mark", "valid": True}}],
                "mark": {"type": "tick", "color": "var(--ink)", "thickness": 2, "size": ROW - 6},
                "encoding": {"x": {"field": "mark", **across}},
            }
        ]
        if any(mark is not None for mark in marks)
        else []
    )
    return Chart(
        "The answers" + (f", with a mark at the share {marked}" if marks_drawn else ""),
        f"{told}.",
        spec(
            shares,
            height={"step": ROW},
            encoding={"y": names("answer")},
            layer=[
                {"mark": {"type": "bar", "color": "var(--fill)"}, "encoding": {"x": {"field": "share", **across}}},
                *marks_drawn,
            ],
        ),
    )  # fmt: skip


def _rejected(reasons: Mapping[str, int]) -> Chart:
    rows = [{"name": name, "value": value} for name, value in zip(distinct(list(reasons)), reasons.values(),
                                                                  strict=True)][:MOST_BARS]  # fmt: skip
    return bars("What was left out, and why", rows, unit="rows")


def _agreement(agreements: Sequence[int]) -> Chart:
    called = [*(f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}" for tenth in range(10)), "all agree"]
    rows = [{"name": name, "value": inputs} for name, inputs in zip(called, agreements, strict=True) if inputs]
    return bars("How much the votes agree", rows, unit="inputs")


def _lengths(lengths: Mapping[str, Any], what: str) -> Chart:
    bins = lengths["bins"]
    width = bins[0]["high"]
    rows = [{"low": each["low"], "high": each["low"] + width, "rows": each["rows"]} for each in bins]
    end = bins[-1]
    last = "" if end["high"] is not None else f"; the last bar is of {end['low']:,} and more"
    return Chart(
        f"How long the {what}s are",
        f"Characters, {lengths['median']:,} in the median, {lengths['longest']:,} at most{last}.",
        spec(
            rows,
            height=160,
            encoding={
                "x": {"field": "low", "type": "quantitative", "bin": {"binned": True, "step": width},
                      "title": f"characters{last}", "axis": {"format": "~s", "grid": False}},
                "x2": {"field": "high"},
                "y": {"field": "rows", "type": "quantitative", "title": "rows"},
            },
            layer=[{"mark": {"type": "bar", "color": "var(--fill)"}}],
        ),
    )  # fmt: skip


def _of_course(course: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Chart]]:
    """How making rows went, by the number of the request."""
    ends, at = [], 0
    for each in course:
        at += each["requests"]
        ends.append(at)
    heats = [each["temperature"] for each in course]
    if any(heat is not None for heat in heats):
        yield "temperature", line("Temperature", ends, heats, form=".2f")
    kept = [each["kept"] / each["asked"] if each["asked"] else None for each in course]
    yield "yield", line("Rows kept, of inputs asked for", ends, kept, form="%", floor=0)
    repeats = [each["repeats"] / each["asked"] if each["asked"] else None for each in course]
    yield "repeats", line("Duplicates, of inputs asked for", ends, repeats, form="%", floor=0)
    usd = [1000 * each["usd"] / each["kept"] if each["kept"] else None for each in course]
    if any(usd):
        yield "cost", line("USD for a thousand rows", ends, usd, form="$.2~f", floor=0)
