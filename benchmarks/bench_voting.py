"""Claim: voting on labels raises their accuracy over single labels in both demo worlds, for about twice the price.

The regimes are the numbers of votes. One vote is the plainest thing that could work: ask once, take the answer. Three,
five and nine votes are asked only while the outcome is open, so their price is measured and not multiplied out; beside
them stands what all of them would have given (fixed). What is judged is the label of every input, against the world's
known truth; an input that got no label counts as wrong.

The pipeline's own `annotate` asks a simulated teacher through the engine, on a clock that does not wait. So the figures
do not depend on the machine, only on the seeds, and say how these worlds err, not how any real teacher does.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from agents.making.truth import truth_of
from agents.parsing.parse import parse, read_prompt
from agents.reading.rows import read_rows
from agents.records import Spec
from agents.voting.annotate import Annotation, Voting, annotate_all, vote_requests
from agents.voting.vote import normaliser, tally
from engine import Budget, Engine
from engine.fakes import virtual_time

WORLDS = ("dates", "intents")
VOTES = (1, 3, 5, 9)
SEEDS = (0, 1, 2, 3, 4)
INPUTS = 300
LEAST_GAIN = 0.01  # of the accuracy, from one vote to three, in the worst of the seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One world, one number of votes, one seed."""

    accuracy: float
    fixed: float  # the accuracy with all votes asked
    calls_per_input: float
    usd_per_1000: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All seeds together: means, and the least and greatest accuracy of a seed."""

    accuracy: float
    fixed: float
    least: float
    greatest: float
    calls_per_input: float
    usd_per_1000: float


def main() -> None:
    table = {world: {votes: measure(world, votes) for votes in VOTES} for world in WORLDS}
    names = f"{'world':<8} {'votes':>5} {'labels right':>13} {'of the seeds':>15}"
    print(f"{names} {'fixed':>6} {'calls/input':>12} {'USD/1000':>9}")
    for world, rows in table.items():
        for votes, runs in rows.items():
            print_row(world, votes, figures_of(runs))
    gains = {world: gains_of(rows[VOTES[0]], rows[VOTES[1]]) for world, rows in table.items()}
    holds = all(min(gain) >= LEAST_GAIN for gain in gains.values())
    for world, gain in gains.items():
        print(f"{world}: {VOTES[1]} votes gain {min(gain):+.3f} to {max(gain):+.3f} over one")
    print(f"at least {LEAST_GAIN:+.3f} with every seed: {'holds' if holds else 'DOES NOT HOLD'}")
    figures = {
        world: {votes: asdict(figures_of(runs)) for votes, runs in rows.items()} for world, rows in table.items()
    }
    print(
        json.dumps({"benchmark": "voting", "seeds": SEEDS, "inputs": INPUTS, "holds": holds, "gains": gains} | figures)
    )


def measure(world: str, votes: int) -> list[Measured]:
    folder = Path(str(files("agents.demo") / world))
    spec = parse(read_prompt(folder / "prompt.md"))
    inputs = [pair.input for pair in read_rows(folder / "test.jsonl")][:INPUTS]
    return [virtual_time.run(label(spec, inputs, world=world, votes=votes, seed=seed)) for seed in SEEDS]


async def label(spec: Spec, inputs: Sequence[str], *, world: str, votes: int, seed: int) -> Measured:
    """Label the inputs by so many votes at most; the seed is the world's and the few-shots'."""
    async with Engine(f"simulated/{world}", budget=Budget(usd=100), seed=seed) as engine:
        annotations = await annotate_all(engine, spec, inputs, Voting(votes=votes, seed=seed))
        right = sum(is_right(engine, spec, annotation) for annotation in annotations)
        figures = engine.statistics()
        winners = [await fixed_vote(engine, spec, text, Voting(votes=votes, seed=seed)) for text in inputs]
        fixed = sum(winner == truth(engine, spec, text) for winner, text in zip(winners, inputs, strict=True))
    return Measured(
        accuracy=right / len(inputs),
        fixed=fixed / len(inputs),
        calls_per_input=figures.attempts / len(inputs),
        usd_per_1000=1000 * figures.cost_usd / len(inputs),
    )


async def fixed_vote(engine: Engine, spec: Spec, text: str, voting: Voting) -> str:
    """The winner of all votes; those that were asked for already are not asked again."""
    replies = [await engine.ask(request) for request in vote_requests(spec, text, voting)]
    return tally([reply.text for reply in replies], normaliser(spec)).winner


def is_right(engine: Engine, spec: Spec, annotation: Annotation) -> bool:
    return annotation.vote is not None and annotation.vote.winner == truth(engine, spec, annotation.input)


def truth(engine: Engine, spec: Spec, text: str) -> str | None:
    assert engine.world is not None, "a simulated model has a world"
    return truth_of(engine.world, spec, text)


def figures_of(runs: Sequence[Measured]) -> Figures:
    accuracies = [run.accuracy for run in runs]
    return Figures(
        accuracy=round(statistics.mean(accuracies), 4),
        fixed=round(statistics.mean(run.fixed for run in runs), 4),
        least=round(min(accuracies), 4),
        greatest=round(max(accuracies), 4),
        calls_per_input=round(statistics.mean(run.calls_per_input for run in runs), 3),
        usd_per_1000=round(statistics.mean(run.usd_per_1000 for run in runs), 4),
    )


def gains_of(single: Sequence[Measured], voted: Sequence[Measured]) -> list[float]:
    """Seed by seed, the same inputs: what voting added to the accuracy."""
    return [round(many.accuracy - one.accuracy, 4) for one, many in zip(single, voted, strict=True)]


def print_row(world: str, votes: int, row: Figures) -> None:
    spread = f"{row.least:.3f} to {row.greatest:.3f}"
    cost = f"{row.fixed:>6.3f} {row.calls_per_input:>12.2f} {row.usd_per_1000:>9.4f}"
    print(f"{world:<8} {votes:>5} {row.accuracy:>13.3f} {spread:>15} {cost}")


if __name__ == "__main__":
    main()
