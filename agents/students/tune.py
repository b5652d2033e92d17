"""Several settings of one student, tried on slices of the rows, the best taken: `--tune N`.

Each begins from fresh weights and is scored on validation rows, from which none learns. The family's own setting is
always among them. Who goes on is decided as in a trial of several students.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from agents.finding.choose import StudentChoice
from agents.records import TaskKind
from agents.students.halving import Candidate
from agents.students.trial import Teach, Tried, tried
from engine.events import Events
from engine.training import Row
from engine.training.dials import dials_told, settings

__all__ = ["TUNE_SHARE", "settings_for", "tuned"]

TUNE_SHARE = 1 / 2  # of the time for training that is left; what was found is then trained in the rest


def settings_for(choice: StudentChoice, *, count: int, seed: int) -> tuple[Candidate, ...]:
    """The settings that are tried, as candidates of a trial. The family's own is first: of equals it is taken."""
    return tuple(
        Candidate(name=dials_told(dials), family=choice.family, checkpoint=choice.checkpoint, rank=rank, dials=dials)
        for rank, dials in enumerate(settings(choice.family, count=count, seed=seed))
    )


def tuned(
    choice: StudentChoice,
    rows: Sequence[Row],
    validation: Sequence[Row],
    *,
    count: int,
    file: Path,
    kind: TaskKind,
    seed: int,
    seconds: float,
    threads: int | None,
    preset: str,
    device: str,
    events: Events,
    teach: Teach | None = None,
) -> Tried:
    """What came of `count` settings of `choice` within `seconds`; the choice in it has the best one's.

    `file` keeps it, so that an earlier start of the same run is not gone through again.
    """
    done = tried(
        settings_for(choice, count=count, seed=seed), rows, validation, file=file, otherwise=choice, kind=kind,
        seed=seed, seconds=seconds, threads=threads, preset=preset, device=device,
        wished=("tune", count, choice.family, choice.checkpoint), events=events, teach=teach,
    )  # fmt: skip
    if not done.rounds:
        return done
    setting = dials_told(done.choice.dials)
    return replace(done, choice=replace(done.choice, why=f"{choice.why}; of {count} settings, {setting} is the best"))
