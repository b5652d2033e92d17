"""Rows that exist become data one can trust: looked at one by one, then against each other, then by their balance.

In three passes, and one more where a judge is asked, each over what the last one left, from disk to disk: what is held
in memory is a few hundred bytes a row that is kept. The rows come out in the order in which they came in.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import orjson

from agents.curating.curate_judge import Judging
from agents.curating.curated import Curated, Writer
from agents.filtering.balance import caps_of, surplus
from agents.filtering.code_check import Kind, check_code
from agents.filtering.conflicts import Answers, digest
from agents.filtering.filter import Candidate, Finding, Known, judge_row, make_known, same_text
from agents.filtering.survey import SAMPLE, Distinct, Survey, key_of, survey
from agents.judging.rubric import refusal_of
from agents.reading.roles import Roles, Row, find_roles, row_of
from agents.reading.sources import Broken, Found, Record, read_source
from agents.records import Pair, Spec
from engine.duplicates import LIKENESS, NearDuplicates
from engine.errors import UserError

__all__ = ["NO_PROMPT", "Wanted", "curate"]

BLOCK = 1024  # rows at a time
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
    judge: Callable[[Iterable[Row]], Judging] | None = None
    seed: int = 0


def curate(sources: Sequence[str], wanted: Wanted, folder: Path) -> Curated:
    """Judge the rows of all sources and write what is kept and what is not, with the reasons, into a folder.

    The files are there whole or not at all. Raises UserError when a source cannot be read, has no such columns, or when
    there is no row at all.
    """
    passes = _Passes(wanted)
    with Writer(folder, seed=wanted.seed, is_judged=wanted.judge is not None) as writer:
        first = passes.alone(_records(sources), writer)
        second = passes.together(_spooled(first, writer.scratch / "alone"), writer)
        for row in passes.balanced(passes.judged(second, writer), writer):
            writer.keep(row)
        return writer.finish(spec=wanted.spec, anchors=wanted.anchors, roles=passes.roles, found=passes.survey)


def _records(sources: Sequence[str]) -> Iterator[Record]:
    for source in sources:
        yield from read_source(source)


class _Passes:
    """What is known while the rows go by."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._answers = Answers()
        self.roles: dict[str, Roles] = {}
        self.survey = Survey()

    # -- first: each row alone

    def alone(self, records: Iterable[Record], writer: Writer) -> Iterator[Row]:
        """The rows that have nothing wrong in themselves."""
        rows = self._rows(records, writer)
        sample = list(islice(rows, SAMPLE))
        if not sample and not writer.tally.rejected:
            raise UserError("there are no rows to curate: the files are empty")
        wanted = self._wanted
        self.survey = survey(
            sample, wanted.spec, extractive=wanted.extractive, distinct=wanted.distinct, language=wanted.language
        )
        known = self._known()
        for row in chain(sample, rows):
            candidate = Candidate(input=row.input, output=row.output, context=row.context)
            finding = judge_row(candidate, known)
            if finding is not None:
                writer.reject(row, finding)
                continue
            if row.output is not None:
                self._answers.add(_whole(row), row.output)
            yield row

    def _rows(self, records: Iterable[Record], writer: Writer) -> Iterator[Row]:
        for number, record in enumerate(records, start=1):
            made = self._row(record, number) if isinstance(record, Found) else record
            if isinstance(made, Broken):
                row = Row(number, made.source, made.line, "", None, None)
                writer.reject(row, Finding("unreadable", made.problem))
            else:
                writer.tally.read(made)
                yield made

    def _row(self, found: Found, number: int) -> Row | Broken:
        if found.source not in self.roles:
            wanted = self._wanted
            self.roles[found.source] = find_roles(
                found.source, found.columns, asked=wanted.input, answered=wanted.output, given=wanted.context
            )
        return row_of(found, self.roles[found.source], number=number)

    def _known(self) -> Known:
        known = make_known(self._wanted.spec, withheld=[pair.input for pair in self._wanted.anchors])
        found = self.survey
        return dataclasses.replace(
            known,
            longest_input=max(known.longest_input, found.longest),
            longest_output=max(known.longest_output, found.longest),
            extractive=found.extractive,
            fields=found.fields,
            language=found.language,
        )

    # -- second: the rows against each other

    def together(self, rows: Iterable[Row], writer: Writer) -> Iterator[Row]:
        """The rows that neither contradict nor repeat another, nor a row that they must be kept apart from."""
        losers = self._answers.losers()
        kept = _Kept(self._wanted, self.survey)
        for block in _blocks(rows):
            agreed = []
            for row in block:
                winner = losers.get(digest(_whole(row)))
                if winner is None or row.output is None or digest(same_text(row.output)) == winner:
                    agreed.append(row)
                else:
                    writer.reject(row, Finding("conflict", "the same input has another answer, more often or shorter"))
            agreed = self._with_sound_code(agreed, writer)
            for row, finding in zip(agreed, kept.judge(agreed), strict=True):
                if finding is None:
                    yield row
                else:
                    writer.reject(row, finding)

    def _with_sound_code(self, rows: list[Row], writer: Writer) -> list[Row]:
        if self._wanted.code is None:
            return rows
        problems = check_code([row.output or "" for row in rows], self._wanted.code)
        for row, problem in zip(rows, problems, strict=True):
            if problem is not None:
                writer.reject(row, Finding("code", problem))
        return [row for row, problem in zip(rows, problems, strict=True) if problem is None]

    # -- third, where a judge is wanted: what it says

    def judged(self, rows: Iterable[Row], writer: Writer) -> Iterator[Row]:
        """The rows that the judge does not refuse."""
        if self._wanted.judge is None:
            yield from rows
            return
        spool = writer.scratch / "judged"
        writer.judging = self._wanted.judge(_spooled(rows, spool))
        for row in _unspooled(spool):
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
        again = _spooled(_counted(rows, counts), spool)
        anchors = [pair.output for pair in (*self._wanted.spec.demonstrations, *self._wanted.anchors)]
        caps = caps_of(counts, anchors=anchors, factor=self._wanted.balance)
        over = surplus(_unspooled(spool), caps, counts, seed=self._wanted.seed)
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


class _Kept:
    """What was kept so far, as further rows are compared with it."""

    def __init__(self, wanted: Wanted, found: Survey) -> None:
        self._survey = found
        self._texts: dict[int, int] = {}  # of a text, by its digest: the row that stands for it
        self._near = NearDuplicates(likeness=wanted.likeness)
        self._numbers: list[int] = []  # of the rows by their number in `_near`
        self._apart = NearDuplicates(likeness=wanted.likeness)
        pairs = (*wanted.spec.demonstrations, *wanted.anchors)
        shown = [Row(0, "", 0, pair.input, pair.output, None) for pair in pairs]
        self._apart.sift([key_of(row, found) for row in (*shown, *wanted.apart)])

    def judge(self, rows: Sequence[Row]) -> list[Finding | None]:
        """What speaks against each row; those that nothing speaks against are kept."""
        keys = [key_of(row, self._survey) for row in rows]
        found = [None if other is None else _LEAK for other in self._apart.find(keys)]
        fresh: list[int] = []
        for at, (row, key) in enumerate(zip(rows, keys, strict=True)):
            if found[at] is None:
                number = self._texts.setdefault(digest(same_text(key)), row.number)
                if number != row.number:
                    found[at] = self._repeats(number)
                else:
                    fresh.append(at)
        kinds = [same_text(rows[at].output or "") for at in fresh]
        for at, other in zip(fresh, self._near.sift([keys[at] for at in fresh], kinds=kinds), strict=True):
            self._numbers.append(rows[at].number)
            if other is not None:
                found[at] = Finding("duplicate", f"nearly row {self._numbers[other]}")
                self._texts[digest(same_text(keys[at]))] = self._numbers[other]
        return found

    def _repeats(self, number: int) -> Finding:
        what = "the question of" if self._survey.distinct == "question" else "the input of"
        return Finding("duplicate", f"{what} row {number}")


_LEAK = Finding("leak", "nearly a demonstration, an anchor or a row to be kept apart from")


def _whole(row: Row) -> str:
    return same_text(row.input if row.context is None else f"{row.input}\n{row.context}")


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    several = iter(rows)
    while block := list(islice(several, BLOCK)):
        yield block


# -- from one pass to the next


def _spooled(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """The same rows, all of which have gone by before the first comes out."""
    with path.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(dataclasses.astuple(row), option=orjson.OPT_APPEND_NEWLINE))
    return _unspooled(path)


def _unspooled(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        for line in file:
            yield Row(*orjson.loads(line))
