"""What is tried before the training in full: which student (`--trial K`), and with which settings (`--tune N`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.config import Configuration
from agents.finding.choose import StudentChoice
from agents.finding.retrieve import Retrieval
from agents.finding.student_choice import answers_with_labels
from agents.records import Spec
from agents.run_folder import RunFolder
from agents.students.trial import TRIAL_SHARE, Tried, candidates_for, tried
from agents.students.tune import TUNE_SHARE, tuned
from engine.events import Events, Noted
from engine.training import Row

__all__ = ["Searched", "search"]


@dataclass(frozen=True, slots=True)
class Searched:
    """The student that is to be trained, the seconds that are left for it, and what came of trying."""

    choice: StudentChoice
    seconds: float
    trial: Tried | None = None
    tuned: Tried | None = None


def search(
    folder: RunFolder,
    configuration: Configuration,
    retrieval: Retrieval,
    rows: Sequence[Row],
    validation: Sequence[Row],
    *,
    spec: Spec,
    events: Events,
) -> Searched:
    """Try what is wanted, each in its part of the time for training. Where nothing is, retrieval has chosen."""
    found = Searched(retrieval.choice, configuration.train_seconds)
    if configuration.trial is not None:
        found = _tried(folder, configuration, retrieval, rows, validation, found, spec=spec, events=events)
    if configuration.tune is not None:
        found = _tuned(folder, configuration, rows, validation, found, spec=spec, events=events)
    return found


def _tried(
    folder: RunFolder,
    configuration: Configuration,
    retrieval: Retrieval,
    rows: Sequence[Row],
    validation: Sequence[Row],
    found: Searched,
    *,
    spec: Spec,
    events: Events,
) -> Searched:
    """Several students."""
    wanted, seconds = configuration.student, found.seconds * TRIAL_SHARE
    candidates = candidates_for(
        retrieval.models, has_labels=answers_with_labels(spec), top=configuration.trial or 0, wanted=wanted
    )
    names = ", ".join(candidate.name for candidate in candidates)
    events.emit(Noted(f"trial, {seconds:.0f} of the {found.seconds:.0f} s for training at most: {names}"))
    done = tried(
        candidates,
        rows,
        validation,
        file=folder.trial,
        otherwise=found.choice,
        kind=spec.kind,
        seed=configuration.seed,
        seconds=seconds,
        threads=configuration.threads,
        preset=configuration.preset,
        device=configuration.device,
        wished=(configuration.trial, wanted),
        events=events,
    )
    left = found.seconds - seconds if done.rounds else found.seconds
    return Searched(done.choice, left, trial=done)


def _tuned(
    folder: RunFolder,
    configuration: Configuration,
    rows: Sequence[Row],
    validation: Sequence[Row],
    found: Searched,
    *,
    spec: Spec,
    events: Events,
) -> Searched:
    """Several settings of the student that is chosen by now."""
    count, seconds = configuration.tune or 0, found.seconds * TUNE_SHARE
    told = f"{count} settings of {found.choice.checkpoint or found.choice.family}"
    events.emit(Noted(f"tuning, {seconds:.0f} of the {found.seconds:.0f} s that are left at most: {told}"))
    done = tuned(
        found.choice,
        rows,
        validation,
        count=count,
        file=folder.tuned,
        kind=spec.kind,
        seed=configuration.seed,
        seconds=seconds,
        threads=configuration.threads,
        preset=configuration.preset,
        device=configuration.device,
        events=events,
    )
    if not done.rounds:
        return Searched(found.choice, found.seconds, trial=found.trial, tuned=done)
    return Searched(done.choice, found.seconds - seconds, trial=found.trial, tuned=done)
