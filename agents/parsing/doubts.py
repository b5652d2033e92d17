"""What a prompt leaves open or says twice, in words for whoever wrote it; pure, and decides nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agents.parsing.answer_form import AnswerShape, asks_for_json, dates_named
from agents.parsing.json_shape import keys_of, told_schema
from agents.parsing.label_lists import seems_to_classify
from agents.parsing.label_sets import is_short, plain
from agents.records import AnswerForm, Doubt, Pair

__all__ = ["SURE", "contradictions", "label_doubt", "split_doubt"]

SURE = 0.8
"""Below this confidence in the split, it is a doubt."""

_WHY = {
    "plain": "the words announce examples, or lines look like some, and no layout tells inputs from outputs",
    "two_lines": "they are told apart by their lines alone: an input, and below it its output",
    "two_scripts": "inputs and outputs are told apart by their script alone",
    "arrow_below": "there is one alone, and no heading says that it is an example",
    "json": "they are told apart by the order of their fields alone, whose names say nothing",
    "tags": "they are told apart by the order of their tags alone, whose names say nothing",
    "table": "they are told apart by the order of their columns alone, whose names say nothing",
    "columns": "they are told apart by their columns alone, whose names say nothing",
}
_OTHERWISE = "other readings of the names around them are nearly as likely"

_ONE_WORD = re.compile(
    r"\b(?:(?:in|with|as|only|exactly|just) (?:a single|one|exactly one|only one) word|"
    r"one-word (?:answer|output|label)s?)\b",
    re.IGNORECASE,
)
_DATE_FORM = re.compile(r"(?<!\w)(?:YYYY[-/.]MM[-/.]DD|DD[-/.]MM[-/.]YYYY|MM[-/.]DD[-/.]YYYY)(?!\w)")
_MOST_TOLD = 3
_LONGEST_TOLD = 60


def split_doubt(confidence: float, *, layout: str) -> Doubt | None:
    """That the demonstrations may have been meant otherwise, or not found."""
    return Doubt("demonstrations", _WHY.get(layout, _OTHERWISE)) if confidence < SURE else None


def label_doubt(instruction: str, outputs: Sequence[str], *, form: AnswerForm) -> Doubt | None:
    """That the instruction asks for one of several labels, and does not say in a way that is plain which those are."""
    if form not in {"text", "number"} or not seems_to_classify(instruction) or not all(map(is_short, outputs)):
        return None
    shown = (
        f"the demonstrations show {_told(outputs)}, and more may be meant" if outputs else "no demonstration shows any"
    )
    return Doubt(
        "labels", f"the instruction asks for one of several answers and does not list them in a way that fits; {shown}"
    )


def contradictions(
    instruction: str, pairs: Sequence[Pair], *, odd: Sequence[str], shape: AnswerShape, nothing: str | None
) -> tuple[Doubt, ...]:
    """Demonstrations that contradict each other, or the instruction.

    `odd` are the answers that the instruction's list of labels lacks.
    """
    full = [(number, pair) for number, pair in enumerate(pairs, start=1) if pair.output.strip() != nothing]
    found = [
        *_within(pairs),
        *([_against_list(pairs, odd)] if odd else ()),
        *_against_words(instruction, full, shape=shape),
    ]
    return tuple(Doubt("contradiction", why) for why in found)


def _within(pairs: Sequence[Pair]) -> Iterator[str]:
    """The same input with two answers."""
    first: dict[str, tuple[int, str]] = {}
    told = 0
    for number, pair in enumerate(pairs, start=1):
        given = " ".join(pair.input.split())
        earlier, answer = first.setdefault(given, (number, pair.output))
        if plain(answer) != plain(pair.output) and told < _MOST_TOLD:
            told += 1
            yield (
                f"demonstrations {earlier} and {number} have the same input and different answers: "
                f"{_short(answer)} and {_short(pair.output)}"
            )


def _against_list(pairs: Sequence[Pair], odd: Sequence[str]) -> str:
    where = [number for number, pair in enumerate(pairs, start=1) if pair.output.strip() in odd]
    return f"{_numbered(where)} {_told(odd)}, which the instruction's list of labels lacks"


def _against_words(instruction: str, full: Sequence[tuple[int, Pair]], *, shape: AnswerShape) -> Iterator[str]:
    """Answers that are not as the instruction says they are."""
    if asks_for_json(instruction) and shape.form != "json" and (bad := [n for n, pair in full if not _is_json(pair)]):
        yield f"the instruction asks for JSON, and {_numbered(bad)} something else"
    if _ONE_WORD.search(instruction) and (bad := [n for n, pair in full if len(pair.output.split()) > 1]):
        yield f"the instruction asks for one word, and {_numbered(bad)} more"
    yield from _against_dates(instruction, full, shape=shape)
    if shape.form == "json" and asks_for_json(instruction):
        told = keys_of(told_schema(instruction))  # some of them may lack, and what stands in inputs may be theirs
        of_inputs = any(key in pair.input for key in told for _, pair in full)
        if told and not told & keys_of(shape.schema) and not of_inputs:
            yield f"the instruction names the JSON {_keys(sorted(told))}, which no demonstration has"


def _against_dates(instruction: str, full: Sequence[tuple[int, Pair]], *, shape: AnswerShape) -> Iterator[str]:
    form = _DATE_FORM.search(instruction)
    if form is None:
        return
    if shape.form == "text":
        pattern = re.sub("[YMD]", r"\\d", re.escape(form[0]))
        bad = _unlike(pattern, full)
        told = 2 * len(bad) <= len(full)  # else it may be said of something else than the answers
    else:
        pattern = "|".join(dates_named(instruction))
        bad = _unlike(pattern, full)
        told = shape.form == "date" and not any(re.search(pattern, pair.input) for _, pair in full)
    if bad and told:
        yield f"the instruction asks for {form[0]}, and {_numbered(bad)} something else"


def _unlike(pattern: str, full: Sequence[tuple[int, Pair]]) -> list[int]:
    return [number for number, pair in full if not re.fullmatch(pattern, pair.output.strip())]


def _keys(names: Sequence[str]) -> str:
    return f"key{'s' if len(names) > 1 else ''} {' and '.join(map(repr, names))}"


def _is_json(pair: Pair) -> bool:
    return pair.output.strip()[:1] in {"{", "["}


def _numbered(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _MOST_TOLD} more" if len(numbers) > _MOST_TOLD else ""
    listed = ", ".join(map(str, numbers[:_MOST_TOLD]))
    return f"demonstration {listed} answers" if len(numbers) == 1 else f"demonstrations {listed}{more} answer"


def _told(values: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(value.strip() for value in values))
    more = f" and {len(distinct) - _MOST_TOLD} more" if len(distinct) > _MOST_TOLD else ""
    return ", ".join(map(_short, distinct[:_MOST_TOLD])) + more


def _short(value: str) -> str:
    return repr(value if len(value) <= _LONGEST_TOLD else value[: _LONGEST_TOLD - 1] + "…")
