"""What inputs of a task differ in: axes with values, proposed by the teacher, edited by the user, covered in turn.

The first axis is who writes: personas. It is an axis like the others, so that a persona meets every topic and mood.

A teacher that is left alone writes what comes to mind first, again and again. Asked for inputs of one kind after
another, it has to look elsewhere. Which kinds there are it says itself, once; the plan in the run's folder has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.asks import Asks, coldest
from agents.chance import chance
from agents.prompts import fill
from agents.records import Example, Spec
from agents.voting.lists import quoted
from engine.errors import RequestFailed
from engine.messages import Request

__all__ = ["AXES_A_REQUEST", "Axis", "choose_attributes", "coverage", "propose_axes", "read_axes"]

MOST_AXES, MOST_VALUES = 6, 24
LONGEST_VALUE = 80  # characters; what is longer is a sentence, and no value
EXAMPLES_SHOWN = 6
ANSWER_TOKENS = 800
AXES_A_REQUEST = 2
TAG = "parse"  # it is about the task, and one question: not for a batch

_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Axis:
    """Something that inputs differ in, and the ways in which they do."""

    name: str
    values: tuple[str, ...]


async def propose_axes(asks: Asks, spec: Spec) -> tuple[Axis, ...]:
    """What the teacher says that inputs of this task differ in; none when it has nothing usable to say.

    One request. Raises what ends more than a request: the budget, a refused key.
    """
    shown = "\n".join(f"{quoted(pair.input)} -> {quoted(pair.output)}" for pair in spec.demonstrations[:EXAMPLES_SHOWN])
    prompt = fill("axes", instruction=spec.asked, examples=shown)
    request = Request.user(prompt, max_tokens=ANSWER_TOKENS, temperature=coldest(asks, tag=TAG), tag=TAG)
    try:
        reply = await asks.ask(request)
    except RequestFailed:
        return ()  # a run can do without
    return read_axes(reply.text)


def read_axes(text: str) -> tuple[Axis, ...]:
    """The axes in a reply that should be a JSON object of arrays of strings. Never raises.

    What is no short line of text is left out, and so is what occurs twice; an axis needs two values at least.
    """
    try:
        found, _ = _DECODER.raw_decode(text, text.index("{"))
    except (ValueError, RecursionError):
        return ()
    axes = (Axis(name.strip(), _values(values)) for name, values in found.items() if isinstance(values, list))
    return tuple(axis for axis in axes if axis.name and len(axis.values) > 1)[:MOST_AXES]


def _values(found: Iterable[object]) -> tuple[str, ...]:
    # What separates attributes in a request must not be part of one.
    texts = (" ".join(value.replace(";", ",").split()) for value in found if isinstance(value, str))
    return tuple(dict.fromkeys(text for text in texts if 0 < len(text) <= LONGEST_VALUE))[:MOST_VALUES]


def choose_attributes(
    axes: Sequence[Axis], asked: Mapping[str, int], *, seed: int, number: int, most: int = AXES_A_REQUEST
) -> tuple[str, ...]:
    """What request `number` asks its inputs to be: on so many axes, drawn by chance, the value asked for least.

    Ties are drawn by chance too, so that values of two axes do not always come in the same pairs.
    """
    draw = chance(seed, "axes", number)
    chosen = sorted(draw.sample(range(len(axes)), min(most, len(axes))))
    return tuple(min(axes[place].values, key=lambda value: (asked.get(value, 0), draw.random())) for place in chosen)


def coverage(axes: Sequence[Axis], examples: Iterable[Example]) -> dict[str, dict[str, int]]:
    """For each axis, how many rows were made for each of its values."""
    counts = {axis.name: dict.fromkeys(axis.values, 0) for axis in axes}
    for example in examples:
        for axis in axes:
            for value in {*axis.values} & {*example.provenance.attributes}:
                counts[axis.name][value] += 1
    return counts
