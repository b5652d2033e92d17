"""A view, drawn: pure, for any width and height.

What matters least gives way first. From 110 cells on, figures of the stage stand beside the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from engine.dashboard import sections
from engine.dashboard.picture import Frame, Picture, Strip
from engine.dashboard.view import Curve, View, Weights
from engine.dashboard.words import clock_time
from engine.events import RowAccepted
from engine.statistics import Statistics
from engine.text import clean

__all__ = ["Asides", "render"]

T = TypeVar("T")

WIDE = 110
SMALLEST_FRAMED = (60, 12)  # in less, the frame would take what is needed for what is in it
LEAST_ROWS = 3  # of the latest, before figures that matter little
MOST_EXAMPLES, MOST_NOTES = 40, 3

KEYS: Sequence[tuple[str, str]] = (
    ("p", "pause: nothing more is asked; what is in flight comes home"),
    ("r", "resume"),
    ("+", "raise the cap; asks for a second +"),
    ("-", "lower the cap, never under what is spent or set aside"),
    ("s", "show other rows, drawn from all so far; l goes back to the latest"),
    ("q", "finish in order; the first q says what a second one does just now"),
    ("Ctrl-C", "stop in order at any stage, for smelt resume; twice stops at once"),
    ("?", "show or hide this"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asides:
    """What whoever looks on wants to see: the keys explained, a sample of rows, what was said to a key pressed."""

    has_keys: bool = False
    is_help: bool = False
    sample: Sequence[RowAccepted] | None = None
    told: str = ""
    state: str = ""  # of a run that is looked on from elsewhere: "running", "finished"


class Ranked(NamedTuple):
    """A line, and how much it matters: 0 is kept longest."""

    rank: int
    line: Strip


NOTHING = Asides()


def render(view: View, figures: Statistics | None, *, width: int, height: int, asides: Asides = NOTHING) -> Picture:
    """The whole picture, at most `height` lines of `width` cells."""
    is_framed = width >= SMALLEST_FRAMED[0] and height >= SMALLEST_FRAMED[1]
    inner, room = (width - 4, height - 2) if is_framed else (max(8, width), height)
    lines = [] if is_framed else [sections.title(view, inner)]
    left = max(1, room - len(lines))
    lines += _help(asides) if asides.is_help else _body(view, figures, inner, left, asides)
    lines = lines[: max(1, room)]
    if asides.told:
        lines = [*lines[: room - 1], Strip((clean(asides.told, 300), "bold reverse"))]
    return Picture(lines, width, _frame(view, asides, inner) if is_framed else None)


def _frame(view: View, asides: Asides, inner: int) -> Frame:
    title = sections.title(view, inner)
    state = f"  {clean(asides.state, 40)}" if asides.state else ""
    below = [clock_time(view.elapsed_s), *(["? for keys"] if asides.has_keys else [])]
    return Frame(Strip(title, (state, "bold")), ", ".join(below))


def _help(asides: Asides) -> list[Strip]:
    keys = [(key, what) for key, what in KEYS if not asides.state or key in "s?"]
    keys += [("q", "leave; the run goes on")] if asides.state else []
    return [
        *(sections.line(key, what) for key, what in keys),
        Strip(),
        sections.line("rows", "what passed every filter, and why the rest did not"),
        sections.line("money", "━ spent, ╍ assumed (nobody knows what it cost), ┅ reserved for calls in flight"),
        sections.line("requests", "sent in each second; × where the provider said: too fast (429)"),
        sections.line("calls", "half take no longer than p50, nineteen in twenty no longer than p95"),
        sections.line("▸", "what holds the run up just now, and what would help"),
    ]


def _body(view: View, figures: Statistics | None, inner: int, room: int, asides: Asides) -> list[Strip]:
    is_wide = inner >= WIDE - 4
    curves, weights = _figures_of_stage(view)
    ranked = [
        Ranked(0, sections.stage_line(view.stages, inner)) if view.stages else Ranked(9, Strip()),
        Ranked(7, Strip()),
        *(Ranked(0, each) for each in sections.progress_line(view, inner)),
        *(Ranked(4, each) for each in sections.facts_line(view.current, {} if is_wide else curves, inner)),
        *(Ranked(5, each) for each in ([] if is_wide else sections.weights_line(weights, inner))),
        *([Ranked(1, sections.rows_line(view, inner))] if view.stages else []),
        *_ranked(sections.money_lines(view, figures, inner) if figures is not None else [], (0, 4, 6)),
        *_ranked(sections.call_lines(view, figures, inner), (3, 4, 2)),
        *(Ranked(5, each) for each in (sections.models_line(figures.by_model) if figures is not None else [])),
        *(Ranked(6, each) for each in (sections.worker_lines(figures.workers, inner) if figures is not None else [])),
        *_ranked(sections.binding_lines(view, figures, inner), (0, 4)),
    ]
    has_rows = bool(view.examples or view.notes)
    kept = _kept(ranked, room, spare=LEAST_ROWS + 1 if has_rows and room >= 12 else 0)
    rest = room - len(kept)
    below = (
        _beside(view, curves, weights, inner, rest, asides) if is_wide else _below(view, curves, inner, rest, asides)
    )
    return kept + below


def _figures_of_stage(view: View) -> tuple[Mapping[str, Curve], Mapping[str, Weights]]:
    """Those of the stage at work."""
    name = "" if view.current is None else view.current.name
    return view.curves.get(name, {}), view.weights.get(name, {})


def _ranked(lines: Iterable[Strip], ranks: Sequence[int]) -> list[Ranked]:
    return [Ranked(rank, each) for rank, each in zip(ranks, lines, strict=False)]


def _kept(ranked: Sequence[Ranked], room: int, *, spare: int) -> list[Strip]:
    """The lines that fit into the room, with some to spare unless only important ones are left."""
    kept = list(ranked)
    while len(kept) > room - spare and (worst := max(each.rank for each in kept)) > 3:
        kept.remove(next(each for each in reversed(kept) if each.rank == worst))
    while len(kept) > room:
        worst = max(each.rank for each in kept)
        kept.remove(next(each for each in reversed(kept) if each.rank == worst))
    return [each.line for each in kept]


def _below(view: View, curves: Mapping[str, Curve], inner: int, room: int, asides: Asides) -> list[Strip]:
    """Rows, or where the stage at work makes none the course of its figures, and notes; a blank line before them."""
    notes = _last(view.notes, min(MOST_NOTES, room - 1))
    left = room - 1 - len(notes)
    shown = [*_main(view, curves, inner, left, asides), *sections.notes(notes)]
    return [Strip(), *shown] if shown else []


def _beside(
    view: View, curves: Mapping[str, Curve], weights: Mapping[str, Weights], inner: int, room: int, asides: Asides
) -> list[Strip]:
    """The same on the left, and the figures of the stage on the right."""
    side = inner * 2 // 5
    right = sections.curve_lines(curves, side)
    right += sections.weight_lines(weights, side, room - 2 - len(right))
    if not right:
        return _below(view, curves, inner, room, asides)
    left = _below(view, curves, inner - side - 3, room, asides) or [Strip()]
    right = [Strip(), *right][: max(0, room)]
    lines = []
    for at in range(max(len(left), len(right))):
        beside = left[at] if at < len(left) else Strip()
        lines.append(Strip(beside.fitted(inner - side - 3, pad=True), "   ", *right[at : at + 1]))
    return lines[: max(0, room)]


def _main(view: View, curves: Mapping[str, Curve], inner: int, room: int, asides: Asides) -> list[Strip]:
    if asides.sample is not None:
        return sections.examples(asides.sample[: max(0, room)], inner, label="sample")
    makes_rows = view.current is None or view.current.name == view.rows_of
    if not makes_rows and (drawn := sections.charts(curves, min(120, inner - sections.LABEL), room)):
        return drawn
    return sections.examples(_last(view.examples, min(MOST_EXAMPLES, room)), inner, label="latest")


def _last(items: Iterable[T], most: int) -> list[T]:
    return list(items)[-most:] if most > 0 else []
