"""Claim: a million requests take no more memory than ten thousand, and the last of them no longer than the first.

`engine.map` with everything on: limits, budget, intents and replies fsynced into a journal on disk, retries, events, a
thousand in flight. Two regimes. The long one answers in this process: a million over HTTP would mostly measure the
fake provider, and take longer than anybody waits. The short one goes over HTTP to the fake provider in a process of
its own, so that the wire is looked at too. Beside it the plainest thing that works, `asyncio.gather` over all requests
behind a semaphore, to the provider in this process, with nothing on and nothing written down.

Each size runs in a process of its own; what counts is how far the peak of its resident memory rises from the smallest.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import median

from benchmarks.apart import apart, provider
from benchmarks.rivals import KEY, everything_on
from engine import Request
from engine.clock import SystemClock
from engine.fakes.worlds import EchoWorld
from engine.providers.simulated import Simulated

SIZES = (10_000, 100_000, 1_000_000)
SIZES_OVER_HTTP = (10_000, 100_000)
IN_FLIGHT = 1_000
MAX_TOKENS = 200
WORDS = "the quick brown fox jumps over the lazy dog and runs on to the river " * 6
LATENCY_S = 0.05
LAP = 100_000  # rows over which a row's time is taken; of the processor, which other work does not take from it

CLAIM_MB = 50.0
MOST_SLOWER = 1.25  # the last lap against the middle one


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run; `laps` are the CPU seconds that each hundred thousand rows took, one after the other."""

    asked: str
    requests: int
    answered: int
    peak_mb: float
    seconds: float
    laps: tuple[float, ...]


@dataclass(slots=True)
class Laps:
    """Counts what was answered, and looks at the clock now and then."""

    answered: int = 0
    began: float = field(default_factory=time.perf_counter)
    moments: list[float] = field(default_factory=lambda: [time.process_time()])

    def count(self) -> None:
        self.answered += 1
        if self.answered % LAP == 0:
            self.moments.append(time.process_time())

    def run(self, asked: str, requests: int) -> Run:
        return Run(
            asked=asked,
            requests=requests,
            answered=self.answered,
            peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            seconds=round(time.perf_counter() - self.began, 2),
            laps=tuple(round(after - before, 2) for before, after in pairwise(self.moments)),
        )


def main() -> None:
    groups = {
        "smelt": [measured("smelt", size) for size in SIZES],
        "smelt over HTTP": [measured("smelt over HTTP", size) for size in SIZES_OVER_HTTP],
        "asyncio.gather": [measured("asyncio.gather", size) for size in SIZES],
    }
    growth = {name: round(runs[-1].peak_mb - runs[0].peak_mb, 1) for name, runs in groups.items()}
    laps = groups["smelt"][-1].laps
    slower = laps[-1] / median(laps)
    runs = [run for group in groups.values() for run in group]
    grows = max(growth["smelt"], growth["smelt over HTTP"]) >= CLAIM_MB
    holds = not grows and slower <= MOST_SLOWER and all(run.answered == run.requests for run in runs)
    print("growth of the peak: " + ", ".join(f"{name} {more:+.1f} MB" for name, more in growth.items()))
    print(f"CPU seconds for each {LAP:,} of {SIZES[-1]:,} rows: {', '.join(f'{lap:.1f}' for lap in laps)}")
    print(f"under {CLAIM_MB:g} MB, and no slower at the end: {'holds' if holds else 'DOES NOT HOLD'}")
    figures = {"growth_mb": growth, "slower": round(slower, 3), "runs": [asdict(run) for run in runs]}
    print(json.dumps({"benchmark": "memory", "holds": holds, **figures}))


def measured(asked: str, requests: int) -> Run:
    run = apart(ask_all, asked, requests)
    row_us = 1e6 * run.seconds / run.requests
    print(
        f"{asked:<16} {requests:>9,} {run.peak_mb:>8.1f} MB {run.seconds:>7.1f} s {row_us:>6.0f} us a row", flush=True
    )
    return run


def ask_all(asked: str, requests: int) -> Run:
    if asked == "smelt over HTTP":
        with provider(latency_s=LATENCY_S) as fake:
            return asyncio.run(by_map(asked, requests, url=fake.url))
    return asyncio.run((by_map if asked == "smelt" else by_gather)(asked, requests))


def rows(count: int) -> Iterator[Request]:
    return (Request.user(f"{i}: {WORDS}", max_tokens=MAX_TOKENS) for i in range(count))


async def by_map(asked: str, requests: int, *, url: str | None = None) -> Run:
    over_http = {} if url is None else {"base_url": url, "api_key": KEY}
    model = "openai/echo" if over_http else Simulated(EchoWorld(latency_s=LATENCY_S), SystemClock())
    async with everything_on(model, in_flight=IN_FLIGHT, **over_http) as engine:
        laps = Laps()
        async for outcome in engine.map(rows(requests)):
            outcome.unwrap()
            laps.count()
    return laps.run(asked, requests)


async def by_gather(asked: str, requests: int) -> Run:
    echo, slots, laps = Simulated(EchoWorld(latency_s=LATENCY_S), SystemClock()), asyncio.Semaphore(IN_FLIGHT), Laps()

    async def ask(request: Request) -> str:
        async with slots:
            raw = await echo.send(request, timeout_s=60.0)
        laps.count()
        return echo.read(request, raw).texts[0]

    texts = await asyncio.gather(*(ask(request) for request in rows(requests)))
    assert len(texts) == requests
    return laps.run(asked, requests)


if __name__ == "__main__":
    main()
