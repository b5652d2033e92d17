"""What has happened, as small frozen records; whoever wants to know subscribes.

Events are facts in the past tense. Listeners read and never steer: one that raises is dropped and reported once, and
the run goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Self

from engine.messages import Reply

__all__ = [
    "AttemptFailed",
    "Event",
    "Events",
    "Listener",
    "Measured",
    "Noted",
    "ReplyReceived",
    "RequestFinished",
    "RequestSent",
    "RowAccepted",
    "RowRejected",
    "SimulationMet",
    "StageFinished",
    "StageProgressed",
    "StageStarted",
    "Weighed",
]

logger = logging.getLogger("engine.events")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened."""


@dataclass(frozen=True, slots=True)
class RequestSent(Event):
    """An attempt left for the provider."""

    tag: str


@dataclass(frozen=True, slots=True)
class ReplyReceived(Event):
    """A reply is on disk. Costs are in pico-dollars (10^-12 USD)."""

    tag: str
    cost: int
    input_tokens: int
    output_tokens: int
    latency_s: float
    from_journal: bool
    model: str = ""  # provider/name, as it was asked

    @classmethod
    def of(cls, reply: Reply, *, tag: str, cost: int, model: str = "") -> Self:
        usage = reply.usage
        return cls(tag, cost, usage.input_tokens, usage.output_tokens, reply.latency_s, reply.from_journal, model)


@dataclass(frozen=True, slots=True)
class AttemptFailed(Event):
    """An attempt failed; `kind` is the class of the failure, `delay_s` the wait before the next one, if any.

    The kind "rate" is the provider saying that we were too fast (429).
    """

    tag: str
    kind: str
    delay_s: float | None
    latency_s: float = 0.0  # from its sending to its failure
    model: str = ""  # provider/name, as it was asked


@dataclass(frozen=True, slots=True)
class RequestFinished(Event):
    """A request ended for good; `error` is the class name of the failure or None."""

    tag: str
    error: str | None


@dataclass(frozen=True, slots=True)
class StageStarted(Event):
    """A stage of a run began; `total` is what it works towards, if that is known."""

    stage: str
    total: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class StageProgressed(Event):
    """A stage got on. `facts` are a few short figures worth a look, name to text."""

    stage: str
    done: int
    total: int | None = None
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StageFinished(Event):
    """A stage ended; `summary` says in one line what came of it."""

    stage: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """A figure that changes was taken: a point of a curve. A share (0 to 1) is told in per cent."""

    stage: str
    name: str
    value: float
    is_share: bool = False


@dataclass(frozen=True, slots=True)
class Weighed(Event):
    """How much there is of each part, against how much of it is wanted: (part, so many, wanted) each."""

    stage: str
    name: str
    parts: tuple[tuple[str, int, float], ...]


@dataclass(frozen=True, slots=True)
class RowAccepted(Event):
    """A row was kept. The texts are foreign: clean them before drawing."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class RowRejected(Event):
    """A row was left out, for one reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class SimulationMet(Event):
    """A simulated teacher answered, though the model's name does not say so."""


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something a person should read: a warning, a choice made for them."""

    text: str


Listener = Callable[[Event], None]


@dataclass(slots=True)
class Events:
    """Where events are announced. `subscribe` returns the function that unsubscribes.

    Some four come with each request, so whoever listens to a few `kinds` says so, and is not called for the others.
    """

    _subscribed: list[tuple[Listener, Collection[type[Event]] | None]] = field(default_factory=list)
    _listeners: dict[type[Event], tuple[Listener, ...]] = field(default_factory=dict)  # as far as they were looked up

    def subscribe(self, listener: Listener, *, kinds: Collection[type[Event]] | None = None) -> Callable[[], None]:
        """Call `listener` with every event from now on, or with every one of these kinds."""
        subscription = (listener, kinds)
        self._subscribed.append(subscription)
        self._listeners.clear()

        def unsubscribe() -> None:
            if subscription in self._subscribed:
                self._subscribed.remove(subscription)
                self._listeners.clear()

        return unsubscribe

    def emit(self, event: Event) -> None:
        listeners = self._listeners.get(type(event))
        for listener in self._look_up(type(event)) if listeners is None else listeners:
            try:
                listener(event)
            except Exception:  # A view that breaks must not break the run it looks at: it is dropped, and said so.
                self._subscribed[:] = [each for each in self._subscribed if each[0] != listener]
                self._listeners.clear()
                logger.exception("a listener failed on %s and was dropped", type(event).__name__)

    def _look_up(self, kind: type[Event]) -> tuple[Listener, ...]:
        found = tuple(listener for listener, kinds in self._subscribed if kinds is None or kind in kinds)
        self._listeners[kind] = found
        return found
