"""What a judge is asked of labelled rows, and how its answer is read. Pure.

The rubric has three criteria, in this order: the input is one that the task gets, the output is right for it, the form
is the one that the task wants. The judge names the first that a row fails, if any, and says from 1 to 5 how sure it is
that the row is right. Which score is too low is not for it to say: that is found out on rows whose truth is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, get_args

from agents.filtering.filter import Finding
from agents.prompts import fill, opening
from agents.records import Criterion, Pair, Spec, Verdict
from agents.voting.lists import quoted, quoted_pair
from engine.errors import AnswerCut, SchemaMissed
from engine.messages import Request
from engine.structured import read_json
from engine.text import clean

__all__ = ["SCORES", "addresses_the_judge", "companies", "length_of", "question", "read_verdicts", "refusal_of"]

SCORES = (1, 2, 3, 4, 5)
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)

MOST_LABELS_TOLD = 100
LONGEST_WHY = 160  # characters
TOKENS_AROUND, TOKENS_EACH = 48, 80  # of an answer: about its rows; for a row's number, score, fault and twelve words

ASKED: Final = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "row": {"type": "integer"},
                    "why": {"type": "string"},
                    "fault": {"type": "string", "enum": ["none", *CRITERIA]},
                    "score": {"type": "integer", "enum": list(SCORES)},
                },
                "required": ["row", "why", "fault", "score"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["verdicts"],
    "additionalProperties": False,
}
"""What an answer looks like, for endpoints that hold their model to it."""

READ: Final = {"type": "object", "properties": {"verdicts": {"type": "array"}}, "required": ["verdicts"]}
"""What is read: a verdict that is no good is that row's loss, and no other's."""

# Words for whoever reads the row, in place of whoever the row is for. Meeting one costs a call, nothing else.
_ADDRESSES = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:above|previous|prior|earlier|before|instructions?|rules?|criteria)\b"
    r"|\bverdicts?\b|\"(?:score|fault|row)\"|</?(?:rows|task|examples)>"
    r"|\b(?:you are|as) (?:now )?(?:an?|the) (?:judge|ai|assistant|language model)\b"
    r"|\b(?:system|assistant|judge)\s*:",
    re.IGNORECASE | re.DOTALL,
)
_READ_AT_MOST = 50_000  # characters of a row
LONGEST_SHARED = 4000  # characters of a row that may share a call: of eight such, a call has some 8,000 tokens


def addresses_the_judge(row: Pair) -> bool:
    """Whether a row may speak to its reader: it is then judged alone, so that it moves no verdict but its own."""
    return any(_ADDRESSES.search(text[:_READ_AT_MOST]) for text in (row.input, row.output))


def length_of(row: Pair) -> int:
    """The characters of a row."""
    return len(row.input) + len(row.output)


def companies(rows: Sequence[Pair], *, together: int) -> list[tuple[int, ...]]:
    """Who shares a call, by their places: calls as even as can be, and alone what is long or speaks to its reader."""
    alone = {place for place, row in enumerate(rows) if length_of(row) > LONGEST_SHARED or addresses_the_judge(row)}
    order = [place for place in range(len(rows)) if place not in alone]
    calls = -(-len(order) // together)
    return [*(tuple(order[at::calls]) for at in range(calls)), *((place,) for place in sorted(alone))]


def question(
    spec: Spec, rows: Sequence[Pair], *, shown: Sequence[Pair], temperature: float | None, with_schema: bool = True
) -> Request:
    """The question about some rows; `shown` are others that are known to be right. It tells the form in words, too."""
    common = {"instruction": spec.asked, "facts": _facts(spec), "examples": _examples(shown)}
    return Request.user(
        fill("judge", rows=_numbered(rows), count=str(len(rows)), **common),
        max_tokens=TOKENS_AROUND + TOKENS_EACH * len(rows),
        temperature=temperature,
        schema=ASKED if with_schema else None,
        tag="judge",
        stable=len(opening("judge", **common)),
    )


def _facts(spec: Spec) -> str:
    """What is known of right answers, beside what the instruction says."""
    told = []
    if spec.labels:
        told.append(f"Right outputs are among: {'; '.join(map(quoted, spec.labels[:MOST_LABELS_TOLD]))}.")
    if spec.empty_answer is not None:
        told.append(f"Where there is nothing to find, the right output is {quoted(spec.empty_answer)}.")
    if spec.extractive:
        told.append("Every other output stands in its input word for word.")
    return "".join(f"{each}\n" for each in told)


def _examples(shown: Sequence[Pair]) -> str:
    return f"{fill('judge_examples', examples=chr(10).join(map(quoted_pair, shown)))}\n\n" if shown else ""


def _numbered(rows: Sequence[Pair]) -> str:
    return "\n".join(f"{number}. {quoted_pair(row)}" for number, row in enumerate(rows, start=1))


def refusal_of(verdict: Verdict | None) -> Finding | None:
    """What a judge has against a row, where it was asked and has anything."""
    return Finding("judge", verdict.told()) if verdict is not None and verdict.refused else None


def read_verdicts(text: str, *, count: int, is_cut: bool = False) -> dict[int, Verdict]:
    """The verdicts by the numbers of their rows, from 1 to `count`; a row without a sound one is left out.

    Never raises. With a number that is not among those or comes twice the judge has lost count: then none counts.
    """
    try:
        answer: Any = read_json(text, schema=READ, is_cut=is_cut)
    except (AnswerCut, SchemaMissed):
        return {}
    found: dict[int, Verdict | None] = {}
    for each in answer["verdicts"]:
        number = each.get("row") if isinstance(each, dict) else None
        if type(number) is not int or number in found or not 1 <= number <= count:
            return {}
        found[number] = _verdict(each)
    return {number: verdict for number, verdict in found.items() if verdict is not None}


def _verdict(told: dict[str, object]) -> Verdict | None:
    score, why, named = told.get("score"), told.get("why"), told.get("fault")
    fault = next((criterion for criterion in CRITERIA if criterion == named), None)
    if type(score) is not int or score not in SCORES or (fault is None and named != "none"):
        return None
    return Verdict(score, fault, clean(why, LONGEST_WHY) if isinstance(why, str) else "")
