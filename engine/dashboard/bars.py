"""Bars, curves and gauges out of characters: pure, told apart by their shapes, so that they need no colours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import itemgetter

from engine.dashboard.picture import Strip

__all__ = ["chart", "gauge", "resampled", "spark"]

BLOCKS = " ▁▂▃▄▅▆▇█"
SOLID, REST = "━", "─"
REFUSED = "×"


def gauge(parts: Sequence[tuple[int, str, str]], whole: int, cells: int) -> Strip:
    """A bar of `cells` cells: for each part (amount, character, style) what it is of the whole; the rest is thin.

    A part that is there shows, however small.
    """
    bar, filled, total = list[tuple[str, str]](), 0, 0
    for amount, character, style in parts:
        total += amount
        end = min(cells, max(total * cells // whole, filled + (amount > 0))) if whole > 0 else 0
        bar.append((character * (end - filled), style))
        filled = max(filled, end)
    return Strip(*bar, (REST * (cells - filled), "dim"))


def spark(values: Sequence[float], cells: int, *, top: float | None = None, marks: Sequence[bool] = ()) -> Strip:
    """The latest values as one line of `cells` cells, from 0 to `top` (by default the greatest); marked ones crossed.

    Nothing is drawn as a blank, anything above as a block at least.
    """
    shown, crossed = list(values)[-cells:], list(marks)[-cells:]
    crossed += [False] * (len(shown) - len(crossed))
    highest = max([top or 0.0, *shown]) if shown else 0.0
    line: list[tuple[str, str]] = []
    # Alike neighbours together: each change of style costs as much to draw as a line of plain text.
    for is_crossed, alike in groupby(zip(crossed, shown, strict=True), key=itemgetter(0)):
        drawn = "".join(REFUSED if is_crossed else _block(value, highest) for _, value in alike)
        line.append((drawn, "bold yellow" if is_crossed else "cyan"))
    return Strip(" " * (cells - len(shown)), *line)


def _block(value: float, highest: float) -> str:
    if value <= 0 or highest <= 0:
        return BLOCKS[0]
    return BLOCKS[max(1, min(8, round(8 * value / highest)))]


def resampled(values: Sequence[float], cells: int) -> list[float]:
    """At most so many values: of more, the means of neighbours; so the first and the last stay in sight."""
    if len(values) <= cells:
        return list(values)
    if cells <= 0:
        return []
    bounds = [at * len(values) // cells for at in range(cells + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]


def chart(values: Sequence[float], cells: int, lines: int) -> list[Strip]:
    """A curve as blocks, from its lowest value to its greatest over so many lines, the top line first."""
    shown = resampled(values, cells)
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    span = high - low or 1.0
    eighths = [1 + round((lines * 8 - 1) * (value - low) / span) for value in shown]
    rows = []
    for line in reversed(range(lines)):
        blocks = "".join(BLOCKS[max(0, min(8, height - 8 * line))] for height in eighths)
        rows.append(Strip((blocks, "cyan")))
    return rows
