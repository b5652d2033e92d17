"""Claims: rows of rare labels that count more make a better student, and so do rows that count by their votes.

Two questions, each put to the student `linear`. Labels that are rare: each label keeps a part of its rows that falls
with its rank, so that the commonest has many times the rows of the rarest; rows count by the power of how rare their
label is (0: all alike, 0.5: as Smelt does, 1: each label as much as any other), and answers are held against messages
drawn evenly and against messages drawn as unevenly as the rows. A vote that was not unanimous: labels are those of a
made-up teacher that confuses each label with two others, on some inputs more than on others; two votes, a third where
they differ, as a run asks; rows count by agreement, by its square, by how often such a vote is right (which nobody
could know), or not at all unless unanimous.

The sets are folders with a dev.jsonl of `input` and `output` beneath the one that is given; without one, the demo
world's messages.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from agents.demo.held_out import held_out
from agents.demo.intents.world import Messages
from engine.training import Row, train
from engine.training.weights import label_weights

SEEDS = (0, 1, 2)
MOST_LABELS = 10  # of a set, drawn by chance: more take long and show no more
ROWS, JUDGED = 600, 600
RAREST = 0.04  # of the rows of the commonest label
POWERS = (0.0, 0.5, 1.0)
SLIP = 0.2  # how often a single vote is wrong, in the mean
OUR_POWER, LEAST_GAIN, MOST_LOST = 0.5, 0.005, 0.005
LEAST_WORTH = 0.005  # of what weights by agreement bring


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    """A row as a vote left it: the label that won, by what share of the votes, and whether it is right."""

    row: Row
    agreement: float
    is_right: bool


def main() -> None:
    sets = dict(rows_of(Path(sys.argv[1]))) if len(sys.argv) > 1 else {"messages": messages()}
    rare = {name: mean_of([rare_labels(rows, Random(seed)) for seed in SEEDS]) for name, rows in sets.items()}
    voted = {name: mean_of([votes(rows, Random(seed)) for seed in SEEDS]) for name, rows in sets.items()}
    for title, found in (("rows of rare labels", rare), ("rows after a vote", voted)):
        for name, figures in found.items():
            print(f"{title}, {name}: " + ", ".join(f"{what} {value:.4f}" for what, value in figures.items()))
    gains = [each[f"even, power {OUR_POWER}"] - each["even, power 0.0"] for each in rare.values()]
    losses = [each["uneven, power 0.0"] - each[f"uneven, power {OUR_POWER}"] for each in rare.values()]
    worth = [each["squared"] - each["all alike"] for each in voted.values()]
    holds = min(gains) >= LEAST_GAIN and max(losses) <= MOST_LOST and min(worth) >= LEAST_WORTH
    print(
        f"even messages gain at least {min(gains):.4f}, uneven ones lose at most {max(losses):.4f}; the square of the "
        f"agreement brings at least {min(worth):.4f}: {'holds' if holds else 'DOES NOT HOLD'}"
    )
    print(json.dumps({"benchmark": "weights", "rare": rare, "voted": voted, "holds": holds}))


def rows_of(folder: Path) -> Iterator[tuple[str, list[Row]]]:
    for file in sorted(folder.glob("*/dev.jsonl")):
        told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        rows = [Row(each["input"], each["output"]) for each in told if each["output"]]
        counts = Counter(row.output for row in rows)
        if 2 <= len(counts) <= len(rows) / 20:
            yield file.parent.name, rows


def messages() -> list[Row]:
    return [Row(pair.input, pair.output) for pair in held_out(Messages(), count=8000)]


def shares_of(rows: Sequence[Row], chance: Random) -> tuple[list[Row], list[Row]]:
    """Rows to learn from and to judge by, of some of the labels."""
    labels = sorted({row.output for row in rows})
    kept = set(chance.sample(labels, min(MOST_LABELS, len(labels))))
    drawn = chance.sample(few := [row for row in rows if row.output in kept], len(few))
    judged = min(JUDGED, len(drawn) // 3)
    return drawn[judged:], drawn[:judged]


def rare_labels(rows: Sequence[Row], chance: Random) -> dict[str, float]:
    learnt, judged = shares_of(rows, chance)
    labels = sorted({row.output for row in learnt})
    chance.shuffle(labels)
    part = {label: RAREST ** (rank / (len(labels) - 1)) for rank, label in enumerate(labels)}
    few = [row for row in learnt if chance.random() < part[row.output]][:ROWS]
    uneven = [row for row in judged if chance.random() < part[row.output]]
    counts = Counter(row.output for row in few)
    found = {}
    for power in POWERS:
        answer = learner(few, weighing([counts[row.output] ** -power for row in few], few))
        found[f"even, power {power}"] = share_right(answer, judged)
        found[f"uneven, power {power}"] = share_right(answer, uneven)
    return found


def weighing(wanted: Sequence[float], rows: Sequence[Row]) -> list[float]:
    """The weights to give, so that with those of Smelt's own for rare labels each row counts as wanted; a mean of 1."""
    own = label_weights([row.output for row in rows]) or [1.0] * len(rows)
    mean = sum(wanted) / len(wanted)
    return [each / mean / already for each, already in zip(wanted, own, strict=True)]


def votes(rows: Sequence[Row], chance: Random) -> dict[str, float]:
    learnt, judged = shares_of(rows, chance)
    labels = sorted({row.output for row in learnt})
    confused = {label: chance.sample([other for other in labels if other != label], 2) for label in labels}
    voted = [vote(row, confused[row.output], chance) for row in learnt[:ROWS]]
    right = {
        share: sum(each.is_right for each in voted if each.agreement == share)
        / sum(each.agreement == share for each in voted)
        for share in {each.agreement for each in voted}
    }
    ways: dict[str, Callable[[float], float]] = {
        "all alike": lambda _: 1.0,
        "agreement": lambda share: share,
        "squared": lambda share: share**2,
        "by how often right": lambda share: max(1e-6, right[share]),
        "unanimous alone": lambda share: 1.0 if share == 1 else 1e-6,
    }
    those = [each.row for each in voted]
    found = {
        name: share_right(learner(those, weighing([way(each.agreement) for each in voted], those)), judged)
        for name, way in ways.items()
    }
    return {**found, "labels right": sum(each.is_right for each in voted) / len(voted)}


def vote(row: Row, confused: Sequence[str], chance: Random) -> Voted:
    """Two votes, and a third where they differ. An input's own difficulty makes all of its votes err."""
    slip = min(0.9, chance.expovariate(1 / SLIP))

    def one() -> str:
        return chance.choice(confused) if chance.random() < slip else row.output

    said = [one(), one()]
    if said[0] != said[1]:
        said.append(one())
    (winner, count), *_ = Counter(said).most_common()
    return Voted(row=Row(row.input, winner), agreement=count / len(said), is_right=winner == row.output)


def learner(rows: Sequence[Row], weights: Sequence[float]) -> Callable[[Sequence[str]], list[str]]:
    with TemporaryDirectory() as scratch:
        student = train("linear", rows, (), Path(scratch) / "student", weights=weights)
    return lambda inputs: [answer.output for answer in student.predict(inputs)]


def share_right(answer: Callable[[Sequence[str]], list[str]], rows: Sequence[Row]) -> float:
    answers = answer([row.input for row in rows])
    return sum(one == row.output for one, row in zip(answers, rows, strict=True)) / len(rows)


def mean_of(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]}


if __name__ == "__main__":
    main()
