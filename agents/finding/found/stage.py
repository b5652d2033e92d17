"""Existing data as a stage of a run: nothing is looked into unless it is asked for, and a run can do without all of it.

Without a catalogue and without names there is no such stage. What is on this machine is read from there; what is on the
hub is streamed only when it is named, or with `auto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.asks import Asks
from agents.config import Configuration
from agents.finding.found.gather import gather
from agents.finding.found.read import Reader
from agents.finding.found.records import Found, Seeking
from agents.finding.found.shelf import keep_shelf, kept_shelf, shelf_of
from agents.making.plan import make_plan
from agents.making.synthesis import Settings
from agents.records import Spec
from engine.events import Events, Noted, StageFinished, StageStarted

__all__ = ["STAGE", "find_rows", "is_wanted"]

STAGE = "transform"


def is_wanted(configuration: Configuration) -> bool:
    """Whether a run takes rows from data that exists already: only when it is told where from."""
    if configuration.datasets == ("none",) or configuration.found_share == 0:
        return False
    return configuration.catalogue is not None or configuration.datasets is not None


async def find_rows(
    asks: Asks,
    spec: Spec,
    configuration: Configuration,
    *,
    queries: Sequence[str],
    settings: Settings,
    withheld: Sequence[str],
    folder: Path,
    events: Events,
) -> Found:
    """Rows of the task from existing data sets, as many as the run is to have of them; none where none are wanted."""
    if not is_wanted(configuration):
        return Found()
    events.emit(StageStarted(STAGE))
    shelf = kept_shelf(folder) or shelf_of(configuration, queries, language=spec.language, events=events)
    keep_shelf(folder, shelf)
    seeking = Seeking(
        wanted=settings.examples,
        share=configuration.found_share,
        per_dataset=configuration.rows_per_dataset,
        seed=configuration.seed,
        only=shelf.only,
        catalogue=None if configuration.catalogue is None else Path(configuration.catalogue),
    )
    reader = Reader(
        seed=configuration.seed, language=spec.language, folder=folder, streamed=configuration.rows_per_dataset
    )
    found = await gather(
        asks,
        spec,
        shelf.cards,
        seeking=seeking,
        reader=reader,
        quotas=make_plan(spec, shares=settings.shares),
        voting=settings.voting,
        withheld=withheld,
        judging=shelf.judging,
        note=lambda text: events.emit(Noted(text)),
    )
    if found.error is not None:
        events.emit(Noted(f"data sets: the asking ended early, what was paid for by then is kept: {found.error}"))
    used = sum(source.kept > 0 for source in found.sources)
    events.emit(StageFinished(STAGE, f"{len(found.examples)} rows from {used} of {len(shelf.cards)} data sets"))
    return found
