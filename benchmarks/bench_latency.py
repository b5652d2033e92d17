"""Claim: where replies take a second, log-normally, a thousand in flight take at most 1.1 x what bare aiohttp takes.

Two regimes. In the first nobody waits for the processor: the wall is the replies' own time, and whoever adds to it has
a line of its own somewhere. Everything is on (limits, budget, intents and replies fsynced, retries, events); beside it
bare aiohttp and the openai SDK, both behind a semaphore. How long a reply takes is drawn from its question, so that all
clients wait for the very same replies; the ideal is what a thousand hands would need that take the next at once.

In the second regime a few replies hang for half a minute: the engine that sends another attempt beside those (`hedge`)
and the one that does not. The claim is that it ends in at most two thirds of the time, and that the provider's bill
grows by at most a twentieth.

The fake provider is a process of its own, and so is each client. They take turns, so that a busy moment of the machine
meets all alike; medians are compared, and the spread stands beside.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.apart import ask, provider
from benchmarks.chance import log_normal
from benchmarks.rivals import KEY, MAX_TOKENS, TEXT, WORDS, Took, everything_on
from engine import Request, Statistics
from engine.fakes.faults import FaultRates
from engine.fakes.worlds import EchoWorld
from engine.messages import Message
from engine.prices import PICO_PER_USD
from engine.providers.simulated import Answer

REQUESTS = 5_000
IN_FLIGHT = 1_000
REPEATS = 5
RUNS_OF_THE_SDK = 2  # it takes three times as long
CLIENTS = ("aiohttp", "smelt", "openai")

MEDIAN_S, SIGMA = 1.0, 0.5  # half of the replies take more than a second, one in a hundred more than 3.2
CLAIM = 1.1

HANGING, HANGS_S = 0.02, 30.0
HEDGED_REQUESTS, HEDGED_IN_FLIGHT = 2_000, 200
MOST_OF_THE_TIME, MOST_OF_THE_BILL = 2 / 3, 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormal(EchoWorld):
    """An echo that takes as long as its question says: some questions are hard, whoever asks them."""

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:  # noqa: ARG002 - an echo depends on nothing else
        text = self.truth(messages)
        return Answer(text, latency_s=latency_s(text))


def latency_s(text: str) -> float:
    return log_normal(text, median=MEDIAN_S, sigma=SIGMA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Medians of one client, with the fastest and the slowest run."""

    wall_s: float
    fastest_s: float
    slowest_s: float
    cpu_ms_a_request: float
    times_aiohttp: float
    answered: int


def main() -> None:
    took: dict[str, list[Took]] = {client: [] for client in CLIENTS}
    for repeat in range(REPEATS):
        for client in CLIENTS:
            if client != "openai" or repeat < RUNS_OF_THE_SDK:
                took[client].append(run(client))
    bare = median(one.seconds for one in took["aiohttp"])
    figures = {client: figures_of(runs, bare=bare) for client, runs in took.items()}
    hanging = {hedge: hanging_figures(hedge=hedge) for hedge in (False, True)}
    is_fast = figures["smelt"].times_aiohttp <= CLAIM and figures["smelt"].answered == REQUESTS
    pays = hanging[True].wall_s <= MOST_OF_THE_TIME * hanging[False].wall_s
    pays = pays and hanging[True].billed_usd <= MOST_OF_THE_BILL * hanging[False].billed_usd
    best = ideal_s()
    print(f"{'client':<10} {'wall s':>8} {'range':>14} {'x aiohttp':>10} {'CPU ms':>8}")
    for client, row in figures.items():
        spread = f"{row.fastest_s:.2f}-{row.slowest_s:.2f}"
        print(f"{client:<10} {row.wall_s:>8.2f} {spread:>14} {row.times_aiohttp:>10.3f} {row.cpu_ms_a_request:>8.3f}")
    print(f"{'ideal':<10} {best:>8.2f}")
    print(f"at most {CLAIM} x bare aiohttp: {'holds' if is_fast else 'DOES NOT HOLD'}")
    for hedge, end in hanging.items():
        name = "hedging" if hedge else "waiting"
        print(
            f"{HANGING:.0%} hang for {HANGS_S:g} s, {name}: {end.wall_s:.1f} s, {end.hedged} more, {end.billed_usd} USD"
        )
    print(f"hedging ends sooner, for little: {'holds' if pays else 'DOES NOT HOLD'}")
    rows = {client: asdict(row) for client, row in figures.items()}
    found = {"holds": is_fast and pays, "ideal_s": round(best, 3), "clients": rows}
    hung = {"hedging" if hedge else "waiting": asdict(end) for hedge, end in hanging.items()}
    print(json.dumps({"benchmark": "latency", **found, "hanging": hung}))


def run(client: str) -> Took:
    """One run of a client, with a fake provider of its own."""
    with provider(LogNormal()) as fake:
        return ask(client, fake.url, requests=REQUESTS, in_flight=IN_FLIGHT)


def figures_of(runs: Sequence[Took], *, bare: float) -> Figures:
    walls = [one.seconds for one in runs]
    return Figures(
        wall_s=round(median(walls), 3),
        fastest_s=round(min(walls), 3),
        slowest_s=round(max(walls), 3),
        cpu_ms_a_request=round(median(1000 * one.cpu_seconds / one.requests for one in runs), 3),
        times_aiohttp=round(median(walls) / bare, 3),
        answered=min(one.answered for one in runs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hanging:
    """A run in which some replies hang. `billed_usd` is by the provider's books, the rest by the engine's."""

    wall_s: float
    hedged: int
    billed_usd: float
    spent_usd: float
    assumed_usd: float


def hanging_figures(*, hedge: bool) -> Hanging:
    with provider(LogNormal(), faults=FaultRates(stall=HANGING), stall_s=HANGS_S) as fake:
        began = time.perf_counter()
        statistics = asyncio.run(ask_all(fake.url, hedge=hedge))
        wall_s = time.perf_counter() - began
        billed = fake.audit()["billed_usd"]
    return Hanging(
        wall_s=round(wall_s, 2),
        hedged=statistics.hedged,
        billed_usd=round(billed, 4),
        spent_usd=round(statistics.spent / PICO_PER_USD, 4),
        assumed_usd=round(statistics.assumed / PICO_PER_USD, 4),
    )


async def ask_all(url: str, *, hedge: bool) -> Statistics:
    """How the engine stands when it is closed: what is out still is then charged at its bound."""
    rows = (Request.user(f"{i}: {WORDS}", max_tokens=MAX_TOKENS) for i in range(HEDGED_REQUESTS))
    told = {"base_url": url, "api_key": KEY, "hedge": hedge}
    async with everything_on("openai/echo", in_flight=HEDGED_IN_FLIGHT, **told) as engine:
        async for outcome in engine.map(rows, ordered=False):
            outcome.unwrap()
    return engine.statistics()


def ideal_s() -> float:
    """The wall without any client: each of the hands takes the next question when its last is answered."""
    hands = [0.0] * IN_FLIGHT
    for i in range(REQUESTS):
        heapq.heapreplace(hands, hands[0] + latency_s(f"{i}: {TEXT}"))
    return max(hands)


if __name__ == "__main__":
    main()
