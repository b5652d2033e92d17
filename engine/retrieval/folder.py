"""A folder of the user's own files as a catalogue of data sets: what their columns hold, from their first rows.

Reads the start of each file and never the whole; what the rows are good for is somebody else's question.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import orjson

from engine.errors import UserError
from engine.retrieval.card import Column, DatasetCard
from engine.text import clean, delimiter_of, encoding_of, first_line

if TYPE_CHECKING:
    import pyarrow

__all__ = ["OWN", "cards_in"]

OWN: Final = "your own"
"""The licence of what the user has at hand: theirs to judge."""

ROWS_LOOKED_AT: Final = 200
_ROWS_SHOWN: Final = 3
_VALUE_SHOWN: Final = 160  # characters
_START: Final = 2**20  # bytes of a text file
_NOTES: Final = 4096  # bytes of what stands beside it
_LARGEST_JSON: Final = 64 * 2**20  # an array can only be read whole
_MOST_FILES: Final = 2000
_MOST_COLUMNS: Final = 200
_DESCRIPTION: Final = 1000  # characters
_MOST_NAMES: Final = 60  # different short values of a column that are worth being found by

Rows = Sequence[Mapping[str, object]]


class _UnreadableError(Exception):
    """A file that is no table; the message says why."""


def cards_in(folder: Path) -> tuple[tuple[DatasetCard, ...], tuple[tuple[str, str], ...]]:
    """A card for each table in a folder and below, by path, and the files that are none, each with its reason.

    Raises UserError when the folder cannot be read or holds no such file.
    """
    try:
        found = sorted(islice(_tables(folder), _MOST_FILES))
    except OSError as error:
        raise UserError(f"cannot read the catalogue {folder}: {error.strerror or error}") from error
    if not any(_ending(path) in _READERS for path in found):
        raise UserError(f"the catalogue {folder} holds no {', '.join((*_PLAIN, '.parquet'))} file; put your data there")
    cards: list[DatasetCard] = []
    odd: list[tuple[str, str]] = []
    for path in found:
        try:
            cards.append(_card(path))
        except _UnreadableError as error:
            odd.append((str(path), str(error)))
        except (OSError, EOFError, zlib.error) as error:  # the latter two of what is packed badly
            odd.append(
                (str(path), getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__)
            )
    return tuple(cards), tuple(odd)


def _tables(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if (_ending(path) in _READERS or _ending(path) in _ROWS_PERHAPS) and path.is_file() and not hidden:
            yield path


def _ending(path: Path) -> str:
    """The last suffix, and for what is packed with gzip the one before it too."""
    *_, before, last = ("", "", *(suffix.lower() for suffix in path.suffixes))
    return before + last if last == ".gz" else last


def _card(path: Path) -> DatasetCard:
    if (read := _READERS.get(_ending(path))) is None:
        raise _UnreadableError(f"is not read; save its rows as {', '.join(_PLAIN)}, also .gz, or .parquet")
    rows, count = read(path)
    if not rows:
        raise _UnreadableError("holds no rows" if path.stat().st_size <= _START else "holds no rows in its first MiB")
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(names) > _MOST_COLUMNS:
        raise _UnreadableError(f"has {len(names):,} columns, more than {_MOST_COLUMNS}")
    status = path.stat()
    return DatasetCard(
        id=str(path),
        description=_described(path, names, rows),
        tags=(),
        languages=(),
        licence=OWN,
        rows=count,
        bytes=status.st_size,
        columns=tuple(_column(name, rows) for name in names),
        downloads=0,
        gated=False,
        updated=datetime.fromtimestamp(int(status.st_mtime), UTC).isoformat(),
    )


def _described(path: Path, names: Sequence[str], rows: Rows) -> str:
    """What stands beside the file under its name (`mails.md` for `mails.csv`), and the words of its first rows."""
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    said = _notes(plain.with_suffix(".md"))
    values = [_short(name, rows) for name in names]
    return clean(f"{plain.stem} {said} {' '.join(value for value in values if value)}", limit=_DESCRIPTION)


def _notes(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_NOTES).decode("utf-8", "replace")


def _short(name: str, rows: Rows) -> str:
    """The different values of a column that has few, as labels have; of any other the first one."""
    values = list(dict.fromkeys(_shown(row.get(name)) for row in rows))
    few = len(values) <= min(_MOST_NAMES, max(2, len(rows) // 2)) and all(len(value) <= 40 for value in values)
    return ", ".join(values) if few else next((value for value in values if value), "")


def _column(name: str, rows: Rows) -> Column:
    kinds = {_kind(row[name]) for row in rows if row.get(name) not in (None, "")}
    if kinds == {"int", "float"}:
        kinds = {"float"}
    kind = kinds.pop() if len(kinds) == 1 else ("text" if kinds else "unknown")
    sample = tuple(_shown(row.get(name)) for row in rows[:_ROWS_SHOWN])
    return Column(clean(name, limit=_VALUE_SHOWN) or "unnamed", kind, sample=sample)


def _kind(value: object) -> str:
    if isinstance(value, str):
        return _kind_of_text(value)
    for kinds, name in _KINDS:
        if isinstance(value, kinds):
            return name
    return "unknown"


_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "bool"), (int, "int"), (float, "float"), ((list, tuple), "list"), (dict, "object"), (bytes, "bytes"),
    (datetime, "time"),
)  # fmt: skip


def _kind_of_text(value: str) -> str:
    """In a CSV file all is text; a column is one of numbers if all of it reads as numbers."""
    try:
        number = float(value)
    except ValueError:
        return "text"
    return "int" if number.is_integer() and value.strip().lstrip("+-").isdecimal() else "float"


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode("utf-8", "replace")
    return clean(text, limit=_VALUE_SHOWN)


def _read_csv(path: Path) -> tuple[Rows, int | None]:
    text, whole = _start_of(path)
    csv.field_size_limit(_START)
    delimiter = "\t" if _ending(path).startswith(".tsv") else delimiter_of(text.partition("\n")[0])
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise _UnreadableError(f"is no CSV: {error}") from error
    lines = [line for line in (lines if whole else lines[:-1]) if any(line)]
    if not lines:
        return (), 0
    header, body = lines[0], lines[1:]
    if len(set(header)) < len(header):
        raise _UnreadableError("has two columns of one name")
    missing = [""] * len(header)  # a short line is one whose last values are empty
    rows = [dict(zip(header, [*line, *missing], strict=False)) for line in body[:ROWS_LOOKED_AT]]
    return rows, len(body) if whole else None


def _read_jsonl(path: Path) -> tuple[Rows, int | None]:
    """A line that holds no row costs itself; where none does, the first one says why."""
    text, whole = _start_of(path)
    lines = text.split("\n")  # JSON texts may hold U+2028 and its like, which end lines elsewhere
    lines = [line for line in (lines if whole else lines[:-1]) if line.strip()]
    read = [_json_row(line) for line in lines[:ROWS_LOOKED_AT]]
    rows = [row for row in read if isinstance(row, dict)]
    if read and not rows:
        raise _UnreadableError(f"line 1 is not {read[0]}")
    return rows, len(lines) if whole else None


def _json_row(line: str) -> dict[str, object] | str:
    """The row in a line, or what the line is not."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "JSON"
    return row if isinstance(row, dict) else "a JSON object"


def _read_json(path: Path) -> tuple[Rows, int | None]:
    """An array of objects; a file that begins with an object holds one a line."""
    with _opened(path) as file:
        opening = file.read(_START).lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    if opening.startswith(b"{"):
        return _read_jsonl(path)
    with _opened(path) as file:
        raw = file.read(_LARGEST_JSON + 1)
    if len(raw) > _LARGEST_JSON:
        raise _UnreadableError(f"is larger than {_LARGEST_JSON // 2**20} MiB; save it as JSONL")
    try:
        rows = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _UnreadableError("is not JSON") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows[:ROWS_LOOKED_AT]):
        raise _UnreadableError("is not a JSON array of objects")
    return rows[:ROWS_LOOKED_AT], len(rows)


def _read_parquet(path: Path) -> tuple[Rows, int | None]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=ROWS_LOOKED_AT), None)
            rows = [] if batch is None else [_parquet_row(batch.slice(place, 1)) for place in range(len(batch))]
            return [row for row in rows if row is not None], file.metadata.num_rows
    except pyarrow.ArrowException as error:
        raise _UnreadableError(f"is no parquet file: {first_line(error)}") from error


def _parquet_row(row: pyarrow.RecordBatch) -> Mapping[str, object] | None:
    """A row; None where it holds what Python cannot: a text that is no UTF-8, a day after the year 9999."""
    try:
        read: Mapping[str, object] = row.to_pylist()[0]
    except (ValueError, OverflowError):
        return None
    return read


def _opened(path: Path) -> gzip.GzipFile | BinaryIO:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _start_of(path: Path) -> tuple[str, bool]:
    """The text at the start of a file, and whether that is all of it. What is not UTF-8 is taken for Windows-1252."""
    with _opened(path) as file:
        raw = file.read(_START + 1)
    whole, raw = len(raw) <= _START, raw[:_START]
    if b"\0" in raw and encoding_of(raw) == "utf-8":
        raise _UnreadableError("is no text")
    try:
        return raw.decode(encoding_of(raw)), whole
    except UnicodeDecodeError as error:
        if not whole and error.start > len(raw) - 4:  # a character that the cut went through
            return raw[: error.start].decode(encoding_of(raw)), whole
        return raw.decode("cp1252", "replace"), whole


_PLAIN: Final[Mapping[str, Callable[[Path], tuple[Rows, int | None]]]] = {
    ".csv": _read_csv, ".tsv": _read_csv, ".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".json": _read_json,
}  # fmt: skip
_READERS: Final = {**_PLAIN, **{f"{ending}.gz": read for ending, read in _PLAIN.items()}, ".parquet": _read_parquet}
_ROWS_PERHAPS: Final = frozenset(
    (".arrow", ".avro", ".bz2", ".feather", ".numbers", ".ods", ".orc", ".parquet.gz", ".sqlite", ".xls", ".xlsx",
     ".xz", ".zip", ".zst")
)  # fmt: skip
"""Files whose owner may expect them to be read; others, such as pictures and notes, are passed over without a word."""
