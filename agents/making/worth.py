"""Whether going on is worth the money: rows for a dollar of late, against the best of this run. Pure.

A run that is nearly exhausted does not stop bringing rows, it brings fewer and fewer for the same money. When that has
come down to a tenth, something else is tried; when that is no better, the run should stop and say so.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

__all__ = ["FLOOR", "WINDOW", "Advice", "Worth"]

Advice = Literal["go on", "change", "stop"]

WINDOW = 24  # requests that make up "of late": with eight inputs each some 200, so that chance does not end a run
FLOOR = 0.1  # of the best rows for a dollar; below it something must change


class Worth:
    """What to do after each request, in order: go on, change the way of asking, or stop.

        worth = Worth(lag=8)
        worth.notify(rows=7, usd=0.001)  # "go on"

    After a change, requests that were under way before it say nothing about it, so `lag` of them are passed over. A
    change that helps is forgiven: when the yield falls again, another is advised before a stop. Where nothing costs
    anything, every request counts as much as any other.
    """

    def __init__(self, *, lag: int) -> None:
        self._lag = lag
        self._late: deque[tuple[int, float]] = deque(maxlen=WINDOW)
        self._passed_over = 0
        self._best = 0.0
        self._has_changed = False

    def __repr__(self) -> str:
        return f"<Worth {self.late:.0f} rows a dollar, at best {self._best:.0f}>"

    @property
    def late(self) -> float:
        """Rows for a dollar over the latest requests, or rows a request where nothing costs anything."""
        rows, usd = (sum(each) for each in zip(*self._late, strict=True)) if self._late else (0, 0.0)
        return rows / (usd or len(self._late) or 1)

    def notify(self, *, rows: int, usd: float) -> Advice:
        """A request and what followed from it brought so many rows for so much."""
        if self._passed_over:
            self._passed_over -= 1
            return "go on"
        self._late.append((rows, usd))
        if len(self._late) < WINDOW:
            return "go on"
        late = self.late
        self._best = max(self._best, late)
        if late >= FLOOR * self._best:
            self._has_changed = self._has_changed and late < 2 * FLOOR * self._best
            return "go on"
        return self._decline()

    def _decline(self) -> Advice:
        if self._has_changed:
            return "stop"
        self._has_changed = True
        self._late.clear()
        self._passed_over = self._lag
        return "change"

    @property
    def why(self) -> str:
        """How little it brings, for the sentence that says why a run stopped."""
        return (
            f"the last {WINDOW} requests brought {self.late:,.1f} rows a dollar, less than a tenth of the "
            f"{self._best:,.1f} at best, also after other examples, more attributes and more heat"
        )
