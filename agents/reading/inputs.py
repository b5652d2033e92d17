"""Reading a user's unlabelled inputs, one after another: a text one a line, or a column of JSONL, CSV, TSV, parquet.

A row that cannot be labelled is handed on as it is: what becomes of it is said beside it, and costs it alone. A file
that cannot be read to its end is refused before anything is asked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.reading.rows import INPUTS, OUTPUTS, TABLES, column_of, flat, is_missing, lines_of, records, text_of
from agents.records import Spec
from engine.errors import UserError

__all__ = ["Examined", "InputRow", "Inputs", "examine", "inputs_of", "parts_of"]

TEXTS = (".txt", ".text")

PART = re.compile(r"^([^\W\d_][\w -]{0,39}):[ \t]", re.MULTILINE)  # "Premise: it rains"


@dataclass(frozen=True, slots=True)
class InputRow:
    """A row of the file: which one (from 1; in a text, which line), its input, and what else stands in it.

    `given` is the label that the file has for it, if it has any; `rest` is a JSON object of the other columns.
    """

    number: int
    text: str
    given: str | None = None
    rest: str | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """A file of inputs; every iteration reads it from the start.

    `columns` are those that make up the input, none in a text. Several become lines that begin with the names in
    `parts`, one for each, as the prompt's examples have them.
    """

    path: Path
    columns: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    label_column: str | None = None

    def __iter__(self) -> Iterator[InputRow]:
        if not self.columns:
            yield from _lines(self.path)
            return
        for number, (_, row) in enumerate(records(self.path), start=1):
            yield self.row(number, flat(row))

    def row(self, number: int, row: Mapping[str, object]) -> InputRow:
        """A row of the file, understood. Raises UserError where its input is no text."""
        given = None if self.label_column is None else row.get(self.label_column)
        rest = {name: value for name, value in row.items() if name not in (*self.columns, self.label_column)}
        return InputRow(
            number,
            text=self._text(number, row),
            given=None if is_missing(given) else text_of(given),
            rest=text_of(rest) if rest else None,
        )

    def _text(self, number: int, row: Mapping[str, object]) -> str:
        cells = [self._cell(number, row, column) for column in self.columns]
        if not self.parts:
            return cells[0]
        # With nothing in any of them there is no input, whatever the names in front.
        return "\n".join(map(": ".join, zip(self.parts, cells, strict=True))) if any(map(str.strip, cells)) else ""

    def _cell(self, number: int, row: Mapping[str, object], column: str) -> str:
        value = row.get(column)
        if isinstance(value, bytes):
            raise UserError(f"{self.path}, row {number}: {column!r} must be text (got bytes)")
        return "" if is_missing(value) else text_of(value)


@dataclass(frozen=True, slots=True)
class Examined:
    """A file of inputs that can be read to its end: how many rows, its SHA-256, and how its columns are understood."""

    inputs: Inputs
    rows: int
    digest: str
    told: str


def parts_of(spec: Spec) -> tuple[str, ...]:
    """The names before the parts of an input ("Premise", "Hypothesis"), where every demonstration has the same."""
    named = {tuple(PART.findall(pair.input)) for pair in spec.demonstrations}
    first = min(named, key=len, default=())
    return first if len(named) == 1 and len(set(first)) == len(first) > 1 else ()


def examine(path: Path, *, column: str | None = None, parts: Sequence[str] = ()) -> Examined:
    """Read a file of inputs once, and guess what each column is for unless one is named.

    Where it has a column for each of the `parts` of the prompt's examples, these are the input. Raises UserError, with
    the place and the way out, when it cannot be read, has no such column, or has no rows.
    """
    inputs, others = _understood(path, column, parts)
    rows = sum(1 for _ in inputs)
    if not rows:
        raise UserError(f"{path}: holds no inputs; it needs at least one")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    count = "1 input" if rows == 1 else f"{rows:,} inputs"
    return Examined(inputs, rows, digest, f"{count} in {path.name}{_columns_told(inputs, others)}")


def _understood(path: Path, column: str | None, parts: Sequence[str]) -> tuple[Inputs, tuple[str, ...]]:
    """The inputs, and the columns that are neither inputs nor labels."""
    if path.suffix.lower() in TEXTS:
        if column is not None:
            raise UserError(f"{path}: is a text with an input a line and has no columns; leave out --input-column")
        return Inputs(path), ()
    return inputs_of(path, _first(path), column=column, parts=parts)


def inputs_of(
    path: Path, first: Mapping[str, object], *, column: str | None = None, parts: Sequence[str] = ()
) -> tuple[Inputs, tuple[str, ...]]:
    """How the columns of a table are understood, by its first row; and those that are neither inputs nor labels.

    Raises UserError when it cannot be told which column is the input.
    """
    names = {name.strip().casefold(): name for name in reversed(list(first))}
    asked = tuple(names[part.casefold()] for part in parts if column is None and part.casefold() in names)
    if not asked or len(asked) < len(parts):
        asked, parts = (_input_column(path, first, wanted=column),), ()
    usual = {name.casefold() for name in OUTPUTS}
    told = next((name for name in first if name not in asked and name.strip().casefold() in usual), None)
    return Inputs(path, asked, tuple(parts), told), tuple(name for name in first if name not in (*asked, told))


def _first(path: Path) -> Mapping[str, object]:
    if path.suffix.lower() not in TABLES:
        raise UserError(
            f"{path}: inputs are read from {TEXTS[0]} (one a line), {', '.join(TABLES)} files; save it as one of them"
        )
    found = next(records(path), None)
    if found is None:
        raise UserError(f"{path}: holds no inputs; it needs at least one")
    return flat(found[1])


def _input_column(path: Path, row: Mapping[str, object], *, wanted: str | None) -> str:
    """The one that is named, has a usual name, or is the only one with text."""
    try:
        return column_of(path, row, wanted=wanted, usual=INPUTS, what="input")
    except UserError as error:
        texts = [name for name, value in row.items() if isinstance(value, str)]
        if wanted is None and len(texts) == 1:
            return texts[0]
        if wanted is None:
            raise UserError(f"{error}, or name it with --input-column") from error
        raise


def _columns_told(inputs: Inputs, others: tuple[str, ...]) -> str:
    if not inputs.columns:
        return ", one a line"
    asked = ", ".join(map(repr, inputs.columns))
    verb = "column {} is the input" if len(inputs.columns) == 1 else "columns {} are the input, as in the prompt"
    told = (
        ""
        if inputs.label_column is None
        else (f", column {inputs.label_column!r} as labels to compare with, which the teacher does not see")
    )
    kept = f"; kept beside them: {', '.join(others)}" if others else ""
    return f": {verb.format(asked)}{told}{kept}"


def _lines(path: Path) -> Iterator[InputRow]:
    """A text has an input a line; blank lines are none."""
    try:
        for number, line in enumerate(lines_of(path, newline="\n"), start=1):
            if line.strip():
                yield InputRow(number, text_of(line.rstrip("\r\n")))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
