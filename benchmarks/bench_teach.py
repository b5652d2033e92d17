"""Claim: with few real labels, a student taught by a teacher tuned on them beats a student of the labels alone.

The regimes are the numbers of real labels: two and five an intent. A teacher that has read before knows what
people may mean; the labels tell it what is wanted; it labels inputs that nobody labelled and writes new ones, and a
small student (`linear`) learns from all of these (Kaddour and Liu 2023, arXiv 2310.01119). The plainest rival is the
student of the real labels themselves. All are judged on the same real rows; beside them stand the teacher before and
after its tuning, students of each kind of row, and real rows with one and four times as many made up.

The rows are those of ten banking intents of CLINC150, as people wrote them. The teacher is made by `well_read`, of
2.7 million parameters, from other intents, messages to another bank among them: it has read no text and no label of the
task. How much a teacher knows decides what it is worth, so this says what a weak one can do, and nothing of any other.
What was found so far speaks against it: see the rows in README.md.

`python -m benchmarks.bench_teach [FOLDER]`: FOLDER holds the sets. The model that has read is made in some ten minutes
of one core and kept in the folder that SMELT_BENCH_CACHE names; without it, it is gone in the end.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from agents.parsing.parse import parse
from agents.records import Pair
from agents.teaching.table import Cell, TeachReport, lines_of
from agents.teaching.teach import Material, Wish, teach
from benchmarks.bench_found import BANKING as WITHHELD
from benchmarks.well_read import READINGS, SETS, read_rows, well_read
from engine.training.threads import spin_briefly

FOLDER = Path(__file__).parents[2] / "shared" / "data"
CACHE = "SMELT_BENCH_CACHE"
TASK_SET = "clinc150"
INTENTS = WITHHELD[:10]  # the other five are not read either
TASK = "Name the intent of what a customer asks a bank.\n\nThe intents are: {labels}. Answer with the intent alone."
TRAIN, VALIDATION, TEST = 5, 2, 20  # rows of an intent; the others' labels nobody sees
LABELS = (20, 50)
EXAMPLES = 300  # rows that the teacher labels, and writes
TUNING_S = 1800.0  # no clock ends a tuning
SEEDS = (0,)
THREADS = 1
LEAST_GAIN = 0.02
RIVAL, OURS = "student of real rows", "student of all of these"


def main() -> None:
    spin_briefly()
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if missing := [name for name in SETS if not (folder / name).is_dir()]:
        print(f"{folder} has no {', '.join(missing)}: give the folder of the sets; nothing is measured")
        return
    with cache() as place:
        began = time.process_time()
        reader = well_read(place, sources(folder), READINGS, threads=THREADS)
        read_s = time.process_time() - began
        reports = [taught(folder, reader, seed=seed) for seed in SEEDS]
    for report in reports:
        for line in lines_of(report):
            print(" | ".join(line.values()))
    gains = {count: [gain(report.cells, count) for report in reports] for count in LABELS}
    means = {count: round(sum(found) / len(found), 3) for count, found in gains.items()}
    holds = all(found >= LEAST_GAIN for found in means.values())
    print(f"{OURS} over {RIVAL}: {means}, at least {LEAST_GAIN}: {'holds' if holds else 'DOES NOT HOLD'}")
    told = {"gains": gains, "read_s": round(read_s), "reports": [report.as_table() for report in reports]}
    print(json.dumps({"benchmark": "teach", "holds": holds, **told}))


@contextmanager
def cache() -> Iterator[Path]:
    """Where the model that has read is kept: for good where somebody says where, else as long as this runs."""
    if named := os.environ.get(CACHE):
        Path(named).mkdir(parents=True, exist_ok=True)
        yield Path(named)
        return
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def sources(folder: Path) -> dict[str, list[Pair]]:
    """What the teacher reads: other intents than the task's, and none of its texts under another name."""
    of_task = {_plain(row.input) for row in read_rows(folder, TASK_SET) if row.output in WITHHELD}
    return {
        name: [
            row
            for row in read_rows(folder, name)
            if row.output not in (*WITHHELD, "oos") and _plain(row.input) not in of_task
        ]
        for name in SETS
    }


def _plain(text: str) -> str:
    return " ".join("".join(each if each.isalnum() else " " for each in text.casefold()).split())


def taught(folder: Path, reader: Path, *, seed: int) -> TeachReport:
    """What `smelt teach` finds with one draw of the rows."""
    wish = Wish(
        model=f"local/{reader}", student="linear", examples=EXAMPLES, sweep=LABELS[:-1], seconds=TUNING_S, seed=seed,
        threads=THREADS, whole=True,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        return teach(Path(place) / "taught", material(folder, seed=seed), wish, tell=lambda line: print(" ", line))


def material(folder: Path, *, seed: int) -> Material:
    """Real labels, some of them to choose the best moment by; rows to judge by; and inputs whose labels nobody sees."""
    of_label: dict[str, list[Pair]] = defaultdict(list)
    for row in read_rows(folder, TASK_SET):
        of_label[row.output].append(row)
    parts: dict[str, list[Pair]] = defaultdict(list)
    chance = Random(seed)
    for label in INTENTS:
        rows = of_label[label]
        chance.shuffle(rows)
        for part, count in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST), ("rest", len(rows))):
            parts[part] += rows[:count]
            del rows[:count]
    for part in ("train", "validation", "test", "rest"):
        chance.shuffle(parts[part])
    return Material(
        spec=parse(TASK.format(labels=", ".join(INTENTS))),
        train=tuple(parts["train"]),
        validation=tuple(parts["validation"]),
        test=tuple(parts["test"]),
        unlabelled=tuple(row.input for row in parts["rest"]),
    )


def gain(cells: Sequence[Cell], labels: int) -> float:
    """What the student of all rows has over the student of real ones, in accuracy."""
    found = {cell.who: cell.scores[0].value for cell in cells if cell.labels == labels and cell.scores}
    return round(found[OURS] - found[RIVAL], 3)


if __name__ == "__main__":
    main()
