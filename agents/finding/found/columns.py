"""Which columns of a data set are what: the teacher's proposal, held against real rows.

A proposal counts for nothing until the rows bear it out: the columns are there, hold something, and what they hold as
answers are answers of this task. Where the teacher has no usable proposal the columns' usual names make one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from agents.asks import Asks
from agents.finding.found.asking import ask_for_text, read_said
from agents.finding.found.records import ColumnMap, FoundRow, Sample
from agents.finding.found.words import listed, row_line, row_lines, shown_examples
from agents.prompts import fill
from agents.reading.rows import INPUTS, OUTPUTS
from agents.records import Pair, Spec
from agents.voting.vote import fits_spec

__all__ = ["applied", "map_columns", "objection", "read_map", "usual_map"]

TAG = "retrieve"
ANSWER_TOKENS = 1500  # a name for each of many values
ROWS_SHOWN = 8
MOST_VALUES = 200  # different ones that a column of labels may have
LONGEST_LABEL = 80
LEAST_FILLED = 0.5  # of the rows that must have an input and an answer
LEAST_ANSWERS = 2  # different labels that must occur; rows that all say the same teach nothing
LEAST_FITTING = 0.5  # of the answers that must have the format, where there is one and no label set

_MAP = {
    "type": "object",
    "properties": {
        "input": {"type": "array", "items": {"type": "string"}},
        "output": {"type": ["string", "null"]},
        "values": {"type": "object"},
    },
    "required": ["input", "output"],
}


async def map_columns(asks: Asks, spec: Spec, sample: Sample) -> tuple[ColumnMap | None, str]:
    """Which columns are what, if inputs at least can be taken as they are; otherwise None and why not.

    Raises what ends more than a request: the budget, a refused key.
    """
    proposal = await _proposal(asks, spec, sample)
    why = "the teacher sees no columns that fit as they are" if proposal is None else objection(proposal, sample, spec)
    if proposal is not None and not why:
        return proposal, ""
    usual = usual_map(sample, spec)
    if usual is not None and not objection(usual, sample, spec):
        return usual, ""
    alone = proposal and ColumnMap(inputs=proposal.inputs)
    return (alone, "") if alone and not objection(alone, sample, spec) else (None, why)


async def _proposal(asks: Asks, spec: Spec, sample: Sample) -> ColumnMap | None:
    text = await ask_for_text(asks, _prompt(spec, sample), max_tokens=ANSWER_TOKENS, tag=TAG)
    return None if text is None else read_map(text, sample)


def _prompt(spec: Spec, sample: Sample) -> str:
    shown = [row.columns for row in sample.rows[:: max(1, len(sample.rows) // ROWS_SHOWN)][:ROWS_SHOWN]]
    return fill(
        "map_columns",
        instruction=spec.asked,
        examples=shown_examples(spec),
        rows=row_lines(shown),
        values="\n".join(_value_lines(sample)) or "(there are none)",
        labels=fill("map_labels", labels=listed(spec.labels)) if spec.labels else "",
    )


def _value_lines(sample: Sample) -> Iterator[str]:
    for name in sample.columns:
        values = Counter(row.columns[name] for row in sample.rows if name in row.columns)
        repeats = len(values) <= len(sample.rows) / 2
        if len(values) <= MOST_VALUES and repeats and all(len(value) <= LONGEST_LABEL for value in values):
            yield row_line({"column": name}).removesuffix("}") + f', "values": {listed(sorted(values))}}}'


def read_map(text: str, sample: Sample) -> ColumnMap | None:
    """The columns that a reply names, as the rows spell them; None when it names none that are there."""
    said = read_said(text, schema=_MAP)
    if said is None:
        return None
    spelt = _by_name(sample)
    inputs = [spelt.get(name.strip().casefold()) for name in said["input"]]
    output = None if said["output"] is None else spelt.get(said["output"].strip().casefold())
    if not inputs or None in inputs or (output is None and said["output"] is not None):
        return None
    named = {value: answer for value, answer in said.get("values", {}).items() if isinstance(answer, str)}
    return ColumnMap(inputs=tuple(filter(None, inputs)), output=output, values=named)


def _by_name(sample: Sample) -> dict[str, str]:
    """The columns by their names in small letters; of two alike the first."""
    return {name.strip().casefold(): name for name in reversed(sample.columns)}


def usual_map(sample: Sample, spec: Spec) -> ColumnMap | None:
    """The columns with the usual names; where there is a label set, the column whose values are most often in it."""
    by_name = _by_name(sample)
    asked = next((by_name[name] for name in INPUTS if name in by_name), None)
    if spec.labels:
        told = max(sample.columns, key=lambda name: _answered(name, sample, spec), default=None)
    else:
        told = next((by_name[name] for name in OUTPUTS if name in by_name and by_name[name] != asked), None)
    if asked is None or told is None or asked == told:
        return None
    return ColumnMap(inputs=(asked,), output=told)


def _answered(column: str, sample: Sample, spec: Spec) -> int:
    answers = (_answer(row.columns.get(column, ""), {}, spec) for row in sample.rows)
    return sum(answer is not None and fits_spec(answer, spec) for answer in answers)


def objection(columns: ColumnMap, sample: Sample, spec: Spec) -> str:
    """What speaks against these columns, by the rows; nothing when nothing does."""
    if columns.output in columns.inputs:
        return f"{columns.output!r} cannot be input and answer"
    if spec.fields and len(columns.inputs) != len(spec.fields):
        return f"an input has {len(spec.fields)} parts ({', '.join(spec.fields)}), not {len(columns.inputs)}"
    pairs = [pair for row in sample.rows if (pair := applied(columns, row, spec)) is not None]
    if len(pairs) < LEAST_FILLED * len(sample.rows):
        return f"{columns.told()} is filled in {len(pairs)} of {len(sample.rows)} rows only"
    return "" if columns.output is None else _objection_to_answers(columns.output, pairs, spec)


def _objection_to_answers(column: str, pairs: Sequence[Pair], spec: Spec) -> str:
    fitting = [pair.output for pair in pairs if fits_spec(pair.output, spec)]
    if spec.labels and len(set(fitting)) < min(LEAST_ANSWERS, len(spec.labels)):
        return f"{column!r} holds none of the task's answers, or one alone"
    if not spec.labels and len(fitting) < LEAST_FITTING * len(pairs):
        return f"{column!r} has not the form of the task's answers"
    return ""


def applied(columns: ColumnMap, row: FoundRow, spec: Spec) -> Pair | None:
    """The row as a row of the task; None when it lacks one of the columns. Nothing says yet whether it is any good.

    Without a column of answers its output is empty.
    """
    parts = [row.columns.get(name, "").strip() for name in columns.inputs]
    answer = "" if columns.output is None else _answer(row.columns.get(columns.output, ""), columns.values, spec)
    if not all(parts) or answer is None:
        return None
    if len(parts) == 1:
        return Pair(parts[0], answer)
    names = spec.fields or columns.inputs
    return Pair("\n".join(f"{name}: {part}" for name, part in zip(names, parts, strict=True)), answer)


def _answer(value: str, values: Mapping[str, str], spec: Spec) -> str | None:
    """What the task calls a value: as the teacher said, else the label that is written alike, else as it stands."""
    value = value.strip()
    if not value:
        return None
    if value in values and fits_spec(values[value], spec):
        return values[value]
    return _alike(spec.labels).get(_plain(value), value)


@lru_cache(maxsize=8)
def _alike(labels: tuple[str, ...]) -> dict[str, str]:
    """The labels by how they are written plainly, where that is not two of them."""
    counts = Counter(map(_plain, labels))
    return {_plain(label): label for label in labels if counts[_plain(label)] == 1}


def _plain(label: str) -> str:
    """Letters and digits alone: "Track-Parcel" and "track_parcel" are "trackparcel"."""
    return "".join(one for one in label.casefold() if one.isalnum())
