"""The command about the student alone that makes one: train; the others have files of their own."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.checks import MOST_SEED
from agents.cli.judged import say_findings
from agents.cli.options import BaseOption, DeviceOption, JsonOption, PresetOption, ThreadsOption, TuneOption, examples
from agents.cli.output import say, say_aside
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from agents.evaluate import Origin
    from agents.finding.choose import StudentChoice
    from agents.records import TaskKind
    from agents.students.shares import Shares
    from agents.students.task import Task
    from engine.training import Progress, Row, Student

__all__ = ["DataArgument", "StudentArgument", "kind_of", "register", "rows_of", "student_folder"]

StudentArgument = Annotated[Path, typer.Argument(metavar="STUDENT", help="A student's folder, or a run that has one.")]
DataArgument = Annotated[Path, typer.Argument(metavar="DATA", help="Labelled rows: JSONL, CSV, TSV, JSON or parquet.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt train rows.jsonl --student linear --out students/mine"))(train)


def train(
    data: DataArgument,
    student: Annotated[
        str, typer.Option(metavar="FAMILY", help="auto, linear, tiny, embedding, classifier, seq2seq or causal.")
    ] = "auto",
    base: BaseOption = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to put it (students/NAME).")] = None,
    seconds: Annotated[float, typer.Option(help="How long training may take; judging comes on top.", min=1)] = 150.0,
    test: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labelled rows to judge by, which are not learnt from (a tenth of DATA)."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=MOST_SEED)] = 0,
    tune: TuneOption = None,
    preset: PresetOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = None,
    processes: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Learn in so many processes together, each on a graphics card or cores of its own.",
            min=1,
            max=64,
        ),
    ] = 1,
    memory: Annotated[
        bool, typer.Option("--memory/--no-memory", help="tiny alone: keep the rows in its folder where they help it.")
    ] = True,
    json: JsonOption = False,
) -> None:
    """Train a student on labelled rows. A tenth of them chooses the best moment, another judges it."""
    from agents.checks import within
    from agents.config import RANGES
    from agents.run_folder import RunFolder, free_name
    from agents.students.model_card import write_model_card
    from agents.students.shares import shared_out
    from agents.students.train import choose_for_rows
    from engine import training
    from engine.errors import UserError

    within("tune", tune, *RANGES["tune"])
    shares, remarks = shared_out(data, test, seed=seed)
    if training.follows():  # somebody else has started several of us, and one alone speaks and writes
        json, remarks = True, []
    folder = out or free_name(Path("students"), data.stem)
    if RunFolder(folder.resolve().parent).manifest.is_file():
        raise UserError(f"{folder}: is part of a run, whose report speaks of what is there; choose another with --out")
    if not is_free(folder):
        raise UserError(f"{folder}: holds something else or cannot be written; choose another folder with --out")
    choice = choose_for_rows(shares.train, wanted=student, base=base)
    for remark in remarks:
        say_aside(remark)
    if student == "auto" and not json:
        say(f"student: {choice.why}")
    how: dict[str, Any] = {"seed": seed, "threads": threads, "preset": preset or "own", "device": device or "auto"}
    if tune is not None:
        choice, seconds = _tuned(choice, shares, count=tune, seconds=seconds, how=how, quiet=json)
    trained: Student | None = None
    with under_way(f"training {choice.family}", shown=not json), suppress(training.Followed):
        trained = training.train(
            choice.family,
            shares.train,
            shares.validation,
            folder,
            base=choice.checkpoint,
            time_limit_s=seconds,
            dials=choice.dials,
            remember=memory,
            processes=None if training.is_launched() else processes,
            on_progress=None if json else _say_progress,
            on_note=None if json else say,
            **how,
        )
    if trained is None:
        return
    write_model_card(folder)
    _judge(trained, folder, shares, on="held_back" if test is None else "test", seed=seed, json=json)


def _tuned(
    choice: StudentChoice, shares: Shares, *, count: int, seconds: float, how: Mapping[str, Any], quiet: bool
) -> tuple[StudentChoice, float]:
    """The student with the best of so many settings, and the seconds that are left for the training in full."""
    import tempfile

    from agents.finding.student_choice import LABELS_ALONE
    from agents.listeners import announced
    from agents.students.tune import TUNE_SHARE, tuned
    from engine.events import Noted

    events = announced()
    if not quiet:
        events.subscribe(lambda event: say(event.text) if isinstance(event, Noted) else None)
    kind: TaskKind = "classification" if choice.family in LABELS_ALONE else "text"
    with tempfile.TemporaryDirectory() as scratch:
        done = tuned(
            choice, shares.train, shares.validation, count=count, file=Path(scratch) / "tuned.json", kind=kind,
            seconds=seconds * TUNE_SHARE, events=events, **how,
        )  # fmt: skip
    return (done.choice, seconds * (1 - TUNE_SHARE)) if done.rounds else (choice, seconds)


def rows_of(path: Path) -> list[Row]:
    from agents.reading.rows import read_rows
    from engine.training import Row

    return [Row(pair.input, pair.output) for pair in read_rows(path)]


def kind_of(student: Student, task: Task | None) -> TaskKind:
    """How its answers are to be scored. Without a task: what answers with labels is scored by labels."""
    from agents.finding.student_choice import LABELS_ALONE

    if task is not None:
        return task.spec.kind
    return "classification" if student.family in LABELS_ALONE else "text"


def _judge(student: Student, folder: Path, shares: Shares, *, on: Origin, seed: int, json: bool) -> None:
    """Find out what its confidence is worth, then what it is worth itself."""
    from agents.evaluate import Findings, calibrate_student, form_seen
    from agents.evaluate import evaluate as judge
    from engine.evaluation import read_calibration

    kind, form = form_seen([row.output for row in shares.train], kind=kind_of(student, None))
    with under_way(f"judging it by {len(shares.test):,} rows", shown=not json):
        calibrate_student(student, folder, shares.validation, kind=kind, form=form)
        promised = read_calibration(folder)
        judgement = judge(
            student, shares.test, train=shares.train, on=on, kind=kind, form=form, seed=seed, promised=promised
        )
    say_findings(Findings((judgement,), promised), json=json, more={"student": str(folder)})
    if not json:
        say_aside(f"ask it: smelt chat {quote(str(folder))}, or a whole file: smelt predict {quote(str(folder))} FILE")


def _say_progress(progress: Progress) -> None:
    validation = "" if progress.validation is None else f", validation {progress.validation:.3f}"
    loss = f", loss {progress.loss:.3f}" if math.isfinite(progress.loss) else ""  # none while rows are only read
    say(f"step {progress.step} of {progress.steps}{loss}{validation}, {progress.seconds:.0f} s")


def student_folder(path: Path) -> Path:
    """The folder of a student: the one given, or the student of the run given. Raises UserError for a run without."""
    from agents.run_folder import RunFolder
    from engine.errors import UserError

    run = RunFolder(path)
    if (run.student / "student.json").is_file():
        return run.student
    if run.manifest.is_file():
        labels = run.data / "labelled.parquet"
        rows = labels if labels.is_file() else run.data / "train.parquet"
        raise UserError(f"{path}: this run has no student; train one: smelt train {quote(str(rows))}")
    return path


def is_free(folder: Path) -> bool:
    """Whether a student may be written there: nothing is there yet, or only an older student."""
    if folder.exists():
        return (folder / "student.json").is_file() or (folder.is_dir() and not any(folder.iterdir()))
    nearest = next(parent for parent in folder.absolute().parents if parent.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)
