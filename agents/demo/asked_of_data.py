"""What a teacher is asked about data that exists already, read from the messages alone.

Like `conversation`, it knows no task; the words looked for are those of `agents/prompts/`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "AskedOfData",
    "Expand",
    "MapColumns",
    "PlanRows",
    "Rank",
    "Rewrite",
    "SelectColumns",
    "between",
    "read_asked_of_data",
]

Columns: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """Which of these data sets could serve? Each comes with its number, as text."""

    task: str
    datasets: tuple[Columns, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapColumns:
    """Which columns hold the input and the answer? `labels` are all answers, where these are a closed set."""

    task: str
    examples: tuple[Columns, ...]
    rows: tuple[Columns, ...]
    values: Mapping[str, tuple[str, ...]]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expand:
    """What is the task about, in more words?"""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectColumns:
    """Which columns matter?"""

    task: str
    rows: tuple[Columns, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRows:
    """By which steps does a row of these become one of the task?"""

    task: str
    rows: tuple[Columns, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Make a row of the task of this one."""

    task: str
    row: Columns


AskedOfData: TypeAlias = Rank | MapColumns | Expand | SelectColumns | PlanRows | Rewrite


def read_asked_of_data(text: str, *, task: str) -> AskedOfData | None:
    """What a message with this task asks about existing data, or None when it asks about something else."""
    if (datasets := between(text, "datasets")) is not None:
        return Rank(task=task, datasets=_objects(datasets))
    if (row := between(text, "row")) is not None:
        return next((Rewrite(task=task, row=columns) for columns in _objects(row)), None)
    rows = between(text, "rows")
    if rows is None:
        return Expand(task=task) if "cannot ask" in text.rpartition("</examples>")[2] else None
    if (values := between(text, "values")) is not None:
        return MapColumns(
            task=task,
            examples=_objects(between(text, "examples") or ""),
            rows=_objects(rows),
            values=_values(values),
            labels=_labels(text),
        )
    asks = text.rpartition("</rows>")[2]
    return (
        SelectColumns(task=task, rows=_objects(rows)) if "matter" in asks else PlanRows(task=task, rows=_objects(rows))
    )


def between(text: str, tag: str) -> str | None:
    """What stands between the first <tag> and the last </tag>, or None."""
    _, opened, rest = text.partition(f"<{tag}>")
    inside, closed, _ = rest.rpartition(f"</{tag}>")
    return inside.strip() if opened and closed else None


def _objects(text: str) -> tuple[Columns, ...]:
    """The JSON objects in a block of lines, their values as text; what is none is passed over."""
    found = (_json(line) for line in text.splitlines())
    return tuple({str(name): str(value) for name, value in each.items()} for each in found if isinstance(each, dict))


def _values(text: str) -> dict[str, tuple[str, ...]]:
    found = (_json(line) for line in text.splitlines())
    return {
        str(each["column"]): tuple(map(str, each["values"]))
        for each in found
        if isinstance(each, dict) and isinstance(each.get("values"), list) and "column" in each
    }


def _labels(text: str) -> tuple[str, ...]:
    lines = (line for line in text.rpartition("</values>")[2].splitlines() if "no others: " in line)
    found = _json(next(lines, "").partition("no others: ")[2])
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _json(line: str) -> object:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value
