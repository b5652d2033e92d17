"""Claims: a threshold of confidence that promises nine right answers in ten, or nineteen in twenty, breaks that in at
most one draw of rows in twenty, and of the forecasts of what twice the rows would bring four in five hold the score
that they then bring, nearer to it in the mean than to say that nothing changes.

Labels that people gave: intents of banking77, clinc150 and snips; the student is `linear`. A threshold is chosen on 200
or 500 rows that the student has not learnt from, and held against the thousands that are left, 300 times with other
rows; beside it the plainest rule, the confidence from which on just so many of the rows were right. A forecast is made
from an eighth (where that has a row for each label), a quarter, half and all of n rows and 500 to judge by, and held
against the score of a student of 2n on all rows that are left; beside it the score at n.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import mean

from agents.evaluate import growth_of, taught
from engine.evaluation.calibration import threshold_for
from engine.training import Row, Student

SHARED = Path(__file__).parents[2] / "shared" / "data"
SETS: Mapping[str, tuple[int, ...]] = {  # rows to learn from
    "banking77": (400, 800, 1600),
    "clinc150": (600, 1200, 2400),
    "snips": (200, 400, 800),
}
PROMISES = (0.9, 0.95)
CHOSEN_ON = (200, 500)
DRAWS, SEEDS, JUDGED = 300, (0, 1), 500
MOST_BROKEN, LEAST_HELD = 0.05, 0.8


@dataclass(frozen=True, slots=True)
class Kept:
    """How often a threshold was found and broken, and the mean share of rows above it; of the plainest rule too."""

    data: str
    learnt: int
    precision: float
    chosen_on: int
    found: float
    broken: float
    coverage: float
    plain_broken: float
    plain_coverage: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What twice the rows were said to bring, and what they brought."""

    data: str
    rows: int
    now: float
    said: float
    low: float
    high: float
    then: float

    @property
    def held(self) -> bool:
        return self.low <= self.then <= self.high


def rows_of(name: str) -> list[Row]:
    lines = (SHARED / name / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    tables = [json.loads(line) for line in lines]
    known: dict[str, Row] = {}
    for table in tables:
        known.setdefault(table["input"], Row(table["input"], table["output"]))
    return list(known.values())


def learnt(rows: Sequence[Row]) -> Student:
    student = taught(rows, family="linear")
    assert student is not None
    return student


def right_of(student: Student, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    answers = student.predict([row.input for row in rows])
    return [(answer.confidence, answer.output == row.output) for answer, row in zip(answers, rows, strict=True)]


def plain_threshold(precision: float, rows: Sequence[tuple[float, bool]]) -> float | None:
    """The confidence from which on just so many of these rows were right."""
    hits, least = 0, None
    for at, (confidence, right) in enumerate(sorted(rows, reverse=True), start=1):
        hits += right
        least = confidence if hits >= precision * at else least
    return least


def thresholds(name: str, rows: Sequence[Row], sizes: Sequence[int]) -> list[Kept]:
    learns, rest = rows[: sizes[1]], rows[sizes[1] :]
    answered = right_of(learnt(learns), rest)
    return [
        kept(name, len(learns), answered, precision=precision, chosen_on=chosen_on)
        for precision in PROMISES
        for chosen_on in CHOSEN_ON
    ]


def kept(name: str, learns: int, answered: list[tuple[float, bool]], *, precision: float, chosen_on: int) -> Kept:
    chance = Random(f"{name} {precision} {chosen_on}")
    ours, plain = list[tuple[float, bool]](), list[tuple[float, bool]]()
    for _ in range(DRAWS):
        drawn = chance.sample(answered, len(answered))
        chosen, fresh = drawn[:chosen_on], drawn[chosen_on:]
        found = threshold_for(precision, [each[0] for each in chosen], [each[1] for each in chosen])
        for least, into in ((found.confidence if found else None, ours), (plain_threshold(precision, chosen), plain)):
            sure = [right for confidence, right in fresh if least is not None and confidence >= least]
            if sure:
                into.append((len(sure) / len(fresh), sum(sure) < precision * len(sure)))
    return Kept(
        data=name, learnt=learns, precision=precision, chosen_on=chosen_on, found=len(ours) / DRAWS,
        broken=sum(broken for _, broken in ours) / DRAWS,
        coverage=mean(share for share, _ in ours) if ours else 0.0,
        plain_broken=sum(broken for _, broken in plain) / DRAWS,
        plain_coverage=mean(share for share, _ in plain) if plain else 0.0,
    )  # fmt: skip


def forecasts(name: str, rows: Sequence[Row], sizes: Sequence[int]) -> list[Forecast]:
    made = []
    for seed in SEEDS:
        drawn = Random(seed).sample(rows, len(rows))
        judged, others = drawn[:JUDGED], drawn[JUDGED:]
        for size in sizes:
            student = learnt(others[:size])
            curve = growth_of(
                student, others[:size], judged, teach=partial(taught, family="linear"), metric="accuracy", on="test",
                seconds=600, labels=len({row.output for row in rows}), seed=seed,
            )  # fmt: skip
            if curve is None:  # hardly any row of some labels: nothing is promised
                continue
            then = mean(right for _, right in right_of(learnt(others[: 2 * size]), others[2 * size :]))
            twice = curve.twice
            made.append(Forecast(name, size, curve.points[-1].value, twice.value, twice.low, twice.high, then))
    return made


def main() -> None:
    if not SHARED.is_dir():
        print(json.dumps({"skipped": f"there is no {SHARED.name} folder with third-party rows"}))
        return
    began = time.perf_counter()
    promises, growths = list[Kept](), list[Forecast]()
    for name, sizes in SETS.items():
        rows = Random(name).sample(found := rows_of(name), len(found))
        promises += thresholds(name, rows, sizes)
        growths += forecasts(name, rows, sizes)
    print(f"{'set':10} {'right':>5} {'rows':>5} {'found':>6} {'broken':>7} {'covers':>7}   plain: broken, covers")
    for each in promises:
        print(
            f"{each.data:10} {each.precision:5.2f} {each.chosen_on:5} {each.found:6.2f} {each.broken:7.3f} "
            f"{each.coverage:7.2f}   {each.plain_broken:13.3f} {each.plain_coverage:7.2f}"
        )
    print(f"\n{'set':10} {'rows':>5} {'now':>6} {'said of twice':>22} {'came':>6}")
    for one in growths:
        said = f"{one.said:.3f} ({one.low:.3f} to {one.high:.3f})"
        print(f"{one.data:10} {one.rows:5} {one.now:6.3f} {said:>22} {one.then:6.3f} {'' if one.held else 'missed'}")
    broken, held = max(each.broken for each in promises), mean(one.held for one in growths)
    off, off_now = (mean(abs(value - one.then) for one, value in pairs) for pairs in _errors(growths))
    print(
        f"\nbroken at most {broken:.3f} (claim {MOST_BROKEN}): {_holds(broken <= MOST_BROKEN)}; forecasts held "
        f"{held:.2f} (claim {LEAST_HELD}), off by {off:.3f} and by {off_now:.3f} if nothing changed: "
        f"{_holds(held >= LEAST_HELD and off < off_now)}"
    )
    print(
        json.dumps(
            {
                "promises": [asdict(each) for each in promises],
                "forecasts": [asdict(one) for one in growths],
                "broken": broken,
                "held": held,
                "off": off,
                "off_if_nothing_changed": off_now,
                "seconds": time.perf_counter() - began,
            }
        )
    )


def _errors(growths: Sequence[Forecast]) -> tuple[list[tuple[Forecast, float]], list[tuple[Forecast, float]]]:
    return [(one, one.said) for one in growths], [(one, one.now) for one in growths]


def _holds(is_true: bool) -> str:
    return "holds" if is_true else "does not hold"


if __name__ == "__main__":
    main()
