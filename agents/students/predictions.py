"""Rows with a student's answers beside them, in the forms that files come in: JSON lines, CSV, TSV, parquet.

Whatever a row had it keeps. Knows rows and answers; who answered, and when, is the business of `predict`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.checks import one_of
from agents.reading.inputs import Inputs
from agents.reading.rows import PARQUET_BATCH, is_missing, records, text_of
from agents.reporting.export import Csv, csv_line
from engine.errors import UserError

__all__ = [
    "FORMS",
    "Answer",
    "Columns",
    "Row",
    "Tally",
    "columns_in",
    "form_of",
    "rows_in",
    "text_lines",
    "write_parquet",
]

FORMS = ("csv", "jsonl", "parquet", "tsv")
"""What a file with answers can be."""

_FORM_OF = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
_READ_WHOLE = (".json", ".jsonl", ".ndjson")  # any row of these may have a column that the first one lacks

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a student says to a row. Where the row has no input there is nothing to say: then `output` is None."""

    output: str | None
    confidence: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that answers come in: the answer, how sure the student is, and with a threshold, what it leaves open.

    Columns()                            # prediction, confidence
    Columns("intent", threshold=0.9)     # intent, intent_confidence, intent_abstained
    """

    answer: str = "prediction"
    threshold: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        before = "" if self.answer == Columns().answer else f"{self.answer}_"
        return (self.answer, f"{before}confidence", *([f"{before}abstained"] if self.threshold is not None else ()))

    def of(self, answer: Answer) -> tuple[object, ...]:
        """The values of these columns. An answer below the threshold stands there all the same, marked."""
        shared = (answer.output, round(answer.confidence, 6))
        return shared if self.threshold is None else (*shared, self.abstains(answer))

    def abstains(self, answer: Answer) -> bool:
        return answer.output is None or (self.threshold is not None and answer.confidence < self.threshold)

    def __post_init__(self) -> None:
        if not self.answer.strip():
            raise UserError("--column: is blank; give the column of answers a name")

    def check_free(self, path: Path, columns: Sequence[str]) -> None:
        """Raise UserError when the file has columns of these names already."""
        if taken := [name for name in self.names if name in columns]:
            raise UserError(f"{path}: has a column {taken[0]!r} already; give the answers another name with --column")


@dataclass(slots=True)
class Tally:
    """What is counted of the rows as they go by; `confidence` is summed up over those that are answered."""

    columns: Columns
    rows: int = 0
    empty: int = 0
    cut: int = 0
    abstained: int = 0
    confidence: float = 0.0

    def add(self, answer: Answer) -> None:
        self.rows += 1
        self.empty += answer.output is None
        self.cut += answer.cut
        self.abstained += self.columns.threshold is not None and self.columns.abstains(answer)
        self.confidence += answer.confidence

    @property
    def mean_confidence(self) -> float | None:
        return self.confidence / (self.rows - self.empty) if self.rows > self.empty else None

    def beside(self, rows: Iterable[Row], answers: Iterable[Answer]) -> Iterator[dict[str, object]]:
        """Each row with its answer, counted."""
        names = self.columns.names
        for row, answer in zip(rows, answers, strict=True):
            self.add(answer)
            yield {**row, **dict(zip(names, self.columns.of(answer), strict=True))}


def form_of(path: Path, *, wanted: str | None = None) -> str:
    """The form that is wanted, or that the name of a file tells. JSON and texts are answered in JSON lines."""
    if wanted is None:
        return _FORM_OF.get(path.suffix.lower(), "jsonl")
    if wanted not in FORMS:
        one_of("format", wanted, FORMS)
    return wanted


def columns_in(inputs: Inputs) -> tuple[str, ...]:
    """The names of a file's columns, in order; of JSON, whose rows may differ, those of all its rows."""
    if not inputs.columns:
        return ("input",)
    if inputs.path.suffix.lower() in _READ_WHOLE:
        return tuple(dict.fromkeys(name for _, row in records(inputs.path) for name in row))
    return tuple(next(records(inputs.path))[1])


def rows_in(inputs: Inputs) -> Iterator[Row]:
    """The rows of a file as they are; a line of a text as a row with an `input`."""
    if inputs.columns:
        return (row for _, row in records(inputs.path))
    return ({"input": row.text} for row in inputs)


def text_lines(form: str, rows: Iterable[Row], *, columns: Sequence[str], answer: str, csv: Csv) -> Iterator[bytes]:
    """Rows as lines of JSON, CSV or TSV; `columns` are those of a table.

    What the student wrote, in the column `answer`, is kept from being a formula; the row's own cells stay as they are.
    """
    if form == "jsonl":
        yield from map(json_line, rows)
        return
    delimiter = "\t" if form == "tsv" else ","
    yield csv_line(columns, delimiter=delimiter)
    for row in rows:
        cells = {name: _text(row.get(name)) for name in columns}
        cells[answer] = csv.guard(cells[answer])
        yield csv_line(list(cells.values()), delimiter=delimiter)


def json_line(row: Row) -> bytes:
    """A row as a line of JSON: NaN as null, what else JSON has no word for as text, half a surrogate pair as U+FFFD."""
    line = json.dumps(_in_json(dict(row)), ensure_ascii=False, default=str, separators=(",", ":"))
    # Two characters that stand in texts only, and at which some readers would break the line.
    safe = line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text_of(safe).encode() + b"\n"


def _in_json(value: object) -> object:
    """The value in words that every reader of JSON knows: Python's own writer says NaN and Infinity too."""
    if isinstance(value, dict):
        return {name: _in_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def write_parquet(path: Path, inputs: Inputs, rows: Iterable[Row], *, columns: Columns, own: Sequence[str]) -> None:
    """Write rows with their answers as parquet, some hundred at a time.

    Columns that come from parquet keep their types; all others are texts, but for the confidence and the mark.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = (pa.string(), pa.float64(), pa.bool_())
    added = [pa.field(name, kind) for name, kind in zip(columns.names, types, strict=False)]
    typed = inputs.columns and inputs.path.suffix.lower() == ".parquet"
    schema = pq.read_schema(inputs.path) if typed else pa.schema([pa.field(name, pa.string()) for name in own])
    for each in added:
        schema = schema.append(each)
    plain = frozenset(columns.names) | (frozenset(own) if typed else frozenset())
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=3) as writer:
        for some in _some(rows, PARQUET_BATCH):
            table = [{name: _cell(row.get(name), as_is=name in plain) for name in schema.names} for row in some]
            writer.write_table(pa.Table.from_pylist(table, schema=schema))


def _cell(value: object, *, as_is: bool) -> object:
    return value if as_is or is_missing(value) else text_of(value)


def _text(value: object) -> str:
    return "" if is_missing(value) else text_of(value)


def _some(rows: Iterable[Row], most: int) -> Iterator[list[Row]]:
    some: list[Row] = []
    for row in rows:
        some.append(row)
        if len(some) == most:
            yield some
            some = []
    if some:
        yield some
