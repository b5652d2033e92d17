"""Describe the model, or the data set, that ought to exist for a task: better words to search with than the prompt's.

The teacher writes a hypothetical description (HyDE); real descriptions are near it in words. Whatever is wrong with
the answer, there is always a query: the prompt's own words.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from agents.prompts import fill
from agents.records import Pair, Spec
from engine.errors import RequestFailed
from engine.messages import Reply, Request

__all__ = ["Ask", "Note", "describe_dataset", "describe_model", "own_words"]

Ask = Callable[[Request], Awaitable[Reply]]
"""Whoever answers a request: `engine.ask`, or a function in a test."""

Note = Callable[[str], None]
"""Whoever tells the user a sentence."""

# The description is asked for in 80 words; examples show the form, and more of them only cost money.
_MAX_TOKENS = 300
_EXAMPLES_SHOWN = 5


async def describe_model(spec: Spec, *, ask: Ask | None, note: Note) -> str:
    """The description of a model made for just this task; without a teacher's answer, the prompt's own words.

    `note` is told when it came to that. Raises what stops a whole run: a budget reached, a provider that refuses.
    """
    return await _describe(spec, thing="model", ask=ask, note=note)


async def describe_dataset(spec: Spec, *, ask: Ask | None, note: Note) -> str:
    """The description of a data set made for just this task; without a teacher's answer, the prompt's own words.

    `note` is told when it came to that. Raises what stops a whole run: a budget reached, a provider that refuses.
    """
    return await _describe(spec, thing="dataset", ask=ask, note=note)


async def _describe(spec: Spec, *, thing: str, ask: Ask | None, note: Note) -> str:
    prompt = f"describe_{thing}"
    if ask is None:
        return _fallen_back(spec, thing=thing, why="there is no teacher", note=note)
    text = fill(prompt, instruction=spec.instruction, examples=_shown(spec.demonstrations))
    try:
        reply = await ask(Request.user(text, max_tokens=_MAX_TOKENS, temperature=0.0, tag=prompt))
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


def _fallen_back(spec: Spec, *, thing: str, why: str, note: Note) -> str:
    what = {"model": "models", "dataset": "data sets"}[thing]
    note(f"searching {what} with the prompt's own words, because {why}")
    return own_words(spec)
