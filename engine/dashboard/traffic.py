"""What goes over the wire, second by second: how much, how often refused, how long it took, and what held it up.

It is told of events and of the time. The same events and ticks always make the same figures.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from engine.dashboard.timing import percentile
from engine.events import AttemptFailed, ReplyReceived

__all__ = ["Rates", "Second", "Traffic"]

# A rate is that of the last few seconds: long enough to be read, short enough to show a stall.
RATE_WINDOW_S = 10.0
SECONDS_KEPT = 240
LATENCIES_KEPT = 512
BINDINGS_KEPT = 10
MINUTE_S = 60.0


class Second(NamedTuple):
    """What had been counted by then, in all; tokens as replies told them."""

    at: float
    sent: int
    replies: int
    input_tokens: int
    output_tokens: int
    refused: int  # for being too fast: 429


class Rates(NamedTuple):
    """So many a minute, of late."""

    sent: float = 0.0
    replies: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0


@dataclass(slots=True)
class Traffic:
    """Counts of everything that was sent and came back."""

    sent: int = 0
    replies: int = 0
    from_journal: int = 0
    retries: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))
    seconds: deque[Second] = field(default_factory=lambda: deque(maxlen=SECONDS_KEPT))
    bindings: deque[str] = field(default_factory=lambda: deque(maxlen=BINDINGS_KEPT))
    bound_s: Counter[str] = field(default_factory=Counter)  # for how many seconds in all, by what bound

    def apply_replies(self, events: Sequence[ReplyReceived]) -> None:
        fresh = [event for event in events if not event.from_journal]
        self.from_journal += len(events) - len(fresh)
        self.replies += len(fresh)
        self.input_tokens += sum([event.input_tokens for event in fresh])
        self.output_tokens += sum([event.output_tokens for event in fresh])
        self.latencies.extend([event.latency_s for event in fresh[-LATENCIES_KEPT:]])

    def apply_failure(self, event: AttemptFailed) -> None:
        self.retries += event.delay_s is not None
        self.refused += event.kind == "rate"

    def tick(self, now: float) -> None:
        """Take note of the time; once a second the counts are kept."""
        if self.seconds and now - self.seconds[-1].at < 1.0:
            return
        self.seconds.append(self.counted(now))

    def notice_binding(self, binding: str, *, seconds: float) -> None:
        """That held the next request up, for so long."""
        self.bindings.append(binding)
        self.bound_s[binding] += seconds  # type: ignore[assignment]  # a Counter counts seconds as well

    def counted(self, now: float) -> Second:
        return Second(now, self.sent, self.replies, self.input_tokens, self.output_tokens, self.refused)

    def rates(self, now: float) -> Rates:
        """What a minute at the pace of the last seconds would have."""
        since = next((one for one in self.seconds if now - one.at <= RATE_WINDOW_S), None)
        if since is None or now - since.at < 1.0:
            since = self.seconds[-2] if len(self.seconds) > 1 else None
        if since is None or now <= since.at:
            return Rates()
        per = MINUTE_S / (now - since.at)
        return Rates(
            (self.sent - since.sent) * per,
            (self.replies - since.replies) * per,
            (self.input_tokens - since.input_tokens) * per,
            (self.output_tokens - since.output_tokens) * per,
        )

    def usual_binding(self) -> str | None:
        """What has bound most of late; of equals the latest. Looked at once, it may be anything.

        But for a pause: whoever wants one, or no more of it, wants it now.
        """
        late = [binding for binding in self.bindings if binding != "pause"]
        often = Counter(late)
        return max(reversed(late), key=lambda each: often[each], default=None)

    def latency(self, share: float) -> float | None:
        """In seconds, of the latest replies."""
        return percentile(self.latencies, share)

    def curve(self, name: str, cells: int) -> Sequence[tuple[float, bool]]:
        """The latest seconds of a count, one for each cell: so many a second, and whether some were refused then."""
        kept = list(self.seconds)[-cells - 1 :]
        return [
            ((getattr(b, name) - getattr(a, name)) / (b.at - a.at), b.refused > a.refused) for a, b in pairwise(kept)
        ]
