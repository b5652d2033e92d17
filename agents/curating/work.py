"""What curating does with a part of the rows, knowing nothing of the others: wherever there is a processor for it.

Each kind of work is called with a part and gives columns: a value for each row of the part, in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from agents.curating.spool import Part
from agents.filtering.code_check import Kind, check_code
from agents.filtering.conflicts import digest
from agents.filtering.filter import Candidate, Finding, Known, judge_row, same_text
from agents.filtering.survey import Survey, key_of
from agents.reading.roles import Row
from engine.banded import Bands
from engine.duplicates import NearDuplicates
from engine.signatures import signed
from engine.text import writable

if TYPE_CHECKING:
    from engine.signatures import Mask

__all__ = ["Alone", "Chosen", "Coding", "Columns", "Each", "Pairing", "Signing", "as_told", "in_turn", "told"]

T = TypeVar("T")
Columns: TypeAlias = Mapping[str, Any]
"""Arrays of one length by name: a value for each row."""

Each: TypeAlias = Callable[[Callable[[Any], Columns], Sequence[Any]], Iterator[Columns]]
"""Does a kind of work on each of several things; the values come in their order, in pieces of any length."""

BLOCK = 1024  # rows signed or checked at a time


def in_turn(work: Callable[[T], Columns], things: Sequence[T]) -> Iterator[Columns]:
    """Here, one after another."""
    return map(work, things)


class Chosen(NamedTuple):
    """Some rows of a part: those that the mask has True for."""

    part: Part
    mask: Mask

    def rows(self) -> list[Row]:
        return [row for row, is_meant in zip(self.part, self.mask.tolist(), strict=True) if is_meant]


@dataclass(frozen=True, slots=True)
class Alone:
    """Judges rows one by one, and takes the digests by which they are compared.

    What speaks against a row comes as `told` has it, and empty when nothing does. It `leaks` when it is nearly one of
    those `apart`.
    """

    known: Known
    survey: Survey
    apart: NearDuplicates

    def __call__(self, part: Part) -> Columns:
        import numpy as np

        rows = list(part)
        against = [as_told(judge_row(_candidate(row), self.known)) for row in rows]
        keys = [key_of(row, self.survey) for row in rows]
        is_good = [not each for each in against]
        return {
            "against": np.array(against, dtype=object),
            "whole": _digests(map(_whole, rows), is_good),
            "answer": _digests((same_text(row.output or "") for row in rows), is_good),
            "length": np.array([-1 if row.output is None else len(row.output) for row in rows], dtype=np.int64),
            "key": _digests(map(same_text, keys), is_good),
            "leaks": np.array(self._leaks(keys)),
        }

    def _leaks(self, keys: Sequence[str]) -> list[bool]:
        if not len(self.apart):
            return [False] * len(keys)
        return [other is not None for other in self.apart.find(keys)]


@dataclass(frozen=True, slots=True)
class Coding:
    """Checks answers that are to be code."""

    kind: Kind

    def __call__(self, chosen: Chosen) -> Columns:
        import numpy as np

        answers = [row.output or "" for row in chosen.rows()]
        found = [problem for some in _blocks(answers) for problem in check_code(some, self.kind)]
        return {"against": np.array(["" if each is None else as_told(Finding("code", each)) for each in found], object)}


@dataclass(frozen=True, slots=True)
class Signing:
    """Signs the texts by which rows are found to be nearly alike; rows with other answers are never alike."""

    survey: Survey
    likeness: float

    def __call__(self, chosen: Chosen) -> Columns:
        import numpy as np

        texts, kinds = [], []
        for row in chosen.rows():
            texts.append(key_of(row, self.survey))
            kinds.append(same_text(row.output or ""))
        made = [signed(*some) for some in zip(_blocks(texts), _blocks(kinds), strict=True)]
        if not made:
            return {}
        return {
            "short": np.concatenate([each.short for each in made]),
            "needed": np.concatenate([each.needed(self.likeness) for each in made]),
            "keys": np.concatenate([each.keys for each in made]),
        }


@dataclass(frozen=True, slots=True)
class Pairing:
    """Finds those that share a band and are nearly alike."""

    bands: Bands

    def __call__(self, band: int) -> Columns:
        return self.bands.pairs(band)._asdict()


def told(against: str) -> Finding | None:
    """What speaks against a row, as `Alone` has it."""
    reason, _, detail = against.partition("\n")
    return Finding(reason, detail) if reason else None  # type: ignore[arg-type]  # it was one of them before


def _whole(row: Row) -> str:
    """All that a row gives, as it is compared."""
    return same_text(row.input if row.context is None else f"{row.input}\n{row.context}")


def as_told(finding: Finding | None) -> str:
    """What speaks against a row, in a text that any column can hold."""
    return "" if finding is None else f"{finding.reason}\n{writable(finding.detail)}"


def _candidate(row: Row) -> Candidate:
    return Candidate(input=row.input, output=row.output, context=row.context)


def _digests(texts: Any, wanted: Sequence[bool]) -> Any:
    import numpy as np

    return np.array(
        [digest(text) if is_wanted else 0 for text, is_wanted in zip(texts, wanted, strict=True)], np.uint64
    )


def _blocks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[at : at + BLOCK] for at in range(0, len(texts), BLOCK))
