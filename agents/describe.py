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


async def describe(asks: Asks, spec: Spec, *, thing: Thing, note: Note) -> str:
    """The description of a model, or a data set, made for just this task; failing that, the prompt's own words.

    `note` is told when it came to that. Raises what stops a whole run: a budget reached, a provider that refuses.
    """
    prompt = f"describe_{thing}"
    text = fill(prompt, instruction=spec.instruction, examples=_shown(spec.demonstrations))
    try:
        reply = await asks.ask(
            Request.user(text, max_tokens=_MAX_TOKENS, temperature=coldest(asks, tag="retrieve"), tag="retrieve")
        )
    except RequestFailed as error:
        return _fallen_back(spec, thing=thing, why=f"the teacher failed ({error})", note=note)
    if reply.finish_reasons[0] in ("refusal", "filtered") or not reply.text.strip():
        return _fallen_back(spec, thing=thing, why="the teacher declined", note=note)
    return reply.text.strip()


def own_words(spec: Spec) -> str:
    """What the prompt itself says about the task: its instruction, an example or two, the labels."""
    examples = [text for pair in spec.demonstrations[:2] for text in (pair.input, pair.output)]
    return "\n".join((spec.instruction, *examples, *spec.labels))


def _shown(demonstrations: tuple[Pair, ...]) -> str:
    lines = [
        json.dumps({"input": pair.input, "output": pair.output}, ensure_ascii=False)
        for pair in demonstrations[:_EXAMPLES_SHOWN]
    ]
    return "\n".join(lines) or "(none given)"


def _fallen_back(spec: Spec, *, thing: Thing, why: str, note: Note) -> str:
    what = {"model": "models", "dataset": "data sets"}[thing]
    note(f"searching {what} with the prompt's own words, because {why}")
    return own_words(spec)
