"""Claim: whatever happens, a cap is never passed, at least 97 % of it can be used, and nothing hangs.

A thousand random schedules: prices, sizes, latencies, up to 500 in flight, retries, lost and unreadable answers, absurd
usages, cancellations, hedging, parts of the budget for stages, stages that must be left some. The provider's own books
are the judge. Most play on a virtual clock in this process; in some the process is killed with SIGKILL and resumed, up
to three times, under caps that may rise; some go over real HTTP.

Beside it the two things that people write by hand: spend while the sum is below the cap, and spend while the sum and a
usual call fit below it.
"""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path
from random import Random
from statistics import median
from threading import Timer

from benchmarks.apart import provider
from benchmarks.overspenders import overspent
from benchmarks.schedules import STAGES, Biller, Books, Schedule, drawn
from engine import Budget, BudgetReached, Engine, Request, SmeltError, Usage
from engine.fakes import virtual_time
from engine.fakes.faults import FaultRates
from engine.fakes.virtual_time import DeadlockError
from engine.fakes.worlds import EchoWorld
from engine.journal import peek
from engine.prices import PICO_PER_USD

VIRTUAL, KILLED, OVER_HTTP = 880, 108, 12  # schedules
RIVALS_PLAY = 200  # of the virtual ones
MANY = 200
AT_ONCE = 2  # processes
CLAIM = 0.97
PATIENCE_S = 60.0  # for a life in real time


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a schedule ended. Amounts are pico-dollars; `attainable` is what could have been spent, None if unknown."""

    name: str
    cap: int
    billed: int
    charged: int
    attainable: int | None
    high_water: int
    attempts: int
    overshoot: int  # of the cap or of a stage's share, in any life, by the provider's books
    unknown: int  # billed and not in our ledger
    hung: bool

    @property
    def used(self) -> float | None:
        return None if not self.attainable else self.charged / self.attainable

    @property
    def holds(self) -> bool:
        is_used = self.used is None or self.used >= CLAIM
        return not self.overshoot and not self.unknown and not self.hung and is_used


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a life that came to its end has to tell: what stages were charged, and which were refused money."""

    charged: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    high_water: int = 0
    attempts: int = 0


# -- on a virtual clock


def play(seed: int, *, hedge: bool | None = None) -> Played:
    """A schedule that is not interrupted; with second attempts as it says, unless told otherwise."""
    schedule, books, told = drawn(seed), Books(), None
    if hedge is not None:
        schedule = replace(schedule, hedge=hedge)
    with suppress(DeadlockError):
        told = virtual_time.run(_life(schedule, books))
    return judged(f"virtual {seed}", schedule, books, told)


async def _life(schedule: Schedule, books: Books, life: int = 0, *, journal: Path | None = None) -> Told:
    """Ask everything, and tell."""
    biller = Biller(schedule, books, life=life)
    async with Engine(
        biller,
        budget=schedule.budget(life),
        concurrency=schedule.in_flight if schedule.fixed else None,
        journal=journal,
        hedge=schedule.hedge,
        attempt_timeout_s=schedule.timeout_s,
        seed=schedule.seed,
    ) as engine:
        refused = await ask_all(engine, schedule, life)
    figures = engine.statistics()
    assert figures.reserved == figures.in_flight == figures.waiting == 0
    assert figures.spent + figures.assumed <= schedule.caps[life]
    return Told(
        charged={tag: each.cost for tag, each in figures.by_tag.items()},
        refused=sorted(refused),
        high_water=biller.high_water,
        attempts=biller.attempts,
    )


async def ask_all(engine: Engine, schedule: Schedule, life: int) -> set[str]:
    """The stages that were refused money."""
    chance = Random(f"{schedule.seed}/{life}/asking")
    loop = asyncio.get_running_loop()
    refused: set[str] = set()

    async def ask(request: Request, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        try:
            await engine.ask(request)
        except BudgetReached:
            refused.add(request.tag)
        except SmeltError:
            pass  # one bad row

    tasks = []
    for request in schedule.requests():
        delay_s = chance.uniform(0, schedule.arrival_s)
        task = loop.create_task(ask(request, delay_s))
        tasks.append(task)
        if chance.random() < schedule.cancelled:
            loop.call_later(delay_s + chance.expovariate(1 / (3 * schedule.latency_s)), task.cancel)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    if bugs := [end for end in ends if isinstance(end, Exception)]:
        raise bugs[0]
    return refused


def judged(name: str, schedule: Schedule, books: Books, told: Told | None, *, overshot_before: int = 0) -> Played:
    """The last life, by the provider's books; one that hung has told nothing."""
    hung, told = told is None, told or Told()
    budget = schedule.budget(-1)
    billed = {stage: books.billed(stage) for stage in STAGES}
    shares = budget.shares({})
    over = [max(0, sum(billed.values()) - budget.cap), overshot_before]
    over += [max(0, billed[stage] - share.at_most) for stage, share in shares.items() if share.at_most is not None]
    return Played(
        name=name,
        cap=budget.cap,
        billed=sum(billed.values()),
        charged=sum(told.charged.values()),
        attainable=attainable(schedule, budget, told.refused),
        high_water=told.high_water,
        attempts=told.attempts,
        overshoot=max(over),
        unknown=sum(max(0, billed[stage] - told.charged.get(stage, 0)) for stage in STAGES),
        hung=hung,
    )


def attainable(schedule: Schedule, budget: Budget, refused: Sequence[str]) -> int | None:
    """What could have been spent, where all stages were left with work that they had no money for."""
    stages = {kind.stage for kind in schedule.kinds}
    if set(refused) != stages:
        return None
    shares = budget.shares({})
    limits = [shares[stage].at_most if stage in shares else None for stage in stages]
    return budget.cap if None in limits else min(budget.cap, sum(limit for limit in limits if limit is not None))


# -- killed and resumed


def play_killed(seed: int) -> Played:
    """A schedule in real time whose process is killed, up to three times, and begun again in its journal."""
    chance = Random(f"{seed}/kills")
    schedule = drawn(seed, crashes=chance.choice([1, 2, 3]))
    last = len(schedule.caps) - 1
    books = Books(memoryview(mmap.mmap(-1, 8 * len(STAGES))).cast("q"))  # it outlives who writes it
    overshoot, told = 0, None
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.db"
        for life, cap in enumerate(schedule.caps):
            seconds = PATIENCE_S if life == last else 0.02 + chance.expovariate(1 / 0.15)
            told = _lived(schedule, books, life, journal, seconds=seconds)
            overshoot = max(overshoot, sum(map(books.billed, STAGES)) - cap)
        totals = peek(journal).by_tag
    if told is not None:  # of its own life alone
        told = replace(told, charged={tag: each.spent + each.assumed for tag, each in totals.items()})
    return judged(f"killed {seed}", schedule, books, told, overshot_before=overshoot)


def _lived(schedule: Schedule, books: Books, life: int, journal: Path, *, seconds: float) -> Told | None:
    """One life in a process of its own, killed after so many seconds; what it had to tell, if it came to its end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):  # whatever ends this life, it ends here: the parent sees that nothing was told
            os.write(writing, json.dumps(asdict(asyncio.run(_life(schedule, books, life, journal=journal)))).encode())
        os._exit(0)
    os.close(writing)
    alarm = Timer(seconds, os.kill, (child, signal.SIGKILL))
    alarm.start()
    told = os.read(reading, 65536)  # returns when it has told, or is dead
    alarm.cancel()
    alarm.join()
    os.waitpid(child, 0)
    os.close(reading)
    return Told(**json.loads(told)) if told else None


# -- over HTTP


def play_over_http(seed: int) -> Played:
    """Real sockets, and faults on the wire, in either dialect."""
    chance = Random(f"{seed}/http")
    price = EchoWorld().price
    texts = [f"row {i} ".ljust(chance.choice([40, 400]), "x") for i in range(900)]
    requests = [Request.user(text, max_tokens=len(text)) for text in texts]
    costs = [price.cost(Usage(len(text) // 4, len(text) // 4)) for text in texts]
    cap = sum(costs) * 2 // 3
    faults = FaultRates(error=0.03, reset=0.02, stall=0.01, truncated=0.02, garbled=0.01)
    refused: list[BudgetReached] = []

    async def ask(url: str) -> int:
        async with Engine(
            f"{chance.choice(['openai', 'anthropic'])}/echo",
            base_url=url,
            api_key="no-key",
            price=price,
            budget=Budget(Decimal(cap) / PICO_PER_USD),
            concurrency=chance.choice([20, 100, 200]),
            attempt_timeout_s=1.0,
            seed=seed,
        ) as engine:
            ends = [outcome.error async for outcome in engine.map(requests, ordered=False)]
            refused.extend(end for end in ends if isinstance(end, BudgetReached))
            figures = engine.statistics()
            return figures.spent + figures.assumed

    with provider(faults=faults, latency_s=0.05, stall_s=2.0, seed=seed) as fake:
        charged = asyncio.run(ask(fake.url))
        audit = fake.audit()
    billed: int = audit["billed_pico_usd"]
    return Played(
        name=f"over HTTP {seed}",
        cap=cap,
        billed=billed,
        charged=charged,
        attainable=cap if refused else None,
        high_water=audit["in_flight_high_water"],
        attempts=audit["requests"],
        overshoot=max(0, billed - cap),
        unknown=max(0, billed - charged),
        hung=False,
    )


# -- all together


def main() -> None:
    began = time.perf_counter()
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        played = {
            "virtual clock": list(pool.map(play, range(VIRTUAL), chunksize=20)),
            "killed and resumed": list(pool.map(play_killed, range(KILLED), chunksize=5)),
            "over HTTP": list(pool.map(play_over_http, range(OVER_HTTP))),
        }
        by_hand = list(pool.map(overspent, range(RIVALS_PLAY), chunksize=10))
    names = f"{'schedules':>9} {'overshot':>9} {'least used':>10} {'median':>7} {'most in flight':>14} {'hung':>5}"
    print(f"{'':<20} {names}")
    figures = {kind: figures_of(rows) for kind, rows in played.items()}
    for kind, row in figures.items():
        print(
            f"{kind:<20} {row.schedules:>9} {row.overshot:>9} {row.least_used:>10.1%} {row.median_used:>7.1%} "
            f"{row.most_in_flight:>14} {row.hung:>5}"
        )
    many = [each for seed, each in enumerate(by_hand) if drawn(seed).in_flight >= MANY]
    hands = {
        f"{way}{among}": overshoots([each[way] for each in some])
        for way in by_hand[0]
        for among, some in (("", by_hand), (f", {MANY} in flight and more", many))
    }
    for way, hand in hands.items():
        told = (
            f"{hand.share:.0%} of {hand.schedules} overspent, by {hand.median:.1%} (median), {hand.worst:.1%} (worst)"
        )
        print(f"by hand, {way}: {told}")
    broken = [row.name for rows in played.values() for row in rows if not row.holds]
    print(
        f"overshoot 0, {CLAIM:.0%} used, nothing hung: {'DOES NOT HOLD: ' + ', '.join(broken) if broken else 'holds'}"
    )
    print(
        json.dumps(
            {
                "benchmark": "budget",
                "holds": not broken,
                "seconds": round(time.perf_counter() - began, 1),
                "schedules": {kind: asdict(row) for kind, row in figures.items()},
                "by_hand": {way: asdict(hand) for way, hand in hands.items()},
            }
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one kind of schedules. `overshot` counts those whose cap, or a stage's, was passed."""

    schedules: int
    overshot: int
    unknown: int
    hung: int
    with_work_left: int
    least_used: float
    median_used: float
    most_in_flight: int
    attempts: int


def figures_of(rows: Sequence[Played]) -> Figures:
    used = [row.used for row in rows if row.used is not None]
    return Figures(
        schedules=len(rows),
        overshot=sum(row.overshoot > 0 for row in rows),
        unknown=sum(row.unknown > 0 for row in rows),
        hung=sum(row.hung for row in rows),
        with_work_left=len(used),
        least_used=round(min(used), 4),
        median_used=round(median(used), 4),
        most_in_flight=max(row.high_water for row in rows),
        attempts=sum(row.attempts for row in rows),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overshoots:
    """As parts of the cap."""

    schedules: int
    share: float  # of these that were overspent at all
    median: float
    worst: float


def overshoots(shares: Sequence[float]) -> Overshoots:
    return Overshoots(
        schedules=len(shares),
        share=round(sum(share > 0 for share in shares) / len(shares), 3),
        median=round(median(shares), 4),
        worst=round(max(shares), 4),
    )


if __name__ == "__main__":
    main()
