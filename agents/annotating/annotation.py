"""From a file of inputs to labels: the stages of `smelt annotate` in order.

Like a whole run it is carried on in its folder: what was paid for comes from the journal, and the same inputs end in
the same bytes. The files of rows appear when the last row has been labelled.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from agents.annotating.annotation_report import AnnotationReport, card_of, facts_of, verdict, warnings
from agents.annotating.labelled import Tally, written_to
from agents.annotating.labelling import IN_BATCHES, JUDGED, ONLINE, Labelled, Reach, Unlabelled, label_inputs
from agents.collect import storable
from agents.config import Configuration
from agents.judging.judge import Judge
from agents.judging.judging import judge_facts, seat_judge, usable
from agents.making.synthesis import Settings
from agents.making.translate import translated
from agents.making.truth import truth_of
from agents.models import models_told
from agents.parsing.parse import parse
from agents.reading.inputs import Examined, examine, parts_of
from agents.records import Spec
from agents.reporting.money import by_stage, money_of
from agents.reporting.outlook import out_of_money
from agents.reporting.pace import listening
from agents.reporting.report import write_report
from agents.run_folder import RunFolder, write_whole
from agents.stages import Ended, OnEngine, as_written, asking, understand
from agents.voting.annotate import Voting
from engine import Engine
from engine.errors import BudgetReached, ProviderRefused, UserError
from engine.events import Event, Events, RowAccepted, RowRejected, StageFinished, StageProgressed, StageStarted

__all__ = ["STAGES", "annotate_file", "examined_inputs", "reach_of", "voting_of"]

STAGES = ("parse", "annotate", "report")
TOLD_EVERY = 32  # rows
SENTENCES = 3  # of the verdict; others come after it


def annotate_file(
    folder: RunFolder,
    configuration: Configuration | None = None,
    *,
    events: Events,
    on_engine: OnEngine = lambda _: None,
) -> Ended[AnnotationReport]:
    """Label the inputs of a run, or go on from where that stopped.

    Raises SmeltError when there is nothing to show for it, or the inputs are not those that the run began with.
    """
    configuration = configuration or folder.configuration()
    examined = examined_inputs(configuration, parse(folder.prompt_text()))
    with listening(folder.pace, events) as heard:
        ended = asyncio.run(_ask(folder, configuration, examined, events=events, on_engine=heard.beside(on_engine)))
        heard.rest()
        events.emit(StageStarted("report"))
        money = by_stage(ended.report.money, folder.by_stage())
        report = replace(ended.report, money=money, pace=heard.pace())
        write_report(report, folder, template="annotation.html")
        events.emit(StageFinished("report", str(folder.report_html)))
    return Ended(report, ended.error)


def examined_inputs(configuration: Configuration, spec: Spec) -> Examined:
    """The file, understood as when the run began: by the prompt as it is, not by what the teacher made of it."""
    if configuration.inputs is None:
        raise UserError("the run has no inputs to label: begin it with smelt annotate PROMPT --inputs FILE")
    examined = examine(Path(configuration.inputs), column=configuration.input_column, parts=parts_of(spec))
    if configuration.inputs_sha256 not in (None, examined.digest):
        raise UserError(
            f"{configuration.inputs}: is not what it was when the run began; put that back, or begin anew with --out"
        )
    return examined


async def _ask(
    folder: RunFolder, configuration: Configuration, examined: Examined, *, events: Events, on_engine: OnEngine
) -> Ended[AnnotationReport]:
    """Understand the prompt and label the rows: all that asks the teacher."""
    async with asking(folder, configuration, events=events, on_engine=on_engine) as engine:
        spec = await understand(folder, engine, events=events)
        spec = await translated(engine, spec, configuration.instruction_language, folder.spec, events=events)
        judge = await seat_judge(spec, configuration, engine, given=(), events=events)
        return await _label(folder, configuration, engine, examined, spec, judge, events=events)


async def _label(
    folder: RunFolder,
    configuration: Configuration,
    engine: Engine,
    examined: Examined,
    spec: Spec,
    judge: Judge | None,
    *,
    events: Events,
) -> Ended[AnnotationReport]:
    events.emit(StageStarted("annotate", examined.rows, "rows"))
    world = engine.world
    tally = Tally(
        spec=spec, seed=configuration.seed, truth=lambda text: None if world is None else truth_of(world, spec, text)
    )
    with written_to(folder.data, is_judged=usable(judge) is not None) as written:

        def take(ended: Labelled | Unlabelled) -> None:
            written.add(ended)
            tally.add(ended)
            for event in _news(ended, tally, of=examined.rows):
                events.emit(event)

        voting = voting_of(configuration, engine)
        error = await label_inputs(
            engine,
            spec,
            examined.inputs,
            voting=voting,
            take=take,
            reach=reach_of(configuration, judge),
            judge=usable(judge),
        )
        if not tally.labelled:
            raise error or _nothing_labelled(tally)
        report, ended_by = _report(folder, configuration, engine, examined, tally, judge, error)
    write_whole(folder.data / "README.md", storable(card_of(report)).encode())
    events.emit(StageFinished("annotate", f"{tally.labelled} of {tally.rows} rows have a label"))
    return Ended(report, ended_by)


def reach_of(configuration: Configuration, judge: Judge | None) -> Reach:
    """How many inputs are under way."""
    return IN_BATCHES if configuration.batch else JUDGED if usable(judge) else ONLINE


def voting_of(configuration: Configuration, engine: Engine) -> Voting:
    """How inputs are voted on, as far as the models can carry it."""
    settings = Settings(
        labels_per_call=configuration.labels_per_call,
        votes=configuration.votes,
        sampled=configuration.sampled_votes,
        seed=configuration.seed,
    )
    return settings.within(engine.capabilities_of("generate"), labelling=engine.capabilities_of("annotate")).voting


def _news(ended: Labelled | Unlabelled, tally: Tally, *, of: int) -> list[Event]:
    first: Event = (
        RowAccepted(ended.row.text, ended.vote.winner) if isinstance(ended, Labelled) else RowRejected(ended.reason)
    )
    if tally.rows % TOLD_EVERY and tally.rows != of:
        return [first]
    facts = (("votes", f"{tally.votes / max(1, tally.asked_about):.2f} each"),)
    return [first, StageProgressed("annotate", tally.rows, of, facts)]


def _nothing_labelled(tally: Tally) -> UserError:
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in tally.unlabelled.most_common())
    return UserError(
        f"no row could be labelled ({reasons}); change the prompt, the inputs or the teacher, and begin anew"
    )


def _report(
    folder: RunFolder,
    configuration: Configuration,
    engine: Engine,
    examined: Examined,
    tally: Tally,
    judge: Judge | None,
    error: BudgetReached | ProviderRefused | None,
) -> tuple[AnnotationReport, BudgetReached | ProviderRefused | None]:
    """The report, and the error as it is to be told: as the ledger stands in the end."""
    figures = as_written(folder, engine)
    ended_by = error
    if isinstance(error, BudgetReached):
        ended_by = out_of_money(error, figures, accepted=tally.labelled, wanted=_wanted(tally), yields=tally.yields)
    money = money_of(figures, accepted=tally.labelled, error=ended_by)
    judging = judge_facts(judge, figures, tally.ruled)
    facts = facts_of(tally, file=str(examined.inputs.path), votes=configuration.votes, judge=judging)
    told = verdict(facts, money, simulated=engine.simulated, error=ended_by)
    report = AnnotationReport(
        name=folder.path.resolve().name,
        teacher=models_told(configuration),
        simulated=engine.simulated,
        seed=configuration.seed,
        spec=tally.spec,
        inputs=facts,
        money=money,
        verdict=told[:SENTENCES],
        details=told[SENTENCES:],
        warnings=warnings(facts, tally.spec, simulated=engine.simulated),
        folder=str(folder.path),
    )
    return report, ended_by


def _wanted(tally: Tally) -> int:
    """How many rows would have a label if the money had sufficed."""
    return tally.labelled + tally.unlabelled["budget"]
