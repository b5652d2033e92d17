"""The lines of the picture, each about one thing: pure.

A line takes the longest way of saying it that fits. All text is drawn as it is, never as markup, and cleaned first.
Words are in the terminal's own ink, since yellow and green can hardly be read on white; bars and marks have colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, repeat

from engine.dashboard.bars import SOLID, chart, gauge, resampled, spark
from engine.dashboard.binding import bound_by, situation_of, use_of
from engine.dashboard.picture import Strip
from engine.dashboard.timing import Left
from engine.dashboard.view import Curve, Stage, View, Weights
from engine.dashboard.words import (
    count,
    forecast_told,
    left_told,
    per_row,
    rejections,
    savings_told,
    shares_told,
    short_count,
)
from engine.events import RowAccepted
from engine.prices import dollars, in_full
from engine.statistics import ModelStatistics, Statistics, WorkerStatistics
from engine.text import clean

__all__ = [
    "LABEL",
    "binding_lines",
    "call_lines",
    "charts",
    "curve_lines",
    "examples",
    "facts_line",
    "line",
    "models_line",
    "money_lines",
    "notes",
    "progress_line",
    "rows_line",
    "stage_line",
    "title",
    "weight_lines",
    "weights_line",
    "worker_lines",
]

LABEL = 9  # cells of the names on the left
LONGEST = 400  # characters of any one text: more than the widest terminal shows
LEAST_BAR, LEAST_SPARK = 8, 6
MOST_SPARK = 60
MOST_WORKERS = 6  # that have a line each
MARKS: Mapping[str, tuple[str, str]] = {
    "done": ("✓", "green"), "now": ("●", "cyan"), "to come": ("○", "dim"),
}  # fmt: skip
INK: Mapping[str, str] = {"now": "bold", "to come": "dim"}


def line(label: str, content: Strip | str = "") -> Strip:
    return Strip((f"{clean(label, LABEL - 1):<{LABEL}}", "bold"), content)


def fitting(cells: int, *ways: str) -> str:
    """The first way of saying it that fits, else the last."""
    return next((way for way in ways if len(way) <= cells), ways[-1])


def title(view: View, inner: int) -> Strip:
    """Which run it is and who teaches; that a teacher is simulated before its name, which may be long."""
    name = clean(view.title, max(8, min(40, inner // 3)))
    badge = [("  ", "bold"), (" simulated teacher ", "bold reverse")] if view.simulated else []
    return Strip((name, "bold"), *badge, (f"  {clean(view.model, 60)}", "bold"))


def stage_line(stages: Sequence[Stage], inner: int) -> Strip:
    """All stages with their marks; where they do not fit, the one at work and how many are done."""
    marked = [Strip(MARKS[each.state], (f" {clean(each.name, 20)}", INK.get(each.state, ""))) for each in stages]
    told = Strip.joined("  ", marked)
    if told.cells <= inner:
        return told
    done = sum(each.state == "done" for each in stages)
    now = next((each for each in reversed(stages) if each.state == "now"), None)
    name = "" if now is None else f"● {clean(now.name, 20)}, "
    return Strip((f"{name}{done} of {len(stages)} stages done", "bold"))


def progress_line(view: View, inner: int) -> list[Strip]:
    """The stage at work; between stages, what came of the last one."""
    if (stage := view.current) is None:
        finished = [stage for stage in view.stages if stage.state == "done" and stage.summary]
        return [line(stage.name, clean(stage.summary, LONGEST)) for stage in finished[-1:]]
    left = None if view.is_over else stage.left(view.now_s)
    return [line(stage.name, _bar(stage, left, inner - LABEL))]


def _bar(stage: Stage, left: Left | None, cells: int) -> Strip:
    unit = f" {clean(stage.unit, 16)}" if stage.unit else ""
    if not stage.total:
        return Strip(f"{count(stage.done)}{unit}" if stage.done else "at work")
    of, short = f" {count(stage.done)} of {count(stage.total)}", f" {count(stage.done)}/{count(stage.total)}"
    until = "" if left is None else f", {left_told(left)}"
    about = "" if left is None else f", {left_told(Left(left.middle, left.middle, left.middle))}"
    words = fitting(cells - LEAST_BAR, f"{of}{unit}{until}", f"{of}{until}", f"{short}{about}", short)
    bar = gauge([(stage.done, SOLID, "cyan")], stage.total, max(0, cells - len(words)))
    return Strip(bar, words)


def facts_line(stage: Stage | None, curves: Mapping[str, Curve], inner: int) -> list[Strip]:
    """The figures of the stage at work, with the course of those that have one, as many as fit."""
    facts = () if stage is None else stage.facts
    parts = [Strip(f"{clean(name, 30)} {clean(value, 40)}") for name, value in facts if name not in curves]
    spare = inner - LABEL - sum(part.cells + 3 for part in parts)
    room = spare // max(1, len(curves))
    for name, curve in curves.items():
        words = f"{clean(name, 30)} ", f" {_value(curve)}"
        cells = min(MOST_SPARK, room - 3 - sum(map(len, words)), len(curve.values))
        course = spark(resampled(curve.values, cells), cells) if cells >= LEAST_SPARK else Strip()
        parts.append(Strip(words[0], course, words[1] if course else words[1].lstrip()))
    return [line("", Strip.joined("   ", parts))] if parts else []


def curve_lines(curves: Mapping[str, Curve], cells: int) -> list[Strip]:
    """A line for each figure that has a course: name, course, value."""
    width = max((len(clean(name, 16)) for name in curves), default=0)
    lines = []
    for name, curve in curves.items():
        value = _value(curve)
        room = min(MOST_SPARK, cells - width - len(value) - 2)
        course = spark(resampled(curve.values, room), room) if room >= LEAST_SPARK else Strip()
        lines.append(Strip((f"{clean(name, 16):<{width}} ", "bold"), course, f" {value}"))
    return lines


def charts(curves: Mapping[str, Curve], cells: int, room: int) -> list[Strip]:
    """The courses one below the other, as high as there is room; none where there is not."""
    if not curves or room < 3 * len(curves):
        return []
    height = min(8, room // len(curves) - 1)
    lines = []
    for name, curve in curves.items():
        lines += [line("", row) for row in chart(curve.values, cells, height)]
        ends = f"{_told(curve, curve.values[0])} at first, {_value(curve)} now" if curve.values else _value(curve)
        lines.append(line("", Strip((clean(name, 30), "bold"), (f" {ends}", "dim"))))
    return lines


def _value(curve: Curve) -> str:
    return _told(curve, curve.latest)


def _told(curve: Curve, value: float) -> str:
    return f"{100 * value:.0f} %" if curve.is_share else f"{value:.3g}"


def weights_line(weights: Mapping[str, Weights], inner: int) -> list[Strip]:
    """What there is of each part against what is wanted, the one that lacks most first, as many as fit."""
    lines = []
    for name, parts in weights.items():
        told = ", ".join(f"{clean(part, 24)} {count(has)}/{count(wanted)}" for part, has, wanted in _lacking(parts))
        lines.append(line(name, clean(told, max(8, inner - LABEL))))
    return lines


def weight_lines(weights: Mapping[str, Weights], cells: int, room: int) -> list[Strip]:
    """A line for each part, with a bar; where there is no room for all, how many more there are."""
    lines = []
    for name, parts in weights.items():
        most = max(1, room // len(weights) - 2)
        shown = _lacking(parts)[:most]
        more = f", and {count(len(parts) - len(shown))} more" if len(parts) > len(shown) else ""
        lines.append(Strip((f"{clean(name, 30)}, of what is wanted{more}", "bold")))
        lines += [_weighed(part, has, wanted, cells) for part, has, wanted in shown]
    return lines


def _weighed(part: str, has: int, wanted: float, cells: int) -> Strip:
    name = Strip(clean(part, LONGEST)).fitted(min(20, cells // 3), pad=True)
    words = f" {count(has)}/{count(wanted)}"
    bar = gauge([(has, SOLID, "cyan")], round(wanted), max(0, cells - name.cells - 1 - len(words)))
    return Strip(name, " ", bar, words)


def _lacking(parts: Weights) -> list[tuple[str, int, float]]:
    """Those that lack the greatest share of what is wanted of them first."""
    return sorted(parts, key=lambda each: each[1] / each[2] if each[2] > 0 else 1.0)


def rows_line(view: View, inner: int) -> Strip:
    told = f"{count(view.accepted)} accepted, {count(view.rejected.total())} rejected"
    if len(told) > inner - LABEL:
        told = f"{count(view.accepted)} kept, {count(view.rejected.total())} not"
    reasons = f": {rejections(view.rejected)}" if view.rejected else ""
    return line("rows", Strip(told, (reasons, "dim")))


def money_lines(view: View, figures: Statistics, inner: int) -> list[Strip]:
    """What is gone and what is set aside; what a row costs and all will; what stages have of it and what was saved."""
    row, forecast = per_row(view, figures), forecast_told(view, figures)
    price = [f"{dollars(row)} a row"] if row is not None else []
    price += [forecast] if forecast else []
    beside = [text for text in (shares_told(figures), savings_told(figures)) if text]
    told = [", ".join(price), ", ".join(beside)]
    return [
        line("money", _charged(figures, inner - LABEL)),
        *(line("", Strip((text, "dim"))) for text in told if text),
    ]


def _charged(figures: Statistics, cells: int) -> Strip:
    spent, reserved, assumed, cap = figures.spent, figures.reserved, figures.assumed, figures.cap
    words = f"{dollars(spent)} spent, {dollars(reserved)} reserved, {dollars(assumed)} assumed"
    gone = dollars(spent + assumed)
    if cap is None:
        return Strip(fitting(cells, words, f"{gone} spent"))
    ways = f" {words} of {in_full(cap)}", f" {gone} of {in_full(cap)} gone", f" {gone}/{in_full(cap)}"
    words = fitting(cells - LEAST_SPARK, *ways)
    parts = [(spent, SOLID, "green"), (assumed, "╍", "yellow"), (reserved, "┅", "blue")]
    return Strip(gauge(parts, cap, max(0, cells - len(words))), words)


def call_lines(view: View, figures: Statistics | None, inner: int) -> list[Strip]:
    """Requests and tokens a minute against their limits, each with its course; calls in flight, and how long they take.

    Seconds in which the provider said that we were too fast (429) are crossed.
    """
    cells, traffic = inner - LABEL, view.traffic
    rates = traffic.rates(view.now_s)
    use = {} if figures is None else use_of(figures.limits, rates)
    refused = f"{count(traffic.refused)} × 429"
    sent = f"{count(rates.sent)} a minute"
    requests = fitting(cells - LEAST_SPARK, f" {sent}{_of(use, 'requests')}, {refused}", f" {sent}, {refused}")
    came = f" {short_count(rates.input_tokens)} in{_part(use, 'input tokens')}, "
    went = f"{short_count(rates.output_tokens)} out{_part(use, 'output tokens')} a minute{_of(use, 'tokens')}"
    tokens = [came + went, f" {short_count(rates.input_tokens + rates.output_tokens)} a minute"]
    top = use["requests"][1] / 60 if "requests" in use else None
    return [
        line("requests", _course(view, "sent", requests, cells, top=top)),
        line("tokens", _course(view, "output_tokens", fitting(cells - LEAST_SPARK, *tokens), cells)),
        line("calls", _calls(view, figures, cells)),
    ]


def _course(view: View, name: str, words: str, cells: int, *, top: float | None = None) -> Strip:
    room = min(MOST_SPARK, cells - len(words))
    if room < LEAST_SPARK:
        return Strip(words.lstrip())
    course = view.traffic.curve(name, room)
    marks = [crossed for _, crossed in course] if name == "sent" else ()
    return Strip(spark([value for value, _ in course], room, top=top, marks=marks), words)


def _of(use: Mapping[str, tuple[float, float]], name: str) -> str:
    return f", {100 * use[name][0]:.0f} % of {count(use[name][1])}" if name in use else ""


def _part(use: Mapping[str, tuple[float, float]], name: str) -> str:
    return f" ({100 * use[name][0]:.0f} % of {short_count(use[name][1])})" if name in use else ""


def _calls(view: View, figures: Statistics | None, cells: int) -> str:
    traffic = view.traffic
    in_flight = ""
    if figures is not None:
        alone, batched = figures.in_flight - figures.in_batches, figures.in_batches
        is_free = figures.binding == "lack of work"  # then it does not matter how many there might be
        in_flight = f"{count(alone)}{'' if is_free else f' of {count(figures.allowed)}'} in flight, "
        in_flight += f"{count(batched)} in batches, " if batched else ""
    half, most = traffic.latency(0.5), traffic.latency(0.95)
    took = "" if half is None or most is None else f"p50 {half:.2g} s, p95 {most:.2g} s, "
    retried = f"{count(traffic.retries)} retried, "
    replies = f"{count(traffic.replies)} replies"
    stored = f", {count(traffic.from_journal)} from the journal" if traffic.from_journal else ""
    return fitting(
        cells, f"{in_flight}{took}{retried}{replies}{stored}", f"{in_flight}{took}{replies}", f"{in_flight}{replies}"
    )


def binding_lines(view: View, figures: Statistics | None, inner: int) -> list[Strip]:
    """What binds, and what would help: in one line, or in two where one has no room."""
    if view.is_over:
        return []
    bound = bound_by(situation_of(view, figures))
    if len(bound.told()) <= inner - 2:
        return [_marked(bound.what, bound.told())]
    first = fitting(inner - 2, bound._replace(helps="").told(), bound.what)
    return [_marked(bound.what, first), *([Strip((f"  {bound.helps}", "dim"))] if bound.helps else [])]


def _marked(what: str, told: str) -> Strip:
    return Strip(("▸ ", "bold"), (what, "bold"), told.removeprefix(what))


def models_line(models: Sequence[ModelStatistics]) -> list[Strip]:
    """How much each has answered and who is not asked just now, where there are several."""
    standings = (f" ({each.standing})" if each.standing != "asked" else "" for each in models)
    told = (
        f"{clean(each.model, 40)} {count(each.replies + each.from_journal)}{standing}"
        for each, standing in zip(models, standings, strict=True)
    )
    return [line("models", Strip(", ".join(told)))] if len(models) > 1 else []


def worker_lines(workers: Sequence[WorkerStatistics], inner: int) -> list[Strip]:
    """A line for each worker of a fleet that is there, the busiest first; how many there are, and have gone."""
    there = sorted((each for each in workers if each.standing != "gone"), key=lambda each: -each.requests_a_minute)
    if not workers:
        return []
    gone = len(workers) - len(there)
    told = f"{count(len(there))}{f', {count(gone)} gone' if gone else ''}"
    more = len(there) - MOST_WORKERS
    beyond = [line("", Strip((f"and {count(more)} more", "dim")))] if more > 0 else []
    return [line("workers", told), *(_worker_line(each, inner) for each in there[:MOST_WORKERS]), *beyond]


def _worker_line(worker: WorkerStatistics, inner: int) -> Strip:
    standing = "" if worker.standing == "asking" else f"{worker.standing}, "
    rate = f"{standing}{count(worker.requests_a_minute)} a minute, {count(worker.in_flight)} in flight"
    money = f"{dollars(worker.cost)} spent"
    place = clean(worker.node, 60)
    words = fitting(inner - LABEL, f"{rate}, {money}, on {place}", f"{rate}, {money}", rate)
    return line(worker.name, Strip((words, "dim")))


def examples(rows: Sequence[RowAccepted], inner: int, *, label: str) -> list[Strip]:
    """Rows as input and answer, a line each."""
    inputs = [Strip(clean(row.input, LONGEST)) for row in rows]
    widest = (inner - LABEL - 3) * 3 // 5
    width = min(widest, max((text.cells for text in inputs), default=0))
    lines = []
    for name, given, row in zip(_labels(label), inputs, rows, strict=False):
        answer = (" → ", "dim"), (clean(row.output, LONGEST), "bold")
        lines.append(line(name, Strip(given.fitted(width, pad=True), *answer)))
    return lines


def notes(texts: Sequence[str]) -> list[Strip]:
    return [line(label, clean(text, LONGEST)) for label, text in zip(_labels("notes"), texts, strict=False)]


def _labels(first: str) -> Iterator[str]:
    """A label for the first line of a group, none for the others."""
    return chain([first], repeat(""))
