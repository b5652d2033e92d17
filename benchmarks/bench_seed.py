"""Claim: from the seed `tiny` beats itself from scratch in the same time, the nearest row and `linear`, at 200, 1,000
and 5,000 rows.

Two regimes. Procedures that the seed has never practised show what it was made for: work of a kind that it knows, in a
form that it does not. Real sets, which nobody here wrote and which no procedure imitates but for number words and the
letters of scripts, show what of it carries over: time expressions in 11 languages, addresses, dates in sentences,
numbers and units in sentences, names from Arabic into Latin letters. Beside both: the nearest known row, and `linear`
where the answers are few enough for it to choose among.

Each student has the same seconds of training on one thread. Real sets need the folder that holds them, by default
`shared/data` beside the clone: `python benchmarks/bench_seed.py --data FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import mean

from engine.baselines import Nearest
from engine.training import Row, train
from engine.training.seed.tasks import HELD_OUT, Task, rows_of

SHARED = Path(__file__).parents[2] / "shared" / "data"
REAL = ("time_duckling", "us_address", "datetime_recognizers", "number_unit_recognizers", "transliteration_ar2en")
ROWS = (200, 1000, 5000)
SECONDS = 30.0
TEST_ROWS, VALIDATION_ROWS = 300, 50
MOST_LABELS = 500  # of `linear`; beyond, the answers are texts and no labels

Answer = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares of test rows that are answered exactly; None where that kind of student cannot be had."""

    set: str
    rows: int
    scratch: float
    seed: float
    nearest: float
    linear: float | None

    @property
    def best_rival(self) -> float:
        return max(self.scratch, self.nearest, self.linear or 0.0)


def main() -> None:
    chosen = _arguments()
    scores = []
    print(f"{'set':26}{'rows':>7}{'scratch':>10}{'seed':>8}{'nearest':>9}{'linear':>8}", flush=True)
    for name in chosen.sets or (*HELD_OUT, *REAL):
        for one in _measure(name, chosen):
            scores.append(one)
            linear = "-" if one.linear is None else f"{one.linear:.3f}"
            print(f"{name:26}{one.rows:7,}{one.scratch:10.3f}{one.seed:8.3f}{one.nearest:9.3f}{linear:>8}", flush=True)
    if not scores:
        sys.exit("no set was found")
    beaten = [f"{one.set} at {one.rows:,}" for one in scores if one.seed <= one.best_rival]
    means = ", ".join(f"{name} {_mean(scores, name):.3f}" for name in ("scratch", "seed", "nearest"))
    print(f"means: {means}: ", end="")
    print(f"does not hold for {'; '.join(beaten)}" if beaten else "holds")
    print(json.dumps({"seconds": chosen.seconds, "scores": [asdict(one) for one in scores]}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--sets", nargs="*", help="some of the held-out procedures and real sets (all)")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", help="a folder with another seed than the one that ships")
    return parser.parse_args()


def _measure(name: str, chosen: argparse.Namespace) -> list[Scores]:
    every = _rows(name, most=max(chosen.rows), data=chosen.data)
    test, rest = every[:TEST_ROWS], every[TEST_ROWS:]
    measured = []
    for count in sorted({min(count, len(rest) - VALIDATION_ROWS) for count in chosen.rows if rest}):
        taught = rest[: count + VALIDATION_ROWS]
        measured.append(
            Scores(
                set=name,
                rows=count,
                scratch=_tiny(taught, test, base="scratch", seconds=chosen.seconds),
                seed=_tiny(taught, test, base=chosen.seed, seconds=chosen.seconds),
                nearest=_exact([one.output for one in Nearest.of(taught).predict([row.input for row in test])], test),
                linear=_linear(taught, test),
            )
        )
    return measured


def _rows(name: str, *, most: int, data: Path) -> list[Row]:
    """Rows of different inputs in an order of chance; none where the set is not there."""
    if name in HELD_OUT:
        return rows_of(Task(name, 0), count=TEST_ROWS + VALIDATION_ROWS + most, seed=1)
    file = data / name / "dev.jsonl"
    if not file.is_file():
        print(f"{name:26} left out: {file} is not there", flush=True)
        return []
    told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = list({one["input"]: Row(one["input"], one["output"]) for one in told if one["output"]}.values())
    Random(0).shuffle(rows)
    return rows


def _tiny(rows: Sequence[Row], test: Sequence[Row], *, base: str | None, seconds: float) -> float:
    with tempfile.TemporaryDirectory() as place:
        student = train(
            "tiny",
            rows[VALIDATION_ROWS:],
            rows[:VALIDATION_ROWS],
            Path(place) / "student",
            base=base,
            threads=1,
            time_limit_s=seconds,
        )
        return _exact([one.output for one in student.predict([row.input for row in test])], test)


def _linear(rows: Sequence[Row], test: Sequence[Row]) -> float | None:
    if len({row.output for row in rows}) > min(MOST_LABELS, len(rows) // 2):
        return None
    with tempfile.TemporaryDirectory() as place:
        student = train("linear", rows, [], Path(place) / "student")
        return _exact([one.output for one in student.predict([row.input for row in test])], test)


def _exact(answers: Sequence[str], test: Sequence[Row]) -> float:
    return float(mean(answer == row.output for answer, row in zip(answers, test, strict=True)))


def _mean(scores: Sequence[Scores], student: str) -> float:
    return float(mean(getattr(one, student) for one in scores))


if __name__ == "__main__":
    main()
