"""What becomes of each row once all are known: who contradicts, leaks or repeats whom. Pure, over arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from agents.curating.spool import Part
from agents.curating.work import Columns, told
from agents.filtering.conflicts import Answers
from agents.filtering.filter import Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.signatures import Hashes, Mask, Numbers

__all__ = ["Fate", "Fates", "conflicting", "first_of_each", "gathered", "rows_in"]


class Fate(IntEnum):
    """What becomes of a row."""

    KEPT = 0
    AGAINST = 1  # something in itself
    CONFLICT = 2
    LEAK = 3
    REPEATS = 4  # another row
    NEARLY = 5


@dataclass(frozen=True, slots=True)
class Fates:
    """The fate of each row, and the number, counted from 0, of the row that it repeats or nearly repeats."""

    fate: NDArray[np.uint8]
    other: Numbers

    @classmethod
    def of(cls, facts: Mapping[str, Any], *, conflicts: Mask) -> Fates:
        """As far as rows alone, contradictions and leaks tell."""
        import numpy as np

        fate = np.zeros(len(conflicts), np.uint8)
        fate[facts["leaks"]] = Fate.LEAK
        fate[conflicts] = Fate.CONFLICT
        fate[facts["against"].astype(bool)] = Fate.AGAINST
        return cls(fate, np.full(len(fate), -1, np.int64))

    @property
    def kept(self) -> Mask:
        kept: Mask = self.fate == Fate.KEPT
        return kept

    def repeat(self, firsts: Numbers) -> Mask:
        """Rows whose text was there before repeat its first row; which rows have a text of their own."""
        import numpy as np

        kept = np.flatnonzero(self.kept)
        again = kept[firsts != kept]
        self.fate[again] = Fate.REPEATS
        self.other[again] = firsts[firsts != kept]
        return self.kept

    def nearly(self, texts: Numbers, others: Numbers) -> None:
        """These rows nearly repeat those others, and so does whoever repeats one of these."""
        self.fate[texts] = Fate.NEARLY
        self.other[texts] = others
        repeats = self.fate == Fate.REPEATS
        first = self.other[repeats]
        is_gone = self.fate[first] == Fate.NEARLY
        first[is_gone] = self.other[first[is_gone]]
        self.other[repeats] = first

    def findings(self, part: Part, against: Sequence[str], *, repeats: str) -> Iterator[Finding | None]:
        """Why each row of a part is left out; None for the kept. `repeats` says what of another row is repeated."""
        rows = slice(part.first, part.end)
        for fate, other, said in zip(self.fate[rows].tolist(), self.other[rows].tolist(), against[rows], strict=True):
            yield None if fate == Fate.KEPT else _finding(Fate(fate), other + 1, against=said, repeats=repeats)


def _finding(fate: Fate, other: int, *, against: str, repeats: str) -> Finding | None:
    if fate is Fate.AGAINST:
        return told(against)
    if fate is Fate.CONFLICT:
        return Finding("conflict", "the same input has another answer, more often or shorter")
    if fate is Fate.LEAK:
        return Finding("leak", "nearly a demonstration, an anchor or a row to be kept apart from")
    return Finding("duplicate", f"{'nearly' if fate is Fate.NEARLY else repeats} row {other}")


def gathered(pieces: Iterator[Columns], *, rows: int) -> dict[str, Any]:
    """The pieces as columns of so many rows."""
    import numpy as np

    columns: dict[str, Any] = {}
    at = 0
    for piece in pieces:
        length = rows_in(piece)
        for name, values in piece.items():
            if name not in columns:
                columns[name] = np.empty((rows, *values.shape[1:]), values.dtype)
            columns[name][at : at + length] = values
        at += length
    if at != rows:
        raise AssertionError(f"{at:,} rows came back of {rows:,}")
    return columns


def rows_in(piece: Columns) -> int:
    return max(map(len, piece.values()), default=0)


def conflicting(facts: Mapping[str, Any]) -> Mask:
    """The rows whose input has another answer more often."""
    import numpy as np

    answered = ~facts["against"].astype(bool) & (facts["length"] >= 0)
    answers = Answers()
    answers.extend(facts["whole"][answered], facts["answer"][answered], facts["length"][answered])
    winners = answers.losers()
    conflicts = np.zeros(len(answered), bool)
    rows = np.flatnonzero(answered & np.isin(facts["whole"], np.fromiter(winners, np.uint64, len(winners))))
    wanted = [winners[given] for given in facts["whole"][rows].tolist()]
    conflicts[rows] = facts["answer"][rows] != np.array(wanted, np.uint64)
    return conflicts


def first_of_each(keys: Hashes, among: Mask) -> Numbers:
    """For each of these rows the first of them that has the same key."""
    import numpy as np

    rows = np.flatnonzero(among)
    _, first, which = np.unique(keys[rows], return_index=True, return_inverse=True)
    return rows[first[which]]
