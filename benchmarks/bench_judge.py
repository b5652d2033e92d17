"""Claims: of rows with a single label, a judge that is right nine times in ten raises the share of right ones by at
least 3 points in every world; where the teacher has blind spots, another model as the judge raises it by at least 5
points after three votes. After votes on slips it hardly does, and votes are cheaper: that is shown beside it.

What is compared is a way of making the same number of rows: by one label, by votes, and by either of them with a judge.
Every way is the pipeline's own `synthesize`; the judge is calibrated on the prompt's demonstrations as a run does it,
and that is paid for too. What is counted is how many of the rows that are kept have the right answer, by the world's
truth, and how many rows a dollar buys: all of them, and the right ones.

There are two regimes. In the usual one the teacher slips: each label is wrong by chance, more often where inputs are
harder, and so is each verdict, of the teacher itself, in one row of ten. With blind spots, one input in twelve is also
labelled wrong each time, whoever votes; a judge that is the same model has the same spots, another one has its own.
How large they are in real teachers was not measured. All of it runs on a clock that does not wait.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

from agents.demo.countries.world import World as Countries
from agents.demo.intents.measured import World as Intents
from agents.demo.passages.world import World as Questions
from agents.demo.vices import USUAL_VICES
from agents.judging.calibration import Calibration
from agents.judging.judge import calibrate
from agents.judging.judging import usable
from agents.making.synthesis import Settings, Synthesis
from agents.making.synthesize import synthesize
from agents.making.truth import truth_of
from agents.parsing.parse import parse, read_prompt
from agents.records import Example, Reject, Spec
from benchmarks.means import means
from engine import Budget, Engine, Events, SystemClock
from engine.fakes import virtual_time
from engine.providers.simulated import Simulated, World

Make = Callable[..., World]

SEEDS = (0, 1, 2)
ROWS = 600
BLIND = 1 / 12
LEAST_GAIN, LEAST_GAIN_OF_ANOTHER = 0.03, 0.05  # of the share of right rows


@dataclass(frozen=True, slots=True)
class Scene:
    """A world, the folder of its prompt, and how many inputs its teacher is blind to."""

    make: Make
    prompt: str
    blind: float = 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """A way of making rows."""

    votes: int
    judge: Literal["", "judged", "judged by another"] = ""

    def __str__(self) -> str:
        return f"{self.votes} vote{'s' if self.votes > 1 else ''}{self.judge and f', {self.judge}'}"


SCENES = {
    "countries": Scene(Countries, "countries"),
    "passages": Scene(Questions, "passages"),
    "measured-intents": Scene(Intents, "intents"),
    "countries, blind spots": Scene(Countries, "countries", BLIND),
    "measured-intents, blind spots": Scene(Intents, "intents", BLIND),
}
USUAL = (Way(1), Way(1, "judged"), Way(3), Way(3, "judged"), Way(5))
BLIND_WAYS = (Way(3), Way(5), Way(3, "judged"), Way(3, "judged by another"))


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
    table = {
        name: {str(way): measure(scene, way) for way in (BLIND_WAYS if scene.blind else USUAL)}
        for name, scene in SCENES.items()
    }
    print(f"{'world':<29} {'way':<26} {'rows right':>10} {'rows/$':>8} {'right/$':>8} {'refused':>8} {'rightly':>8}")
    for world, ways in table.items():
        for way, row in ways.items():
            refused = f"{row.refused:>8.3f} {row.refused_wrong:>8.3f}" if row.is_used else ""
            money = f"{row.rows_a_dollar:>8,.0f} {row.right_rows_a_dollar:>8,.0f}"
            print(f"{world:<29} {way:<26} {row.right:>10.4f} {money} {refused}")
    single = {name: gain(ways, "1 vote", "judged") for name, ways in table.items() if not SCENES[name].blind}
    voted = {name: gain(ways, "3 votes", "judged") for name, ways in table.items()}
    another = {name: gain(ways, "3 votes", "judged by another") for name, ways in table.items() if SCENES[name].blind}
    holds = min(single.values()) >= LEAST_GAIN and min(another.values()) >= LEAST_GAIN_OF_ANOTHER
    print(f"of single labels the judge mends {single}, after three votes {voted}; another model's {another}")
    print(f"at least {LEAST_GAIN} and {LEAST_GAIN_OF_ANOTHER}: {'holds' if holds else 'DOES NOT HOLD'}")
    gains = {"single": single, "voted": voted, "another": another}
    figures = {world: {way: asdict(row) for way, row in ways.items()} for world, ways in table.items()}
    print(json.dumps({"benchmark": "judge", "seeds": SEEDS, "rows": ROWS, "holds": holds, "gains": gains} | figures))


def gain(ways: Mapping[str, Measured], before: str, judge: str) -> float:
    return round(ways[f"{before}, {judge}"].right - ways[before].right, 4)


def measure(scene: Scene, way: Way) -> Measured:
    spec = parse(read_prompt(Path(str(files("agents.demo") / scene.prompt / "prompt.md"))))
    runs = [virtual_time.run(make(spec, scene, way, seed=seed)) for seed in SEEDS]
    return Measured(**means(runs))


async def make(spec: Spec, scene: Scene, way: Way, *, seed: int) -> Measured:
    vices = replace(USUAL_VICES, blind=scene.blind)
    teacher = Simulated(scene.make(seed, vices=vices), SystemClock())
    others = Simulated(scene.make(seed + len(SEEDS), vices=vices), SystemClock())
    by_tag = {"judge": others} if way.judge == "judged by another" else {}
    async with Engine(teacher, by_tag=by_tag, budget=Budget(usd=100), seed=seed) as engine:
        judge = await calibrate(engine, spec, (), seed=seed) if way.judge else None
        settings = Settings(examples=ROWS, votes=way.votes, seed=seed)
        made = await synthesize(engine, spec, settings=settings, events=Events(), judge=usable(judge))
        kept = [is_right(engine, spec, row) for row in made.examples]
        refused = [is_right(engine, spec, row) for row in made.rejects if row.reason == "judge"]
        usd = engine.statistics().cost_usd
    return measured(made, kept, refused, usd=usd, calibration=judge.calibration if judge else None)


def is_right(engine: Engine, spec: Spec, row: Example | Reject) -> bool:
    assert engine.world is not None, "a simulated model has a world"
    return truth_of(engine.world, spec, row.input) == row.output


def measured(
    made: Synthesis, right: Sequence[bool], refused: Sequence[bool], *, usd: float, calibration: Calibration | None
) -> Measured:
    return Measured(
        right=sum(right) / len(right),
        rows_a_dollar=len(right) / usd,
        right_rows_a_dollar=sum(right) / usd,
        refused=len(refused) / (len(made.examples) + len(refused)),
        refused_wrong=1 - sum(refused) / len(refused) if refused else 0.0,
        calibration_usd=calibration.cost_usd if calibration else 0.0,
        is_used=float(calibration is not None and calibration.is_used),
    )


if __name__ == "__main__":
    main()
