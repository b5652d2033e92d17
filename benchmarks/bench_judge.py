"""Claim: a judge that is right nine times in ten raises the share of right rows among those that are kept, in every
world; whether that is worth its price against more votes is shown, and claimed by nobody.

What is compared is a way of making the same number of rows: by one label, by votes, and by either of them with a judge
that is the teacher itself, asked in another way. Every way is the pipeline's own `synthesize`; the judge is calibrated
on the prompt's demonstrations as a run does it, and that is paid for too. What is counted is how many of the rows that
are kept have the right answer, by the world's truth, and how many rows a dollar buys: all of them, and the right ones.

Worlds are simulated and so is their judge: it errs in one row of ten, more often where inputs are harder, and not in
the same rows as the teacher. A real one shares errors with the teacher that voting cannot mend either, or is a better
model and mends them: neither is measured here. All of it runs on a clock that does not wait.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path

from agents.calibration import Calibration
from agents.judge import calibrate
from agents.judging import usable
from agents.parse import parse, read_prompt
from agents.records import Spec
from agents.synthesis import Settings, Synthesis
from agents.synthesize import synthesize
from agents.truth import truth_of
from engine import Budget, Engine, Events
from engine.fakes import virtual_time

WORLDS = {"countries": "countries", "passages": "passages", "measured-intents": "intents"}  # {world: its prompt}
SEEDS = (0, 1, 2)
ROWS = 600


@dataclass(frozen=True, slots=True)
class Way:
    """A way of making rows."""

    votes: int
    is_judged: bool

    def __str__(self) -> str:
        return f"{self.votes} vote{'s' if self.votes > 1 else ''}{', judged' if self.is_judged else ''}"


WAYS = (Way(1, False), Way(1, True), Way(3, False), Way(3, True), Way(5, False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One world, one way, one seed; or the means of all seeds."""

    right: float  # of the rows that were kept
    rows_a_dollar: float
    right_rows_a_dollar: float
    refused: float  # of the rows that the judge was asked about
    refused_wrong: float  # of those that it refused: were wrong indeed
    calibration_usd: float
    is_used: float


def main() -> None:
    table = {world: {str(way): measure(world, way) for way in WAYS} for world in WORLDS}
    print(f"{'world':<17} {'way':<16} {'rows right':>10} {'rows/$':>8} {'right/$':>8} {'refused':>8} {'rightly':>8}")
    for world, ways in table.items():
        for way, row in ways.items():
            refused = f"{row.refused:>8.3f} {row.refused_wrong:>8.3f}" if row.is_used else ""
            money = f"{row.rows_a_dollar:>8,.0f} {row.right_rows_a_dollar:>8,.0f}"
            print(f"{world:<17} {way:<16} {row.right:>10.4f} {money} {refused}")
    gains = {
        f"{world}, {votes}": round(ways[f"{votes}, judged"].right - ways[votes].right, 4)
        for world, ways in table.items()
        for votes in ("1 vote", "3 votes")
    }
    holds = all(gain > 0 for gain in gains.values())
    print(f"a judge raises the share of right rows everywhere: {'holds' if holds else 'DOES NOT HOLD'} {gains}")
    figures = {world: {way: asdict(row) for way, row in ways.items()} for world, ways in table.items()}
    print(json.dumps({"benchmark": "judge", "seeds": SEEDS, "rows": ROWS, "holds": holds, "gains": gains} | figures))


def measure(world: str, way: Way) -> Measured:
    folder = Path(str(files("agents.demo") / WORLDS[world]))
    spec = parse(read_prompt(folder / "prompt.md"))
    runs = [virtual_time.run(make(spec, world, way, seed=seed)) for seed in SEEDS]
    means = (round(statistics.mean(getattr(run, each.name) for run in runs), 4) for each in fields(Measured))
    return Measured(**dict(zip((each.name for each in fields(Measured)), means, strict=True)))


async def make(spec: Spec, world: str, way: Way, *, seed: int) -> Measured:
    async with Engine(f"simulated/{world}", budget=Budget(usd=100), seed=seed) as engine:
        judge = await calibrate(engine, spec, (), seed=seed) if way.is_judged else None
        settings = Settings(examples=ROWS, votes=way.votes, seed=seed)
        made = await synthesize(engine, spec, settings=settings, events=Events(), judge=usable(judge))
        assert engine.world is not None, "a simulated model has a world"
        right = [truth_of(engine.world, spec, row.input) == row.output for row in made.examples]
        figures = engine.statistics()
        wrongly = [
            truth_of(engine.world, spec, row.input) == row.output for row in made.rejects if row.reason == "judge"
        ]
    return measured(made, right, wrongly, usd=figures.cost_usd, calibration=judge.calibration if judge else None)


def measured(
    made: Synthesis, right: Sequence[bool], wrongly: Sequence[bool], *, usd: float, calibration: Calibration | None
) -> Measured:
    return Measured(
        right=sum(right) / len(right),
        rows_a_dollar=len(right) / usd,
        right_rows_a_dollar=sum(right) / usd,
        refused=len(wrongly) / (len(made.examples) + len(wrongly)),
        refused_wrong=1 - sum(wrongly) / len(wrongly) if wrongly else 0.0,
        calibration_usd=calibration.cost_usd if calibration else 0.0,
        is_used=float(calibration is not None and calibration.is_used),
    )


if __name__ == "__main__":
    main()
