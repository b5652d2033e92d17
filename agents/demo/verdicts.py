"""A judge that is not there: says of rows whether they are right, by a known truth, and errs at known rates.

What it says of form is counted at no rate of its own: nothing was measured of how real judges err.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from agents.demo.breakage import refuse
from agents.demo.vices import Vices
from agents.records import Criterion, Pair

__all__ = ["Bench", "verdicts_on"]

_BLANK = re.compile(r"_{3,}|\[(?:name|place|insert name here|N/A|your answer)\]|<date>")
_ORDERS = re.compile(
    r"\b(?:ignore|disregard)\b.{0,60}\b(?:say|answer)\b.{0,20}\b(?P<what>yes|no|right|wrong)\b",
    re.IGNORECASE | re.DOTALL,
)
_MOST_WRONG = 0.5  # no row is misjudged more often than by a coin
_WHY = {"input": "something is left to be filled in", "output": "not what the input says", "form": "words around it"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a judge knows of a task, and how it errs."""

    right: Callable[[str], str]
    hardness: Callable[[str], float]
    vices: Vices


def verdicts_on(rows: Sequence[Pair], bench: Bench, rng: Random) -> str:
    """What it says of some rows, in JSON that is broken now and then, or a polite no."""
    if rng.random() < bench.vices.refusal:
        return refuse(rng)
    told = [_told(number, row, bench, rng) for number, row in enumerate(rows, start=1)]
    orders = [found["what"] for row in rows if (found := _ORDERS.search(row.input))]
    if orders and rng.random() < bench.vices.gullible:
        said: Criterion | None = None if orders[0].lower() in ("yes", "right") else "output"
        told = [{**each, **_verdict(said, rng)} for each in told]
    told = [each for each in told if rng.random() >= bench.vices.skip]
    text = json.dumps({"verdicts": told})
    if rng.random() >= bench.vices.broken_array:
        return text
    return rng.choice((f"```json\n{text}\n```", f"Here is what I found:\n\n{text}", text[: len(text) // 2]))


def _told(number: int, row: Pair, bench: Bench, rng: Random) -> dict[str, object]:
    fault = _fault(row, bench)
    rate = bench.vices.misjudged
    # A rate of a coin is a coin, and one above it errs on purpose: then no row is easier than another.
    risk = rate if rate >= _MOST_WRONG else min(_MOST_WRONG, rate * bench.hardness(row.input))
    if rng.random() < risk:
        fault = "output" if fault is None else None
    return {"row": number, **_verdict(fault, rng)}


def _verdict(fault: Criterion | None, rng: Random) -> dict[str, object]:
    surely, perhaps = (5, 4) if fault is None else (1, 2)
    score = surely if rng.random() < 0.75 else perhaps
    return {"why": "" if fault is None else _WHY[fault], "fault": fault or "none", "score": score}


def _fault(row: Pair, bench: Bench) -> Criterion | None:
    """What is wrong with a row, by the truth."""
    right = bench.right(row.input)
    if not right or _BLANK.search(row.input):
        return "input"
    if row.output == right:
        return None
    return "form" if right in row.output else "output"
