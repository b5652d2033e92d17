"""Train the student that was chosen, or take the one that an earlier start of the same run has finished."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from agents.checks import one_of
from agents.evaluate.confidence import calibrate_student
from agents.finding.bases import bring_here, has_gpu, named_base
from agents.finding.choose import StudentChoice
from agents.finding.retrieve import Wishes, found_models
from agents.finding.student_choice import LABELS_ALONE, Situation, choose_student
from agents.parsing.language import guess_language
from agents.records import Example, StudentFamily
from agents.students.model_card import write_model_card
from agents.students.task import Task, as_table
from agents.students.trial import Tried
from engine.errors import UserError
from engine.evaluation import read_calibration
from engine.events import Events, Measured, Noted, StageProgressed
from engine.training import Progress, Row, Student, load, read_card, train
from engine.training.bookmark import clear_beside
from engine.training.choice import seems_to_choose
from engine.training.lesson import Lesson

__all__ = ["Task", "Trained", "choose_for_rows", "train_student", "vote_weights"]

LEAST_AGREED = 0.01  # a row without any would count for nothing

LANGUAGE_SAMPLE = 50  # inputs by which the language of all is told


@dataclass(frozen=True, slots=True)
class Trained:
    """A student and how it came about."""

    student: Student
    rows: int
    seconds: float
    details: Mapping[str, object]
    trial: Tried | None = None  # that it came out of, if one was wanted
    tuned: Tried | None = None  # in which its dials were turned, if that was wanted


def train_student(
    choice: StudentChoice,
    rows: Sequence[Row],
    validation: Sequence[Row],
    folder: Path,
    *,
    task: Task,
    seed: int,
    time_limit_s: float,
    threads: int | None,
    preset: str = "own",
    device: str = "auto",
    weights: Sequence[float] | None = None,
    is_enough: Callable[[], bool] = lambda: False,
    events: Events,
) -> Trained:
    """The student of `folder`. It is trained only if no student of the same rows and conditions is there already.

    Once `is_enough` says yes, the training ends with the best that there is: a student like any other, which a later
    start takes as it is.
    """
    conditions = (seed, time_limit_s, preset, device, sorted(choice.dials.items()), weights)
    recipe = _recipe(choice, rows, conditions)
    if _is_done(folder, recipe):
        student = load(folder)
        clear_beside(folder)  # of a start that was killed just after it had kept the student
    else:
        if choice.checkpoint is not None:
            bring_here(choice.checkpoint)
        student = train(
            choice.family,
            rows,
            validation,
            folder,
            seed=seed,
            time_limit_s=time_limit_s,
            base=choice.checkpoint,
            threads=threads,
            preset=preset,
            device=device,
            dials=choice.dials,
            weights=weights,
            task={**as_table(task), "recipe": recipe},
            on_progress=lambda progress: _tell(progress, events=events),
            on_note=lambda text: events.emit(Noted(text)),
            is_enough=is_enough,
        )
    if read_calibration(folder) is None:  # else of an earlier start, as the student itself
        calibrate_student(student, folder, validation, kind=task.spec.kind, form=task.spec.form)
    write_model_card(folder)
    return _trained(student, folder, rows)


def choose_for_rows(rows: Sequence[Row], *, wanted: str, base: str | None) -> StudentChoice:
    """The student for rows that come without a prompt; the base that it takes is then on this machine.

    Whether they have labels, and in which language they are, is read off them. Raises UserError for what cannot work,
    rows among it that cannot teach anything.
    """
    outputs = [row.output for row in Lesson(rows=tuple(rows)).rows]
    one_of("student", wanted, ("auto", *get_args(StudentFamily)))
    if wanted == "tiny" and base is not None:
        return StudentChoice("tiny", base, f"tiny from {base}, as you chose")  # a seed is in no catalogue of models
    has_labels = seems_to_choose(outputs)
    language = guess_language(" ".join(row.input for row in rows[:LANGUAGE_SAMPLE]))
    ranking = found_models([""], Wishes(language=language, has_labels=has_labels))
    # Whoever names a student for labels knows better than the rows do.
    situation = Situation(has_labels=has_labels or wanted in LABELS_ALONE, rows=len(rows), has_gpu=has_gpu)
    choice = choose_student(situation, ranking, wanted=wanted, base=named_base(base))
    if choice.checkpoint is not None:
        bring_here(choice.checkpoint)
    return choice


def vote_weights(rows: Sequence[Example]) -> tuple[float, ...] | None:
    """How much each row counts by its vote: the square of the agreement; None where all votes were unanimous.

    A label that two of three votes gave is wrong far more often than one that all gave.
    """
    agreements = [row.vote.agreement for row in rows]
    return None if min(agreements, default=1.0) == 1 else tuple(max(LEAST_AGREED, each) ** 2 for each in agreements)


def _recipe(choice: StudentChoice, rows: Sequence[Row], conditions: object) -> str:
    """A name for everything that shapes a student; the same name, the same student."""
    digest = hashlib.sha256(repr((choice.family, choice.checkpoint, conditions)).encode())
    for row in rows:
        digest.update(repr((row.input, row.output)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _is_done(folder: Path, recipe: str) -> bool:
    try:
        return read_card(folder).task.get("recipe") == recipe
    except UserError:  # no student there, or one that cannot be read: it is made anew
        return False


def _trained(student: Student, folder: Path, rows: Sequence[Row]) -> Trained:
    metrics = {name: value for name, value in read_card(folder).metrics.items() if value is not None}
    seconds = float(str(metrics.pop("seconds", 0.0)))
    return Trained(student, len(rows), seconds, metrics)


def _tell(progress: Progress, *, events: Events) -> None:
    facts = [("loss", f"{progress.loss:.3f}")] if math.isfinite(progress.loss) else []  # none before the first step
    if progress.validation is not None:
        facts.append(("exact match", f"{progress.validation:.3f}"))
    events.emit(StageProgressed("train", progress.step, progress.steps, tuple(facts)))
    if math.isfinite(progress.loss):
        events.emit(Measured("train", "loss", progress.loss))
    if progress.validation is not None:
        events.emit(Measured("train", "exact match", progress.validation, is_share=True))
