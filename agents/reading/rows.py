"""Reading a user's labelled rows: JSONL, JSON, CSV, TSV or parquet, whatever the columns are called.

Rows are data: nothing in them is markup, a path or a template. One line that is wrong names itself and ends the
reading, because a file that is half read is worse than none.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from agents.records import Pair
from engine.errors import UserError
from engine.text import encoding_of, first_line, writable

__all__ = [
    "INPUTS",
    "OUTPUTS",
    "PARQUET_BATCH",
    "TABLES",
    "Record",
    "column_of",
    "flat",
    "is_missing",
    "json_lines",
    "lines_of",
    "read_rows",
    "records",
    "text_of",
]

INPUTS = (
    "input", "inputs", "text", "source", "question", "sentence", "utterance", "query", "message", "review", "document",
    "content", "passage", "context", "prompt", "instruction", "src", "x",
)  # fmt: skip
"""What the column of inputs may be called, the likeliest first."""

OUTPUTS = (
    "output", "outputs", "label", "labels", "target", "answer", "answers", "intent", "class", "category", "sentiment",
    "completion", "response", "summary", "translation", "expected", "gold", "tgt", "y",
)  # fmt: skip
"""What the column of outputs may be called, the likeliest first."""

_LONGEST_FIELD = 2**31 - 1  # the csv module's own limit of 128 KiB is shorter than a document

PARQUET_BATCH = 256  # rows; each may be a document

Record = tuple[str, Mapping[str, object]]  # where it stands, for people; and its fields


def read_rows(path: Path, *, input_column: str | None = None, output_column: str | None = None) -> tuple[Pair, ...]:
    """The rows of a file as pairs. Columns are found by their usual names unless they are named.

    Numbers and truth values become text, lists and objects their JSON, and half a surrogate pair, which no file can
    carry, U+FFFD. Raises UserError with the file, the place and the way out when the file cannot be read, has no such
    columns, has a row without input or output, or has no rows.
    """
    rows = list(records(path))
    if not rows:
        raise UserError(f"{path}: holds no rows; it needs at least one with an input and an output")
    first = flat(rows[0][1])
    asked = column_of(path, first, wanted=input_column, usual=INPUTS, what="input")
    told = column_of(path, first, wanted=output_column, usual=OUTPUTS, what="output", taken=asked)
    return tuple(_pair(path, where, flat(row), asked=asked, told=told) for where, row in rows)


def records(path: Path) -> Iterator[Record]:
    """The rows of a file, one after another from the disk (a JSON array at once), each with where it stands.

    Raises UserError, naming the place, where the file cannot be read any further.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UserError(f"{path}: rows are read from {', '.join(TABLES)} files; save it as one of them")
    try:
        yield from read(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def flat(row: Mapping[str, object]) -> Mapping[str, object]:
    """A row of chat messages as its last question and answer; any other row as it is."""
    messages = row.get("messages")
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        return row
    said = {turn.get("role"): turn.get("content") for turn in messages}
    return {**row, "input": said.get("user"), "output": said.get("assistant")}


def column_of(
    path: Path,
    row: Mapping[str, object],
    *,
    wanted: str | None,
    usual: Iterable[str],
    what: str,
    taken: str | None = None,
) -> str:
    """The name of the column that was wanted, or the first of the usual names that is there."""
    if wanted in row:
        return str(wanted)
    names = {name.strip().casefold(): name for name in reversed(list(row)) if name != taken}
    for candidate in (wanted,) if wanted is not None else usual:
        if candidate.strip().casefold() in names:
            return names[candidate.strip().casefold()]
    there = ", ".join(f"{name!r:.60}" for name in list(row)[:20])
    if wanted is not None:
        raise UserError(f"{path}: has no column {wanted!r}; its columns are {there}")
    raise UserError(f"{path}: has no {what} column; its columns are {there}; rename one to {what!r}")


def _pair(path: Path, where: str, row: Mapping[str, object], *, asked: str, told: str) -> Pair:
    pair = Pair(_text(path, where, row, asked), _text(path, where, row, told))
    if not pair.input.strip():
        raise UserError(f"{path}, {where}: {asked!r} is empty; fill it in or take the row out")
    return pair


def _text(path: Path, where: str, row: Mapping[str, object], column: str) -> str:
    value = row.get(column)
    if is_missing(value):
        raise UserError(f"{path}, {where}: has no {column!r}; fill it in or take the row out")
    if isinstance(value, bytes):
        raise UserError(f"{path}, {where}: {column!r} must be text (got bytes)")
    return text_of(value)


def is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def text_of(value: object) -> str:
    """A value as text that any file can carry."""
    if isinstance(value, bool | list | dict):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return writable(str(value))


def lines_of(path: Path, *, newline: str) -> Iterator[str]:
    """The lines of a text, by its byte order mark, otherwise UTF-8; `newline` says what ends one, as for `open`."""
    with path.open("rb") as file:
        head = file.read(4)
    encoding = encoding_of(head)
    if _in_wide_characters(head):  # which would read as UTF-8, with nothing between the letters
        raise UserError(f"{path}: is UTF-32, or UTF-16 without a byte order mark, or no text; save it as UTF-8")
    try:
        with path.open(encoding=encoding, newline=newline) as text:
            yield from text
    except UnicodeDecodeError as error:
        raise UserError(f"{path}{_place_of(path, encoding)}; save it as UTF-8") from error


def _in_wide_characters(head: bytes) -> bool:
    """Whether a file begins as ASCII does in characters of two bytes without a mark, or of four bytes."""
    return head[:1] + head[2:3] == b"\0\0" or head[1:2] + head[3:4] == b"\0\0" or head[2:] == b"\0\0"


def _place_of(path: Path, encoding: str) -> str:
    """Where a file is no text, looked for only once that is known: whoever decodes it piece by piece cannot tell."""
    start = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                if encoding != "utf-16":
                    return f", line {number}: is not UTF-8 text (byte {start + error.start})"
            start += len(line)
    return f": is not {encoding.upper()} text"


def _decoded(path: Path) -> str:
    return "".join(lines_of(path, newline=""))


def _read_jsonl(path: Path) -> Iterator[Record]:
    # Only line feeds end a line: JSON texts may hold U+2028 and its like.
    return json_lines(path, lines_of(path, newline="\n"))


def json_lines(path: Path, lines: Iterable[str]) -> Iterator[Record]:
    """A JSON object a line, each with the line it stands in; `path` is what an error calls the source."""
    for number, line in enumerate(lines, start=1):
        if text := line.strip():
            yield f"line {number}", _object(path, f"line {number}", _json(path, text, first_line=number))


def _object(path: Path, where: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise UserError(f"{path}, {where}: must be a JSON object with an input and an output (got {value!r:.80})")
    return value


def _json(path: Path, text: str, *, first_line: int) -> object:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise UserError(f"{path}, line {line}: is not valid JSON: {error.msg} (column {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a nest of thousands of brackets
        raise UserError(f"{path}, line {first_line}: is JSON that cannot be read: {error}") from error
    return value


def _read_json(path: Path) -> Iterator[Record]:
    """An array of objects; a file that begins with an object holds one a line, whatever it is called."""
    text = _decoded(path)
    if not text.strip():
        return
    if text.lstrip().startswith("{"):
        yield from json_lines(path, text.split("\n"))
        return
    value = _json(path, text, first_line=1)
    if not isinstance(value, list):
        raise UserError(f"{path}: must hold a JSON array of objects (got {value!r:.80})")
    for number, row in enumerate(value, start=1):
        yield f"row {number}", _object(path, f"row {number}", row)


def _read_csv(path: Path) -> Iterator[Record]:
    lines = lines_of(path, newline="")
    header = next(lines, "")
    # Where the comma is the decimal mark, spreadsheets save "CSV" with semicolons.
    delimiter = ";" if ";" in header and "," not in header else ","
    return _table(path, chain([header] if header else [], lines), delimiter=delimiter)


def _read_tsv(path: Path) -> Iterator[Record]:
    return _table(path, lines_of(path, newline=""), delimiter="\t")


def _table(path: Path, lines: Iterable[str], *, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.DictReader(lines, delimiter=delimiter, strict=True)
    try:
        _check_columns(path, reader.fieldnames or ())
        for row in reader:
            if None in row:
                raise UserError(f"{path}, line {reader.line_num}: has more fields than the header; quote the text")
            yield f"line {reader.line_num}", row
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: is not valid CSV: {error}") from error


def _check_columns(path: Path, names: Sequence[str]) -> None:
    """Raise UserError for two columns of one name: the second would take the first one's place, without a word."""
    twice = next((name for name, count in Counter(names).items() if count > 1 and name.strip()), None)
    if twice is not None:
        raise UserError(f"{path}: has two columns named {twice!r:.60}; rename one")


def _read_parquet(path: Path) -> Iterator[Record]:
    from pyarrow import ArrowInvalid, parquet

    try:
        with parquet.ParquetFile(path) as file:
            rows = (row for batch in file.iter_batches(batch_size=PARQUET_BATCH) for row in batch.to_pylist())
            for number, row in enumerate(rows, start=1):
                yield f"row {number}", row
    except ArrowInvalid as error:
        raise UserError(f"{path}: is not a parquet file: {first_line(error)}") from error


_READERS: Mapping[str, Callable[[Path], Iterator[Record]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".parquet": _read_parquet,
}

TABLES = tuple(sorted(_READERS))
"""How the name of a file with rows may end."""
