"""What a simulated teacher says about data that exists already: it goes by words, lengths and its own truth.

It is as careless as any: now and then it passes over a data set that could serve, or wraps its answer in prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from agents.demo.asked_of_data import MapColumns, Rank
from agents.demo.subject import Subject

__all__ = ["columns_that_matter", "map_of", "piece_of", "plan_in_words", "ranking", "wrapped"]

_WORDS = re.compile(r"[^\W\d_]{4,}")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_LEAST_SHARED: Final = 3  # words that a data set must share with the task
_STEM: Final = 5  # letters by which words are taken for the same: "deliver" and "delivery"
_LONGER: Final = 4  # times as long, or short, as inputs are: then it is something else
_LEAST_NAMED: Final = 1 / 3  # of a column's values that must sound like answers
_LONGEST_PIECE: Final = 300  # characters of a text that are made an input
_LEAST_WORDS: Final = 3


def ranking(asked: Rank, subject: Subject, rng: Random, *, overlooked: float) -> str:
    """The numbers of the data sets that speak of the task's matter, those that share most words with it first."""
    known = _stems(f"{asked.task} {subject.about['dataset']}")
    scored = [(len(known & _stems(" ".join(each.values()))), each.get("number", "")) for each in asked.datasets]
    chosen = sorted((pair for pair in scored if pair[0] >= _LEAST_SHARED), key=lambda pair: -pair[0])
    return json.dumps([int(number) for _, number in chosen if number.isdigit() and rng.random() >= overlooked])


def map_of(asked: MapColumns, subject: Subject) -> str:
    """The column whose texts are as long as inputs are, and the one whose values sound like answers."""
    told = _input_column(asked)
    if told is None:
        return json.dumps({"input": [], "output": None, "values": {}})
    if not asked.labels:
        return json.dumps({"input": [told], "output": _right_column(asked, told, subject), "values": {}})
    named = {column: _called(values, asked.labels) for column, values in asked.values.items() if column != told}
    best = max(named, key=lambda column: len(named[column]) / len(asked.values[column]), default=None)
    if best is None or len(named[best]) < _LEAST_NAMED * len(asked.values[best]):
        return json.dumps({"input": [told], "output": None, "values": {}})
    return json.dumps({"input": [told], "output": best, "values": named[best]}, ensure_ascii=False)


def _input_column(asked: MapColumns) -> str | None:
    usual = _mean_length([row.get("input", "") for row in asked.examples])
    lengths = {name: _mean_length([row.get(name, "") for row in asked.rows]) for name in _names(asked.rows)}
    fitting = {name: length for name, length in lengths.items() if usual / _LONGER <= length <= usual * _LONGER}
    return max(fitting, key=lambda name: fitting[name], default=None)


def _right_column(asked: MapColumns, told: str, subject: Subject) -> str | None:
    """The column that says of most rows shown what the teacher holds right."""
    right = [subject.right(row.get(told, "")) for row in asked.rows]
    agreed = {
        name: sum(row.get(name) == answer for row, answer in zip(asked.rows, right, strict=True))
        for name in _names(asked.rows)
        if name != told
    }
    best = max(agreed, key=lambda name: agreed[name], default=None)
    return best if best is not None and 2 * agreed[best] > len(asked.rows) else None


def _called(values: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """For each value that sounds like one label more than like any other, that label."""
    named: dict[str, str] = {}
    for value in values:
        shared = sorted((_likeness(value, label), label) for label in labels)
        best, second = (*shared[::-1], (0.0, ""), (0.0, ""))[:2]
        if best[0] > second[0]:
            named[value] = best[1]
    return named


def _likeness(value: str, label: str) -> float:
    """The share of their words that both have."""
    one, other = _parts(value), _parts(label)
    return len(one & other) / max(1, len(one | other))


def columns_that_matter(rows: Sequence[Mapping[str, str]]) -> str:
    """Those that hold words."""
    names = [name for name in _names(rows) if any(_WORDS.search(row.get(name, "")) for row in rows)]
    return json.dumps(names, ensure_ascii=False)


def plan_in_words(rows: Sequence[Mapping[str, str]]) -> str:
    lengths = {name: _mean_length([row.get(name, "") for row in rows]) for name in _names(rows)}
    longest = max(lengths, key=lambda name: lengths[name], default="text")
    return (
        f"1. Take what the column {longest!r} says.\n2. Keep its first sentences, as one person would write them.\n"
        "3. Answer it as the task demands.\n4. Leave out rows that say nothing."
    )


def piece_of(row: Mapping[str, str]) -> str | None:
    """What a row says that could be an input: the first sentences of its longest text; None where it says nothing."""
    text = " ".join(max(row.values(), key=len, default="").split())
    if len(text.split()) < _LEAST_WORDS:
        return None
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s|$)", text[:_LONGEST_PIECE])]
    return text if len(text) <= _LONGEST_PIECE else text[: ends[-1] if ends else _LONGEST_PIECE].strip()


def wrapped(text: str, rng: Random, *, rate: float) -> str:
    """The answer, at that rate in a fence with a word before it."""
    return f"Here it is:\n```json\n{text}\n```" if rng.random() < rate else text


def _names(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _mean_length(texts: Sequence[str]) -> float:
    return sum(map(len, texts)) / max(1, len(texts))


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM].casefold() for word in _WORDS.findall(text.replace("_", " ")))


def _parts(name: str) -> frozenset[str]:
    """The words of a name in any spelling: "TrackParcel", "track_parcel", "track-parcel"."""
    return frozenset(part[:_STEM].casefold() for part in _PARTS.findall(name))
