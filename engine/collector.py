"""Python's search for garbage in cycles, made rarer while many requests are under way.

A request under way is some hundred young objects, so the collector runs again and again and looks at all of them: a
third of the processor's time at 1,000 in flight, a tenth at 100. It would find nothing: a request that has ended leaves
no cycle behind.
"""

from __future__ import annotations

import gc
from typing import Final

__all__ = ["Collector", "collector"]

RARELY: Final = 50_000
"""Objects made, beyond those let go, before the youngest are looked at. Python's own default is 700."""


class Collector:
    """The collector of this process, for those who want it to run rarely for a while.

    A threshold that the user has set as high, or has set meanwhile, is left alone, and so is a collector turned off.
    """

    def __init__(self) -> None:
        self._holders = 0
        self._usual: tuple[int, int, int] | None = None  # while it is ours that holds

    def __repr__(self) -> str:
        return f"<Collector [{self._holders} want it rarely | {gc.get_threshold()}]>"

    def slow_down(self) -> None:
        """Run rarely until as many have called `speed_up`."""
        self._holders += 1
        usual = gc.get_threshold()
        if self._holders == 1 and 0 < usual[0] < RARELY:
            self._usual = usual
            gc.set_threshold(RARELY, *usual[1:])

    def speed_up(self) -> None:
        """One fewer wants it rarely; after the last it runs as before."""
        self._holders -= 1
        if self._holders or self._usual is None:
            return
        if gc.get_threshold() == (RARELY, *self._usual[1:]):
            gc.set_threshold(*self._usual)
        self._usual = None


collector: Final = Collector()
"""The one there is: Python has one a process."""
