"""Labelled rows that nobody here wrote, shared out: some to judge by, and of the others as many as wanted."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.training import Row

__all__ = ["SETS", "Parts", "parts_of", "sizes_of"]

LABELS = ("banking77", "clinc150", "snips")
TEXTS = ("datetime_recognizers", "us_address", "number_unit_recognizers", "transliteration_ar2en")
SETS = (*LABELS, *TEXTS)

A_CLASS = ("10", "50", "all")
ROWS = ("200", "1000", "5000")

JUDGING = 0.2  # of the inputs
MOST_JUDGED = 2000  # rows
VALIDATION = 0.1  # of the rows to learn from, on top of them
LEAST_OF_A_SIZE = 0.4  # 2,130 rows stand for 5,000, and 1,003 do not


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Rows to learn from, to choose the best moment by, and to judge by. No input is in two of them."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]


def sizes_of(name: str) -> tuple[str, ...]:
    """How much there may be to learn from: rows of a class, or rows."""
    return A_CLASS if name in LABELS else ROWS


def parts_of(folder: Path, name: str, size: str) -> Parts | None:
    """A set with so many rows to learn from, or nearly; None where it is not here or has too few. Always the same.

    Of texts few are answered right, so rows that this size leaves over judge too.
    """
    path = folder / name / "dev.jsonl"
    if not path.is_file():
        return None
    rows = _read(path)
    judging = [row for row in rows if _lot("test", row) < JUDGING]
    learning = sorted((row for row in rows if _lot("test", row) >= JUDGING), key=lambda row: _lot("order", row))
    validation = [row for row in learning if _lot("validation", row) < VALIDATION]
    training = [row for row in learning if _lot("validation", row) >= VALIDATION]
    chosen = _of_each(training, size) if name in LABELS else _first(training, int(size))
    if chosen is None:
        return None
    left_over = [] if name in LABELS else training[len(chosen) :]
    most = max(50, round(len(chosen) * VALIDATION))  # so that little to learn from is little to choose by
    judging = [*judging, *left_over][:MOST_JUDGED]
    return Parts(train=tuple(chosen), validation=tuple(validation[:most]), test=tuple(judging))


def _read(path: Path) -> list[Row]:
    """The rows, of those with the same input the first."""
    read = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    first: dict[str, Row] = {}
    for row in read:
        first.setdefault(row["input"], Row(row["input"], row["output"]))
    return list(first.values())


def _of_each(rows: Sequence[Row], size: str) -> list[Row]:
    """So many rows of each class, or as many as it has."""
    taken: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if size == "all" or len(taken[row.output]) < int(size):
            taken[row.output].append(row)
    return [row for of_class in taken.values() for row in of_class]


def _first(rows: Sequence[Row], size: int) -> list[Row] | None:
    """The first so many; all of them where there are fewer, unless they are few beside what was wanted."""
    return list(rows[:size]) if len(rows) >= LEAST_OF_A_SIZE * size else None


def _lot(what: str, row: Row) -> float:
    """A number from 0 to 1 that only the input decides."""
    digest = hashlib.sha256(f"{what}\0{row.input}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
