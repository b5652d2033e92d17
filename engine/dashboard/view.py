"""What the live view knows: a record that follows events, and nothing else.

Holds no clock, no terminal and no colours. The same events and ticks always make the same view.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Literal

from engine.dashboard.timing import Left, Point, Track, time_left
from engine.dashboard.traffic import Traffic
from engine.events import (
    AttemptFailed,
    Event,
    Measured,
    Noted,
    ReplyReceived,
    RequestSent,
    RowAccepted,
    RowRejected,
    SimulationMet,
    StageFinished,
    StageProgressed,
    StageStarted,
    Weighed,
)

__all__ = ["DRAWN", "Curve", "Stage", "View", "Weights"]

EXAMPLES_KEPT = 40
NOTES_KEPT = 12
POINTS_KEPT = 240
SAMPLE_KEPT = 200

State = Literal["to come", "now", "done"]


@dataclass(slots=True)
class Stage:
    """One stage: how far it is, and since when."""

    name: str
    state: State = "to come"
    done: int = 0
    total: int | None = None
    unit: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    track: Track = field(default_factory=Track)  # from the first tick that saw it at work

    def left(self, now: float) -> Left | None:
        """How long it still takes; None while there is no pace or no goal."""
        if not self.total or not self.track.points or now <= self.track.points[-1].at:
            return time_left(self.track.points, total=self.total) if self.total else None
        return time_left([*self.track.points, Point(now, self.done)], total=self.total)


@dataclass(slots=True)
class Curve:
    """A figure that changes, from its first point to the latest; of very many points, so many means.

    What is no number, as a loss that overflowed, has no place on it.
    """

    is_share: bool = False
    values: list[float] = field(default_factory=list)
    latest: float = 0.0
    each: int = 1  # points that one of the values is the mean of
    pending: list[float] = field(default_factory=list)

    def note(self, value: float) -> None:
        if not math.isfinite(value):
            return
        self.latest = value
        self.pending.append(value)
        if len(self.pending) < self.each:
            return
        self.values.append(sum(self.pending) / len(self.pending))
        self.pending = []
        if len(self.values) > POINTS_KEPT:
            self.values = [(a + b) / 2 for a, b in zip(self.values[::2], self.values[1::2], strict=False)]
            self.each *= 2


Weights = tuple[tuple[str, int, float], ...]
"""(part, so many, wanted) each."""


@dataclass(slots=True, kw_only=True)
class View:
    """What has happened in a run so far, as far as it is worth drawing. Texts are kept as they came: clean them.

    `sample` is a fair choice of all rows so far.
    """

    title: str
    model: str
    simulated: bool
    stages: list[Stage] = field(default_factory=list)
    accepted: int = 0
    rows_of: str = ""  # the stage at work when the latest row was accepted
    rejected: Counter[str] = field(default_factory=Counter)
    examples: deque[RowAccepted] = field(default_factory=lambda: deque(maxlen=EXAMPLES_KEPT))
    sample: list[RowAccepted] = field(default_factory=list)
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=NOTES_KEPT))
    curves: dict[str, dict[str, Curve]] = field(default_factory=dict)  # by stage and name
    weights: dict[str, dict[str, Weights]] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    began_s: float | None = None
    now_s: float = 0.0
    is_over: bool = field(default=False, compare=False)  # nobody carries it on: nothing binds, and no time is left
    chance: Random = field(default_factory=lambda: Random(0), compare=False)

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

    def apply(self, *events: Event) -> None:
        """Take note of events; of a kind that is not drawn, nothing.

        Together it is the same as one by one, and quicker: those of single requests, most of all, are counted.
        """
        sent, replies, rows = 0, list[ReplyReceived](), list[RowAccepted]()
        for event in events:
            kind = type(event)  # to match it, or to ask isinstance, takes longer
            if kind is RequestSent:
                sent += 1
            elif kind is ReplyReceived:
                replies.append(event)  # type: ignore[arg-type]  # its type was looked at just now
            elif kind is RowAccepted:
                rows.append(event)  # type: ignore[arg-type]
            elif (take := _TAKES.get(kind)) is not None:
                if kind in _CHANGES_STAGE:  # rows belong to the stage that was at work
                    self._take_rows(rows)
                    rows = []
                take(self, event)
        self._take_rows(rows)
        self.traffic.sent += sent
        self.traffic.apply_replies(replies)

    def tick(self, now: float, *, paused: bool = False) -> None:
        """Take note of the time, in seconds; rates and times left follow from it. A pause slows nothing down."""
        self.began_s = now if self.began_s is None else self.began_s
        passed, self.now_s = now - self.now_s, now
        if (stage := self.current) is not None:
            if paused:
                stage.track.rest(passed)
            stage.track.note(now, stage.done)
        self.traffic.tick(now)

    def _take_rows(self, rows: Sequence[RowAccepted]) -> None:
        if not rows:
            return
        self.rows_of = "" if (stage := self.current) is None else stage.name
        self.examples.extend(rows[-EXAMPLES_KEPT:])
        sample, chance, free = self.sample, self.chance.random, SAMPLE_KEPT - len(self.sample)
        sample.extend(rows[:free])
        for count, row in enumerate(rows[free:], self.accepted + free + 1):
            if (place := chance() * count) < SAMPLE_KEPT:  # so that each row is as likely
                sample[int(place)] = row
        self.accepted += len(rows)

    def stage(self, name: str) -> Stage:
        """The stage of that name; one that nobody announced is put at the end."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        self.stages.append(Stage(name))
        return self.stages[-1]


def _take_failure(view: View, event: AttemptFailed) -> None:
    view.traffic.apply_failure(event)


def _take_reject(view: View, event: RowRejected) -> None:
    view.rejected[event.reason] += 1


def _take_simulation(view: View, _event: SimulationMet) -> None:
    view.simulated = True


def _take_note(view: View, event: Noted) -> None:
    view.notes.append(event.text)


def _take_measure(view: View, event: Measured) -> None:
    curves = view.curves.setdefault(event.stage, {})
    curves.setdefault(event.name, Curve(event.is_share)).note(event.value)


def _take_weights(view: View, event: Weighed) -> None:
    view.weights.setdefault(event.stage, {})[event.name] = event.parts


def _take_start(view: View, event: StageStarted) -> None:
    stage = view.stage(event.stage)
    stage.state, stage.total, stage.unit = "now", event.total, event.unit


def _take_progress(view: View, event: StageProgressed) -> None:
    stage = view.stage(event.stage)
    if event.done < stage.done:  # it begins anew, as a trial of several students does
        stage.track = Track()
    stage.done, stage.facts = event.done, event.facts or stage.facts
    stage.total = stage.total if event.total is None else event.total


def _take_finish(view: View, event: StageFinished) -> None:
    stage = view.stage(event.stage)
    stage.state, stage.summary = "done", event.summary


# A look-up, since matching all kinds in turn takes ten times as long; what is counted together is not in it.
_TAKES: Final[dict[type[Event], Callable[[View, Any], None]]] = {
    AttemptFailed: _take_failure,
    RowRejected: _take_reject,
    SimulationMet: _take_simulation,
    Noted: _take_note,
    Measured: _take_measure,
    Weighed: _take_weights,
    StageStarted: _take_start,
    StageProgressed: _take_progress,
    StageFinished: _take_finish,
}

_CHANGES_STAGE: Final = frozenset({StageStarted, StageFinished})

DRAWN: Final[frozenset[type[Event]]] = frozenset({*_TAKES, ReplyReceived, RequestSent, RowAccepted})
"""Of which events a view takes any note."""
