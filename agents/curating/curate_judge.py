"""A judge for rows that exist: the one part of curating that asks a model, and so has a budget and a journal.

The journal lies in the folder of what is curated. When the money ends, or somebody stops it, nothing else is written;
the same command with the same folder goes on from there, and pays for nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from agents.config import Configuration
from agents.curating.progress import Advance
from agents.interrupts import drained_by_signals
from agents.judging.judge import Judge, Judged, calibrate, verdicts
from agents.judging.judging import JudgeFacts, Ruled, judge_facts, usable
from agents.listeners import announced
from agents.models import open_engine, targets_told
from agents.reading.roles import Row
from agents.records import Pair, Spec, Verdict
from agents.run_folder import RunFolder
from engine.errors import BudgetReached, SmeltError

if TYPE_CHECKING:
    from engine import Engine

__all__ = ["Judging", "judge_of_rows"]

BLOCK = 64  # rows that are asked about together
MOST_UNDER_WAY = 64  # blocks


@dataclass(frozen=True, slots=True)
class Judging:
    """What a judge said of rows, by their numbers, and what there is to tell of it."""

    verdicts: Mapping[int, Verdict]
    facts: JudgeFacts | None


def judge_of_rows(
    folder: Path,
    configuration: Configuration,
    *,
    spec: Spec,
    anchors: tuple[Pair, ...],
    note: Callable[[str], None],
) -> Callable[[Iterable[Row], Advance], Judging]:
    """Somebody who judges rows as the configuration says, tried first on the demonstrations and the anchors.

    Raises the SmeltError that ended it before all rows were asked about; BudgetReached says how to go on.
    """

    def judge(rows: Iterable[Row], advance: Advance) -> Judging:
        return asyncio.run(
            _judge(RunFolder(folder), configuration, rows, spec=spec, anchors=anchors, note=note, advance=advance)
        )

    return judge


async def _judge(
    folder: RunFolder,
    configuration: Configuration,
    rows: Iterable[Row],
    *,
    spec: Spec,
    anchors: tuple[Pair, ...],
    note: Callable[[str], None],
    advance: Advance,
) -> Judging:
    if (told := targets_told(configuration)) is not None:
        note(told)
    try:
        async with open_engine(folder, configuration, events=announced()) as engine:
            with drained_by_signals(engine.drain):
                judge = await calibrate(engine, spec, anchors, seed=configuration.seed)
                note(judge.calibration.told())
                found, ruled = await _all_of(rows, engine, judge, advance)
                return Judging(found, judge_facts(judge, engine.statistics(), ruled))
    except BudgetReached as error:
        raise BudgetReached(
            f"{error}; nothing is lost: the same command with a larger --budget and --out {folder.path} goes on"
        ) from error


async def _all_of(
    rows: Iterable[Row], engine: Engine, judge: Judge, advance: Advance
) -> tuple[dict[int, Verdict], Ruled]:
    """The verdicts on all rows that have an answer, asked for in their order; none where the judge is not used."""
    found: dict[int, Verdict] = {}
    asked = 0
    coming = (row for row in rows if row.output is not None) if usable(judge) else iter(())
    under_way: deque[tuple[list[Row], asyncio.Task[list[Judged]]]] = deque()
    error: SmeltError | None = None
    async with asyncio.TaskGroup() as group:
        while True:
            while error is None and len(under_way) < MOST_UNDER_WAY and (block := list(islice(coming, BLOCK))):
                under_way.append((block, group.create_task(verdicts(engine, judge, list(map(_pair, block))))))
            if not under_way:
                break
            block, task = under_way.popleft()
            for row, one in zip(block, await task, strict=True):
                asked += 1
                error = error or one.error
                if one.verdict is not None:
                    found[row.number] = one.verdict
            advance(len(block))
    if error is not None:
        raise error
    refused = [verdict for verdict in found.values() if verdict.refused]
    passed: list[Verdict | None] = [verdict for verdict in found.values() if not verdict.refused]
    return found, Ruled.of([*passed, *[None] * (asked - len(found))], refused)


def _pair(row: Row) -> Pair:
    """The row as the task has it: what the answer is taken from is a part of its input."""
    return Pair(row.input if row.context is None else f"{row.input}\n{row.context}", row.output or "")
