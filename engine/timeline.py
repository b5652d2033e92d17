"""What happened when: events folded into slices of time, so that a run can be explained afterwards.

Holds no clock and no file: whoever feeds it says what time it is. However long it goes on, it stays as small: when
there are too many slices, two become one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.events import AttemptFailed, Event, ReplyReceived, RequestSent

__all__ = ["MOST_SLICES", "Slice", "Timeline"]

MOST_SLICES = 60  # a minute each of an hour, or a second each of a minute
FIRST_WIDTH_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some seconds of a run, from `start_s` on: what was sent, what came, and what held the next request up meanwhile.

    `limits_met` counts the 429s, `failed` all other attempts that failed. `in_flight` and `allowed` are means over
    `seconds`, the time that was looked at; `bound` has how many of these each thing held the next request up, by the
    names that `Statistics.binding` has.
    """

    start_s: float
    seconds: float
    sent: int
    replies: int
    from_journal: int
    limits_met: int
    failed: int
    tokens: int  # of both directions
    cost: int  # pico-dollars
    in_flight: float
    allowed: float
    bound: Mapping[str, float]


@dataclass(slots=True)
class _Open:
    """A slice that is not over."""

    sent: int = 0
    replies: int = 0
    from_journal: int = 0
    limits_met: int = 0
    failed: int = 0
    tokens: int = 0
    cost: int = 0
    seconds: float = 0.0
    flight_seconds: float = 0.0
    allowed_seconds: float = 0.0
    bound: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: _Open) -> _Open:
        names = self.bound.keys() | other.bound.keys()
        return _Open(
            sent=self.sent + other.sent,
            replies=self.replies + other.replies,
            from_journal=self.from_journal + other.from_journal,
            limits_met=self.limits_met + other.limits_met,
            failed=self.failed + other.failed,
            tokens=self.tokens + other.tokens,
            cost=self.cost + other.cost,
            seconds=self.seconds + other.seconds,
            flight_seconds=self.flight_seconds + other.flight_seconds,
            allowed_seconds=self.allowed_seconds + other.allowed_seconds,
            bound={name: self.bound.get(name, 0.0) + other.bound.get(name, 0.0) for name in sorted(names)},
        )


class Timeline:
    """Slices of equal width, the first from the first moment that was told."""

    def __init__(self) -> None:
        self._began_s: float | None = None
        self._width_s = FIRST_WIDTH_S
        self._slices: list[_Open] = []
        self._looked_s: float | None = None

    def apply(self, event: Event, *, now: float) -> None:
        """Take note of an event; of a kind that says nothing of calls, nothing."""
        match event:
            case RequestSent():
                self._at(now).sent += 1
            case ReplyReceived(from_journal=True):
                self._at(now).from_journal += 1
            case ReplyReceived():
                slice_ = self._at(now)
                slice_.replies += 1
                slice_.tokens += event.input_tokens + event.output_tokens
                slice_.cost += event.cost
            case AttemptFailed(kind="rate"):
                self._at(now).limits_met += 1
            case AttemptFailed():
                self._at(now).failed += 1
            case _:
                pass

    def look(self, *, now: float, binding: str, in_flight: int, allowed: int) -> None:
        """Take note of how things stand; they are taken to have stood so since the last look."""
        since, self._looked_s = self._looked_s, now
        if since is None or now <= since:
            return
        slice_, seconds = self._at(now), now - since
        slice_.seconds += seconds
        slice_.flight_seconds += seconds * in_flight
        slice_.allowed_seconds += seconds * allowed
        slice_.bound[binding] = slice_.bound.get(binding, 0.0) + seconds

    def slices(self) -> tuple[Slice, ...]:
        """What there is so far, in order; those in which nothing was told of are there too."""
        return tuple(
            Slice(
                start_s=number * self._width_s,
                seconds=round(each.seconds, 3),
                sent=each.sent,
                replies=each.replies,
                from_journal=each.from_journal,
                limits_met=each.limits_met,
                failed=each.failed,
                tokens=each.tokens,
                cost=each.cost,
                in_flight=round(each.flight_seconds / each.seconds, 2) if each.seconds else 0.0,
                allowed=round(each.allowed_seconds / each.seconds, 2) if each.seconds else 0.0,
                bound={name: round(seconds, 3) for name, seconds in each.bound.items()},
            )
            for number, each in enumerate(self._slices)
        )

    @property
    def width_s(self) -> float:
        """How long a slice is."""
        return self._width_s

    def _at(self, now: float) -> _Open:
        if self._began_s is None:
            self._began_s = now
        while (number := int(max(0.0, now - self._began_s) / self._width_s)) >= MOST_SLICES:
            self._halve()
        while len(self._slices) <= number:
            self._slices.append(_Open())
        return self._slices[number]

    def _halve(self) -> None:
        """Twice as wide, half as many."""
        self._width_s *= 2
        padded = [*self._slices, _Open()]
        self._slices = [padded[at] + padded[at + 1] for at in range(0, len(self._slices), 2)]
