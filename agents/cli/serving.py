"""The command that puts a student in the LLM's place: `smelt serve`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.checks import places
from agents.cli.options import (
    AnswerThreadsOption,
    BaseUrlOption,
    BudgetOption,
    ConcurrencyOption,
    DialectOption,
    InsecureHttpOption,
    PriceInOption,
    PriceOutOption,
    RpmOption,
    TpmOption,
    YesOption,
    examples,
)
from agents.cli.output import say_address, say_aside, stopped_quietly
from agents.cli.progress import under_way
from agents.cli.students import StudentArgument, student_folder

if TYPE_CHECKING:
    from agents.config import Configuration
    from agents.run_folder import RunFolder
    from agents.served.cascade import Cascade
    from agents.students.sure import Sure
    from agents.students.task import Task
    from engine import Engine
    from engine.messages import Message
    from engine.serving import Door, FromStudent

__all__ = ["register"]

FallbackOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PROVIDER/NAME", help="Who is asked where the student is unsure; may be repeated."),
]
PrecisionOption = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="How often its sure answers are to be right (what is vouched for, to 0.95)."),
]
ConfidenceOption = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="From where on it counts as sure, 0 to 1; in place of a precision."),
]
KeyOption = Annotated[
    str | None,
    typer.Option(metavar="VARIABLE", help="The environment variable with the key that callers must send."),
]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt serve runs/dates --port 8000",
            "smelt serve runs/dates --fallback openai/gpt-5.4-mini --budget 5",
        )
    )(serve)


def serve(
    student: StudentArgument,
    port: Annotated[int, typer.Option(help="The port.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on; loopback unless told otherwise.")] = "127.0.0.1",
    key: KeyOption = None,
    no_key: Annotated[bool, typer.Option("--no-key", help="Listen beyond this machine without a key.")] = False,
    fallback: FallbackOption = None,
    budget: BudgetOption = None,
    precision: PrecisionOption = None,
    confidence: ConfidenceOption = None,
    votes: Annotated[int, typer.Option(metavar="K", help="Labels asked of the teacher, at most.", min=1, max=99)] = 1,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long the teacher is waited for.", min=0.1, max=600)
    ] = 20.0,
    base_url: BaseUrlOption = None,
    dialect: DialectOption = None,
    insecure_http: InsecureHttpOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    price_in: PriceInOption = None,
    price_out: PriceOutOption = None,
    threads: AnswerThreadsOption = None,
    yes: YesOption = False,
) -> None:
    """Answer in the LLM's place. OpenAI's API, from the student; where it is unsure, from a teacher if one is named."""
    import asyncio

    from agents.interrupts import until_told
    from agents.students.task import read_task
    from engine import serving, training
    from engine.desk import Desk
    from engine.serving import FromStudent, Metrics

    told: dict[str, object] = {
        "budget": budget, "base_url": places(base_url), "dialect": dialect, "insecure_http": insecure_http or None,
        "rpm": rpm, "tpm": tpm, "concurrency": concurrency, "price_in": price_in, "price_out": price_out,
    }  # fmt: skip
    _check_belongs(fallback, {**told, "precision": precision, "confidence": confidence})
    door = _door(key, host=host, no_key=no_key)
    training.use_threads(threads)
    folder = student_folder(student)
    task = read_task(folder)
    name = task.name if task else folder.resolve().name
    sure = _sure(folder, precision=precision, confidence=confidence) if fallback else None
    metrics = Metrics()
    with under_way("loading the student"):
        loaded = training.load(folder)
    alone = FromStudent(Desk(loaded, on_batch=metrics.batch_begun), name=name)
    answering: FromStudent | Cascade = alone
    if fallback and sure is not None:
        answering = _cascade(
            folder,
            task,
            alone,
            told={**told, **_models(fallback)},
            sure=sure,
            votes=votes,
            patience=patience,
            yes=yes,
        )

    def find_input(messages: Sequence[Message]) -> str:
        from agents.parsing.unprompt import bare_input

        return serving.last_user_message(messages) if task is None else bare_input(task.spec, task.prompt, messages)

    def tell(address: str) -> None:
        say_address(f"{name} answers at {address}/v1 (Ctrl-C stops it)")

    app = serving.application(answering, bare_input=find_input, door=door, metrics=metrics)
    with stopped_quietly():
        asyncio.run(until_told(lambda told: serving.serve(app, host=host, port=port, on_ready=tell, until=told.wait())))


def _check_belongs(fallback: Sequence[str] | None, told: Mapping[str, object]) -> None:
    """What is said of a teacher needs one."""
    from agents.checks import flag
    from engine.errors import UserError

    given = [flag(name) for name, value in told.items() if value is not None]
    if given and not fallback:
        raise UserError(f"{given[0]} is said of a teacher: name one with --fallback PROVIDER/NAME")


def _models(fallback: Sequence[str]) -> dict[str, object]:
    from agents.config_file import models_said

    first, *rest = models_said("--fallback", fallback)
    return {**first, **({"fallback": tuple(rest)} if rest else {})}


def _door(key: str | None, *, host: str, no_key: bool) -> Door:
    from engine import serving
    from engine.errors import UserError

    if key is None:
        if not no_key:
            serving.check_door(serving.Door(), host=host)
        return serving.Door()
    # What was typed may be the key itself, so it is not said again.
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) or not os.environ.get(key):
        raise UserError("--key names an environment variable that holds the key; none of that name is set")
    door = serving.Door(key=os.environ[key])
    serving.check_door(door, host=host)
    return door


def _sure(folder: Path, *, precision: float | None, confidence: float | None) -> Sure:
    from agents.checks import part
    from agents.students.sure import Sure, sure_from
    from engine.errors import UserError

    if precision is not None and confidence is not None:
        raise UserError("--precision and --confidence both say when the student is sure: give one of them")
    if confidence is not None:
        part("confidence", confidence)
        return Sure(confidence)
    if precision is not None:
        part("precision", precision)
    return sure_from(folder, precision=precision)


def _cascade(
    folder: Path,
    task: Task | None,
    student: FromStudent,
    *,
    told: Mapping[str, object],
    sure: Sure,
    votes: int,
    patience: float,
    yes: bool,
) -> Cascade:
    """The student with a teacher behind it."""
    from agents.cli.making import confirm_spending
    from agents.served.cascade import Cascade
    from agents.served.folder import begin_serving, served_folder
    from agents.served.teacher import Teacher
    from engine.errors import UserError
    from engine.evaluation import as_typed

    if task is None:
        raise UserError(f"{folder}: was trained on bare rows, so there is no prompt that a teacher could be asked with")
    served = served_folder(folder)
    configuration = begin_serving(served, task, told)
    if not yes:
        confirm_spending([each.model for each in configuration.everyone], configuration.budget)
    engine = _engine(served, configuration)
    right = "" if sure.precision is None else f" (right in {100 * sure.precision:g} of 100 then)"
    say_aside(
        f"from a confidence of {as_typed(sure.confidence)} on the student answers{right}, else {configuration.model}; "
        f"at most {configuration.budget or 'nothing'} USD in all, kept in {served.path}"
    )
    return Cascade(
        student,
        Teacher(
            engine,
            task.spec,
            votes=votes,
            patience_s=patience,
            on_open=lambda: served.keep(configuration),
            note=say_aside,
        ),
        least=sure.confidence,
    )


def _engine(served: RunFolder, configuration: Configuration) -> Engine:
    from agents.listeners import announced
    from agents.models import open_engine
    from engine.events import Event, Noted

    def tell(event: Event) -> None:
        if isinstance(event, Noted):
            say_aside(event.text)

    served.check_journal()
    events = announced()
    events.subscribe(tell)
    return open_engine(served, configuration, events=events)
