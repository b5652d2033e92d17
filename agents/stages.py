"""What every run that asks a teacher begins and ends with, whatever it makes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from agents.config import Configuration
from agents.interrupts import drained_by_signals
from agents.models import open_engine, targets_told
from agents.parsing.parse import parse_with_teacher
from agents.parsing.specs import read_spec, write_spec
from agents.records import Spec
from agents.reporting.outlook import out_of_money, under
from agents.reporting.report import RunReport
from agents.run_folder import RunFolder
from engine import Engine, Statistics
from engine.errors import BudgetReached, ProviderRefused
from engine.events import Events, Noted, StageFinished, StageStarted
from engine.fleet.gathering import gather

__all__ = ["Ended", "OnEngine", "as_written", "asking", "tell_target", "understand"]

OnEngine = Callable[[Engine], None]

Told = TypeVar("Told", bound=RunReport)


@dataclass(frozen=True, slots=True)
class Ended(Generic[Told]):
    """A run that came to its end. `error` is what kept it short of its target; what there was is kept all the same."""

    report: Told
    error: BudgetReached | ProviderRefused | None = None

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0


@asynccontextmanager
async def asking(
    folder: RunFolder, configuration: Configuration, *, events: Events, on_engine: OnEngine
) -> AsyncIterator[Engine]:
    """Within the block the teacher can be asked, by this process alone; the first Ctrl-C lets it come to its end.

    When the money ends the block, the error says what more of it would bring.
    """
    folder.check_journal()
    await gather(folder.journal, folder.workers, budget=configuration.cap)
    async with open_engine(folder, configuration, events=events) as engine:
        folder.keep(configuration)  # now that the journal is ours: nobody else is carrying the run
        on_engine(engine)
        tell_target(configuration, events=events)
        with drained_by_signals(engine.drain):
            try:
                yield engine
            except BudgetReached as error:
                raise out_of_money(error, as_written(folder, engine)) from error


def tell_target(configuration: Configuration, *, events: Events) -> None:
    """The first line of a run: whom it asks."""
    if (told := targets_told(configuration)) is not None:
        events.emit(Noted(told))


async def understand(folder: RunFolder, engine: Engine, *, events: Events) -> Spec:
    """The prompt as a spec: as it stands in the folder already, else as parsed, with the teacher's help if need be."""
    events.emit(StageStarted("parse"))
    if folder.spec.exists():  # of an earlier start, and perhaps edited since: that is what it is there for
        spec = read_spec(folder.spec)
    else:
        spec = await parse_with_teacher(engine, folder.prompt_text())
        write_spec(folder.spec, spec)
    for doubt in spec.doubts:
        events.emit(Noted(f"the prompt leaves something open ({doubt.about}): {doubt.why}"))
    kind = f"{len(spec.labels)} labels" if spec.labels else spec.form
    events.emit(StageFinished("parse", f"{len(spec.demonstrations)} demonstrations, answers are {kind}"))
    return spec


def as_written(folder: RunFolder, engine: Engine) -> Statistics:
    """How the money stands under the cap that is written down: the engine has another where a run is read again."""
    return under(engine.statistics(), RunFolder(folder.path).configuration().cap)
