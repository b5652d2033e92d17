"""Which part of a data set is read, which of its splits, and where in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.errors import UserError

__all__ = ["BENCHMARKS", "PIECES", "benchmark_split", "judges", "judging_split", "part_of", "spaced", "training_split"]

JUDGING = frozenset(
    (
        "benchmark", "dev", "development", "devtest", "eval", "evaluation", "heldout", "holdout", "test", "testa",
        "testb", "testing", "testmini", "tests", "val", "valid", "validation",
    )
)  # fmt: skip
"""Words in the names of splits and files that students are judged by, here and elsewhere."""

# What is called "test" is never learnt from. Of these all is there to judge by, whatever its splits are called.
BENCHMARKS = frozenset(
    (
        "AI-MO/aimo-validation-aime", "AI-MO/aimo-validation-amc", "HuggingFaceH4/aime_2024",
        "HuggingFaceH4/mt_bench_prompts", "Idavidrein/gpqa", "Joschka/big_bench_hard", "Maxwell-Jia/AIME_2024",
        "allenai/reward-bench", "google/IFEval", "lmarena-ai/arena-hard-auto-v0.1", "maveriq/bigbenchhard",
    )
)  # fmt: skip

PIECES = 8
"""In so many places a data set is read, where it has them; in parquet each costs the row group that it lies in."""

_WORDS = re.compile(r"[^a-z]+")


def part_of(configs: Sequence[str], language: str) -> str | None:
    """The part in the language, if parts are named so; otherwise the usual one, which comes first."""
    if not configs:
        return None
    spoken = [name for name in configs if name.casefold().replace("_", "-").split("-")[0] == language]
    return spoken[0] if spoken else "default" if "default" in configs else configs[0]


def judges(name: str) -> bool:
    """Whether a split, or a file, is there to judge by: "devtest" and "test_sft" are, "auxiliary_train" is not."""
    words = _WORDS.split(name.casefold())
    return "train" not in words and any(word in JUDGING for word in words)


def training_split(splits: Sequence[str]) -> str:
    """The split to learn from. Raises UserError where all are there to judge by."""
    learning = [name for name in splits if not judges(name)]
    if not learning:
        raise UserError(f"it has no split to learn from (only {', '.join(splits) or 'none'})")
    return "train" if "train" in learning else learning[0]


def judging_split(splits: Sequence[str]) -> str | None:
    """The split that others are judged by: the test split, else one of the kind; None where there is none."""
    judging = [name for name in splits if judges(name)]
    tests = [name for name in judging if "test" in _WORDS.split(name.casefold())]
    return "test" if "test" in judging else next(iter((*tests, *judging)), None)


def benchmark_split(splits: Sequence[str]) -> str | None:
    """The split of a benchmark that others are judged by: where none is named so, the first."""
    return judging_split(splits) or next(iter(splits), None)


def spaced(count: int) -> list[int]:
    """The numbers below `count`: first some that lie evenly among them, then the others."""
    first = [place * count // PIECES for place in range(PIECES)] if count > PIECES else list(range(count))
    return first + [place for place in range(count) if place not in first]
