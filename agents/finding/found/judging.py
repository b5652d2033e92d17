"""What others judge by must not be learnt by heart: benchmarks, test splits, test files, and what is nearly in them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agents.finding.found.records import Sample
from agents.finding.found.splits import judges
from agents.reading.sources import ENDINGS
from engine.duplicates import NearDuplicates
from engine.retrieval import DatasetCard

__all__ = ["KeptOut", "apart", "judging_beside", "texts_of"]

LEAST_WORDS = 3  # of a text that could be an input; what is shorter is a label or a number

# What more than so many rows have, or more than such a share, is no row's own: an instruction that comes with each.
MOST_ALIKE, MOST_SHARED = 2, 0.1


def apart(cards: Sequence[DatasetCard]) -> tuple[tuple[DatasetCard, ...], tuple[DatasetCard, ...]]:
    """The data sets to learn from, and the files named as a test split that lie beside one of these."""
    judging = tuple(card for card in cards if _judges(card))
    learning = tuple(card for card in cards if card not in judging)
    homes = {Path(card.id).parent for card in learning}
    beside = tuple(card for card in judging if Path(card.id).parent in homes)
    return tuple(card for card in cards if card not in beside), beside


def _judges(card: DatasetCard) -> bool:
    return Path(card.id).is_absolute() and judges(Path(card.id).stem)


def judging_beside(dataset: str) -> tuple[Path, ...]:
    """The files named as a test split that lie beside a file, or in a folder of files; none elsewhere."""
    path = Path(dataset)
    if not path.is_absolute():
        return ()
    if not path.is_dir() and judges(path.stem):  # named all the same: it is there to learn from
        return ()
    files = sorted(path.iterdir() if path.is_dir() else path.parent.iterdir())
    return tuple(file for file in files if judges(file.stem) and _holds_rows(file))


def _holds_rows(file: Path) -> bool:
    return file.is_file() and file.name.lower().removesuffix(".gz").endswith(ENDINGS)


def texts_of(sample: Sample) -> list[str]:
    """Every text of rows that could be an input, in whichever column, once. Not what stands in very many of them."""
    counts = Counter(text for row in sample.rows for text in row.columns.values())
    most = max(MOST_ALIKE, MOST_SHARED * len(sample.rows))
    return [text for text, count in counts.items() if count <= most and len(text.split()) >= LEAST_WORDS]


class KeptOut:
    """Texts that judge, each known by whose it is: "a demonstration", "a test row of owner/name"."""

    def __init__(self) -> None:
        self._near = NearDuplicates()
        self._starts: list[int] = []  # how many texts came before those of each owner
        self._owners: list[str] = []
        self._met = 0

    def __len__(self) -> int:
        return self._met

    def add(self, texts: Sequence[str], *, owner: str) -> None:
        """Keep these out too. A text that is nearly an earlier one goes on being known by the earlier owner."""
        self._starts.append(self._met)
        self._owners.append(owner)
        self._near.sift(texts)
        self._met += len(texts)

    def owner_of(self, text: str) -> str | None:
        """Whose the text nearly is; None when it is nobody's."""
        (number,) = self._near.find([text], most=None)
        return None if number is None else self._owners[bisect_right(self._starts, number) - 1]
