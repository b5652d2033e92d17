"""Rows shared out: some to learn from, some to choose by, some to judge by; and what is odd about them, said."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agents.filtering.filter import same_text
from agents.reading.rows import read_rows
from agents.records import Pair
from engine.duplicates import NearDuplicates, groups
from engine.errors import UserError
from engine.text import clean
from engine.training import Row

__all__ = ["Shares", "apart_from", "oddities", "shared_out", "split_off"]

KEPT_ASIDE = 0.1  # of the inputs given, for each of the two shares that are not learnt from
SHOWN = 3  # examples of what is odd
LONGEST_SHOWN = 40  # characters
MOST_LABELS_SHARE = 0.5  # of the rows: with more different answers than that, they are texts and no labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Rows to learn from, rows to choose the best moment by, and rows to judge by, which had no say in either."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    test: tuple[Row, ...]


def shared_out(data: Path, test: Path | None, *, seed: int) -> tuple[Shares, list[str]]:
    """The rows of a file shared out, and what is to be said about them.

    With `test`, the rows of that file judge, and none that is nearly one of them is learnt from. Raises UserError for
    what cannot be read, and where too little is left.
    """
    rows = read_rows(data)
    if test is None:
        return _teaching(split_off(rows, seed=seed, named=data), rows, data), oddities(rows)
    judging = read_rows(test)
    apart = apart_from(rows, judging)
    if not apart:
        raise UserError(f"{data}: every input is nearly one of {test}, and nothing is left to learn from")
    left_out = len(rows) - len(apart)
    count = "1 row is" if left_out == 1 else f"{left_out:,} rows are"
    remarks = [f"{count} left out: nearly a row of {test}"] if left_out else []
    shares = _teaching(split_off(apart, seed=seed, judged=False, named=data), apart, data)
    return replace(shares, test=tuple(Row(pair.input, pair.output) for pair in judging)), [*remarks, *oddities(apart)]


def _teaching(shares: Shares, rows: Sequence[Pair], data: Path) -> Shares:
    """The shares, if there is something to learn from them. Raises UserError where all rows have one output."""
    outputs = {row.output for row in shares.train}
    if len(outputs) > 1:
        return shares
    if len({pair.output for pair in rows}) == 1:
        raise UserError(
            f"{data}: all {len(rows):,} rows have the output {_short(*outputs)}: add rows with another answer"
        )
    left = f"all {len(shares.train):,} rows that are left to learn from have"
    if len(shares.train) == 1:
        left = "the only row that is left to learn from has"
    raise UserError(
        f"{data}: {left} the output {_short(*outputs)}; the others are kept aside to choose and to judge by: add rows "
        "with another answer"
    )


def split_off(rows: Sequence[Pair], *, seed: int, judged: bool = True, named: Path | str = "the rows") -> Shares:
    """Shares of the rows by chance, a tenth of the inputs at least for each of two; a near copy follows its original.

    Where others judge (not `judged`), there is no share for that. Raises UserError, in which the rows are `named` so,
    where there are not enough different inputs, one for each share.
    """
    inputs = sorted({pair.input for pair in rows}, key=lambda text: _lot(text, seed=seed))
    shares = 2 + judged
    if len(inputs) < shares:
        count = "1 different input is" if len(inputs) == 1 else f"{len(inputs)} different inputs are"
        raise UserError(f"{named}: {count} too few to learn from some and to judge by others; give more rows")
    test, validation = _drawn(inputs, judged=judged)
    kept = test | validation
    return Shares(
        train=_rows_of(rows, lambda text: text not in kept),
        validation=_rows_of(rows, lambda text: text in validation),
        test=_rows_of(rows, lambda text: text in test),
    )


def _drawn(inputs: Sequence[str], *, judged: bool) -> tuple[set[str], set[str]]:
    """The inputs to judge by and those to choose by. Near copies are together unless there is too little else."""
    tenth = math.ceil(KEPT_ASIDE * len(inputs))
    of_group: dict[int, list[str]] = defaultdict(list)
    for text, leader in zip(inputs, groups(inputs), strict=True):
        of_group[leader].append(text)
    for parts in (list(of_group.values()), [[text] for text in inputs]):
        test = set[str]() if not judged else _taken(parts, tenth)
        validation = _taken([part for part in parts if part[0] not in test], tenth)
        if validation and (test or not judged) and len(test) + len(validation) < len(inputs):
            return test, validation
    raise AssertionError("unreachable: single inputs can always be shared out")


def _taken(parts: Sequence[Sequence[str]], most: int) -> set[str]:
    """The first of the parts that are together so many, without those that are larger."""
    taken: set[str] = set()
    for part in parts:
        if len(taken) >= most:
            break
        if len(part) <= most:
            taken.update(part)
    return taken


def _lot(text: str, *, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _rows_of(rows: Sequence[Pair], belongs: Callable[[str], bool]) -> tuple[Row, ...]:
    return tuple(Row(pair.input, pair.output) for pair in rows if belongs(pair.input))


def apart_from(rows: Sequence[Pair], judging: Sequence[Pair]) -> list[Pair]:
    """The rows whose input is not nearly one of those that judge: what was learnt by heart proves nothing."""
    known = NearDuplicates()
    known.sift([pair.input for pair in judging])
    nearly = known.find([pair.input for pair in rows], most=None)
    return [pair for pair, found in zip(rows, nearly, strict=True) if found is None]


def oddities(rows: Sequence[Pair]) -> list[str]:
    """What is odd about rows to learn from, a sentence each. They are learnt as they are all the same."""
    return [*_empty(rows), *_alike(rows), *_torn(rows)]


def _empty(rows: Sequence[Pair]) -> list[str]:
    count = sum(not pair.output.strip() for pair in rows)
    have = "1 row has" if count == 1 else f"{count:,} rows have"
    return [f"{have} an empty output, which is learnt as an answer like any other"] if count else []


def _alike(rows: Sequence[Pair]) -> list[str]:
    """Labels that are the same but for letter case, blanks or a final stop: most likely one label, written twice."""
    counts = Counter(pair.output for pair in rows)
    if len(counts) > MOST_LABELS_SHARE * len(rows):
        return []
    spelt: dict[str, list[str]] = defaultdict(list)
    for output in counts:
        spelt[same_text(output)].append(output)
    twins = [sorted(same, key=lambda output: -counts[output]) for same in spelt.values() if len(same) > 1]
    shown = "; ".join(" and ".join(f"{_short(one)} ({counts[one]:,})" for one in same) for same in twins[:SHOWN])
    more = f"; and {len(twins) - SHOWN:,} more" if len(twins) > SHOWN else ""
    told = f"outputs that differ in letter case, blanks or a final stop alone are learnt as different: {shown}{more}"
    return [told] if twins else []


def _torn(rows: Sequence[Pair]) -> list[str]:
    """Inputs that have more than one answer."""
    answers: dict[str, set[str]] = defaultdict(set)
    for pair in rows:
        answers[pair.input].add(pair.output)
    torn = [text for text, given in answers.items() if len(given) > 1]
    shown = ", ".join(map(_short, torn[:SHOWN]))
    have = "1 input has" if len(torn) == 1 else f"{len(torn):,} inputs have"
    return [f"{have} more than one output: {shown}{', ...' if len(torn) > SHOWN else ''}"] if torn else []


def _short(text: str) -> str:
    return repr(clean(text, LONGEST_SHOWN))
