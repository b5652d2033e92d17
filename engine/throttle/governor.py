"""A rate that is found by trying: back soon to where trouble began, a while near it, then carefully beyond.

Only arithmetic over time. It knows no refusal and no limit: whoever meets one makes a new governor from it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Governor"]

PROBE = 0.05  # how far beyond the ceiling it dares after as long again as it waited
# With 3, as in CUBIC, a limit that came back after half a minute was used by 0.88, with 5 by 0.92: once nothing is in
# the way there is little to wait for. And near a limit that stands still it stays flat for longer.
STEEPNESS = 5


@dataclass(slots=True)
class Governor:
    """Units a second, by the time since `since` (of the kind of curve that CUBIC made known for TCP).

    From `start` it comes back to `ceiling` within `recover_s`, fast at first and flat at the end. Flat it goes on, so
    most of the time is spent just below trouble, and then ever steeper: a limit that was raised is found in seconds,
    while near a limit that stands still only one step in a hundred is too far.
    """

    ceiling: float  # where trouble began
    start: float
    since: float
    recover_s: float
    probe_s: float

    def rate(self, now: float) -> float:
        elapsed = now - self.since
        if elapsed < self.recover_s:
            return self.ceiling - (self.ceiling - self.start) * (1 - elapsed / self.recover_s) ** 3
        return self.ceiling * (1 + PROBE * ((elapsed - self.recover_s) / self.probe_s) ** STEEPNESS)

    def is_behind(self, moment: float) -> bool:
        """Whether it was still coming back then."""
        return moment - self.since < self.recover_s

    def stand_still(self, seconds: float) -> None:
        """For so long the rate was not used, so it was not tried either."""
        self.since += seconds
