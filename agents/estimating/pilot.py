"""A run begun and left after a few groups: what it asks is what the run asks first, so nothing of it is paid for twice.

The folder is the run's own, with its configuration and its journal. Only the cap is the pilot's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from agents.config import Configuration
from agents.estimating.heard import Answered, Listening, Tried, tried
from agents.estimating.policy import Policy, policy_of
from agents.finding.found.stage import is_wanted
from agents.judging.judging import seat_judge, usable
from agents.making.groups import Brought
from agents.making.outcomes import usual_reason
from agents.making.synthesis import Synthesis
from agents.making.synthesize import synthesize
from agents.making.translate import translated
from agents.pipeline import look_around, plan_rows, rows_wanted, settings_of
from agents.reading.documents import documents_for
from agents.reading.rows import read_rows
from agents.run_folder import RunFolder
from agents.stages import OnEngine, asking, understand
from engine import Engine
from engine.clock import Clock, SystemClock
from engine.errors import UserError
from engine.events import Event, Events, Noted, RowAccepted, RowRejected, StageFinished, StageProgressed, StageStarted
from engine.prices import PICO_PER_USD
from engine.throttle import Limits

__all__ = ["FEWEST", "REQUESTS", "STAGE", "PilotFolder", "Sounding", "capped", "sound_rows", "whole_of_tags"]

STAGE = "pilot"
REQUESTS = 12  # for inputs, by default: with their labels some forty calls
FEWEST = 3  # groups from which anything can be told
SHARE = Decimal("0.1")  # of the run's budget, where it is not said what the pilot may spend


@dataclass(frozen=True, slots=True)
class PilotFolder(RunFolder):
    """A run's folder while its pilot is at work: what is written down stays the run's own configuration."""

    def keep(self, configuration: Configuration) -> None:  # noqa: ARG002  # the pilot's differs in its cap
        run = RunFolder(self.path)
        run.keep(run.configuration())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounding:
    """What a pilot brought: its groups, the calls before them, and how the run would go on.

    `cpu_s` is what this machine was busy with each call, `limits` are those of the provider as far as they are known
    by now. With `is_whole` there were rows enough already. `cut_short` says what ended it early, if something did.
    """

    groups: tuple[Tried, ...]
    before: tuple[Answered, ...]
    policy: Policy
    rows: int
    cpu_s: float
    seconds: float
    limits: Limits
    simulated: bool
    is_whole: bool
    cut_short: str = ""

    @property
    def calls(self) -> tuple[Answered, ...]:
        return (*self.before, *(call for group in self.groups for call in group.calls))


def capped(configuration: Configuration, pilot_usd: str | None) -> Configuration:
    """The configuration for the pilot, which this process asks: its own cap, a tenth of the run's unless it is said."""
    budget = configuration.budget
    if pilot_usd is None and budget is not None:
        pilot_usd = f"{Decimal(budget) * SHARE:f}"
    cap = pilot_usd if budget is None or pilot_usd is None else f"{min(Decimal(pilot_usd), Decimal(budget)):f}"
    return replace(configuration, budget=cap, batch=False, ray=None, workers=None, gpus=None)


async def sound_rows(
    folder: RunFolder,
    configuration: Configuration,
    *,
    requests: int,
    events: Events,
    on_engine: OnEngine = lambda _: None,
    clock: Clock | None = None,
) -> Sounding:
    """Begin the run in a folder and leave it after so many requests for inputs and what follows from them.

    Raises UserError when no row came of it, BudgetReached when the money ended before anything could be told.
    """
    clock = clock or SystemClock()
    withheld = read_rows(Path(configuration.test)) if configuration.test else ()
    async with asking(PilotFolder(folder.path), configuration, events=events, on_engine=on_engine) as engine:
        listening = Listening(engine, clock)
        spec = await understand(folder, engine, events=events)
        spec = await translated(engine, spec, configuration.instruction_language, folder.spec, events=events)
        documents = documents_for(folder, configuration, rows=rows_wanted(configuration, spec), events=events)
        plan = await plan_rows(folder, spec, engine, events=events)
        await look_around(spec, engine, configuration, events=events)
        engine.finish(tag="retrieve")
        settings = settings_of(configuration, spec, plan, documents, engine)
        if is_wanted(configuration):
            events.emit(Noted("data sets are not looked into: the estimate is for rows that the teacher writes"))
        judge = await seat_judge(spec, configuration, engine, given=withheld, events=events)
        before = whole_of_tags(engine)
        heard: list[Brought] = []
        events.emit(StageStarted(STAGE, requests, "requests"))
        begun, busy = clock.monotonic(), time.process_time()
        synthesis = await synthesize(
            listening,
            spec,
            settings=settings,
            events=_quiet(events),
            withheld=tuple(pair.input for pair in withheld),
            purse=engine,
            judge=usable(judge),
            most_groups=requests,
            heard=_noted(heard, requests, events),
        )
        busy, seconds = time.process_time() - busy, clock.monotonic() - begun
        groups = tried(heard, synthesis, listening)
        _check(synthesis, groups)
        calls = sum(len(group.calls) for group in groups)
        events.emit(StageFinished(STAGE, f"{len(synthesis.examples)} rows from {len(groups)} requests"))
        return Sounding(
            groups=groups,
            before=before,
            policy=policy_of(spec, settings),
            rows=len(synthesis.examples),
            cpu_s=busy / max(1, calls),
            seconds=seconds,
            limits=engine.statistics().limits,
            simulated=engine.simulated,
            is_whole=synthesis.stop == "target",
            cut_short="" if synthesis.error is None else str(synthesis.error),
        )


def whole_of_tags(engine: Engine) -> tuple[Answered, ...]:
    """The calls so far, each as its kind was on the average; what the journal answered counts as paid."""
    tags = engine.statistics().by_tag
    return tuple(
        Answered(
            tag=name,
            input_tokens=round(tag.input_tokens / tag.replies),
            output_tokens=round(tag.output_tokens / tag.replies),
            shared_tokens=0.0,
            usd=(tag.cost + tag.saved) / PICO_PER_USD / tag.replies,
            latency_s=0.0,
            asked_at=0.0,
            ended_at=0.0,
        )
        for name, tag in tags.items()
        for _ in range(tag.replies)
    )


def _quiet(events: Events) -> Events:
    """Rows are told of; how far the whole run is, and why a pilot ends, is not."""
    own = Events()

    def forward(event: Event) -> None:
        if isinstance(event, RowAccepted | RowRejected):
            events.emit(event)

    own.subscribe(forward)
    return own


def _noted(heard: list[Brought], requests: int, events: Events) -> Callable[[Brought], None]:
    """What notes each group, and tells that the pilot got on."""

    def note(brought: Brought) -> None:
        heard.append(brought)
        events.emit(StageProgressed(STAGE, len(heard), requests))

    return note


def _check(synthesis: Synthesis, groups: Sequence[Tried]) -> None:
    """Raise what keeps an estimate from being made."""
    if len(groups) < FEWEST and synthesis.stop != "target":
        raise synthesis.error or UserError(f"{len(groups)} requests say nothing of a run: pilot with at least {FEWEST}")
    if not synthesis.examples:
        usual = usual_reason(synthesis.rejects)
        raise UserError(
            f"a pilot of {len(groups)} requests brought no row (mostly: {usual or 'nothing came'}); change the prompt "
            "or the teacher before more is paid"
        )
