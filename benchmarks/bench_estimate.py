"""Claim: the true cost, time and rows of a run lie in the 90 % interval that `smelt estimate` gives for them, each in
at least 85 of 100 runs, from a pilot of a dozen requests; and the middle of the interval of the cost is nearer to the
truth than the pilot carried on by a straight line.

The runs differ in world, seed, size, votes, price, limits, slots, and in whether a budget ends them: what each is like
is drawn from its number. A pilot is run and estimated from; the whole run with the same seed, in an engine of its own,
is the truth. All of it runs on a clock that does not wait, so no figure depends on the machine.

An interval that holds everything is worth nothing, so the widths are printed too: the interval as a part of its middle.
The rival is what one would do on the back of an envelope: dollars and seconds a row of the pilot, times the rows.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from random import Random

from agents.demo.countries.world import World as Countries
from agents.demo.dates.world import World as Dates
from agents.demo.intents.measured import World as Measured
from agents.demo.intents.world import World as Intents
from agents.demo.passages.world import World as Passages
from agents.estimating.duration import Gates
from agents.estimating.expected import Between, Expected, expected
from agents.estimating.forecast import foretell
from agents.estimating.heard import Answered, Listening, Tried, tried
from agents.estimating.policy import Policy, policy_of
from agents.making.groups import Brought
from agents.making.plan_file import plan_for
from agents.making.synthesis import Settings
from agents.making.synthesize import synthesize
from agents.parsing.parse import parse, read_prompt
from engine import Budget, Engine, Events, Limits, Price, SystemClock
from engine.fakes import virtual_time
from engine.providers.simulated import Simulated
from engine.providers.simulated import World as Teacher

RUNS = 100
FIRST = 2000  # the number of the first run: others were looked at while the forecast was written
REQUESTS = 12
LEAST = 85  # of RUNS
SMALLEST, LARGEST = 150, 1500  # rows
ENOUGH_USD = "1000"

WORLDS: Mapping[str, tuple[Callable[[int], Teacher], str]] = {
    "dates": (Dates, "dates"),
    "intents": (Intents, "intents"),
    "measured-intents": (Measured, "intents"),
    "countries": (Countries, "countries"),
    "passages": (Passages, "passages"),
}
PRICES = (("0.25", "2"), ("0.1", "0.4"), ("3", "15"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run, as its number draws it; `cap` is the part of a straight line's dollars that it may spend."""

    number: int
    world: str
    rows: int
    votes: int
    price: tuple[str, str]
    rpm: int | None
    slots: int | None
    cap: float | None

    @classmethod
    def drawn(cls, number: int) -> Job:
        draw = Random(number)
        return cls(
            number=number,
            world=draw.choice(list(WORLDS)),
            rows=round(SMALLEST * (LARGEST / SMALLEST) ** draw.random()),
            votes=draw.choice((1, 3, 3, 5)),
            price=draw.choice(PRICES),
            rpm=draw.choice((None, None, 300, 1000)),
            slots=draw.choice((None, None, 8, 32)),
            cap=draw.choice((None, None, draw.uniform(0.4, 0.9))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a run or its pilot: what was paid and how long it took, and what was heard of it."""

    usd: float
    seconds: float
    rows: int
    groups: tuple[Tried, ...]
    before: tuple[Answered, ...]
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An estimate beside the truth; `line` is what a straight line has for the same."""

    job: Job
    estimate: Expected
    true: Ran
    line_usd: float
    line_seconds: float

    def of(self, what: str) -> tuple[Between, float]:
        return getattr(self.estimate, what), float(getattr(self.true, what))

    def holds(self, what: str) -> bool:
        told, true = self.of(what)
        return told.low * (1 - 1e-9) <= true <= told.high * (1 + 1e-9)

    def width(self, what: str) -> float:
        told, _ = self.of(what)
        return (told.high - told.low) / told.middle

    def error(self, what: str) -> float:
        told, true = self.of(what)
        return told.middle / true - 1


async def carried_out(job: Job, *, most_groups: int | None, usd: str) -> Ran:
    """The run of a job, or the first groups of it."""
    make, prompt = WORLDS[job.world]
    spec = parse(read_prompt(Path(str(files("agents.demo") / prompt)) / "prompt.md"))
    clock, heard = SystemClock(), list[Brought]()
    price = Price(input=job.price[0], output=job.price[1])
    async with Engine(
        Simulated(make(job.number), clock),
        budget=Budget(usd=usd),
        price=price,
        limits=Limits(rpm=job.rpm),
        concurrency=job.slots,
        seed=job.number,
    ) as engine:
        listening = Listening(engine, clock)
        with tempfile.TemporaryDirectory() as folder:
            plan = await plan_for(listening, spec, Path(folder) / "plan.json")
        settings = Settings(
            examples=job.rows, axes=plan.axes, shares=plan.shares, hard=plan.hard, votes=job.votes, seed=job.number
        ).within(engine.capabilities_of("generate"))
        begun = clock.monotonic()
        synthesis = await synthesize(
            listening,
            spec,
            settings=settings,
            events=Events(),
            purse=engine,
            most_groups=most_groups,
            heard=heard.append,
        )
        return Ran(
            usd=engine.statistics().cost_usd,
            seconds=clock.monotonic() - begun,
            rows=len(synthesis.examples),
            groups=tried(heard, synthesis, listening),
            before=tuple(listening.others),
            policy=policy_of(spec, settings),
        )


def told_of(job: Job) -> Told:
    """The estimate of a run beside what it came to."""
    pilot = virtual_time.run(carried_out(job, most_groups=REQUESTS, usd=ENOUGH_USD))
    line = pilot.usd / pilot.rows * job.rows
    cap = None if job.cap is None else round(Decimal(max(job.cap * line, 1.5 * pilot.usd)), 6)
    calls = [call for group in pilot.groups for call in group.calls]
    gates = Gates(
        limits=Limits(rpm=job.rpm), at_once=job.slots, latency_s=sum(call.latency_s for call in calls) / len(calls)
    )
    paths = foretell(pilot.groups, pilot.policy, before=pilot.before, seed=job.number)
    estimate = expected(
        paths, pilot.policy, gates, cap_usd=None if cap is None else float(cap), seed=job.number, least_usd=pilot.usd
    )
    true = virtual_time.run(carried_out(job, most_groups=None, usd=ENOUGH_USD if cap is None else str(cap)))
    return Told(
        job=job,
        estimate=estimate,
        true=true,
        line_usd=line if cap is None else min(line, float(cap)),
        line_seconds=pilot.seconds / pilot.rows * true.rows,
    )


def main() -> None:
    chosen = [int(word) for word in sys.argv[1:]]  # how many, and the first: for a look
    runs, first = (*chosen, *(RUNS, FIRST)[len(chosen) :])
    told = []
    for number in range(first, first + runs):
        told.append(told_of(Job.drawn(number)))
        print(line_of(told[-1]), file=sys.stderr, flush=True)  # it takes minutes: show that it moves
    print(f"{'':<8} {'held':>9} {'width':>7} {'widest':>7} {'error':>7} {'line':>7}")
    figures = {what: figures_of(told, what) for what in ("usd", "seconds", "rows")}
    for what, row in figures.items():
        print(
            f"{what:<8} {row['held']:>5} / {runs:<3} {row['width']:>5.0%} {row['widest']:>7.0%} {row['error']:>7.1%} "
            f"{row['line']:>7.1%}"
        )
    holds = all(row["held"] >= LEAST / RUNS * runs for row in figures.values())
    nearer = figures["usd"]["error"] < figures["usd"]["line"]
    print(f"each held in at least {LEAST} of 100: {'holds' if holds else 'DOES NOT HOLD'}")
    print(f"the middle is nearer than a line: {'holds' if nearer else 'DOES NOT HOLD'}")
    print(json.dumps({"benchmark": "estimate", "runs": runs, "first": first, "holds": holds and nearer, **figures}))


def figures_of(told: Sequence[Told], what: str) -> dict[str, float]:
    """How often the truth was held, how wide intervals are (the middle one; nine in ten are narrower), how far off."""
    widths = sorted(each.width(what) for each in told)
    return {
        "held": sum(each.holds(what) for each in told),
        "width": statistics.median(widths),
        "widest": widths[int(0.9 * (len(widths) - 1))],
        "error": statistics.median(abs(each.error(what)) for each in told),
        "line": statistics.median(abs(by_line(each, what) - 1) for each in told),
    }


def by_line(told: Told, what: str) -> float:
    """What a straight line through the pilot has, as a part of the truth."""
    if what == "usd":
        return told.line_usd / told.true.usd
    if what == "seconds":
        return told.line_seconds / told.true.seconds
    wanted = told.job.rows if told.job.cap is None else told.job.rows * min(1.0, told.job.cap)
    return wanted / max(1, told.true.rows)


def line_of(told: Told) -> str:
    job = told.job
    cells = []
    for what in ("usd", "seconds", "rows"):
        each, true = told.of(what)
        mark = "" if told.holds(what) else " MISSED"
        cells.append(f"{what} {true:.4g} in {each.low:.4g} .. {each.middle:.4g} .. {each.high:.4g}{mark}")
    cap = "" if job.cap is None else f" cap {job.cap:.2f}"
    return f"{job.number} {job.world} {job.rows} v{job.votes} rpm {job.rpm} slots {job.slots}{cap}: {'; '.join(cells)}"


if __name__ == "__main__":
    main()
