"""Claim: where the latency of the provider binds, twice the workers ask twice as much; dividing limits costs nothing.

A Ray of this machine's own, the fake provider in a process of its own. Three regimes:

scaling   so many in flight a worker, and replies that take two seconds: requests a second of 1, 2 and 4 workers
          against as many times those of one (at least 0.9), and against one engine with as many in flight.
busy      replies that take hardly any time, so that the processor binds: the coordinator, Ray's own part of its process
          and all, takes at most 2 % of what driver, workers and coordinator take together.
limit     6,000 requests a minute are told, and held by the provider: 4 workers use at least 97 % of them, by its books,
          with at most 0.1 % refused.

Rates are of the middle nine tenths. A call to the coordinator is timed on its own, for `sim_scale`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.apart import Fake, provider
from engine import FREE, Engine, Limits, Request
from engine.cluster import HERE, connected
from engine.fakes.limits import RateLimits
from engine.fleet.fleet import Fleet
from engine.fleet.on_ray import OnRay

WORKERS = (1, 2, 4)
IN_FLIGHT = 32  # a worker
LATENCY_S, SECONDS = 2.0, 20.0
BUSY_LATENCY_S, BUSY_REQUESTS = 0.02, 6_000
RPM, LIMIT_SECONDS = 6_000, 40.0
CALLS, APART_S = 300, 0.007  # as of a thousand workers, together
LEAST_SCALING, MOST_COORDINATION, LEAST_SHARE, MOST_REFUSED = 0.9, 0.02, 0.97, 0.001
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Took:
    """What asking took: the processor seconds are of the driver, of all workers and of the coordinator."""

    workers: int
    requests: int
    per_second: float
    scaling: float
    one_engine: float
    driver_ms: float  # a request
    workers_ms: float


def requests(count: int, run: str) -> list[Request]:
    return [Request.user(f"{run} {i}: how are you today?", max_tokens=40) for i in range(count)]


def fleet_at(fake: Fake, folder: Path, *, workers: int, **terms: Any) -> tuple[Fleet, OnRay]:
    hiring = OnRay(workers=workers)
    fleet = Fleet(
        "openai/echo", base_url=fake.url, api_key="nobody's", price=FREE, hiring=hiring, journal=folder / "journal.db",
        **terms,
    )  # fmt: skip
    return fleet, hiring


async def answered(engine: Engine, asked: Sequence[Request]) -> list[float]:
    """When each answer came."""
    moments = []
    async for outcome in engine.map(asked, ordered=False):
        outcome.unwrap()
        moments.append(time.monotonic())
    return moments


def rate(moments: Sequence[float]) -> float:
    """A second, over the middle nine tenths."""
    first, last = len(moments) // 20, len(moments) - 1 - len(moments) // 20
    return (last - first) / (moments[last] - moments[first])


def cpu_s(process: int) -> float:
    """Seconds that a process has run so far, with all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


async def all_ready(fleet: Fleet, workers: int) -> list[int]:
    """The processes of all workers, once they are there."""
    while len(there := fleet.statistics().workers) < workers:  # noqa: ASYNC110 - nobody tells a benchmark
        await asyncio.sleep(0.1)
    return [int(each.node.rpartition(" ")[2].rstrip(")")) for each in there]


async def scaled(fake: Fake, folder: Path, *, workers: int, count: int) -> tuple[list[float], dict[str, float]]:
    fleet, hiring = fleet_at(fake, folder, workers=workers, concurrency=workers * IN_FLIGHT)
    async with fleet:
        processes = await all_ready(fleet, workers)
        await answered(fleet, requests(2 * workers * IN_FLIGHT, f"warm {workers}"))
        coordinator = await hiring.coordinator_process()
        parts = {"driver": [os.getpid()], "workers": processes, "coordinator": [coordinator]}
        before = {name: sum(map(cpu_s, them)) for name, them in parts.items()}
        moments = await answered(fleet, requests(count, f"fleet of {workers}"))
        return moments, {name: sum(map(cpu_s, them)) - before[name] for name, them in parts.items()}


async def alone(fake: Fake, folder: Path, *, in_flight: int) -> list[float]:
    count = int(in_flight / LATENCY_S * SECONDS / 2)
    path = folder / "one.db"
    async with Engine(
        "openai/echo", base_url=fake.url, api_key="nobody's", price=FREE, journal=path, concurrency=in_flight
    ) as engine:
        return await answered(engine, requests(count, f"alone {in_flight}"))


def scaling(folder: Path) -> list[Took]:
    found: list[Took] = []
    with provider(latency_s=LATENCY_S) as fake:
        for workers in WORKERS:
            place = folder / f"scaling-{workers}"
            place.mkdir()
            count = int(workers * IN_FLIGHT / LATENCY_S * SECONDS)
            moments, cpu = asyncio.run(scaled(fake, place, workers=workers, count=count))
            one = rate(asyncio.run(alone(fake, place, in_flight=workers * IN_FLIGHT)))
            mine = rate(moments)
            took = Took(
                workers=workers,
                requests=len(moments),
                per_second=mine,
                scaling=mine / workers / (found[0].per_second if found else mine),
                one_engine=one,
                driver_ms=1e3 * cpu["driver"] / len(moments),
                workers_ms=1e3 * cpu["workers"] / len(moments),
            )
            found.append(took)
            print(
                f"{workers} workers: {mine:7.1f} requests/s, {took.scaling:.3f} of {workers} times one (one engine "
                f"{one:7.1f}); CPU a request: driver {took.driver_ms:.3f} ms, workers {took.workers_ms:.3f} ms",
                flush=True,
            )
    return found


def busy(folder: Path) -> dict[str, float]:
    """What four workers take of the processor, and the coordinator of that, where nothing else binds."""
    with provider(latency_s=BUSY_LATENCY_S) as fake:
        moments, cpu = asyncio.run(scaled(fake, folder, workers=WORKERS[-1], count=BUSY_REQUESTS))
    found = {
        "per_second": rate(moments),
        "coordination": cpu["coordinator"] / sum(cpu.values()),
        "of_a_processor": cpu["coordinator"] / (moments[-1] - moments[0]),
        **{f"{name}_ms": 1e3 * seconds / len(moments) for name, seconds in cpu.items()},
    }
    print(
        f"busy: {found['per_second']:.0f} requests/s; CPU a request: driver {found['driver_ms']:.3f} ms, workers "
        f"{found['workers_ms']:.3f} ms; coordinator {100 * found['coordination']:.2f} % of what all take, "
        f"{100 * found['of_a_processor']:.2f} % of a processor",
        flush=True,
    )
    return found


def limit(folder: Path) -> dict[str, dict[str, float]]:
    """The share of a limit that is used, and that of requests that were refused, by the provider's books."""
    return {"fleet": _limited(folder, workers=WORKERS[-1]), "one engine": _limited(folder, workers=0)}


def _limited(folder: Path, *, workers: int) -> dict[str, float]:
    who = f"{workers} workers" if workers else "one engine"
    with provider(latency_s=0.3, limits=RateLimits(rpm=RPM)) as fake:
        asyncio.run(_asked(fake, folder, workers))
        entries = [entry for entry in fake.audit(since=0)["entries"] if entry["path"].endswith("completions")]
    let_in = sorted(entry["at"] for entry in entries if entry["status"] == 200)
    found = {"share": rate(let_in) / (RPM / 60.0), "refused": 1 - len(let_in) / len(entries), "requests": len(entries)}
    print(f"{who}: {found['share']:.3f} of {RPM:,} a minute used, {100 * found['refused']:.3f} % refused", flush=True)
    return found


async def _asked(fake: Fake, folder: Path, workers: int) -> None:
    asked, limits = requests(int(RPM / 60.0 * LIMIT_SECONDS), "limit"), Limits(rpm=RPM)
    if workers:
        fleet, _ = fleet_at(fake, folder, workers=workers, limits=limits)
        async with fleet:
            await all_ready(fleet, workers)
            await answered(fleet, asked)
        return
    path = folder / "one.db"
    async with Engine(
        "openai/echo", base_url=fake.url, api_key="nobody's", price=FREE, journal=path, limits=limits
    ) as engine:
        await answered(engine, asked)


async def called(folder: Path) -> float:
    """Microseconds of processor that a report takes of the coordinator's process, its rest between them included."""
    with provider() as fake:
        fleet, hiring = fleet_at(fake, folder, workers=1)
        async with fleet:
            process = await hiring.coordinator_process()
            coordinator = hiring._coordinator  # noqa: SLF001 - what a worker calls
            before = cpu_s(process)
            for _ in range(CALLS):
                await coordinator.lend.remote("bench", (0.0,), (0.0,))
                await asyncio.sleep(APART_S)  # one right after the other would take half of it
            return 1e6 * (cpu_s(process) - before) / CALLS


def main() -> None:
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    parts = set(sys.argv[1:]) or {"scaling", "busy", "limit", "call"}
    told: dict[str, Any] = {"benchmark": "bench_ray"}
    holds = True
    with tempfile.TemporaryDirectory(prefix="smelt-ray-") as place, connected(HERE, cores=WORKERS[-1] + 1):
        folder = Path(place)
        if "call" in parts:
            told["us_a_call"] = asyncio.run(called(_made(folder / "call")))
            print(f"a report to the coordinator takes {told['us_a_call']:.0f} us of its process")
        if "scaling" in parts:
            took = scaling(folder)
            told["scaling"] = [asdict(each) for each in took]
            holds &= all(each.scaling >= LEAST_SCALING for each in took)
        if "busy" in parts:
            told["busy"] = busy(_made(folder / "busy"))
            holds &= told["busy"]["coordination"] <= MOST_COORDINATION
        if "limit" in parts:
            told["limit"] = limit(_made(folder / "limit"))
            fleet = told["limit"]["fleet"]
            holds &= fleet["share"] >= LEAST_SHARE and fleet["refused"] <= MOST_REFUSED
    print("the claim holds" if holds else "the claim does not hold")
    print(json.dumps({**told, "holds": holds}))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
