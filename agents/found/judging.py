"""Benchmarks, and files to judge by beside those to learn from: their rows must not be learnt by heart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agents.found.hub_rows import judges
from agents.found.read import Reader
from engine.retrieval import DatasetCard

__all__ = ["BENCHMARKS", "apart", "texts_of"]

# What is called "test" there is never read. Of these all is there to judge by, whatever its splits are called.
BENCHMARKS = frozenset(
    (
        "AI-MO/aimo-validation-aime", "AI-MO/aimo-validation-amc", "HuggingFaceH4/aime_2024",
        "HuggingFaceH4/mt_bench_prompts", "Idavidrein/gpqa", "Joschka/big_bench_hard", "Maxwell-Jia/AIME_2024",
        "allenai/reward-bench", "google/IFEval", "lmarena-ai/arena-hard-auto-v0.1", "maveriq/bigbenchhard",
    )
)  # fmt: skip

MOST_WITHHELD = 5000  # rows of such a file
LEAST_WORDS = 3  # of a text that could be an input; what is shorter is a label or a number


def apart(cards: Sequence[DatasetCard]) -> tuple[tuple[DatasetCard, ...], tuple[DatasetCard, ...]]:
    """The data sets to learn from, and the files named as a test split that lie beside one of these."""
    judging = tuple(card for card in cards if _judges(card))
    learning = tuple(card for card in cards if card not in judging)
    homes = {Path(card.id).parent for card in learning}
    beside = tuple(card for card in judging if Path(card.id).parent in homes)
    return tuple(card for card in cards if card not in beside), beside


def _judges(card: DatasetCard) -> bool:
    return Path(card.id).is_absolute() and judges(Path(card.id).stem)


def texts_of(reader: Reader, card: DatasetCard) -> Iterator[str]:
    """Every text of its rows that could be an input, in whichever column."""
    for row in reader.draw(card, most=MOST_WITHHELD).rows:
        yield from (value for value in row.columns.values() if len(value.split()) >= LEAST_WORDS)
