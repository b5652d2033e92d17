"""Files that are there to judge by, beside those to learn from: their rows must not be learnt by heart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from agents.found.hub_rows import JUDGING
from agents.found.read import Reader
from engine.retrieval import DatasetCard

__all__ = ["apart", "texts_of"]

MOST_WITHHELD = 5000  # rows of such a file
LEAST_WORDS = 3  # of a text that could be an input; what is shorter is a label or a number

_PARTS = re.compile(r"[^a-z]+")


def apart(cards: Sequence[DatasetCard]) -> tuple[tuple[DatasetCard, ...], tuple[DatasetCard, ...]]:
    """The data sets to learn from, and the files named as a test split that lie beside one of these."""
    judging = tuple(card for card in cards if _judges(card))
    learning = tuple(card for card in cards if card not in judging)
    homes = {Path(card.id).parent for card in learning}
    beside = tuple(card for card in judging if Path(card.id).parent in homes)
    return tuple(card for card in cards if card not in beside), beside


def _judges(card: DatasetCard) -> bool:
    return Path(card.id).is_absolute() and any(part in JUDGING for part in _PARTS.split(Path(card.id).stem.casefold()))


def texts_of(reader: Reader, card: DatasetCard) -> Iterator[str]:
    """Every text of its rows that could be an input, in whichever column."""
    for row in reader.draw(card, most=MOST_WITHHELD).rows:
        yield from (value for value in row.columns.values() if len(value.split()) >= LEAST_WORDS)
