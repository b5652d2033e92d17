"""The time and the money of a run as charts: by stage, and minute by minute with what held it up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.reporting.charts.base import Chart, bars, spec
from engine.dashboard.binding import named

__all__ = ["of_money", "of_pace"]

TEACHER = named("lack of work")

# What holds a run up, by whose it is; each has its colour and, for who sees none, its place and its name.
COLOURS = {
    "limits": "var(--warn)",
    "money": "var(--bad)",
    "concurrency": "var(--bar)",
    "provider": "var(--soft)",
    "this machine": "var(--good)",
    TEACHER: "var(--faint)",
}
KINDS = {
    "money": "money", "concurrency": "concurrency", "provider weather": "provider", "batches": "provider",
    "straggler": "provider", "CPU": "this machine", "slow consumer": "this machine",
    "lack of work": TEACHER, "": TEACHER,
}  # fmt: skip

FAR = 10  # times as many as are in flight: a line up there would press these to the ground


def of_money(money: Mapping[str, Any]) -> Iterator[tuple[str, Chart]]:
    """Dollars by stage, where more than one was charged."""
    charged = [{"name": each["stage"], "value": each["usd"]} for each in money["stages"] if each["usd"]]
    if len(charged) > 1:
        yield "stage-usd", bars("Cost by stage", charged, unit="USD", form="$~r")


def of_pace(pace: Mapping[str, Any]) -> Iterator[tuple[str, Chart]]:
    """Seconds by stage and by what held the next request up; requests a minute; calls in flight."""
    stages = [{"name": name, "value": seconds} for name, seconds in pace["stages"].items() if seconds]
    if stages:
        yield "stage-seconds", bars("Time by stage", stages, unit="seconds")
    bound = [{"name": named(name), "value": seconds} for name, seconds in pace["bound"].items()]
    if bound:
        yield "bound", bars("What held the next request up", bound, unit="seconds")
    if len(pace["moments"]) > 1:
        yield "requests", _requests(pace["moments"])
        yield "in-flight", _in_flight(pace["moments"])


def _requests(moments: Sequence[Mapping[str, Any]]) -> Chart:
    """A bar a moment, coloured by what held it up, with a mark over those that met a 429."""
    rows = [
        {
            "from": at,
            "to": at + each["minutes"],
            "rate": each["requests_per_minute"],
            "kind": KINDS.get(each["bound_by"], "limits"),
            "limits_met": each["limits_met"],
        }
        for at, each in zip(_ends(moments), moments, strict=True)
    ]
    seen = [kind for kind in COLOURS if any(row["kind"] == kind for row in rows)]
    most = max(row["rate"] for row in rows)
    met = sum(row["limits_met"] for row in rows)
    up = {"type": "quantitative", "title": "requests a minute", "axis": {"format": ",.0f", "tickCount": 4}}
    return Chart(
        "Requests a minute, by what held them up" + ("; a triangle is a 429" if met else ""),
        f"At most {most:,.0f} requests a minute over {_minutes(moments)}, {met:,} times too fast (429); "
        f"held up by {', '.join(seen)}.",
        spec(
            rows,
            height=150,
            encoding={"x": _minute("from")},
            layer=[
                {
                    "mark": {"type": "bar"},
                    "encoding": {
                        "x2": {"field": "to"},
                        "y": {"field": "rate", **up},
                        "y2": {"datum": 0},
                        "color": {
                            "field": "kind", "type": "nominal", "title": None,
                            "scale": {"domain": seen, "range": [COLOURS[kind] for kind in seen]},
                            "legend": {"columns": 3},
                        },
                    },
                },
                *([_marks(up)] if met else []),
            ],
        ),
    )  # fmt: skip


def _marks(up: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "transform": [{"filter": {"field": "limits_met", "gt": 0}}],
        "mark": {"type": "point", "shape": "triangle-down", "filled": True, "color": "var(--bad)", "yOffset": -6},
        "encoding": {"y": {"field": "rate", **up}},
    }


def _in_flight(moments: Sequence[Mapping[str, Any]]) -> Chart:
    """Calls in flight as an area, under the line of as many as were allowed, unless that is far beyond them."""
    rows = [
        {"from": at, "in flight": each["in_flight"], "allowed": each["allowed"]}
        for at, each in zip(_ends(moments), moments, strict=True)
    ]
    up = {"type": "quantitative", "title": "calls", "axis": {"tickCount": 4}}
    most, allowed = max(row["in flight"] for row in rows), max(row["allowed"] for row in rows)
    is_near = allowed <= FAR * most
    return Chart(
        "Calls in flight, " + ("under the line of those allowed" if is_near else f"of at most {allowed:,.0f}"),
        f"At most {most:,.1f} calls in flight in the mean of a moment, where at most {allowed:,.0f} were allowed.",
        spec(
            rows,
            height=150,
            encoding={"x": _minute("from")},
            layer=[
                {
                    "mark": {"type": "area", "color": "var(--fill)", "interpolate": "step-after"},
                    "encoding": {"y": {"field": "in flight", **up}},
                },
                *([_allowed(up)] if is_near else []),
            ],
        ),
    )


def _allowed(up: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mark": {"type": "line", "color": "var(--soft)", "interpolate": "step-after"},
        "encoding": {"y": {"field": "allowed", **up}},
    }


def _ends(moments: Sequence[Mapping[str, Any]]) -> list[float]:
    """Where each begins, sittings one after another."""
    begins, over, sitting, end = [], 0.0, moments[0]["sitting"], 0.0
    for each in moments:
        if each["sitting"] != sitting:
            over, sitting = end, each["sitting"]
        begins.append(round(over + each["minute"], 4))
        end = begins[-1] + each["minutes"]
    return begins


def _minutes(moments: Sequence[Mapping[str, Any]]) -> str:
    return f"{_ends(moments)[-1] + moments[-1]['minutes']:,.1f} minutes of asking"


def _minute(field: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": "minutes", "axis": {"grid": False, "format": "~g"}}
