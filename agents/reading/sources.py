"""Rows that exist already, one after another: from CSV, TSV, JSON lines, JSON, parquet (also .gz), or a data set.

One bad row costs one row: a line that cannot be read comes out as `Broken`, with its number, and the rest is read on. A
file that is no such file ends the reading. Never more than a line, a record or a batch is held; a JSON array is one.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.finding.found.hub_rows import all_rows
from engine.errors import MissingExtra, UserError
from engine.text import delimiter_of, encoding_of, first_line

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ENDINGS", "Broken", "Found", "Record", "check_sources", "read_source"]

LONGEST_LINE = 16 << 20  # bytes of a row; a longer one is passed over without being held
BATCH = 256  # rows of a parquet file at a time
HUB = "hub:"
SNIFFED = 8192  # bytes that tell text from other things

_TOO_LONG = f"longer than {LONGEST_LINE >> 20} MiB"


@dataclass(frozen=True, slots=True)
class Found:
    """A row as it stands in its source: where, counted in lines or rows, and its columns."""

    source: str
    line: int
    columns: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Broken:
    """A place in a source that holds no row that could be read, and why."""

    source: str
    line: int
    problem: str


Record = Found | Broken


def read_source(name: str, *, wanted: Callable[[Path], bool] = lambda _: True) -> Iterator[Record]:
    """The rows of a file, of the files in a folder, or of a data set of the hub (`hub:OWNER/NAME`, `...@SPLIT`).

    Of a folder's files those that are `wanted`. Raises UserError when there is no such thing, it cannot be read, is of
    no kind that is known, or is binary.
    """
    if name.startswith(HUB):
        return _read_hub(name)
    path = Path(name)
    if path.is_dir():
        return _read_folder(path, wanted)
    return _read_file(path)


def check_sources(names: Iterable[str]) -> None:
    """Raise what reading them would begin with, before anything is made ready for it; of the hub nothing is asked."""
    for name in names:
        if not name.startswith(HUB):
            next(iter(read_source(name)), None)


def _read_folder(path: Path, wanted: Callable[[Path], bool]) -> Iterator[Record]:
    there = (file for file in path.iterdir() if _ending(file) in _READERS and not file.name.startswith("."))
    files = sorted(filter(wanted, there))
    if not files:
        raise UserError(f"{path}: holds no rows; they are read from {', '.join(ENDINGS)} files")
    for file in files:
        yield from _read_file(file)


def _read_file(path: Path) -> Iterator[Record]:
    read = _READERS.get(_ending(path))
    if read is None:
        hint = "; a data set of the hub is named hub:OWNER/NAME" if not path.exists() else ""
        raise UserError(f"{path}: rows are read from {', '.join(ENDINGS)} files, also .gz{hint}")
    try:
        yield from read(path)
    except (OSError, EOFError, zlib.error) as error:  # the latter two of what is packed badly
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        return "".join(suffixes[-2:]) if suffixes[-2:-1] != [".parquet"] else ""
    return suffixes[-1] if suffixes else ""


# -- lines


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader[Any]]:
    """The bytes of a file, unpacked; raises UserError when they are no text."""
    with path.open("rb") as packed:
        unpacked = gzip.GzipFile(fileobj=packed) if path.suffix.lower() == ".gz" else packed
        with io.BufferedReader(unpacked, 1 << 16) as file:
            head = file.peek(SNIFFED)[:SNIFFED]
            if b"\x00" in head and not encoding_of(head).startswith("utf-16"):
                raise UserError(f"{path}: is binary, not text; save it as one of {', '.join(ENDINGS)}")
            yield file


def _lines(path: Path) -> Iterator[tuple[int, str | None]]:
    """The lines with their numbers; None for one that is too long. Bytes that are no text become lone surrogates."""
    with _opened(path) as file:
        if encoding_of(file.peek(4)[:4]).startswith("utf-16"):
            with io.TextIOWrapper(file, "utf-16", errors="replace", newline="\n") as text:
                yield from enumerate(text, start=1)
            return
        if file.peek(3).startswith(codecs.BOM_UTF8):
            file.read(3)
        for number, raw in enumerate(_raw_lines(file), start=1):
            yield number, None if raw is None else raw.decode("utf-8", "surrogateescape")


def _raw_lines(file: io.BufferedReader[Any]) -> Iterator[bytes | None]:
    # Only line feeds end a line: JSON texts may hold U+2028 and its like.
    while line := file.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
        yield None


# -- JSON


def _read_jsonl(path: Path) -> Iterator[Record]:
    for number, line in _lines(path):
        if line is None:
            yield Broken(str(path), number, _TOO_LONG)
        elif line.strip():
            yield _json_row(path, number, line)


def _json_row(path: Path, number: int, line: str) -> Record:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return Broken(str(path), number, f"no valid JSON: {error.msg} (column {error.colno})")
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a nest of thousands of brackets
        return Broken(str(path), number, f"JSON that cannot be read: {error}")
    return _row_of(path, number, value)


def _row_of(path: Path, number: int, value: object) -> Record:
    if not isinstance(value, dict):
        return Broken(str(path), number, f"no JSON object: {value!r:.80}")
    return Found(str(path), number, value)


def _read_json(path: Path) -> Iterator[Record]:
    """An array of objects; a file that begins with an object holds one a line."""
    with _opened(path) as file:
        opening = file.peek(SNIFFED)[:SNIFFED].lstrip(codecs.BOM_UTF8 + b" \t\r\n")
    if opening.startswith(b"{"):
        yield from _read_jsonl(path)
        return
    text = "".join(line or "" for _, line in _lines(path))
    if not text.strip():
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid JSON: {error}") from error
    if not isinstance(value, list):
        raise UserError(f"{path}: must hold a JSON array of objects (got {value!r:.80})")
    for number, row in enumerate(value, start=1):
        yield _row_of(path, number, row)


# -- tables


def _read_csv(path: Path) -> Iterator[Record]:
    _, header = next(_lines(path), (1, ""))
    yield from _read_table(path, delimiter=delimiter_of(header or ""))


def _read_tsv(path: Path) -> Iterator[Record]:
    yield from _read_table(path, delimiter="\t")


def _read_table(path: Path, *, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(LONGEST_LINE)
    feed = _Feed(_lines(path))
    header: list[str] | None = None
    while True:
        try:
            fields = next(csv.reader(feed, delimiter=delimiter, strict=True), None)
        except csv.Error as error:
            # A quotation mark that nobody closes must not swallow what comes after its line.
            yield Broken(str(path), feed.retry(), f"no valid CSV: {error}")
            continue
        if feed.passed_over:
            yield Broken(str(path), feed.passed_over.pop(), _TOO_LONG)
        if fields is None:
            return
        first = feed.begin()
        if not fields:
            continue
        if header is None:
            header = _checked(path, [name.strip() for name in fields])
        elif len(fields) != len(header):
            yield Broken(str(path), first, f"{len(fields)} fields under a header of {len(header)}")
        else:
            yield Found(str(path), first, dict(zip(header, fields, strict=True)))


def _checked(path: Path, names: Sequence[str]) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: has two columns named {twice!r:.60}; rename one")
    return list(names)


class _Feed:
    """Lines for the reader of one record, which can be given back but for the first when they make none."""

    def __init__(self, lines: Iterator[tuple[int, str | None]]) -> None:
        self._lines = lines
        self._taken: list[tuple[int, str]] = []
        self._waiting: list[tuple[int, str]] = []  # in reverse
        self.passed_over: list[int] = []  # lines that were too long

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, line = self._waiting.pop() if self._waiting else self._fresh()
        self._taken.append((number, line))
        return line

    def _fresh(self) -> tuple[int, str]:
        for number, line in self._lines:
            if line is not None:
                return number, line
            self.passed_over.append(number)
        raise StopIteration

    def begin(self) -> int:
        """The record is whole, and the next line begins another. The number of the line in which it began."""
        first = self._taken[0][0] if self._taken else 0
        self._taken.clear()
        return first

    def retry(self) -> int:
        """There is no record: the first line is given up, and the others are read anew. The number of that line."""
        self._waiting.extend(reversed(self._taken[1:]))
        return self.begin()


# -- parquet and the hub


def _read_parquet(path: Path) -> Iterator[Record]:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        _checked(path, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(batch_size=BATCH):
            yield from _parquet_rows(path, number, batch)
            number += len(batch)
    except ArrowException as error:
        raise UserError(f"{path}: is not a parquet file: {first_line(error)}") from error


def _parquet_rows(path: Path, before: int, batch: pyarrow.RecordBatch) -> Iterator[Record]:
    """The rows of a batch, of which so many came before; one at a time where one of them is bad."""
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError) as error:  # a text that is no UTF-8, a day after the year 9999
        if len(batch) > 1:
            for place in range(len(batch)):
                yield from _parquet_rows(path, before + place, batch.slice(place, 1))
        else:
            yield Broken(str(path), before + 1, f"a value that cannot be read: {error}")
        return
    for number, row in enumerate(rows, start=before + 1):
        yield Found(str(path), number, row)


def _read_hub(name: str) -> Iterator[Record]:
    repository, _, split = name.removeprefix(HUB).partition("@")
    try:
        for number, row in enumerate(all_rows(repository, split=split), start=1):
            yield Found(name, number, row)
    except MissingExtra:
        raise
    except UserError as error:  # it names the data set, and people look for what they wrote
        raise UserError(f"{HUB}{error}") from error


_PLAIN: Mapping[str, Callable[[Path], Iterator[Record]]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".tsv": _read_tsv,
}
_READERS = {**_PLAIN, **{f"{ending}.gz": read for ending, read in _PLAIN.items()}, ".parquet": _read_parquet}

ENDINGS = (*_PLAIN, ".parquet")
"""How the names of files with rows end."""
