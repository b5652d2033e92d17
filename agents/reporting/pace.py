"""How long a run took, stage by stage, and what held it up meanwhile: listened to while it goes on, kept beside it.

A run may have been carried by several processes, one after another: each is a sitting.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from agents.run_folder import write_whole
from engine import Engine
from engine.clock import Clock, SystemClock
from engine.events import Event, Events, StageFinished, StageStarted
from engine.timeline import Timeline

__all__ = ["Listening", "Moment", "Pace", "listening", "pace_of"]

LOOK_EVERY_S = 0.5
WRITE_EVERY_S = 30.0
MOST_SITTINGS = 50  # of one that is resumed for ever, the last

logger = logging.getLogger("agents.reporting.pace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A slice of a sitting: what a minute of it came to, at that rate, and what held the next request up most."""

    sitting: int  # from 1
    minute: float  # from the beginning of the sitting
    minutes: float
    requests_per_minute: float
    tokens_per_minute: float
    limits_met: int  # 429s
    failed: int  # attempts that failed otherwise
    in_flight: float
    allowed: float
    bound_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The time of a run: of all sittings, stage by stage, and as a course of moments.

    `stages` has the seconds of each stage, `bound` those that each thing held the next request up, the longest first.
    """

    sittings: int
    seconds: float
    stages: Mapping[str, float]
    bound: Mapping[str, float]
    limits_met: int
    moments: tuple[Moment, ...]


@dataclass(slots=True)
class Listening:
    """What one process has heard so far. A stage that runs beside another counts in both."""

    clock: Clock
    path: Path
    before: tuple[Mapping[str, Any], ...] = ()
    timeline: Timeline = field(default_factory=Timeline)
    _look: Callable[[], tuple[str, int, int]] | None = None
    _looked_s: float = 0.0
    _began_s: float = 0.0
    _written_s: float = 0.0
    _stages: dict[str, float] = field(default_factory=dict)
    _open: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began_s = self._written_s = self.clock.monotonic()

    def watch(self, engine: Engine) -> None:
        """Look at this engine now and then: at its events, in its own thread."""

        def look() -> tuple[str, int, int]:
            figures = engine.statistics()
            return figures.binding, figures.in_flight, figures.allowed

        self._look = look

    def beside(self, on_engine: Callable[[Engine], None]) -> Callable[[Engine], None]:
        """What is to be done with an engine, and watching it."""

        def both(engine: Engine) -> None:
            self.watch(engine)
            on_engine(engine)

        return both

    def rest(self) -> None:
        """The engine is closed: nothing holds up what is not asked."""
        self._look = None

    def notice(self, event: Event) -> None:
        now = self.clock.monotonic()
        match event:
            case StageStarted():
                self._open[event.stage] = now
            case StageFinished():
                self._stages[event.stage] = self._stages.get(event.stage, 0.0) + now - self._open.pop(event.stage, now)
            case _:
                self.timeline.apply(event, now=now)
        if self._look is not None and now - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now
            binding, in_flight, allowed = self._look()
            self.timeline.look(now=now, binding=binding, in_flight=in_flight, allowed=allowed)
        if now - self._written_s >= WRITE_EVERY_S:
            self._written_s = now
            self.write()

    def sittings(self) -> tuple[Mapping[str, Any], ...]:
        """All sittings so far, this one last, as they are written down."""
        now = self.clock.monotonic()
        stages = {**self._stages}
        for stage, since in self._open.items():
            stages[stage] = stages.get(stage, 0.0) + now - since
        this = {
            "seconds": round(now - self._began_s, 3),
            "stages": {stage: round(seconds, 3) for stage, seconds in stages.items()},
            "width_s": self.timeline.width_s,
            "slices": [asdict(each) for each in self.timeline.slices()],
        }
        return (*self.before, this)[-MOST_SITTINGS:]

    def write(self) -> None:
        try:
            write_whole(self.path, orjson.dumps(self.sittings()))
        except OSError as error:  # a record of the time is worth no run
            logger.info("%s could not be written (%s); the run goes on", self.path, error.strerror)

    def pace(self) -> Pace:
        return pace_of(self.sittings())


@contextmanager
def listening(path: Path, events: Events, *, clock: Clock | None = None) -> Iterator[Listening]:
    """Within the block the run's events are heard; what was heard is written down at its end, however that comes."""
    heard = Listening(clock or SystemClock(), path, before=read_sittings(path))
    unsubscribe = events.subscribe(heard.notice)
    try:
        yield heard
    finally:
        unsubscribe()
        heard.write()


def read_sittings(path: Path) -> tuple[Mapping[str, Any], ...]:
    """The sittings before this one; none where they cannot be read: they are worth no run."""
    try:
        table = orjson.loads(path.read_bytes())
        pace_of(table)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return ()
    return tuple(table)


def pace_of(sittings: Sequence[Mapping[str, Any]]) -> Pace:
    """The sittings as one."""
    stages: Counter[str] = Counter()
    bound: Counter[str] = Counter()
    moments: list[Moment] = []
    for number, sitting in enumerate(sittings, start=1):
        stages.update(sitting["stages"])
        for part in sitting["slices"]:
            bound.update(part["bound"])
            if part["sent"] or part["replies"] or part["seconds"]:
                moments.append(_moment(part, number, float(sitting["width_s"])))
    return Pace(
        sittings=len(sittings),
        seconds=round(sum(float(sitting["seconds"]) for sitting in sittings), 3),
        stages={stage: round(seconds, 3) for stage, seconds in stages.items()},
        bound={name: round(seconds, 3) for name, seconds in bound.most_common()},
        limits_met=sum(moment.limits_met for moment in moments),
        moments=tuple(moments),
    )


def _moment(part: Mapping[str, Any], sitting: int, width_s: float) -> Moment:
    bound: Mapping[str, float] = part["bound"]
    return Moment(
        sitting=sitting,
        minute=round(part["start_s"] / 60, 4),
        minutes=round(width_s / 60, 4),
        requests_per_minute=round(60 * part["replies"] / width_s, 1),
        tokens_per_minute=round(60 * part["tokens"] / width_s, 1),
        limits_met=part["limits_met"],
        failed=part["failed"],
        in_flight=part["in_flight"],
        allowed=part["allowed"],
        bound_by=max(bound, key=lambda name: bound[name], default=""),
    )
