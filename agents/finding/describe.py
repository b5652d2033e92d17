"""Describe the model, or the data set, that ought to exist for a task: better words to search with than the prompt's.

The teacher writes a hypothetical description (HyDE); real descriptions are near it in words. Whatever is wrong with
the answer, there is always a query: the prompt's own words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

from agents.asks import Asks, coldest
from agents.prompts import fill
from agents.records import Pair, Spec
from engine.errors import RequestFailed
from engine.messages import Request

__all__ = ["Note", "Thing", "describe", "own_words"]

Thing = Literal["model", "dataset"]

Note = Callable[[str], None]
"""Whoever tells the user a sentence."""

# The description is asked for in 80 words; examples show the form, and more of them only cost money.
_MAX_TOKENS = 300
_EXAMPLES_SHOWN = 5
# Every card that is found is told the words of the query that speak for it, so a query of megabytes would take minutes.
_LONGEST_QUERY = 4_000  # characters


async def describe(asks: Asks, spec: Spec, *, thing: Thing, note: Note, hypotheses: int = 1) -> tuple[str, ...]:
    """So many descriptions of a model, or a data set, made for just this task; failing that, the prompt's own words.

    One is asked for as the teacher would always write it, several as they come, so that they differ. What was declined
    is left out; `note` is told when none is left. Raises what stops a whole run: a budget reached, a provider that
    refuses.
    """
    text = fill(f"describe_{thing}", instruction=spec.asked, examples=_shown(spec.demonstrations))
    temperature = coldest(asks, tag="retrieve") if hypotheses == 1 else None
    try:
        reply = await asks.ask(
            Request.user(text, max_tokens=_MAX_TOKENS, temperature=temperature, n=hypotheses, tag="retrieve")
        )
    except RequestFailed as error:
        return _fallen_back(spec, thing=thing, why=f"the teacher failed ({error})", note=note)
    told = tuple(
        text.strip()[:_LONGEST_QUERY]
        for text, reason in zip(reply.texts, reply.finish_reasons, strict=True)
        if reason not in ("refusal", "filtered") and text.strip()
    )
    return told or _fallen_back(spec, thing=thing, why="the teacher declined", note=note)


def own_words(spec: Spec) -> str:
    """What the prompt itself says about the task: the beginning of its instruction, an example or two, the labels."""
    examples = [text for pair in spec.demonstrations[:2] for text in (pair.input, pair.output)]
    labels = "\n".join(spec.labels)
    return "\n".join(text[:_LONGEST_QUERY] for text in (spec.instruction, *examples, labels) if text)


def _shown(demonstrations: tuple[Pair, ...]) -> str:
    lines = [
        json.dumps({"input": pair.input, "output": pair.output}, ensure_ascii=False)
        for pair in demonstrations[:_EXAMPLES_SHOWN]
    ]
    return "\n".join(lines) or "(none given)"


def _fallen_back(spec: Spec, *, thing: Thing, why: str, note: Note) -> tuple[str, ...]:
    what = {"model": "models", "dataset": "data sets"}[thing]
    note(f"searching {what} with the prompt's own words, because {why}")
    return (own_words(spec),)
