"""Clean rows of a demo's task, for scoring: as a teacher without fault would write them. What test.jsonl holds."""

from __future__ import annotations

import json
import sys
from random import Random
from typing import Final

from agents.demo.subject import Subject
from agents.records import Pair

__all__ = ["held_out", "print_rows"]

_SEED: Final = 20_240_229


def held_out(subject: Subject, *, count: int) -> list[Pair]:
    """So many different rows, each kind of answer by its share in well-made data; always the same ones."""
    rng = Random(_SEED)
    kinds, shares = list(subject.kinds), list(subject.kinds.values())
    rows: dict[str, Pair] = {}
    while len(rows) < count:
        text = subject.write(rng.choices(kinds, weights=shares)[0], rng, temperature=1.0)
        rows[text] = Pair(text, subject.right(text))
    return list(rows.values())


def print_rows(rows: list[Pair]) -> None:
    """Write rows to standard output as JSON lines, as test.jsonl keeps them."""
    for row in rows:
        sys.stdout.write(json.dumps({"input": row.input, "output": row.output}, ensure_ascii=False) + "\n")
