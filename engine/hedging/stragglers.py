"""When another attempt beside one that takes far too long is worth its money: only the decision.

It is handed what was sent and how long replies took, and knows no clock, no money and no task. Who sends the
other attempt, and what becomes of the slower one, is `engine.hedging.race`'s business.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["FLOOR_S", "KNOWN_FROM", "SAVED", "SHARE", "TIMES", "Stragglers"]

SHARE: Final = 0.03  # of what is sent: more than that are no stragglers, and a slow hour should not double the traffic
SAVED: Final = 64.0  # attempts that may be saved up for a bad moment
REMEMBERED: Final = 256  # replies of a kind
KNOWN_FROM: Final = 30
ORDINARY: Final = 0.95  # of the replies take at most an ordinary time; a few stragglers among them do not shift it
TIMES: Final = 2.0  # log-normal replies (sigma 0.5) take so much longer than that once in a thousand
FLOOR_S: Final = 1.0  # what is faster than that is not worth another attempt
COUNTED_EVERY: Final = 16  # replies; sorting at each would cost more than it tells


class Stragglers:
    """Which requests deserve another attempt, and how many may have one.

    A kind of request (a tag) is known from 30 replies on. Whoever is out for more than twice as long as 95 in 100 of
    the last 256 replies of its kind took, and for a second at least, is a straggler. Of all that is sent, three in a
    hundred may be such attempts, and one more.
    """

    def __init__(self) -> None:
        self._credit = 1.0
        self._kinds: dict[str, _Kind] = {}

    def notify_sent(self) -> None:
        """A first attempt left."""
        self._credit = min(SAVED, self._credit + SHARE)

    def notify_reply(self, tag: str, latency_s: float) -> None:
        """A reply of this kind took so long."""
        kind = self._kinds.get(tag) or self._kinds.setdefault(tag, _Kind())
        kind.add(latency_s)

    def notify_hedged(self) -> None:
        """Another attempt left, beside one that is out."""
        self._credit -= 1.0

    @property
    def may_hedge(self) -> bool:
        """Whether one more such attempt is within its share."""
        return self._credit >= 1.0

    def patience_s(self, tag: str) -> float:
        """How long a request of this kind may be out before it is a straggler; infinite while that is not known."""
        kind = self._kinds.get(tag)
        return math.inf if kind is None else kind.patience_s

    @property
    def shortest_patience_s(self) -> float:
        """That of the fastest kind."""
        return min((kind.patience_s for kind in self._kinds.values()), default=math.inf)


@dataclass(slots=True)
class _Kind:
    """How long the last replies of one kind took."""

    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    uncounted: int = 0
    patience_s: float = math.inf

    def add(self, latency_s: float) -> None:
        self.latencies.append(latency_s)
        self.uncounted += 1
        is_news = self.uncounted >= COUNTED_EVERY or self.patience_s == math.inf
        if is_news and len(self.latencies) >= KNOWN_FROM:
            ordinary = sorted(self.latencies)[math.ceil(ORDINARY * len(self.latencies)) - 1]
            self.patience_s = max(FLOOR_S, TIMES * ordinary)
            self.uncounted = 0
