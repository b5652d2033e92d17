"""Labelled inputs become files as they come, in bounded memory: rows, those without a label, and a page beside them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agents.annotating.labelling import Labelled, Unlabelled
from agents.collect import JUDGED, storable, storable_or_none, verdict_columns
from agents.filtering.strange import is_strange
from agents.judging.judging import Ruled
from agents.records import Spec
from agents.reporting.shown import LONGEST_COMPARED, SAMPLED, SHOWN, Sample, Shown, count, cut

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetWriter

__all__ = ["Tally", "Written", "written_to"]

ROW_GROUP = 4096  # rows that wait in memory to be written
GROUP_CHARACTERS = 2**25  # and the most that they may hold before they are written all the same

LABELLED = {
    "row": "int64", "input": "string", "output": "string", "agreement": "double", "votes": "list", "models": "list",
    "questions": "list", "cost_usd": "double", "same_as": "int64", "given": "string", "rest": "string",
}  # fmt: skip
UNLABELLED = {
    "row": "int64", "input": "string", "reason": "string", "detail": "string", "votes": "list", "models": "list",
    "questions": "list", "cost_usd": "double", "same_as": "int64", "given": "string", "rest": "string",
}  # fmt: skip
"""The columns of either file, and what they hold."""


ROWS_A_YIELD = 32
LONGEST_STRANGE = 200  # characters of a label that nobody knows

Truth = Callable[[str], str | None]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is counted of the rows as they go by.

    `agreements` has a count for each tenth of agreement, 10 for those in full agreement. `given` counts labelled rows
    that came with a label of their own, `as_given` those of them where it is the one that won, and `strange` has the
    labels among those of the file that the task does not know. `known` counts labelled rows whose truth a simulated
    world tells, `single` and `voted` those where the first vote and the winner are right. `lasting` is how many winners
    are those of all votes, by what is known. Of inputs and of rows of both kinds there are samples, drawn by `seed`.
    """

    spec: Spec
    seed: int = 0
    truth: Truth = lambda _: None
    labelled: int = 0
    unlabelled: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    given_answers: Counter[str] = field(default_factory=Counter)
    agreements: Counter[int] = field(default_factory=Counter)
    agreement: float = 0.0  # summed up
    lasting: float = 0.0  # summed up
    asked_about: int = 0  # inputs
    votes: int = 0
    shared: int = 0  # rows that have the label of an equal one
    given: int = 0
    as_given: int = 0
    strange: Counter[str] = field(default_factory=Counter)
    known: int = 0
    single: int = 0
    voted: int = 0
    judged: Counter[str] = field(default_factory=Counter)  # rows that were asked about, by what a judge made of them
    yields: list[int] = field(default_factory=list)  # labelled rows of every so many that were asked about
    input_sizes: Counter[int] = field(default_factory=Counter)  # in characters, of labelled rows
    output_sizes: Counter[int] = field(default_factory=Counter)
    inputs: Sample[str] = field(init=False)
    shown: Sample[Shown] = field(init=False)
    shown_unlabelled: Sample[Shown] = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = Sample(SAMPLED, seed=self.seed)
        self.shown = Sample(SHOWN, seed=self.seed)
        self.shown_unlabelled = Sample(SHOWN, seed=self.seed)

    @property
    def rows(self) -> int:
        return self.labelled + self.unlabelled.total()

    @property
    def ruled(self) -> Ruled:
        """What a judge said of the labels."""
        refused = {name: count for name, count in self.judged.most_common() if name not in ("passed", "unjudged")}
        return Ruled(passed=self.judged["passed"], unjudged=self.judged["unjudged"], refused=refused)

    def add(self, ended: Labelled | Unlabelled) -> None:
        self.votes += ended.asked
        if ended.asked:
            if self.asked_about % ROWS_A_YIELD == 0:
                self.yields.append(0)
            self.asked_about += 1
            self.yields[-1] += isinstance(ended, Labelled)
            self._add_verdict(ended)
        if isinstance(ended, Labelled):
            self._add_labelled(ended)
        else:
            self.unlabelled[ended.reason] += 1
            self.shown_unlabelled.add(ended.row.number, _shown(ended))
        if ended.row.given is not None:
            self._add_given(ended.row.given.strip())

    def _add_given(self, label: str) -> None:
        count(self.given_answers, label)
        if is_strange(label, self.spec):
            count(self.strange, label[:LONGEST_STRANGE])

    def _add_verdict(self, ended: Labelled | Unlabelled) -> None:
        verdict = None if ended.vote is None else ended.vote.verdict
        if isinstance(ended, Labelled):
            self.judged["unjudged" if verdict is None else "passed"] += 1
        elif verdict is not None and ended.reason == "judge":
            self.judged[verdict.criterion] += 1

    def _add_labelled(self, ended: Labelled) -> None:
        winner, agreement = ended.vote.winner, ended.vote.agreement
        self.labelled += 1
        self.inputs.add(ended.row.number, ended.row.text[:LONGEST_COMPARED])
        self.shown.add(ended.row.number, _shown(ended))
        count(self.answers, winner)
        self.input_sizes[len(ended.row.text)] += 1
        self.output_sizes[len(winner)] += 1
        self.agreements[int(10 * agreement)] += 1
        self.agreement += agreement
        self.lasting += ended.lasting
        self.shared += ended.same_as is not None
        if ended.row.given is not None:
            self.given += 1
            self.as_given += ended.row.given.strip() == winner
        if (truth := self.truth(ended.row.text)) is not None:
            self.known += 1
            self.single += ended.first == truth
            self.voted += winner == truth


def _shown(ended: Labelled | Unlabelled) -> Shown:
    text, about = cut(ended.row.text), f"row {ended.row.number}"
    if isinstance(ended, Labelled):
        return Shown(input=text, output=cut(ended.vote.winner), about=f"{about}, agreement {ended.vote.agreement:.2f}")
    winner = "" if ended.vote is None else cut(ended.vote.winner)
    return Shown(input=text, output=winner, about=about, reason=ended.reason, detail=cut(ended.detail))


class Written:
    """Two files under way: `add` writes a row into the one where it belongs."""

    def __init__(self, labelled: Rows, unlabelled: Rows) -> None:
        self._labelled, self._unlabelled = labelled, unlabelled

    def add(self, ended: Labelled | Unlabelled) -> None:
        rows = self._labelled if isinstance(ended, Labelled) else self._unlabelled
        rows.add(_columns_of(ended))


@contextmanager
def written_to(folder: Path, *, is_judged: bool) -> Iterator[Written]:
    """Within the block rows are written for `labelled.parquet` and `unlabelled.parquet`.

    They are there, whole and in place of earlier ones, when the block has come to its end, and not at all when it
    raises. The same rows give the same bytes. Where they are judged, verdicts have columns too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    more = JUDGED if is_judged else {}
    with ExitStack() as files:
        yield Written(
            files.enter_context(_rows_of(folder / "labelled.parquet", {**LABELLED, **more})),
            files.enter_context(_rows_of(folder / "unlabelled.parquet", {**UNLABELLED, **more})),
        )


@contextmanager
def _rows_of(path: Path, columns: Mapping[str, str]) -> Iterator[Rows]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "double": pa.float64(), "int64": pa.int64(), "list": pa.list_(pa.string())}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    for left in path.parent.glob(f".{path.name}.*.new"):  # of a run that was killed: this one holds the folder now
        left.unlink()
    try:
        with temporary.open("wb") as file:
            with pq.ParquetWriter(file, schema, compression="zstd", compression_level=3) as writer:
                rows = Rows(writer, tuple(columns))
                yield rows
                rows.flush()
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class Rows:
    """Rows on their way into a parquet file, some thousand at a time."""

    def __init__(self, writer: ParquetWriter, columns: tuple[str, ...]) -> None:
        self._writer = writer
        self._columns = columns
        self._waiting: list[Mapping[str, object]] = []
        self._characters = 0

    def add(self, row: Mapping[str, object]) -> None:
        self._waiting.append(row)
        self._characters += len(str(row["input"]))
        if len(self._waiting) >= ROW_GROUP or self._characters >= GROUP_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if self._waiting:
            columns = {name: [row[name] for row in self._waiting] for name in self._columns}
            self._writer.write_table(pa.table(columns, schema=self._writer.schema))
            self._waiting, self._characters = [], 0


def _columns_of(ended: Labelled | Unlabelled) -> dict[str, object]:
    """A row under the names of its columns; each file takes those that it has."""
    row, vote = ended.row, ended.vote
    return {
        "row": row.number,
        "input": storable(row.text),
        "given": storable_or_none(row.given),
        "rest": storable_or_none(row.rest),
        "same_as": ended.same_as,
        "votes": [storable(sample) for sample in vote.samples] if vote else [],
        "models": list(vote.models) if vote else [],
        "questions": list(vote.questions) if vote else [],
        **_told(ended),
        **verdict_columns(vote.verdict if vote else None),
    }


def _told(ended: Labelled | Unlabelled) -> dict[str, object]:
    if isinstance(ended, Labelled):
        vote = ended.vote
        return {"output": storable(vote.winner), "agreement": vote.agreement, "cost_usd": vote.cost_usd}
    return {"reason": ended.reason, "detail": storable(ended.detail), "cost_usd": ended.cost_usd}
