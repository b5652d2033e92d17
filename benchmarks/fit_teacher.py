"""Shows how well the measured worlds fit the rows that they were read off: `python benchmarks/fit_teacher.py FOLDER`.

FOLDER holds the rows that gpt-3.5-turbo wrote for Prompt2Model, as JSON lines, gzipped: runs of extractive question
answering (`SQuAD_*.jsonl.gz`, in the order of writing) and `raw_examples_normalization.jsonl.gz`. They are not part of
this project, having no licence; docs/reference/worlds.md has the table that this prints. No claim, so no benchmark.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from agents.demo.measured import IDEAS, WRITING, between

STRETCHES = 10  # of each run that warmed up: half a thousand rows each
LOW, HIGH = 0.3, 1.4
RISING = ("SQuAD_0.3_1.4_without_filtering", "SQuAD_0.3_1.4_with_filtering")
HOT = "SQuAD_1.4_1.4_without_filtering"

SHAPE = re.compile(r"\s*Question:(.*?)Context:(.*)", re.DOTALL)
BLANK = re.compile(r"\[[^\]]{1,30}\]|_{3,}|<[a-z ]{2,20}>", re.IGNORECASE)
FITTING = re.compile(r"N/A|(?:[^=|]+ == \d{4}(?:-\d\d){0,2})(?: \| [^=|]+ == \d{4}(?:-\d\d){0,2})*")
LONGEST_ANSWER = 80


class Written(NamedTuple):
    """A row, taken apart; no question where it has another shape."""

    question: str
    context: str
    answer: str
    input: str


def main() -> None:
    folder = Path(sys.argv[1])
    filtered, unfiltered = (rows(folder, name) for name in reversed(RISING))
    hot = rows(folder, HOT)
    print("read / fitted")
    print(f"{'T':>5} {'different of 500':>17} {'same words':>13} {'not in text':>13} {'no label':>13} {'blanks':>13}")
    for stretch in range(STRETCHES):
        heat = LOW + (HIGH - LOW) * (stretch + 0.5) / STRETCHES
        parts = [part(each, stretch) for each in (unfiltered, filtered)]
        questions = sum(different(each) for each in parts) / 2
        print_row(heat, questions, parts[0], earlier=unfiltered[: stretch * len(unfiltered) // STRETCHES])
    print_row(HIGH, different(hot[:500]), hot, earlier=[])
    for size in (500, 1000, 2000, 5000):
        print(f"at {HIGH}, of {size} rows: {different(hot[:size])} different, fitted {fitted(HIGH, size)}")
    print_normalisation(folder)


def rows(folder: Path, name: str) -> list[Written]:
    return list(taken_apart(folder / f"{name}.jsonl.gz"))


def taken_apart(path: Path) -> Iterator[Written]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            match = SHAPE.match(row["input"])
            question, context = (match[1], match[2]) if match else ("", "")
            yield Written(plain(question), plain(context), plain(row["output"]), row["input"])


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w ]", " ", text.casefold()).split())


def part(written: Sequence[Written], stretch: int) -> Sequence[Written]:
    return written[stretch * len(written) // STRETCHES : (stretch + 1) * len(written) // STRETCHES]


def different(written: Sequence[Written]) -> int:
    return len({row.question or row.input for row in written})


def fitted(heat: float, size: int) -> int:
    chance = Random(0)
    return len({IDEAS.draw(chance, temperature=heat) for _ in range(size)})


def share(found: Sequence[bool]) -> float:
    return sum(found) / max(1, len(found))


def print_row(heat: float, questions: float, written: Sequence[Written], *, earlier: Sequence[Written]) -> None:
    seen = {row.question for row in earlier}
    inputs = {row.input for row in earlier}
    again = share([row.input in inputs for row in written if row.question in seen])
    missing = share([row.answer not in row.context for row in written if row.question])
    shapeless = share([not row.question or len(row.answer) > LONGEST_ANSWER for row in written])
    blank = share([BLANK.search(row.input) is not None for row in written])
    pairs = (
        (again, WRITING.verbatim),
        (missing, WRITING.spoiled),
        (shapeless, WRITING.shapeless),
        (blank, WRITING.blank),
    )
    rates = " ".join(f"{seen:>7.3f}/{between(rates, heat):.3f}" for seen, rates in pairs)
    print(f"{heat:>5.2f} {questions:>11.0f}/{fitted(heat, 500):<6} {rates}")


def print_normalisation(folder: Path) -> None:
    with gzip.open(folder / "raw_examples_normalization.jsonl.gz", "rt", encoding="utf-8") as lines:
        labels = [json.loads(line)["output"].strip() for line in lines]
    clean = share([label == "N/A" for label in labels])
    whole = share([all(each.strip().endswith("== N/A") for each in label.split("|")) for label in labels])
    fits = share([FITTING.fullmatch(label) is not None for label in labels])
    print(f"normalisation: {fits:.3f} of the labels fit, {clean:.3f} are N/A, {whole:.3f} say so of every expression")
    print(f"nothing to find {clean + whole:.3f}/{WRITING.nothing}")
    print(f"of these in a form of its own {whole / (clean + whole):.3f}/{WRITING.slipped[0]}")


if __name__ == "__main__":
    main()
