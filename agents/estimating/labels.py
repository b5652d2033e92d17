"""What labels for a user's inputs would cost, take and bring: the first of them labelled, the rest told from these.

Nothing has to be foreseen of the inputs: they lie there, and their number, their length and how many are equal is read.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.annotating.annotation import examined_inputs, reach_of, voting_of
from agents.annotating.labelling import (
    BLOCK,
    Labelled,
    Unlabelled,
    digest_of,
    label_inputs,
    refused_at_sight,
)
from agents.config import Configuration
from agents.estimating.duration import Gates, seconds_each
from agents.estimating.estimate import Estimate, Pilot, RowsFor, batch_share, notes_of, round_budgets, rounded_up
from agents.estimating.expected import LATE, USABLE, Between, between
from agents.estimating.heard import Answered, Listening
from agents.estimating.pilot import STAGE, PilotFolder, capped, whole_of_tags
from agents.estimating.rates import Numbers
from agents.judging.judging import seat_judge, usable
from agents.making.translate import translated
from agents.models import models_told
from agents.parsing.parse import parse
from agents.reading.inputs import Examined, InputRow
from agents.run_folder import RunFolder
from agents.stages import OnEngine, asking, understand
from engine.clock import SystemClock
from engine.errors import UserError
from engine.events import Events, StageFinished, StageProgressed, StageStarted
from engine.throttle import Limits

__all__ = ["Left", "estimate_labels", "left_of", "texts_usd"]

BLOCKS = 3  # of inputs, that are labelled together
FEWEST = 8  # inputs from which anything can be told
DRAWS = 400
SLIPS = 0.04  # of the cost of what is to come, as a standard deviation
AT_ONCE = 1000  # calls in flight, where neither slots nor a limit are told


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a file: texts to ask about and their characters, and rows that have the label of an equal one."""

    texts: int
    characters: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sounded:
    """What a pilot brought: how its rows ended, and what was asked."""

    ended: tuple[Labelled | Unlabelled, ...]
    before: tuple[Answered, ...]
    calls: tuple[Answered, ...]
    seconds: float
    cpu_s: float
    limits: Limits
    simulated: bool
    cut_short: str


def estimate_labels(
    folder: RunFolder,
    configuration: Configuration,
    *,
    pilot_usd: str | None = None,
    requests: int | None = None,
    budget: str | None,
    events: Events,
    on_engine: OnEngine = lambda _: None,
) -> Estimate:
    """Label the first inputs in a folder that has begun, `requests` blocks of 32, and say what all of them come to.

    Raises UserError when no input could be labelled.
    """
    examined = examined_inputs(configuration, parse(folder.prompt_text()))
    pilot = capped(configuration, pilot_usd)
    sounded = asyncio.run(
        _sound(folder, pilot, examined, blocks=requests or BLOCKS, events=events, on_engine=on_engine)
    )
    left = left_of(examined.inputs, sounded.ended)
    return _estimate(sounded, left, examined, folder, configuration, budget=budget)


async def _sound(
    folder: RunFolder,
    configuration: Configuration,
    examined: Examined,
    *,
    blocks: int,
    events: Events,
    on_engine: OnEngine,
) -> Sounded:
    clock, ended = SystemClock(), list[Labelled | Unlabelled]()
    async with asking(PilotFolder(folder.path), configuration, events=events, on_engine=on_engine) as engine:
        spec = await understand(folder, engine, events=events)
        spec = await translated(engine, spec, configuration.instruction_language, folder.spec, events=events)
        judge = await seat_judge(spec, configuration, engine, given=(), events=events)
        listening, before = Listening(engine, clock), whole_of_tags(engine)
        events.emit(StageStarted(STAGE, min(BLOCK * blocks, examined.rows), "rows"))

        def take(row: Labelled | Unlabelled) -> None:
            ended.append(row)
            events.emit(StageProgressed(STAGE, len(ended)))

        begun, busy = clock.monotonic(), time.process_time()
        error = await label_inputs(
            listening,
            spec,
            examined.inputs,
            voting=voting_of(configuration, engine),
            take=take,
            reach=reach_of(configuration, judge),
            judge=usable(judge),
            most_blocks=blocks,
        )
        answered = [row for row in ended if not (isinstance(row, Unlabelled) and row.reason in ("budget", "provider"))]
        if not any(isinstance(row, Labelled) for row in answered) or len(answered) < min(FEWEST, examined.rows):
            raise error or UserError("a pilot brought no label; change the prompt or the teacher before more is paid")
        events.emit(StageFinished(STAGE, f"{len(answered)} inputs"))
        return Sounded(
            ended=tuple(answered),
            before=before,
            calls=tuple(listening.others),
            seconds=clock.monotonic() - begun,
            cpu_s=(time.process_time() - busy) / max(1, len(listening.others)),
            limits=engine.statistics().limits,
            simulated=engine.simulated,
            cut_short="" if error is None else str(error),
        )


def left_of(rows: Iterable[InputRow], ended: Sequence[Labelled | Unlabelled]) -> Left:
    """What is left to ask about after those that have ended, each text once; without what cannot be asked."""
    done = {row.row.number for row in ended}
    seen, texts, characters, left = set[bytes](), 0, 0, 0
    for row in rows:
        if refused_at_sight(row) is not None:
            continue
        digest = digest_of(row.text)
        if row.number not in done:
            left += 1
            if digest not in seen:
                texts, characters = texts + 1, characters + len(row.text)
        seen.add(digest)
    return Left(texts, characters, left)


def texts_usd(ended: Sequence[Labelled | Unlabelled], left: Left, *, chance: np.random.Generator) -> Numbers:
    """What the texts that are left cost, in each forecast: by their number and, as far as it tells, their length."""
    asked = [row for row in ended if row.asked]
    usd = np.array([row.vote.cost_usd if isinstance(row, Labelled) else row.cost_usd for row in asked])
    length = np.array([float(len(row.row.text)) for row in asked])
    weights = chance.dirichlet(np.full(len(asked), max(0.2, (len(asked) - 1) / len(asked))), size=DRAWS)
    mean_usd, mean_length = weights @ usd, weights @ length
    spread = weights @ length**2 - mean_length**2
    together = weights @ (length * usd) - mean_length * mean_usd
    slope = np.divide(together, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    slope = np.clip(slope, 0.0, mean_usd / np.maximum(mean_length, 1.0))  # at most in proportion, at least not at all
    average = left.characters / left.texts if left.texts else 0.0
    each = mean_usd + slope * (average - mean_length)
    whole: Numbers = left.texts * each * np.exp(SLIPS * chance.standard_normal(DRAWS))
    return whole


def _estimate(
    sounded: Sounded,
    left: Left,
    examined: Examined,
    folder: RunFolder,
    configuration: Configuration,
    *,
    budget: str | None,
) -> Estimate:
    chance = np.random.default_rng(configuration.seed)
    calls = (*sounded.before, *sounded.calls)
    spent = math.fsum(call.usd for call in calls)
    more = texts_usd(sounded.ended, left, chance=chance) * batch_share(configuration)
    labelled = sum(isinstance(row, Labelled) for row in sounded.ended)
    kept = chance.beta(labelled + 1.0, len(sounded.ended) - labelled + 0.3, size=DRAWS)
    rows = labelled + chance.binomial(left.rows, kept)
    usd = spent + more
    part = (
        np.ones(DRAWS) if budget is None else np.clip((float(budget) * USABLE - spent) / np.maximum(more, 1e-12), 0, 1)
    )
    needed = between(usd).high
    budgets = round_budgets(between(usd).middle, own=budget, paid=spent)
    texts = sum(row.asked > 0 for row in sounded.ended)
    return Estimate(
        name=folder.path.resolve().name,
        what="labels",
        teacher=models_told(configuration),
        simulated=sounded.simulated,
        wanted=examined.rows,
        pilot=Pilot(requests=len(sounded.ended), calls=len(calls), rows=labelled, usd=spent, seconds=sounded.seconds),
        rows=between(np.floor(labelled + part * (rows - labelled))),
        usd=between(spent + part * more),
        seconds=_seconds(sounded, configuration, part * left.texts / max(1, texts), chance),
        calls=between(len(calls) + np.ceil(part * left.texts * len(sounded.calls) / max(1, texts))),
        reaches=float(np.mean(part >= 1)),
        budget=budget,
        needed_usd=rounded_up(needed / USABLE),
        is_free=not needed,
        table=tuple(
            RowsFor(
                each, between(np.floor(labelled + np.clip((each * USABLE - spent) / more, 0, 1) * (rows - labelled)))
            )
            for each in budgets
            if left.texts
        ),
        training_s=0.0,
        notes=tuple(notes_of(configuration, sounded.limits, simulated=sounded.simulated, cut_short=sounded.cut_short)),
        folder=str(folder.path),
    )


def _seconds(sounded: Sounded, configuration: Configuration, times: Numbers, chance: np.random.Generator) -> Between:
    """As long as its slots and limits make it: inputs are labelled some thousand at a time, so nothing else binds."""
    latency = math.fsum(call.latency_s for call in sounded.calls) / max(1, len(sounded.calls))
    gates = Gates(
        limits=sounded.limits,
        at_once=configuration.concurrency or AT_ONCE,
        latency_s=latency,
        cpu_s=sounded.cpu_s,
    )
    calls = len(sounded.calls) * times
    spread = np.exp(LATE * chance.standard_normal(DRAWS))
    rounds = latency * (3 + np.log2(1 + calls / 8))  # slots are found one round trip after another
    later = seconds_each(
        calls,
        rounds,
        gates,
        input_tokens=times * sum(call.input_tokens for call in sounded.calls),
        output_tokens=times * sum(call.output_tokens for call in sounded.calls),
    )
    return between((sounded.seconds + later) * spread)
