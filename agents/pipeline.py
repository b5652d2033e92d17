"""From a prompt to a student: the stages in order. The first file to read.

Everything that asks the teacher happens in `make_data`, inside one engine with one budget and one journal; what comes
after costs no money and can be done again at will. A run that is started again in its folder goes the same way: what
was paid for comes from the journal, and ends in the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agents.collect import Split, collect
from agents.config import Configuration
from agents.evaluate import Findings, Origin, Sample, judge_student, rows_of
from agents.evaluate.judged_rows import keep_judged
from agents.filtering.strange import strange_labels, strange_told
from agents.finding.found.records import Found
from agents.finding.found.stage import STAGE as FINDING
from agents.finding.found.stage import find_rows, is_wanted
from agents.finding.retrieve import Retrieval, model_table, retrieve
from agents.finding.student_choice import LABELS_ALONE
from agents.judging.judge import Judge
from agents.judging.judging import JudgeFacts, judge_facts, judge_found, ruled_in, seat_judge, usable
from agents.making.plan_file import Plan, plan_for
from agents.making.synthesize import Settings, Synthesis, synthesize
from agents.making.translate import translated
from agents.making.truth import LabelAccuracy, knows, label_accuracy
from agents.models import models_told
from agents.reading.documents import Documents, documents_for
from agents.reading.rows import read_rows
from agents.records import Pair, Spec, TaskKind
from agents.reporting.data_card import DataCard
from agents.reporting.data_facts import data_facts
from agents.reporting.money import Money, by_stage, money_of
from agents.reporting.outlook import out_of_money
from agents.reporting.pace import Pace, listening
from agents.reporting.report import Report, choice_of, make_report, write_report
from agents.run_folder import RunFolder
from agents.served.continuing import taken_over, with_rows
from agents.stages import Ended, OnEngine, as_written, asking, understand
from agents.students.model_card import write_model_card
from agents.students.search import search
from agents.students.train import Task, Trained, train_student, vote_weights
from engine import Engine, Statistics
from engine.errors import BudgetReached, ProviderRefused, UserError
from engine.events import Events, Noted, StageFinished, StageStarted

__all__ = ["run", "stages_of"]

STAGES = ("parse", "retrieve", "transform", "generate", "collect", "train", "evaluate", "report")

# With fewer rows than this a student only learns to repeat them.
ENOUGH_TO_TRAIN = 50

RANKED_ALOUD = 3  # the report has more of them

# A student that writes text needs more rows than one that chooses among labels: of dates, 2,000 rows taught `tiny` to
# answer 8 in 10 exactly, 4,000 rows more than 9.
USUAL_ROWS: Mapping[TaskKind, int] = {"classification": 2000, "text": 4000}

WITHOUT_TEMPERATURE = (
    "this model takes no temperature: what moves instead is how many examples it is shown (fewer when inputs repeat, "
    "more when they are rejected) and how many attributes it is asked for (length, style, difficulty, who writes)"
)


def stages_of(configuration: Configuration) -> list[str]:
    """The stages that a run has, in order."""
    without = () if is_wanted(configuration) else (FINDING,)
    without = without if configuration.train else (*without, "train", "evaluate")
    return [stage for stage in STAGES if stage not in without]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Everything that came of asking the teacher."""

    spec: Spec
    plan: Plan
    retrieval: Retrieval
    found: Found
    synthesis: Synthesis
    documents: Documents | None
    money: Money
    accuracy: LabelAccuracy | None
    judge: JudgeFacts | None
    simulated: bool
    given_are_synthetic: bool
    error: BudgetReached | ProviderRefused | None


def run(
    folder: RunFolder,
    configuration: Configuration | None = None,
    *,
    events: Events,
    on_engine: OnEngine = lambda _: None,
    is_enough: Callable[[], bool] = lambda: False,
) -> Ended[Report]:
    """Carry a run through, or on from where it stopped, by the configuration in its folder unless another is given.

    Once `is_enough` says yes, a training ends with what it has learnt by then.
    Raises SmeltError when there is nothing to show for it.
    """
    configuration = configuration or folder.configuration()
    given = read_rows(Path(configuration.test)) if configuration.test else ()
    with listening(folder.pace, events) as heard:
        made = asyncio.run(
            make_data(folder, configuration, withheld=given, events=events, on_engine=heard.beside(on_engine))
        )
        heard.rest()
        made = replace(made, money=by_stage(made.money, folder.by_stage()))
        split = collect_data(folder, configuration, made, events=events)
        if not made.synthesis.examples:
            raise nothing_made(folder, made.synthesis)
        trained = train_on(folder, configuration, made, split, is_enough=is_enough, events=events)
        found = judge(folder, configuration, made, split, trained, given=given, events=events)
        report = tell(folder, configuration, made, split, trained, found, given=given, pace=heard.pace(), events=events)
    return Ended(report, made.error)


async def make_data(
    folder: RunFolder, configuration: Configuration, *, withheld: Sequence[Pair], events: Events, on_engine: OnEngine
) -> Made:
    """Understand the prompt, look for what exists, and make labelled rows: all that asks the teacher."""
    async with asking(folder, configuration, events=events, on_engine=on_engine) as engine:
        spec = await understand(folder, engine, events=events)
        for told in strange_told(_strange(withheld, spec), where="the given test rows"):
            events.emit(Noted(told))
        spec = await translated(engine, spec, configuration.instruction_language, folder.spec, events=events)
        documents = documents_for(folder, configuration, rows=rows_wanted(configuration, spec), events=events)
        plan = await plan_rows(folder, spec, engine, events=events)
        retrieval = await look_around(spec, engine, configuration, events=events)
        settings = settings_of(configuration, spec, plan, documents, engine)
        taken = taken_over(folder, events=events)
        found = await find_rows(
            engine, spec, configuration, queries=retrieval.data_hypotheses, settings=settings,
            withheld=[*(pair.input for pair in withheld), *(row.input for row in taken.examples)],
            folder=folder.found, events=events,
        )  # fmt: skip
        engine.finish(tag="retrieve")
        engine.finish(tag="transform")
        judge = await seat_judge(spec, configuration, engine, given=withheld, events=events)
        found = with_rows(await judge_found(engine, usable(judge), found), taken)
        synthesis = await synthesize_rows(
            spec, settings, engine, found, withheld=withheld, judge=usable(judge), events=events
        )
        figures = as_written(folder, engine)
        ended_by = what_ended(synthesis, figures, wanted=rows_wanted(configuration, spec))
        return Made(
            spec=spec,
            plan=plan,
            retrieval=retrieval,
            found=found,
            synthesis=synthesis,
            documents=documents,
            money=money_of(figures, accepted=len(synthesis.examples), error=ended_by),
            accuracy=label_accuracy(engine.world, spec, synthesis),
            judge=judge_facts(judge, figures, ruled_in(synthesis, found)),
            simulated=engine.simulated,
            given_are_synthetic=knows(engine.world, spec, withheld),
            error=ended_by,
        )


async def plan_rows(folder: RunFolder, spec: Spec, engine: Engine, *, events: Events) -> Plan:
    """What inputs shall differ in, and how many of each answer there shall be; as edited, where it was."""
    plan = await plan_for(engine, spec, folder.plan)
    engine.finish(tag="parse")
    if plan.axes:
        axes = ", ".join(f"{axis.name} ({len(axis.values)})" for axis in plan.axes)
        events.emit(Noted(f"inputs are asked to differ in: {axes}"))
    return plan


async def look_around(spec: Spec, engine: Engine, configuration: Configuration, *, events: Events) -> Retrieval:
    events.emit(StageStarted("retrieve"))
    retrieval = await retrieve(
        engine, spec, note=lambda text: events.emit(Noted(text)), wanted=configuration.student,
        base=configuration.base, rows=rows_wanted(configuration, spec),
    )  # fmt: skip
    events.emit(Noted(ranking_told(retrieval)))
    events.emit(StageFinished("retrieve", retrieval.choice.why))
    return retrieval


def ranking_told(retrieval: Retrieval) -> str:
    """The best base models, each with whether it can be used, as one line."""
    best = model_table(retrieval.models, top=RANKED_ALOUD)
    return "base models that suit best: " + "; ".join(f"{row['model']} ({row['verdict']})" for row in best)


def settings_of(
    configuration: Configuration, spec: Spec, plan: Plan, documents: Documents | None, engine: Engine
) -> Settings:
    """How much is wanted and how it is asked for, as far as the models can carry it."""
    return Settings(
        examples=rows_wanted(configuration, spec),
        per_request=configuration.per_request,
        labels_per_call=configuration.labels_per_call,
        votes=configuration.votes,
        sampled=configuration.sampled_votes,
        annealing=configuration.annealing,
        axes=plan.axes,
        shares=plan.shares,
        hard=plan.hard,
        passages=() if documents is None else documents.passages,
        seed=configuration.seed,
    ).within(engine.capabilities_of("generate"), labelling=engine.capabilities_of("annotate"))


async def synthesize_rows(
    spec: Spec,
    settings: Settings,
    engine: Engine,
    found: Found,
    *,
    withheld: Sequence[Pair],
    judge: Judge | None,
    events: Events,
) -> Synthesis:
    events.emit(StageStarted("generate", settings.examples, "rows"))
    if settings.temperatures is None:
        events.emit(Noted(WITHOUT_TEMPERATURE))
    inputs = tuple(pair.input for pair in withheld)
    synthesis = await synthesize(
        engine, spec, settings=settings, events=events, withheld=inputs, purse=engine, judge=judge, found=found.examples
    )
    if not synthesis.examples and synthesis.error is not None:
        raise synthesis.error
    events.emit(StageFinished("generate", synthesis.why))
    return synthesis


def rows_wanted(configuration: Configuration, spec: Spec) -> int:
    return configuration.examples or USUAL_ROWS[spec.kind]


def collect_data(folder: RunFolder, configuration: Configuration, made: Made, *, events: Events) -> Split:
    """Split the rows and write them down, with a card that says what they are."""
    events.emit(StageStarted("collect"))
    card = DataCard(teacher=models_told(configuration), simulated=made.simulated)
    synthesis = made.synthesis
    split = collect(
        made.spec,
        synthesis.examples,
        (*made.found.rejects, *synthesis.rejects),
        folder=folder.data,
        card=card,
        seed=configuration.seed,
    )
    sizes = ", ".join(f"{name} {len(rows)}" for name, rows in split.named().items())
    events.emit(StageFinished("collect", sizes))
    return split


def nothing_made(folder: RunFolder, synthesis: Synthesis) -> UserError:
    """What to say of a run without a row: a data set of nothing is no success, and the prompt is the user's."""
    return UserError(
        f"no row could be made of the teacher's replies: {synthesis.why}; see {folder.data / 'rejected.parquet'} for "
        "why, then change the prompt or the teacher and begin anew"
    )


def train_on(
    folder: RunFolder,
    configuration: Configuration,
    made: Made,
    split: Split,
    *,
    is_enough: Callable[[], bool],
    events: Events,
) -> Trained | None:
    """Train the chosen student, if it is wanted and there are rows enough."""
    if not configuration.train:
        return None
    if len(split.train) < ENOUGH_TO_TRAIN:
        events.emit(Noted(f"{len(split.train)} rows are too few to train on (at least {ENOUGH_TO_TRAIN})"))
        return None
    events.emit(StageStarted("train"))
    task = Task(
        name=folder.path.resolve().name,
        prompt=folder.prompt_text(),
        spec=made.spec,
        teacher=models_told(configuration),
        simulated=made.simulated,
    )
    rows, validation = rows_of(split.train), rows_of(split.validation)
    found = search(folder, configuration, made.retrieval, rows, validation, spec=made.spec, events=events)
    trained = train_student(
        found.choice,
        rows,
        validation,
        folder.student,
        task=task,
        seed=configuration.seed,
        time_limit_s=found.seconds,
        threads=configuration.threads,
        preset=configuration.preset,
        device=configuration.device,
        weights=vote_weights(split.train) if found.choice.family in LABELS_ALONE else None,
        is_enough=is_enough,
        events=events,
    )
    trained = replace(trained, trial=found.trial, tuned=found.tuned)
    events.emit(StageFinished("train", f"{trained.student.family} on {trained.rows} rows in {trained.seconds:.0f} s"))
    return trained


def judge(
    folder: RunFolder,
    configuration: Configuration,
    made: Made,
    split: Split,
    trained: Trained | None,
    *,
    given: Sequence[Pair],
    events: Events,
) -> Findings:
    """The student beside its rivals: on synthetic rows, on the demonstrations, on the user's own rows."""
    if trained is None:
        return Findings()
    events.emit(StageStarted("evaluate"))
    kept: dict[Origin, Sequence[Sample]] = {}
    found = judge_student(
        trained.student,
        folder.student,
        spec=made.spec,
        split=split,
        given=given,
        journal=folder.journal,
        votes_asked=made.synthesis.votes_asked,
        seed=configuration.seed,
        note=lambda text: events.emit(Noted(text)),
        keep=kept.__setitem__,
    )
    keep_judged(folder.judged, kept)
    told = "; ".join(f"{each.called()}: {each.headline()}" for each in found.judgements)
    events.emit(StageFinished("evaluate", told))
    return found


def tell(
    folder: RunFolder,
    configuration: Configuration,
    made: Made,
    split: Split,
    trained: Trained | None,
    found: Findings,
    *,
    given: Sequence[Pair],
    pace: Pace,
    events: Events,
) -> Report:
    """Write the report."""
    events.emit(StageStarted("report"))
    report = make_report(
        folder=folder.path,
        teacher=models_told(configuration),
        simulated=made.simulated,
        seed=configuration.seed,
        spec=made.spec,
        data=data_facts(
            made.synthesis,
            made.found,
            spec=made.spec,
            axes=made.plan.axes,
            cases=made.plan.hard.cases,
            documents=made.documents,
            anchors=(*made.spec.demonstrations, *given),
            splits={name: len(rows) for name, rows in split.named().items()},
            votes=configuration.votes,
            label_accuracy=made.accuracy,
            judge=made.judge,
            seed=configuration.seed,
            shares=made.plan.shares,
        ),
        money=made.money,
        choice=choice_of(made.retrieval, trained),
        trained=trained,
        found=found,
        given_are_synthetic=made.given_are_synthetic,
        strange=_strange(given, made.spec),
        pace=pace,
    )
    write_report(report, folder)
    if trained is not None:
        write_model_card(folder.student)  # once more, now that it is known how good it is
    events.emit(StageFinished("report", str(folder.report_html)))
    return report


def what_ended(synthesis: Synthesis, figures: Statistics, *, wanted: int) -> BudgetReached | ProviderRefused | None:
    """What kept a run short of its target; where that was the money, as it stands now, and what more would bring."""
    if not isinstance(synthesis.error, BudgetReached):
        return synthesis.error
    made = len(synthesis.examples)
    return out_of_money(synthesis.error, figures, accepted=made, wanted=wanted, yields=synthesis.yields)


def _strange(given: Sequence[Pair], spec: Spec) -> Mapping[str, int]:
    return strange_labels((pair.output for pair in given), spec)
