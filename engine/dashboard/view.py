"""What the live view knows: a record that follows events, and nothing else.

Holds no clock, no terminal and no colours. The same events and ticks always make the same view.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.events import (
    AttemptFailed,
    Event,
    Noted,
    ReplyReceived,
    RowAccepted,
    RowRejected,
    SimulationMet,
    StageFinished,
    StageProgressed,
    StageStarted,
)

__all__ = ["Stage", "View"]

# The rate is that of the last few seconds: long enough to be read, short enough to show a stall.
_RATE_WINDOW_S = 10.0
_EXAMPLES_KEPT = 24
_NOTES_KEPT = 6


@dataclass(slots=True)
class Stage:
    """One stage: how far it is, and since when."""

    name: str
    state: Literal["to come", "now", "done"] = "to come"
    done: int = 0
    total: int | None = None
    unit: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    began_s: float | None = None  # the first tick that saw it at work, and how far it was then
    began_at: int = 0

    def seconds_left(self, now: float) -> float | None:
        """How long it still takes at its pace so far; None while there is no pace or no goal."""
        if self.began_s is None or not self.total:
            return None
        gained, elapsed = self.done - self.began_at, now - self.began_s
        if gained <= 0 or elapsed <= 0:
            return None
        return max(0, self.total - self.done) * elapsed / gained


@dataclass(slots=True, kw_only=True)
class View:
    """What has happened in a run so far, as far as it is worth drawing. Texts are kept as they came: clean them."""

    title: str
    model: str
    simulated: bool
    stages: list[Stage] = field(default_factory=list)
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    examples: deque[RowAccepted] = field(default_factory=lambda: deque(maxlen=_EXAMPLES_KEPT))
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=_NOTES_KEPT))
    replies: int = 0
    from_journal: int = 0
    retries: int = 0
    limits_met: int = 0
    began_s: float | None = None
    now_s: float = 0.0
    _pace: deque[tuple[float, int]] = field(default_factory=deque)

    @classmethod
    def of(cls, stages: Sequence[str], *, title: str, model: str, simulated: bool) -> View:
        """A view of a run in which nothing has happened yet."""
        return cls(title=title, model=model, simulated=simulated, stages=[Stage(name) for name in stages])

    @property
    def current(self) -> Stage | None:
        """The stage at work; the latest if several are."""
        return next((stage for stage in reversed(self.stages) if stage.state == "now"), None)

    @property
    def elapsed_s(self) -> float:
        return 0.0 if self.began_s is None else self.now_s - self.began_s

    @property
    def replies_per_second(self) -> float:
        """Replies that came over the wire, over the last seconds."""
        if len(self._pace) < 2 or self._pace[-1][0] <= self._pace[0][0]:
            return 0.0
        (first_s, first), (last_s, last) = self._pace[0], self._pace[-1]
        return (last - first) / (last_s - first_s)

    def apply(self, event: Event) -> None:
        """Take note of an event; of a kind that is not drawn, nothing."""
        match event:
            case ReplyReceived(from_journal=True):
                self.from_journal += 1
            case ReplyReceived():
                self.replies += 1
            case AttemptFailed():
                self.retries += event.delay_s is not None
                self.limits_met += event.kind == "rate"
            case RowAccepted():
                self.accepted += 1
                self.examples.append(event)
            case RowRejected():
                self.rejected[event.reason] += 1
            case SimulationMet():
                self.simulated = True
            case Noted():
                self.notes.append(event.text)
            case _:
                self._apply_to_stages(event)

    def tick(self, now: float) -> None:
        """Take note of the time, in seconds; rates and times left follow from it."""
        self.began_s = now if self.began_s is None else self.began_s
        self.now_s = now
        if (stage := self.current) is not None and stage.began_s is None:
            stage.began_s, stage.began_at = now, stage.done
        self._pace.append((now, self.replies))
        while len(self._pace) > 2 and now - self._pace[0][0] > _RATE_WINDOW_S:
            self._pace.popleft()

    def stage(self, name: str) -> Stage:
        """The stage of that name; one that nobody announced is put at the end."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        self.stages.append(Stage(name))
        return self.stages[-1]

    def _apply_to_stages(self, event: Event) -> None:
        match event:
            case StageStarted():
                stage = self.stage(event.stage)
                stage.state, stage.total, stage.unit = "now", event.total, event.unit
            case StageProgressed():
                stage = self.stage(event.stage)
                stage.done, stage.facts = event.done, event.facts or stage.facts
                stage.total = stage.total if event.total is None else event.total
            case StageFinished():
                stage = self.stage(event.stage)
                stage.state, stage.summary = "done", event.summary
            case _:
                pass
