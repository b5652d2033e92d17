"""What a student was made for, kept in its own folder: whoever serves it needs no run beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agents.parsing.specs import spec_of, table_of
from agents.records import Spec
from engine.training import read_card

__all__ = ["Task", "as_table", "read_task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a student's folder says of the task it was made for; everything that serving it needs."""

    name: str
    prompt: str
    spec: Spec
    teacher: str
    simulated: bool


def read_task(folder: Path) -> Task | None:
    """The task that a student's folder tells of, or None if it was trained on bare rows."""
    table = read_card(folder).task
    try:
        return Task(
            name=str(table["name"]),
            prompt=str(table["prompt"]),
            spec=spec_of(table["spec"]),
            teacher=str(table["teacher"]),
            simulated=bool(table["simulated"]),
        )
    except KeyError:
        return None


def as_table(task: Task) -> dict[str, object]:
    """The task as plain values, for the student's folder."""
    return {
        "name": task.name,
        "prompt": task.prompt,
        "spec": table_of(task.spec),
        "teacher": task.teacher,
        "simulated": task.simulated,
    }
