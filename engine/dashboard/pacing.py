"""When the next picture is due, so that looking on costs no more than its share: arithmetic. It knows no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["LONGEST_S", "SHORTEST_S", "TIMES", "Pace", "pause_after"]

TIMES: Final = 240.0  # what a picture takes, the run is to have taken for itself before the next; listening costs more
QUIET_TIMES: Final = 4.0
SHORTEST_S, LONGEST_S = 0.25, 3.0


def pause_after(cost_s: float, *, load: float, has_news: bool = True, shortest_s: float = SHORTEST_S) -> float:
    """How long to wait after a picture that took so many seconds of the processor.

    So long that a process that keeps `load` processors busy (0 to 1; more counts as one) takes 240 times as much itself
    meanwhile, but no less than `shortest_s` and no more than 3 s: somebody is looking. Where nothing has happened since
    the picture before, four times as long, within these 3 s.
    """
    if load <= 0:
        return LONGEST_S
    due_s = max(shortest_s, TIMES * cost_s / min(1.0, load))
    return min(LONGEST_S, due_s if has_news else QUIET_TIMES * due_s)


@dataclass(slots=True)
class Pace:
    """How busy the process itself was since the picture before: `used_s` is what it has taken of the processor so far.

    Seconds throughout.
    """

    now: float
    used_s: float

    def after(
        self, cost_s: float, *, now: float, used_s: float, has_news: bool = True, shortest_s: float = SHORTEST_S
    ) -> float:
        """How long to wait after a picture that has just been drawn. Its own cost makes the process no busier."""
        elapsed, own = now - self.now, used_s - self.used_s - cost_s
        self.now, self.used_s = now, used_s
        load = own / elapsed if elapsed > 0 else 1.0
        return pause_after(cost_s, load=load, has_news=has_news, shortest_s=shortest_s)
