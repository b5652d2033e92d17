"""The commands about the student alone: train, evaluate, serve, chat."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import JsonOption, ThreadsOption
from agents.cli.output import print_json, say, say_table

if TYPE_CHECKING:
    from agents.records import TaskKind
    from engine.messages import Message
    from engine.training import Progress, Row, Student

__all__ = ["register"]

StudentArgument = Annotated[Path, typer.Argument(metavar="STUDENT", help="A student's folder, or a run that has one.")]
DataArgument = Annotated[Path, typer.Argument(metavar="DATA", help="Labelled rows: JSONL, CSV, TSV, JSON or parquet.")]
PortOption = Annotated[int | None, typer.Option(help="The port; chosen when not told.", min=0, max=65535)]


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: smelt train rows.jsonl --student linear --out students/mine")(train)
    app.command(epilog="Example: smelt evaluate runs/dates rows.jsonl")(evaluate)
    app.command(epilog="Example: smelt serve runs/dates --port 8000")(serve)
    app.command(epilog="Example: smelt chat runs/dates")(chat)


def train(
    data: DataArgument,
    student: Annotated[str, typer.Option(metavar="FAMILY", help="linear, tiny or seq2seq.")] = "tiny",
    base: Annotated[str | None, typer.Option(metavar="MODEL", help="The checkpoint that seq2seq starts from.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to put it (students/NAME).")] = None,
    seconds: Annotated[float, typer.Option(help="How long training may take.", min=1)] = 150.0,
    seed: Annotated[int, typer.Option(metavar="N")] = 0,
    threads: ThreadsOption = None,
    json: JsonOption = False,
) -> None:
    """Train a student on labelled rows. A tenth of them is kept aside to choose the best moment and to judge."""
    from agents.rows import read_rows
    from agents.run_folder import free_name
    from agents.train import split_off, train_on_rows

    learnt, kept = split_off(read_rows(data), seed=seed)
    folder = out or free_name(Path("students"), data.stem)
    trained = train_on_rows(
        student,
        learnt,
        kept,
        folder,
        base=base,
        seed=seed,
        time_limit_s=seconds,
        threads=threads,
        on_progress=None if json else _say_progress,
    )
    _judge(trained, kept, known=learnt, seed=seed, json=json, more={"student": str(folder)})


def evaluate(
    student: StudentArgument,
    data: DataArgument,
    train: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The rows it was trained on: for the baselines that know them.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the intervals' resampling.")] = 0,
    json: JsonOption = False,
) -> None:
    """Score a student on labelled rows, with intervals, beside the plainest baselines."""
    from agents.rows import read_rows
    from engine.training import Row

    rows = [Row(pair.input, pair.output) for pair in read_rows(data)]
    known = [Row(pair.input, pair.output) for pair in read_rows(train)] if train else []
    _judge(load(student_folder(student)), rows, known=known, seed=seed, json=json, more={})


def _judge(
    student: Student, rows: Sequence[Row], *, known: Sequence[Row], seed: int, json: bool, more: Mapping[str, str]
) -> None:
    from agents.evaluate import evaluate as judge
    from agents.evaluate import table_of

    kind: TaskKind = "classification" if student.family == "linear" else "text"
    judgement = judge(student, rows, train=known, on="test", kind=kind, seed=seed)
    if json:
        print_json({**more, **dataclasses.asdict(judgement)})
        return
    say_table(f"{judgement.rows} rows, 95 % intervals", table_of(judgement))
    for name, value in more.items():
        say(f"{name}  {value}")


def _say_progress(progress: Progress) -> None:
    validation = "" if progress.validation is None else f", validation {progress.validation:.3f}"
    say(f"step {progress.step} of {progress.steps}, loss {progress.loss:.3f}{validation}, {progress.seconds:.0f} s")


def serve(
    student: StudentArgument,
    port: Annotated[int, typer.Option(help="The port.", min=0, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen on; loopback unless told otherwise.")] = "127.0.0.1",
) -> None:
    """Answer in the LLM's place: OpenAI's chat completions, from the student, on this machine."""
    from agents.train import read_task
    from agents.unprompt import bare_input
    from engine import serving

    folder = student_folder(student)
    task = read_task(folder)

    name = task.name if task else folder.resolve().name

    def find_input(messages: Sequence[Message]) -> str:
        return serving.last_user_message(messages) if task is None else bare_input(task.spec, task.prompt, messages)

    def tell(address: str) -> None:
        say(f"{name} answers at {address}/v1 (Ctrl-C stops it)")

    app = serving.application(load(folder), name=name, bare_input=find_input)
    asyncio.run(serving.serve(app, host=host, port=port, on_ready=tell))


def chat(student: StudentArgument, port: PortOption = None) -> None:
    """Open a page on this machine to ask the student questions."""
    from agents.chat import chat as open_page
    from agents.train import read_task

    folder = student_folder(student)
    task = read_task(folder)
    open_page(
        load(folder),
        title=task.name if task else folder.resolve().name,
        instruction=task.spec.instruction if task else "",
        examples=[pair.input for pair in task.spec.demonstrations] if task else [],
        simulated=task.simulated if task else False,
        port=port,
    )


def student_folder(path: Path) -> Path:
    """The folder of a student: the one given, or the student of the run given."""
    inner = path / "student"
    return inner if (inner / "student.json").is_file() else path


def load(folder: Path) -> Student:
    """The student in a folder; says which extra is missing when it cannot be brought back."""
    from engine import training
    from engine.errors import MissingExtra

    try:
        return training.load(folder)
    except ImportError as error:
        raise MissingExtra("train", needed_for="bringing back a student") from error
