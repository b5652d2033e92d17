"""What came of curating: the files of what is kept and what is not, and the report on both.

`rows.{parquet,jsonl}`, `rejected.{parquet,jsonl}`, `report.{json,html}`, `README.md`; all there at the end, or none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from agents.collect import JUDGED, storable, storable_or_none, verdict_columns
from agents.curating.curate_judge import Judging
from agents.filtering.balance import MOST_LABELS
from agents.filtering.filter import Finding
from agents.filtering.strange import strange_labels, strange_told
from agents.filtering.survey import Survey
from agents.filtering.variety import Variety, variety_of
from agents.judging.judging import JudgeFacts
from agents.reading.roles import Roles, Row
from agents.records import Pair, Spec
from agents.reporting.lengths import Lengths, lengths_counted
from agents.reporting.page import render_html
from agents.reporting.report import as_json
from agents.reporting.shown import LONGEST_COMPARED, MOST_ANSWERS, SAMPLED, SHOWN, Sample, Shown, count, cut
from agents.run_folder import write_whole
from engine.errors import UserError
from engine.training.folder import draft_of

__all__ = ["Curated", "Tally", "Writer"]

BATCH = 1024  # rows written at a time
SCRATCH = "new"  # in the name of the folder that they are written in until all are there


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer and how many rows have it: of those that are kept, of those read, of the anchors."""

    answer: str
    rows: int
    read: int
    anchors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curated:
    """The data in figures, with twenty rows of each kind. `told` is what was guessed, in words."""

    read: int
    kept: int
    rejected: Mapping[str, int]
    told: Sequence[str]
    answers: int  # different ones among the rows read; -1 for more than are counted
    balance: Sequence[Answer]
    anchors: int  # how many there are
    variety_read: Variety
    variety_kept: Variety
    rows: Sequence[Shown]
    rejects: Sequence[Shown]
    input_lengths: Lengths
    output_lengths: Lengths
    judge: JudgeFacts | None = None


@dataclass(slots=True)
class Tally:
    """Counts and samples of what went by."""

    seed: int
    seen: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    answers_read: Counter[str] = field(default_factory=Counter)
    answers_kept: Counter[str] = field(default_factory=Counter)
    input_sizes: Counter[int] = field(default_factory=Counter)  # in characters, of the rows that are kept
    output_sizes: Counter[int] = field(default_factory=Counter)
    inputs_read: Sample[str] = field(init=False)
    inputs_kept: Sample[str] = field(init=False)
    rows: Sample[Shown] = field(init=False)
    rejects: Sample[Shown] = field(init=False)

    def __post_init__(self) -> None:
        self.inputs_read = Sample(SAMPLED, seed=self.seed)
        self.inputs_kept = Sample(SAMPLED, seed=self.seed)
        self.rows = Sample(SHOWN, seed=self.seed)
        self.rejects = Sample(SHOWN, seed=self.seed)

    def read(self, row: Row) -> None:
        self.seen += 1
        self.inputs_read.add(row.number, row.input[:LONGEST_COMPARED])
        _count(self.answers_read, row)

    def keep(self, row: Row) -> None:
        self.kept += 1
        self.inputs_kept.add(row.number, row.input[:LONGEST_COMPARED])
        self.rows.add(row.number, _shown(row))
        _count(self.answers_kept, row)
        self.input_sizes[len(row.input)] += 1
        self.output_sizes[len(row.output or "")] += 1

    def reject(self, row: Row, finding: Finding) -> None:
        self.rejected[finding.reason] += 1
        self.rejects.add(row.number, _shown(row, finding))


def _count(counts: Counter[str], row: Row) -> None:
    if row.output is not None:
        count(counts, row.output)


def _shown(row: Row, finding: Finding | None = None) -> Shown:
    return Shown(
        input=cut(row.input),
        output=cut(row.output or ""),
        context=cut(row.context or ""),
        about=f"row {row.number}",
        reason="" if finding is None else finding.reason,
        detail="" if finding is None else cut(finding.detail),
    )


def _columns(row: Row) -> dict[str, object]:
    return {
        "input": storable(row.input),
        "context": storable_or_none(row.context),
        "output": storable_or_none(row.output),
        "row": row.number,
        "source": storable(row.source),
        "line": row.line,
    }


class Writer:
    """Writes rows as they come, under other names until everything is there."""

    def __init__(self, folder: Path, *, seed: int, is_judged: bool = False) -> None:
        self.folder = folder
        self.judging: Judging | None = None  # once a judge was asked
        self._more = JUDGED if is_judged else {}
        self.tally = Tally(seed)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self.folder.exists() and (not self.folder.is_dir() or any(map(_is_in_the_way, self.folder.iterdir()))):
            raise UserError(f"{self.folder}: is not empty; choose another folder with --out")
        missing = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in reversed(missing):  # they are called back in reverse, the innermost first
            self._open.callback(_remove_if_empty, folder)
        self.scratch = self._open.enter_context(draft_of(self.folder / SCRATCH))
        if any(path != self.scratch for path in _drafts(self.folder)):
            self._open.close()
            raise UserError(f"{self.folder}: another process is writing there; wait for it, or choose another --out")
        self._files = {
            name: self._open.enter_context(_Table(self.scratch / name, extra, self._more))
            for name, extra in (("rows", ()), ("rejected", ("reason", "detail")))
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def keep(self, row: Row) -> None:
        self.tally.keep(row)
        self._files["rows"].write({**_columns(row), **self._verdict(row)})

    def reject(self, row: Row, finding: Finding) -> None:
        self.tally.reject(row, finding)
        told = {"reason": finding.reason, "detail": storable(finding.detail)}
        self._files["rejected"].write({**_columns(row), **told, **self._verdict(row)})

    def _verdict(self, row: Row) -> dict[str, object]:
        found = None if self.judging is None else self.judging.verdicts.get(row.number)
        return verdict_columns(found) if self._more else {}

    def finish(self, *, spec: Spec, anchors: Sequence[Pair], roles: Mapping[str, Roles], found: Survey) -> Curated:
        """Put everything in its place, the report last."""
        curated = _curated(self.tally, spec=spec, anchors=anchors, roles=roles, found=found)
        curated = replace(curated, judge=None if self.judging is None else self.judging.facts)
        for file in self._files.values():
            file.close()
        for path in sorted(self.scratch.glob("*.*")):
            path.replace(self.folder / path.name)
        table = orjson.loads(orjson.dumps(as_json(curated)))
        write_whole(self.folder / "README.md", _card(curated).encode())
        write_whole(self.folder / "report.html", render_html(table, template="data.html").encode("utf-8", "replace"))
        write_whole(self.folder / "report.json", orjson.dumps(table, option=orjson.OPT_INDENT_2))
        return curated


def _is_in_the_way(path: Path) -> bool:
    """Whether a file is there that no start of this one that was stopped left: what a judge was paid for is kept."""
    return not path.name.startswith("journal.db") and path not in _drafts(path.parent)


def _drafts(folder: Path) -> list[Path]:
    """Where rows are being written, and where whoever was killed has left some."""
    return list(folder.glob(f".{SCRATCH}-*.draft"))


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


class _Table:
    """The same rows as parquet and as JSON lines."""

    def __init__(self, path: Path, extra: Sequence[str], judged: Mapping[str, str]) -> None:
        self._path = path
        self._extra = extra
        self._judged = judged
        self._waiting: list[dict[str, object]] = []

    def __enter__(self) -> Self:
        import pyarrow as pa
        import pyarrow.parquet as pq

        texts = {"input": pa.string(), "context": pa.string(), "output": pa.string()}
        numbers = {"row": pa.int64(), "source": pa.string(), "line": pa.int64()}
        judged = {name: pa.int64() if kind == "int64" else pa.string() for name, kind in self._judged.items()}
        self._schema = pa.schema({**texts, **dict.fromkeys(self._extra, pa.string()), **numbers, **judged})
        self._parquet = pq.ParquetWriter(self._path.with_suffix(".parquet"), self._schema, compression="zstd")
        self._lines = self._path.with_suffix(".jsonl").open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, row: dict[str, object]) -> None:
        self._lines.write(orjson.dumps({name: row[name] for name in self._schema.names}) + b"\n")
        self._waiting.append(row)
        if len(self._waiting) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        self._parquet.write_table(pa.Table.from_pylist(self._waiting, schema=self._schema))
        self._waiting.clear()

    def close(self) -> None:
        if not self._lines.closed:
            self._flush()
            self._parquet.close()
            self._lines.close()


# -- the report


def _curated(
    tally: Tally, *, spec: Spec, anchors: Sequence[Pair], roles: Mapping[str, Roles], found: Survey
) -> Curated:
    shown = [*spec.demonstrations, *anchors]
    return Curated(
        read=tally.kept + tally.rejected.total(),
        kept=tally.kept,
        rejected=dict(sorted(tally.rejected.items(), key=lambda each: (-each[1], each[0]))),
        told=[
            *(f"{source}: {columns.told()}" for source, columns in roles.items()),
            found.told(),
            *_answers_told(spec),
            *strange_told(strange_labels((pair.output for pair in anchors), spec), where="the anchors"),
        ],
        answers=-1 if len(tally.answers_read) >= MOST_ANSWERS else len(tally.answers_read),
        balance=_balance(tally, Counter(pair.output for pair in shown)),
        anchors=len(shown),
        variety_read=variety_of(tally.inputs_read.things()),
        variety_kept=variety_of(tally.inputs_kept.things()),
        rows=tally.rows.things(),
        rejects=tally.rejects.things(),
        input_lengths=lengths_counted(tally.input_sizes),
        output_lengths=lengths_counted(tally.output_sizes),
    )


def _answers_told(spec: Spec) -> list[str]:
    """What answers are held to, in words."""
    otherwise = "(otherwise: --pattern, or an edited spec as --prompt: smelt parse PROMPT --out spec.toml)"
    if spec.labels:
        return [f"answers must be one of {len(spec.labels)} labels {otherwise}"]
    if spec.output_pattern is not None:
        return [f"answers must match {spec.output_pattern} {otherwise}"]
    return [] if spec.output_schema is None else [f"answers must be JSON of one shape {otherwise}"]


def _balance(tally: Tally, anchors: Counter[str]) -> list[Answer]:
    """The most frequent answers, and every one that an anchor has; all of them where they are labels."""
    names = [name for name, _ in tally.answers_read.most_common(SHOWN if _is_text(tally) else MOST_LABELS)]
    return [
        Answer(answer=cut(name), rows=tally.answers_kept[name], read=tally.answers_read[name], anchors=anchors[name])
        for name in dict.fromkeys([*names, *([] if _is_text(tally) else anchors)])
    ]


def _is_text(tally: Tally) -> bool:
    return len(tally.answers_read) > MOST_LABELS


def _card(curated: Curated) -> str:
    reasons = "".join(f"| {reason} | {rows:,} |\n" for reason, rows in curated.rejected.items())
    return _CARD.format(read=curated.read, kept=curated.kept, reasons=reasons or "| nothing | 0 |\n")


_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: rows.parquet
---

# Curated rows

{kept:,} of {read:,} rows were kept by `smelt curate`. `report.html` shows them in figures and by example.

| left out | rows |
| --- | --- |
{reasons}
`rows.parquet` and `rows.jsonl` hold the same rows: `input`, `context` where there is one, `output`, and where each
stood (`row` among all that were read, `source`, `line`). `rejected.parquet` and `rejected.jsonl` hold what was left
out, with the `reason` and a `detail`.
"""
