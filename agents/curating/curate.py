"""Rows that exist become data one can trust: looked at one by one, then against each other, then by their balance.

In some passes over the rows, which lie on disk meanwhile; what is held in memory is some numbers a row. The work of
a pass is on parts of the rows, which any process may do (`agents.curating.work`), and what follows from all of it is
decided here. The rows come out in the order in which they came in.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.curating.curate_judge import Judging
from agents.curating.curated import Curated, Writer
from agents.curating.fates import Fates, conflicting, first_of_each, gathered, rows_in
from agents.curating.progress import Advance, Showing, counted, unseen
from agents.curating.spool import ROWS_IN_A_PART, Part, read_back, spooled, unspooled
from agents.curating.work import Alone, Chosen, Coding, Columns, Each, Pairing, Signing, as_told, in_turn
from agents.filtering.balance import caps_of, surplus
from agents.filtering.code_check import Kind
from agents.filtering.filter import Finding, make_known
from agents.filtering.survey import SAMPLE, Distinct, Survey, key_of, survey
from agents.judging.rubric import refusal_of
from agents.reading.roles import Roles, Row, find_roles, row_of
from agents.reading.sources import Broken, Found, Record, read_source
from agents.records import Pair, Spec
from engine.banded import Bands, Pairs, sifted
from engine.duplicates import LIKENESS, NearDuplicates
from engine.errors import UserError
from engine.signatures import BANDS

if TYPE_CHECKING:
    from engine.signatures import Mask, Numbers

__all__ = ["NO_PROMPT", "Wanted", "curate"]

NO_PROMPT = Spec(instruction="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How rows are to be curated; what is None is guessed from the rows, and the guess is told.

    `anchors` are the user's own labelled rows: they say what the balance should be, and no row may nearly repeat one.
    Nor one of `apart`, the rows of other splits. `code` says what answers must be as code; nothing is parsed or
    run unless it does. With `balance`, no label is kept more than so many times as often as
    the scarcest, against its share. With a `judge`, rows that it refuses are left out: it is asked about those that
    nothing else speaks against.
    """

    spec: Spec = NO_PROMPT
    anchors: tuple[Pair, ...] = ()
    apart: tuple[Row, ...] = ()
    input: str | None = None
    output: str | None = None
    context: str | None = None
    extractive: bool | None = None
    distinct: Distinct | None = None
    language: str | None = None
    likeness: float = LIKENESS
    balance: float | None = None
    code: Kind | None = None
    judge: Callable[[Iterable[Row], Advance], Judging] | None = None
    seed: int = 0


def curate(
    sources: Sequence[str],
    wanted: Wanted,
    folder: Path,
    *,
    each: Each = in_turn,
    showing: Showing = unseen,
    part_rows: int = ROWS_IN_A_PART,
) -> Curated:
    """Judge the rows of all sources and write what is kept and what is not, with the reasons, into a folder.

    The files are there whole or not at all. `each` does the work on parts of `part_rows`, here or elsewhere; the same
    comes out whoever does it, and however large the parts are. `showing` shows how far it is.

    Raises UserError when a source cannot be read, has no such columns, or when there is no row at all.
    """
    passes = _Passes(wanted, each, showing)
    with Writer(folder, seed=wanted.seed, is_judged=wanted.judge is not None) as writer:
        parts = passes.read(_records(sources), writer, part_rows=part_rows)
        fates = passes.fates(parts, writer)
        second = passes.kept(parts, fates, writer)
        for row in passes.balanced(passes.judged(second, writer, count=int(fates.kept.sum())), writer):
            writer.keep(row)
        return writer.finish(spec=wanted.spec, anchors=wanted.anchors, roles=passes.roles, found=passes.survey)


def _records(sources: Sequence[str]) -> Iterator[Record]:
    for source in sources:
        yield from read_source(source)


class _Passes:
    """What is known while the rows go by."""

    def __init__(self, wanted: Wanted, each: Each, showing: Showing) -> None:
        self._wanted = wanted
        self._each = each
        self._showing = showing
        self._broken: dict[int, str] = {}  # by their numbers among all, what is wrong with the lines that are no rows
        self._against: Any = ()  # of each row, what speaks against it alone
        self.roles: dict[str, Roles] = {}
        self.survey = Survey()

    # -- first: what there is

    def read(self, records: Iterable[Record], writer: Writer, *, part_rows: int) -> list[Part]:
        """All rows, on disk; a line that is none has its place among them."""
        sample = list[Row]()
        with self._showing("reading the rows", None) as advance:
            rows = counted(self._rows(records, writer, sample), advance)
            parts = spooled(rows, writer.scratch / "read", size=part_rows)
        if not parts:
            raise UserError("there are no rows to curate: the files are empty")
        wanted = self._wanted
        self.survey = survey(
            sample, wanted.spec, extractive=wanted.extractive, distinct=wanted.distinct, language=wanted.language
        )
        return parts

    def _rows(self, records: Iterable[Record], writer: Writer, sample: list[Row]) -> Iterator[Row]:
        for number, record in enumerate(records, start=1):
            made = self._row(record, number) if isinstance(record, Found) else record
            if isinstance(made, Broken):
                self._broken[number - 1] = made.problem
                yield Row(number, made.source, made.line, "", None, None)
                continue
            writer.tally.read(made)
            if len(sample) < SAMPLE:
                sample.append(made)
            yield made

    def _row(self, found: Found, number: int) -> Row | Broken:
        if found.source not in self.roles:
            wanted = self._wanted
            self.roles[found.source] = find_roles(
                found.source, found.columns, asked=wanted.input, answered=wanted.output, given=wanted.context
            )
        return row_of(found, self.roles[found.source], number=number)

    # -- second: each row alone, and then all against each other

    def fates(self, parts: Sequence[Part], writer: Writer) -> Fates:
        """What becomes of each row."""
        facts = self._done("looking at each row", self._alone(), parts, rows=parts[-1].end)
        for row, problem in self._broken.items():
            facts["against"][row] = as_told(Finding("unreadable", problem))
        self._against = facts["against"]
        conflicts = conflicting(facts)
        self._check_code(parts, ~self._against.astype(bool) & ~conflicts)
        fates = Fates.of(facts, conflicts=conflicts)
        fresh = fates.repeat(first_of_each(facts["key"], fates.kept))
        fates.nearly(*self._near(parts, fresh, writer.scratch / "bands"))
        return fates

    def _alone(self) -> Alone:
        """How a row is judged by itself, and against those that it must be kept apart from."""
        wanted, found = self._wanted, self.survey
        known = make_known(wanted.spec, withheld=[pair.input for pair in wanted.anchors])
        known = dataclasses.replace(
            known,
            longest_input=max(known.longest_input, found.longest),
            longest_output=max(known.longest_output, found.longest),
            extractive=found.extractive,
            fields=found.fields,
            language=found.language,
        )
        apart = NearDuplicates(likeness=wanted.likeness)
        pairs = (*wanted.spec.demonstrations, *wanted.anchors)
        shown = [Row(0, "", 0, pair.input, pair.output, None) for pair in pairs]
        apart.sift([key_of(row, found) for row in (*shown, *wanted.apart)])
        return Alone(known, found, apart)

    def _check_code(self, parts: Sequence[Part], wanted: Mask) -> None:
        if self._wanted.code is not None and wanted.any():
            chosen, rows = _chosen(parts, wanted), int(wanted.sum())
            self._against[wanted] = self._done("checking the code", Coding(self._wanted.code), chosen, rows=rows)[
                "against"
            ]

    def _near(self, parts: Sequence[Part], fresh: Mask, folder: Path) -> tuple[Numbers, Numbers]:
        """The rows among the fresh ones that nearly repeat another, and the one that each repeats."""
        import numpy as np

        rows = np.flatnonzero(fresh)
        bands = Bands.create(folder, texts=len(rows))
        at = 0
        with self._showing("reading what may be nearly alike", len(rows)) as advance:
            for piece in self._each(Signing(self.survey, self._wanted.likeness), _chosen(parts, fresh)):
                bands.put(at, piece["short"], piece["needed"], piece["keys"])
                at += len(piece["short"])
                advance(len(piece["short"]))
        with self._showing("finding what is nearly alike", None):
            pieces = self._each(Pairing(bands), range(BANDS))
            near = sifted([Pairs(piece["texts"], piece["others"]) for piece in pieces], texts=len(rows))
        texts = np.flatnonzero(near >= 0)
        return rows[texts], rows[near[texts]]

    def kept(self, parts: Sequence[Part], fates: Fates, writer: Writer) -> Iterator[Row]:
        """The rows that nothing speaks against."""
        repeats = "the question of" if self.survey.distinct == "question" else "the input of"
        with self._showing("writing what is kept and what is not", parts[-1].end) as advance:
            for part in counted(parts, advance, rows=lambda part: part.rows):
                for row, finding in zip(part, fates.findings(part, self._against, repeats=repeats), strict=True):
                    if finding is None:
                        yield row
                    else:
                        writer.reject(row, finding)

    def _done(self, what: str, work: Callable[[Any], Columns], things: Sequence[Any], *, rows: int) -> dict[str, Any]:
        """The columns that a kind of work gives of so many rows."""
        with self._showing(what, rows) as advance:
            return gathered(counted(self._each(work, things), advance, rows=rows_in), rows=rows)

    # -- third, where a judge is wanted: what it says

    def judged(self, rows: Iterable[Row], writer: Writer, *, count: int) -> Iterator[Row]:
        """The rows, so many of them, that the judge does not refuse."""
        if self._wanted.judge is None:
            yield from rows
            return
        spool = writer.scratch / "judged"
        again = read_back(rows, spool)
        with self._showing("asking the judge", count) as advance:
            writer.judging = self._wanted.judge(again, advance)
        for row in unspooled(spool):
            finding = refusal_of(writer.judging.verdicts.get(row.number))
            if finding is None:
                yield row
            else:
                writer.reject(row, finding)

    # -- last: the balance

    def balanced(self, rows: Iterable[Row], writer: Writer) -> Iterator[Row]:
        """The rows, without those that are too many of their label."""
        if self._wanted.balance is None:
            yield from rows
            return
        counts: Counter[str] = Counter()
        spool = writer.scratch / "together"
        again = read_back(_counted(rows, counts), spool)
        anchors = [pair.output for pair in (*self._wanted.spec.demonstrations, *self._wanted.anchors)]
        caps = caps_of(counts, anchors=anchors, factor=self._wanted.balance)
        over = surplus(unspooled(spool), caps, counts, seed=self._wanted.seed)
        for row in again:
            if row.number in over:
                label = row.output or ""
                writer.reject(row, Finding("balance", f"{counts[label]:,} rows have this answer, {caps[label]:,} stay"))
            else:
                yield row


def _counted(rows: Iterable[Row], counts: Counter[str]) -> Iterator[Row]:
    for row in rows:
        counts[row.output or ""] += 1
        yield row


def _chosen(parts: Sequence[Part], wanted: Mask) -> list[Chosen]:
    """The rows that are wanted, by the parts that have any."""
    chosen = [Chosen(part, wanted[part.first : part.end]) for part in parts]
    return [each for each in chosen if each.mask.any()]
