"""What a student that answers with labels may answer: one, or several written as one text. Knows texts alone."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import Final

__all__ = ["Choice", "choice_of", "seems_to_choose"]

LONGEST_LABEL: Final = 48  # characters of one of several; what is longer is a text with commas in it
FEWEST_COMBINED: Final = 2  # rows of several labels: a single one may be a label with a comma in its name

# As people and models write several labels in a row; the first that fits is meant.
JOINTS: Final = (", ", "; ", " | ", "|", ",", ";", "\n", "、", "，", " / ")

REPEATED: Final = 0.9  # of the rows: labels come back, and texts do not, a common "nothing to find" apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The labels, in the order in which several of them are written, and how they are.

    `joint` stands between several labels; None says that an answer is one label. `is_json` says that they are written
    as a JSON list. `may_be_empty` says that an answer of no label at all was seen.

        Choice(labels=("late", "paid"), joint=", ").text({"paid", "late"})  # "late, paid"
    """

    labels: tuple[str, ...]
    joint: str | None = None
    is_json: bool = False
    may_be_empty: bool = False

    @property
    def is_of_several(self) -> bool:
        return self.joint is not None

    def parts(self, output: str) -> tuple[str, ...]:
        """The labels that an output is made of."""
        if self.joint is None:
            return (output,)
        return _listed(output) or () if self.is_json else _split(output, self.joint)

    def text(self, chosen: Iterable[str]) -> str:
        """The labels as one output, each once."""
        wanted = set(chosen)
        ordered = [label for label in self.labels if label in wanted]
        if self.is_json:
            return f"[{(self.joint or ', ').join(json.dumps(label, ensure_ascii=False) for label in ordered)}]"
        return (self.joint or "").join(ordered)


def choice_of(outputs: Sequence[str]) -> Choice:
    """What the outputs of rows choose among.

    Several labels an answer are meant in two cases: 1. every output is a JSON list of texts; 2. one and the same mark
    splits the outputs into short labels of which there are fewer than there are different outputs, so that they must
    come back in other company. Otherwise an output is a label, whatever marks it holds.
    """
    return _as_json(outputs) or _as_joined(outputs) or Choice(labels=tuple(sorted(set(outputs))))


def seems_to_choose(outputs: Sequence[str]) -> bool:
    """Whether the outputs of rows look like labels rather than texts: nearly every one of them comes back."""
    counts = Counter(outputs)
    often = sum(count for count in counts.values() if count > 1)
    return len(counts) > 1 and (often >= REPEATED * len(outputs) or choice_of(outputs).is_of_several)


def _as_json(outputs: Sequence[str]) -> Choice | None:
    rows = [_listed(output) for output in outputs]
    if any(row is None for row in rows) or not any(rows):  # lists of nothing alone, written in several ways
        return None
    labels = _in_order([row for row in rows if row is not None])
    told = [Choice(labels=labels, joint=joint, is_json=True, may_be_empty=() in rows) for joint in (", ", ",")]
    return max(told, key=lambda choice: sum(choice.text(choice.parts(output)) == output for output in outputs))


def _as_joined(outputs: Sequence[str]) -> Choice | None:
    for joint in JOINTS:
        rows = [_split(output, joint) for output in outputs]
        labels = {label for row in rows for label in row}
        combined = sum(len(row) > 1 for row in rows)
        if combined >= FEWEST_COMBINED and len(labels) < len(set(outputs)) and all(map(_are_labels, rows)):
            return Choice(labels=_in_order(rows), joint=joint, may_be_empty=() in rows)
    return None


def _listed(output: str) -> tuple[str, ...] | None:
    try:
        told = json.loads(output) if output.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        return None
    return tuple(told) if isinstance(told, list) and all(isinstance(each, str) for each in told) else None


def _split(output: str, joint: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in output.split(joint)) if output.strip() else ()


def _are_labels(row: Sequence[str]) -> bool:
    return len(set(row)) == len(row) and all(0 < len(label) <= LONGEST_LABEL for label in row)


def _in_order(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The labels such that those written before others stand before them; otherwise, and against each other, sorted.

    So what is put together from labels reads as those who wrote the rows would have written it.
    """
    before = Counter(pair for row in rows for pair in combinations(row, 2))
    sorter: TopologicalSorter[str] = TopologicalSorter({label: () for row in rows for label in row})
    for (first, second), count in before.items():
        if count > before[second, first]:
            sorter.add(second, first)
    try:
        sorter.prepare()
    except CycleError:
        return tuple(sorted({label for row in rows for label in row}))
    return tuple(_least_first(sorter))


def _least_first(sorter: TopologicalSorter[str]) -> Iterable[str]:
    ready = list(sorter.get_ready())
    heapq.heapify(ready)
    while ready:
        label = heapq.heappop(ready)
        yield label
        sorter.done(label)
        for freed in sorter.get_ready():
            heapq.heappush(ready, freed)
