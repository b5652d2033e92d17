"""The command that judges a student by rows it has not learnt from: evaluate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.checks import MOST_SEED
from agents.cli.judged import UNKNOWN_ROWS, say_findings
from agents.cli.options import (
    AnswerThreadsOption,
    BaseUrlOption,
    BudgetOption,
    ConfigOption,
    DialectOption,
    InsecureHttpOption,
    JsonOption,
    PriceInOption,
    PriceOutOption,
    examples,
)
from agents.cli.output import say_aside
from agents.cli.progress import finished, under_way
from agents.cli.students import DataArgument, StudentArgument, kind_of, rows_of, student_folder

if TYPE_CHECKING:
    from agents.evaluate import GrowthCurve, Judgement
    from agents.evaluate.against import Answered
    from agents.records import AnswerForm, Spec, TaskKind
    from agents.students.task import Task
    from engine.evaluation import Terms
    from engine.training import Row, Student

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt evaluate runs/dates rows.jsonl",
            "smelt evaluate runs/dates rows.jsonl --against openai/gpt-5.4-mini --budget 1",
        )
    )(evaluate)


def evaluate(
    student: StudentArgument,
    data: DataArgument,
    train: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The rows it was trained on: for the baselines, and not to judge by."),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(metavar="STUDENT", help="Another student on the same rows, by a paired test; may be repeated."),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="PROVIDER/NAME", help="An LLM to answer the same rows by the same prompt.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --against: the prompt (that of the student's own task).")
    ] = None,
    budget: BudgetOption = None,
    base_url: BaseUrlOption = None,
    dialect: DialectOption = None,
    insecure_http: InsecureHttpOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    config: ConfigOption = None,
    tolerance: Annotated[
        float, typer.Option(metavar="SHARE", help="How far a number may lie from the right one (0.01: 1 %).", min=0)
    ] = 0.0,
    days: Annotated[
        float, typer.Option(metavar="DAYS", help="How far a date may lie from the right one.", min=0)
    ] = 0.0,
    encoder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="An encoder on this machine: score meaning too (BERTScore).")
    ] = None,
    growth: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Train on parts of the rows for so long: what would more bring?", min=1),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the intervals' resampling.", min=0, max=MOST_SEED)] = 0,
    threads: AnswerThreadsOption = None,
    json: JsonOption = False,
) -> int:
    """Score a student on labelled rows. With intervals, beside baselines, and an LLM if you like.

    What an LLM answers is kept in the user's cache: the same command again pays for nothing twice.
    """
    from agents.evaluate import Costs, Findings, speed_of
    from agents.evaluate import evaluate as judge
    from agents.students.task import read_task
    from engine import training
    from engine.evaluation import read_calibration

    training.use_threads(threads)
    rows, folder = rows_of(data), student_folder(student)
    known = rows_of(train) if train else rows_of(of_run) if (of_run := _train_of(folder)) else []
    task, terms = read_task(folder), _terms(tolerance, days, encoder)
    with under_way("loading the student", shown=not json):
        loaded = training.load(folder)
    flags = {
        "model": against, "base_url": base_url, "dialect": dialect, "insecure_http": insecure_http, "budget": budget,
        "price_in": price_in, "price_out": price_out, "train": False,
    }  # fmt: skip
    answered = _answered(rows, known, task, flags=flags, prompt=prompt, config=config, shown=not json)
    promised = read_calibration(folder)
    kind, form = _asked(loaded, task, rows)
    with under_way(f"the student and its rivals answer {len(rows):,} rows", shown=not json):
        judgement = judge(
            loaded, rows, train=known, on="test", kind=kind, form=form, terms=terms, seed=seed,
            teacher=_teacher(against, answered), beside=_loaded(beside), promised=promised,
        )  # fmt: skip
        speed = speed_of(loaded, [row.input for row in rows])
    llm = None if answered is None else answered.costs
    found = Findings(
        (judgement,),
        promised,
        None if speed is None else Costs(student=speed, teacher=llm),
        _growth(loaded, folder, known, rows, judgement, seconds=growth, terms=terms, seed=seed, shown=not json),
    )
    say_findings(found, json=json, notes=[*_left_out(answered), *([] if known else [UNKNOWN_ROWS])])
    return answered.error.exit_code if answered and answered.error else 0


def _loaded(students: Sequence[Path] | None) -> dict[str, Student]:
    """Other students, by the names under which they were given."""
    from engine import training

    return {str(path): training.load(student_folder(path)) for path in students or ()}


def _train_of(folder: Path) -> Path | None:
    """The rows that the student of a run has learnt from."""
    path = folder.parent / "data" / "train.parquet"
    return path if path.is_file() else None


def _terms(tolerance: float, days: float, encoder: Path | None) -> Terms:
    from engine.evaluation import PLAIN, Leeway, Terms

    leeway = Leeway(share=tolerance or PLAIN.leeway.share, days=days)
    return Terms(leeway=leeway, encoder=encoder)


def _asked(student: Student, task: Task | None, rows: Sequence[Row]) -> tuple[TaskKind, AnswerForm]:
    """What answers are, by the prompt, or by the rows where there is none."""
    from agents.evaluate import form_seen

    kind = kind_of(student, task)
    return (kind, task.spec.form) if task is not None else form_seen([row.output for row in rows], kind=kind)


# -- an LLM beside it


def _answered(
    rows: Sequence[Row],
    known: Sequence[Row],
    task: Task | None,
    *,
    flags: Mapping[str, object],
    prompt: str | None,
    config: Path | None,
    shown: bool,
) -> Answered | None:
    """What an LLM answers to the rows that the student is judged by, if one is named."""
    from engine.errors import UserError

    if flags["model"] is None:
        told = [name for name, value in flags.items() if value not in (None, False)]
        if told or prompt:
            raise UserError(f"--{(told or ['prompt'])[0].replace('_', '-')} is for --against: name an LLM with it")
        return None
    text = _prompt_text(prompt, task)
    import asyncio

    from agents.config_file import resolve
    from agents.evaluate.against import answers_of
    from agents.evaluate.sieve import sieve
    from agents.models import open_alone
    from agents.parsing.parse import parse
    from agents.prepare import prepare

    settled = prepare(resolve(file=config, flags=flags), prompt=text, note=say_aside)
    spec: Spec = task.spec if task is not None and prompt is None else parse(text)
    inputs = [row.input for row in sieve(rows, train=known, kind=spec.kind).rows]

    async def asked(advance: Callable[[int], None]) -> Answered:
        async with open_alone(settled, about=f"evaluate\n{text}", on_event=finished(advance)) as engine:
            return await answers_of(engine, spec, inputs, note=say_aside)

    with under_way(f"{settled.model} answers", total=len(set(inputs)), shown=shown) as advance:
        return asyncio.run(asked(advance))


def _prompt_text(prompt: str | None, task: Task | None) -> str:
    from agents.cli.prompt_files import read_prompt
    from engine.errors import UserError

    if prompt is not None:
        return read_prompt(prompt).text
    if task is None:
        raise UserError("the student was trained on rows alone: name the prompt for the LLM with --prompt FILE")
    return task.prompt


def _teacher(name: str | None, answered: Answered | None) -> dict[str, Mapping[str, str]] | None:
    """Its answers, where it has given all of them."""
    return {name: answered.answers} if name and answered and answered.error is None else None


def _left_out(answered: Answered | None) -> list[str]:
    """Why the LLM is not beside the student, if it was asked and could not answer all."""
    if answered is None or answered.error is None:
        return []
    return [f"The LLM is left out, having answered {len(answered.answers):,} rows: {answered.error}"]


# -- what more rows would bring


def _growth(
    student: Student,
    folder: Path,
    known: Sequence[Row],
    rows: Sequence[Row],
    judgement: Judgement,
    *,
    seconds: float | None,
    terms: Terms,
    seed: int,
    shown: bool,
) -> GrowthCurve | None:
    if seconds is None:
        return None
    from agents.evaluate import growth_of, taught
    from agents.evaluate.growth import PARTS
    from engine.training import read_card

    teach = partial(taught, family=student.family, base=read_card(folder).base, seconds=seconds / len(PARTS), seed=seed)
    with under_way(f"training on parts of the rows, {seconds:.0f} s and some more", shown=shown):
        found = growth_of(
            student, known, rows, teach=teach, metric=judgement.main().metric, on="test", seconds=2 * seconds,
            labels=len({row.output for row in known}) if judgement.confusion else 0, terms=terms, seed=seed,
        )  # fmt: skip
    if found is None:
        say_aside("what more rows would bring cannot be told: too few rows, or too little time")
    return found
