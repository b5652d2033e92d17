"""What is known of data that exists already, and what came of it: records, no behaviour to speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agents.records import Example, Reject
from engine.errors import BudgetReached, ProviderRefused

__all__ = ["ColumnMap", "Found", "FoundRow", "Sample", "Seeking", "Source", "Use"]

Use = Literal["raw", "checked", "labelled", "transformed", "unused"]
"""What became of a data set: its rows were taken as they are; those were that the teacher's votes agreed with; their
inputs were, and the answers are the votes'; the teacher rewrote them; or they were not taken at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeking:
    """What of existing data is wanted: at most `share` of `wanted` rows, at most `per_dataset` rows read of each.

    `only` names the data sets to take; without it, those that search and the teacher think best. `licences` of None
    lets every licence through.
    """

    wanted: int
    share: float
    per_dataset: int
    seed: int
    only: tuple[str, ...] = ()
    catalogue: Path | None = None

    def name_of(self, dataset: str) -> str:
        """What a data set is called in the data: a file by its place in the catalogue, and not on this machine."""
        path = Path(dataset)
        if self.catalogue is not None and path.is_relative_to(self.catalogue):
            return path.relative_to(self.catalogue).as_posix()
        return path.name if path.is_absolute() else dataset

    @property
    def most(self) -> int:
        """How many rows may be found ones."""
        return round(self.share * self.wanted)


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of a data set as text: the line or row it stands in, and its columns, without those that are missing."""

    number: int
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows drawn from a data set, of `met` that were looked at and could be read.

    `problem` is what ended the reading early, `broken` how many rows could not be read.
    """

    rows: tuple[FoundRow, ...] = ()
    met: int = 0
    broken: int = 0
    problem: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that any row has, in their order."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """Which columns hold the parts of an input, which its answer, and what the task calls the values of that.

    Without an `output` there are inputs alone.
    """

    inputs: tuple[str, ...]
    output: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> str:
        """In a few words: "utterance -> intent"."""
        return f"{' + '.join(self.inputs)} -> {self.output or 'votes'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data set that was looked into: what was made of it, and why just that."""

    dataset: str
    licence: str
    use: Use
    read: int = 0
    kept: int = 0
    why: str = ""

    def told(self) -> dict[str, str]:
        """As a row of a table."""
        return {
            "dataset": self.dataset,
            "licence": self.licence,
            "use": self.use,
            "read": f"{self.read:,}",
            "kept": f"{self.kept:,}",
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rows that came of existing data, what was left out of them, and where it was looked.

    `error` is what ended the asking early, if something did; what was paid for by then is kept.
    """

    examples: tuple[Example, ...] = ()
    rejects: tuple[Reject, ...] = ()
    sources: tuple[Source, ...] = ()
    error: BudgetReached | ProviderRefused | None = None
