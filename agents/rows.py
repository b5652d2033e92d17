"""Reading a user's labelled rows: JSONL, JSON, CSV, TSV or parquet, whatever the columns are called.

Rows are data: nothing in them is markup, a path or a template. One line that is wrong names itself and ends the
reading, because a file that is half read is worse than none.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from agents.records import Pair
from engine.errors import UserError

__all__ = ["read_rows"]

INPUTS = ("input", "inputs", "text", "source", "question", "sentence", "utterance", "query", "prompt", "x")
OUTPUTS = ("output", "outputs", "label", "target", "answer", "intent", "class", "category", "completion", "y")

Record = tuple[str, Mapping[str, object]]  # where it stands, for people; and its fields


def read_rows(path: Path, *, input_column: str | None = None, output_column: str | None = None) -> tuple[Pair, ...]:
    """The rows of a file as pairs. Columns are found by their usual names unless they are named.

    Raises UserError with the file, the place and the way out when it cannot be read, has no such columns or no rows.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UserError(f"{path}: rows are read from {', '.join(sorted(_READERS))} files")
    try:
        records = list(read(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    if not records:
        raise UserError(f"{path}: holds no rows")
    first = records[0][1]
    asked = _column(path, first, wanted=input_column, usual=INPUTS, what="input")
    told = _column(path, first, wanted=output_column, usual=OUTPUTS, what="output")
    return tuple(Pair(_text(path, where, row, asked), _text(path, where, row, told)) for where, row in records)


def _column(path: Path, row: Mapping[str, object], *, wanted: str | None, usual: Iterable[str], what: str) -> str:
    names = {name.strip().casefold(): name for name in row}
    for candidate in (wanted,) if wanted is not None else usual:
        if candidate.casefold() in names:
            return names[candidate.casefold()]
    there = ", ".join(repr(name) for name in row)
    missing = f"column {wanted!r}" if wanted is not None else f"{what} column ({', '.join(usual)})"
    raise UserError(f"{path}: has no {missing}; its columns are {there}")


def _text(path: Path, where: str, row: Mapping[str, object], column: str) -> str:
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{path}, {where}: {column!r} must be text (got {value!r:.80})")
    return str(value)


def _read_jsonl(path: Path) -> Iterator[Record]:
    # Only line feeds end a line: JSON texts may hold U+2028 and its like.
    for number, line in enumerate(path.read_bytes().decode("utf-8-sig").split("\n"), start=1):
        if line.strip():
            yield f"line {number}", _object(path, f"line {number}", line)


def _object(path: Path, where: str, text: str) -> Mapping[str, object]:
    value = _json(path, where, text)
    if not isinstance(value, dict):
        raise UserError(f"{path}, {where}: must be a JSON object (got {value!r:.80})")
    return value


def _json(path: Path, where: str, text: str) -> object:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}, {where}: is not valid JSON: {error}") from error
    return value


def _read_json(path: Path) -> Iterator[Record]:
    value = _json(path, "the file", path.read_bytes().decode("utf-8-sig"))
    if not isinstance(value, list):
        raise UserError(f"{path}: must hold a JSON array of objects; for one object a line, call it .jsonl")
    for number, row in enumerate(value, start=1):
        if not isinstance(row, dict):
            raise UserError(f"{path}, row {number}: must be a JSON object (got {row!r:.80})")
        yield f"row {number}", row


def _read_table(delimiter: str) -> Callable[[Path], Iterator[Record]]:
    def read(path: Path) -> Iterator[Record]:
        text = io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")
        reader = csv.DictReader(text, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if None in row:
                    raise UserError(f"{path}, line {reader.line_num}: has more fields than the header")
                yield f"line {reader.line_num}", row
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: is not valid CSV: {error}") from error

    return read


def _read_parquet(path: Path) -> Iterator[Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise UserError(f"{path}: is not a parquet file: {error}") from error
    for number, row in enumerate(table.to_pylist(), start=1):
        yield f"row {number}", row


_READERS: Mapping[str, Callable[[Path], Iterator[Record]]] = {
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_table(","),
    ".tsv": _read_table("\t"),
    ".parquet": _read_parquet,
}
