"""What came of a run, told honestly: the same facts as JSON, as one HTML page, and as lines in the terminal.

Nothing is computed here that a reader could not check against the run folder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import orjson

from agents.evaluate import Costs, Findings, GrowthCurve, Judgement
from agents.finding.retrieve import Retrieval, dataset_table, model_table
from agents.records import Spec
from agents.reporting.advice import advice
from agents.reporting.data_facts import DataFacts
from agents.reporting.markdown import render_markdown
from agents.reporting.money import Money
from agents.reporting.pace import Pace
from agents.reporting.page import render_html
from agents.reporting.told import Trust, summary, warnings
from agents.run_folder import RunFolder, write_whole
from agents.students.train import Trained
from agents.students.trial import trial_table
from engine.errors import UserError
from engine.evaluation import Calibration
from engine.prices import dollars

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "Choice",
    "Report",
    "RunReport",
    "Training",
    "as_json",
    "choice_of",
    "make_report",
    "news_since",
    "read_report",
    "write_page",
    "write_report",
]

SCHEMA_VERSION = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """What was retrieved and what was chosen: the student and why, both rankings and its trial as rows of text."""

    student: str
    why: str
    models: tuple[Mapping[str, str], ...] = ()
    datasets: tuple[Mapping[str, str], ...] = ()
    hypothesis: str = ""
    trial: tuple[Mapping[str, str], ...] = ()  # the rounds of a trial of several students
    tuned: tuple[Mapping[str, str], ...] = ()  # those of a search among the settings of one


@dataclass(frozen=True, slots=True)
class Training:
    """How the student was trained."""

    family: str
    rows: int
    seconds: float
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What there is to tell of any run."""

    name: str
    teacher: str
    simulated: bool
    seed: int
    spec: Spec
    money: Money
    verdict: tuple[str, ...]  # three sentences
    details: tuple[str, ...] = ()  # those after it
    warnings: tuple[str, ...]
    folder: str
    pace: Pace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(RunReport):
    """Everything that a reader needs to trust a student, or not to."""

    data: DataFacts
    choice: Choice
    training: Training | None
    judgements: tuple[Judgement, ...]
    promised: Calibration | None = None  # what the student's folder says of its confidence
    costs: Costs | None = None
    growth: GrowthCurve | None = None
    trust: Trust = "no student"
    advice: tuple[str, ...] = ()  # what is likely to make it better


def make_report(
    *,
    folder: Path,
    teacher: str,
    simulated: bool,
    seed: int,
    spec: Spec,
    data: DataFacts,
    money: Money,
    choice: Choice,
    trained: Trained | None,
    found: Findings,
    given_are_synthetic: bool,
    strange: Mapping[str, int],
    pace: Pace | None = None,
) -> Report:
    """Everything that is known, with the verdict and the warnings that follow from it."""
    told = summary(found=found, data=data, money=money, simulated=simulated, given_are_synthetic=given_are_synthetic)
    training = None
    if trained is not None:
        training = Training(trained.student.family, trained.rows, trained.seconds, trained.details)
    return Report(
        name=folder.resolve().name,
        teacher=teacher,
        simulated=simulated,
        seed=seed,
        spec=spec,
        data=data,
        money=money,
        choice=choice,
        training=training,
        judgements=found.judgements,
        pace=pace,
        promised=found.promised,
        costs=found.costs,
        growth=found.growth,
        verdict=told.verdict,
        trust=told.trust,
        details=told.details,
        advice=advice(found=found, data=data, folder=str(folder), given_are_synthetic=given_are_synthetic),
        warnings=warnings(
            judgements=found.judgements,
            spec=spec,
            simulated=simulated,
            given_are_synthetic=given_are_synthetic,
            training={} if training is None else training.details,
            origins=data.origins,
            strange=strange,
        ),
        folder=str(folder),
    )


def write_report(report: RunReport, folder: RunFolder, *, template: str = "report.html") -> None:
    """`report.json`, and `report.html` and `report.md` made from just that."""
    table = as_json(report)
    folder.write_json(folder.report_json, table)
    write_page(orjson.loads(orjson.dumps(table)), folder, template=template)


def write_page(table: Mapping[str, object], folder: RunFolder, *, template: str = "report.html") -> None:
    """`report.html` and `report.md`, from what `report.json` holds."""
    write_whole(folder.report_markdown, render_markdown(table).encode("utf-8", "replace"))
    write_whole(folder.report_html, render_html(table, template=template).encode("utf-8", "replace"))


def read_report(folder: RunFolder, *, fields: Collection[str] = ()) -> dict[str, Any]:
    """What `report.json` holds, these fields among it (those of a whole run).

    Raises UserError when the run has not come that far, or the file is not ours.
    """
    try:
        table = orjson.loads(folder.report_json.read_bytes())
    except FileNotFoundError as error:
        raise UserError(
            f"{folder.path}: has no report yet; bring the run to its end: smelt resume {folder.path}"
        ) from error
    except (OSError, orjson.JSONDecodeError) as error:
        raise UserError(
            f"{folder.report_json}: cannot be read ({error}); smelt resume {folder.path} writes it anew"
        ) from error
    if not isinstance(table, dict) or table.get("schema") != SCHEMA_VERSION:
        raise UserError(f"{folder.report_json}: is of another version; smelt resume {folder.path} writes it anew")
    if missing := set(fields or (each.name for each in dataclasses.fields(Report))) - table.keys():
        raise UserError(
            f"{folder.report_json}: is damaged (no {min(missing)!r}); smelt resume {folder.path} writes it anew"
        )
    return table


def news_since(table: Mapping[str, Any], folder: RunFolder) -> str:
    """What the journal knows and the report does not: the run went on, and was stopped before its next report."""
    try:
        charged = dollars(folder.charged())
    except UserError as error:
        return str(error)
    if not folder.journal.is_file() or charged == table["money"]["charged"]:
        return ""
    return (
        f"this report is older than its run, which was charged {charged} by now; "
        f"bring it up to date: smelt resume {quote(str(folder.path))}"
    )


def choice_of(retrieval: Retrieval, trained: Trained | None = None) -> Choice:
    """What retrieval found and it, or a trial and then a search for settings, chose, as rows of text."""
    trial, tuned = (None, None) if trained is None else (trained.trial, trained.tuned)
    last = next((each for each in (tuned, trial) if each is not None), None)
    choice = retrieval.choice if last is None else last.choice
    return Choice(
        student=choice.checkpoint or choice.family,
        why=f"{choice.why[:1].upper()}{choice.why[1:]}.",
        models=tuple(model_table(retrieval.models)),
        datasets=tuple(dataset_table(retrieval.datasets)),
        hypothesis=retrieval.hypothesis,
        trial=() if trial is None else tuple(trial_table(trial)),
        tuned=() if tuned is None else tuple(trial_table(tuned)),
    )


def as_json(report: DataclassInstance) -> dict[str, object]:
    """The report as plain values, for `report.json`; `schema` tells versions of this form apart."""
    return {"schema": SCHEMA_VERSION, **_storable(dataclasses.asdict(report))}


def _storable(value: Any) -> Any:
    """The same without half surrogate pairs, which a folder's name may hold and no JSON can."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list | tuple) else value
