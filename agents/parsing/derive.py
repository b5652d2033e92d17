"""What follows from an instruction and its demonstrations: task kind, labels, form of the answers, fields, language.

Puts together what other files find out, each of which errs on the side of saying nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agents.parsing.answer_form import AnswerShape, answer_shape, asks_for_several
from agents.parsing.doubts import contradictions, label_doubt, split_doubt
from agents.parsing.input_form import fields_of, is_extractive
from agents.parsing.label_sets import as_shown, empty_answer, labels_of, outside
from agents.parsing.language import answers_language, inputs_language
from agents.records import Pair, Spec

__all__ = ["derive", "held_to"]

_LEAST_ANCHORS = 10  # fewer may all be alike by chance
_MOST_READ = 100_000  # characters of an instruction; what answers look like is told earlier
_LITERAL = re.compile(r"""["']?\{\{-?\s*["']([^"'{}\n]{1,200})["']\s*-?\}\}["']?""")


def derive(
    instruction: str,
    pairs: Sequence[Pair],
    *,
    layout: str,
    confidence: float,
    places: Sequence[str] = (),
    told: Sequence[str] = (),
) -> Spec:
    """The spec that an instruction and its demonstrations amount to.

    `places` are the names of the parts of the input at hand, where the text around the instruction shows them. `told`
    are the labels, where somebody has named them.
    """
    outputs = [pair.output for pair in pairs]
    said = _LITERAL.sub(r'"\1"', instruction[:_MOST_READ])  # what a template writes out is read as words
    nothing = empty_answer(said, outputs)
    odd = outside(said, outputs, nothing=nothing)
    if told:
        labels = as_shown(told, outputs, nothing=nothing)
    else:
        # Where the demonstrations break the instruction's list, neither is taken for the one that is meant.
        unsaid = odd or (not pairs and asks_for_several(said))
        labels = () if unsaid else labels_of(said, outputs, nothing=nothing)
    if labels:
        # In a closed set, a stray blank does not make another label.
        pairs = [Pair(pair.input, pair.output.strip()) for pair in pairs]
    shape = AnswerShape("label") if labels else answer_shape(said, outputs, nothing=nothing)
    found = contradictions(said, pairs, odd=odd, shape=shape, nothing=nothing)
    doubts = (
        split_doubt(confidence, layout=layout),
        None if odd else label_doubt(said, outputs, form=shape.form),
        *found,
    )
    inputs = [pair.input for pair in pairs]
    language = inputs_language(said, inputs)
    return Spec(
        instruction=instruction,
        demonstrations=tuple(pairs),
        kind="classification" if labels else "text",
        labels=labels,
        empty_answer=nothing,
        form=shape.form,
        output_pattern=shape.pattern,
        output_schema=shape.schema,
        fields=_without_twins((*fields_of(instruction[:_MOST_READ], inputs), *places)),
        language=language,
        output_language=answers_language(said, outputs, inputs=language, is_text=shape.form == "text"),
        extractive=is_extractive(said, pairs, form=shape.form, nothing=nothing),
        layout=layout,
        confidence=confidence,
        doubts=tuple(doubt for doubt in doubts if doubt is not None),
    )


def held_to(spec: Spec, anchors: Sequence[Pair]) -> Spec:
    """The same with the form that all answers of the anchors have, where the prompt tells of none and they are enough.

    Not with their labels: one that is rare may have no anchor.
    """
    if len(anchors) < _LEAST_ANCHORS or spec.labels or spec.output_pattern or spec.output_schema is not None:
        return spec
    outputs = [pair.output for pair in (*spec.demonstrations, *anchors)]
    nothing = empty_answer(spec.instruction, outputs)
    shape = answer_shape(spec.instruction, outputs, nothing=nothing)
    return replace(
        spec, empty_answer=nothing, form=shape.form, output_pattern=shape.pattern, output_schema=shape.schema
    )


def _without_twins(names: Sequence[str]) -> tuple[str, ...]:
    """The names in order, of those that differ in case alone the first."""
    first = {name.casefold(): name for name in reversed(names)}
    return tuple(first[name] for name in dict.fromkeys(map(str.casefold, names)))
