"""A view, drawn: pure, for any width and height from a small terminal up.

All text is drawn as it is, never as markup, and cleaned first: rows and notes come from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import TypeVar

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from engine.dashboard.view import Stage, View
from engine.dashboard.words import clock_time, count, held_up_by, rejections, savings_told, shares_told
from engine.events import RowAccepted
from engine.prices import dollars, in_full
from engine.statistics import ModelStatistics, Statistics
from engine.text import clean

__all__ = ["render"]

T = TypeVar("T")

_LABEL_WIDTH = 9
_MOST_EXAMPLES, _MOST_NOTES = 24, 3
_LONGEST = 400  # characters of any one text: more than the widest terminal shows


def render(view: View, figures: Statistics | None, *, width: int, height: int) -> RenderableType:
    """The whole picture, at most `height` lines of `width` cells; examples and notes give way first."""
    inner = max(20, width - 4)
    lines = [
        _stage_line(view.stages),
        Text(),
        *_progress(view, inner),
        _line("rows", _rows(view)),
        *(_money(figures, inner) if figures is not None else []),
        _line("calls", _calls(view, figures)),
        *(_models(figures.by_model) if figures is not None else []),
    ]
    lines += _foreign(view, inner, room=height - 2 - len(lines))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Panel(
        Group(*lines[: max(1, height - 2)]),
        title=_title(view),
        subtitle=Text(clock_time(view.elapsed_s), style="dim"),
        title_align="left",
        subtitle_align="right",
        box=ROUNDED,
        border_style="dim",
        width=width,
    )


def _title(view: View) -> Text:
    title = Text.assemble((clean(view.title, 40), "not dim bold"), "  ", (clean(view.model, 40), "not dim cyan"))
    if view.simulated:
        title.append("  ").append(" simulated teacher ", style="not dim bold black on yellow")
    return title


def _stage_line(stages: Sequence[Stage]) -> Text:
    marks = {"done": ("✓ ", "green"), "now": ("● ", "bold cyan"), "to come": ("○ ", "dim")}
    line = Text()
    for stage in stages:
        mark, style = marks[stage.state]
        line.append(mark, style=style).append(clean(stage.name, 20), style=style).append("  ")
    line.rstrip()
    return line


def _progress(view: View, inner: int) -> list[Text]:
    """The stage at work; between stages, what came of the last one."""
    if (stage := view.current) is None:
        finished = [stage for stage in view.stages if stage.state == "done" and stage.summary]
        return [_line(stage.name, Text(clean(stage.summary, _LONGEST))) for stage in finished[-1:]]
    facts = ", ".join(f"{clean(name, 30)} {clean(value, 40)}" for name, value in stage.facts)
    return [
        _line(stage.name, _bar(stage, view.now_s, inner)),
        *([_line("", Text(facts, style="dim"))] if facts else []),
    ]


def _bar(stage: Stage, now: float, inner: int) -> Text:
    unit = f" {clean(stage.unit, 16)}" if stage.unit else ""
    if not stage.total:
        return Text(f"{count(stage.done)}{unit}" if stage.done else "at work")
    left = stage.seconds_left(now)
    words = f" {count(stage.done)} of {count(stage.total)}{unit}"
    words += f", {clock_time(left)} left" if left is not None else ""
    return Text.assemble(_gauge([(stage.done, "cyan")], stage.total, max(8, inner - _LABEL_WIDTH - len(words))), words)


def _gauge(parts: Sequence[tuple[int, str]], whole: int, cells: int) -> Text:
    """A bar of `cells` cells: each part in its colour, the rest dim."""
    bar, filled, total = Text(), 0, 0
    for amount, style in parts:
        total += amount
        end = min(cells, total * cells // whole) if whole else 0
        bar.append("━" * (end - filled), style=style)
        filled = end
    return bar.append("━" * (cells - filled), style="bright_black")


def _rows(view: View) -> Text:
    line = Text.assemble(
        (count(view.accepted), "green"), " accepted, ", (count(view.rejected.total()), "red"), " rejected"
    )
    if view.rejected:
        line.append(f": {rejections(view.rejected)}", style="dim")
    return line


def _money(figures: Statistics, inner: int) -> list[Text]:
    """What is gone and what is set aside; below it what stages have of it and what was saved, if there is any."""
    beside = ", ".join(text for text in (shares_told(figures), savings_told(figures)) if text)
    return [
        _line("money", _charged(figures, inner)),
        *([_line("", Text(beside, style="dim"))] if beside else []),
    ]


def _charged(figures: Statistics, inner: int) -> Text:
    spent, reserved, assumed, cap = figures.spent, figures.reserved, figures.assumed, figures.cap
    words = f"{dollars(spent)} spent, {dollars(reserved)} reserved, {dollars(assumed)} assumed"
    if cap is None:
        return Text(words)
    words = f" {words} of {in_full(cap)}"
    parts = [(spent, "green"), (assumed, "yellow"), (reserved, "blue")]
    return Text.assemble(_gauge(parts, cap, max(6, inner - _LABEL_WIDTH - len(words))), words)


def _calls(view: View, figures: Statistics | None) -> Text:
    line = Text(f"{view.replies_per_second:.1f}/s")
    if figures is not None:
        is_free = figures.binding == "lack of work"  # then it does not matter how many there might be
        room = "" if is_free else f" of {count(figures.allowed)}"
        line.append(f", {count(figures.in_flight)}{room} in flight, {held_up_by(figures.binding)}")
    line.append(f", {count(view.limits_met)} × 429", style="yellow" if view.limits_met else "")
    line.append(f", {count(view.retries)} retried", style="yellow" if view.retries else "")
    line.append(f", {count(view.replies)} replies")
    if view.from_journal:
        line.append(f", {count(view.from_journal)} from the journal")
    return line


def _models(models: Sequence[ModelStatistics]) -> list[Text]:
    """How much each has answered and who is not asked just now, where there are several."""
    standings = (f" ({each.standing})" if each.standing != "asked" else "" for each in models)
    told = (
        f"{clean(each.model, 40)} {count(each.replies + each.from_journal)}{standing}"
        for each, standing in zip(models, standings, strict=True)
    )
    return [_line("models", Text(", ".join(told)))] if len(models) > 1 else []


def _foreign(view: View, inner: int, *, room: int) -> list[Text]:
    """Examples and notes, as many as there is room for, the latest last. A blank line goes before them."""
    notes = _last(view.notes, min(_MOST_NOTES, room - 1))
    examples = _last(view.examples, min(_MOST_EXAMPLES, room - 1 - len(notes)))
    shown = [*_examples(examples, (inner - _LABEL_WIDTH - 3) * 3 // 5), *_notes(notes)]
    return [Text(), *shown] if shown else []


def _examples(rows: Sequence[RowAccepted], widest: int) -> list[Text]:
    inputs = [Text(clean(row.input, _LONGEST)) for row in rows]
    width = min(widest, max((text.cell_len for text in inputs), default=0))
    lines = []
    for label, given, row in zip(_labels("latest"), inputs, rows, strict=False):
        given.truncate(width, overflow="ellipsis", pad=True)
        answer = (clean(row.output, _LONGEST), "green")
        lines.append(_line(label, Text.assemble(given, (" → ", "dim"), answer)))
    return lines


def _notes(notes: Sequence[str]) -> list[Text]:
    return [
        _line(label, Text(clean(note, _LONGEST), style="yellow"))
        for label, note in zip(_labels("notes"), notes, strict=False)
    ]


def _labels(first: str) -> Iterator[str]:
    """A label for the first line of a group, none for the others."""
    return chain([first], repeat(""))


def _last(items: Iterable[T], most: int) -> list[T]:
    return list(items)[-most:] if most > 0 else []


def _line(label: str, content: Text) -> Text:
    return Text.assemble((f"{clean(label, _LABEL_WIDTH - 1):<{_LABEL_WIDTH}}", "bold"), content)
