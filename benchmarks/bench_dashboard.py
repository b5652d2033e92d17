"""Claim: looking on costs at most 3 in 100 of the processor's time that a run takes.

The same calls are made with the live view on and off, in turn and in one process, since two processes that do the same
differ by more than what is looked for: an engine with limits, budget, journal and events. "On" is the painted screen
of a terminal of 120 x 40 that nobody reads, with the file for `smelt watch`. The simplest rival is a line with a count,
written over four times a second. Three regimes: "wire" is bound by the processor and asks the fake provider over HTTP,
as every other benchmark of the engine; "held" waits for a slow provider in the same process most of the time, so that
few pictures are a large part of the little that is done; "bare" asks one that answers at once for nothing at all, in a
third of the time that a call over HTTP takes, so that what is noted for each call weighs three times as much. (Of a
run that does less still than "held", one picture in 3 s may be more than 3 in 100: some 2 in 1,000 of a processor.)
The first calls are not counted: the first picture costs several of the others, once. Whoever begins a round is another
each time. Pairs are compared: each round has its own difference, and the median of these counts. A machine's speed
drifts by a tenth and more within seconds, so rounds are short and many; the interval says what is left of that.
"""

from __future__ import annotations

import asyncio
import gc
import io
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from scipy.stats import binom

from benchmarks.apart import provider
from engine import Budget, Capabilities, Engine, Limits, Price, Request, Usage
from engine.dashboard import Dashboard
from engine.events import Event, Events, ReplyReceived, RowAccepted, StageProgressed, StageStarted
from engine.messages import RawReply
from engine.providers import Reading

ROUNDS = {"wire": 80, "held": 30, "bare": 80}
CALLS = {"wire": 4_500, "held": 2_500, "bare": 10_500}
IN_FLIGHT = {"wire": 100, "held": 60, "bare": 100}
UNCOUNTED = 500
LATENCY_S = {"held": 0.1, "bare": 0.0}
LINE_EVERY_S = 0.25
CLAIM = 0.03
WAYS = ("off", "line", "on")


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of the processor and of the clock, for all calls that count."""

    cpu: float
    passed: float

    @classmethod
    def so_far(cls) -> Took:
        return cls(time.process_time(), time.monotonic())

    def since(self, began: Took) -> Took:
        return Took(self.cpu - began.cpu, self.passed - began.passed)


def main() -> None:
    with provider(latency_s=0.0) as fake:
        rounds = {regime: [a_round(regime, number, fake.url) for number in range(ROUNDS[regime])] for regime in CALLS}
    more = {regime: {way: figures(each, way) for way in WAYS[1:]} for regime, each in rounds.items()}
    holds = all(ways["on"]["median"] <= CLAIM for ways in more.values())
    print(f"{'':<6} {'':<5} {'more CPU':>9} {'95 % interval':>18} {'CPU ms a call, off':>19} {'busy, off':>10}")
    for regime, ways in more.items():
        off = 1_000 * statistics.median(one["off"].cpu for one in rounds[regime]) / (CALLS[regime] - UNCOUNTED)
        busy = statistics.median(one["off"].cpu / one["off"].passed for one in rounds[regime])
        for way, one in ways.items():
            spread = f"{one['low']:+.1%} to {one['high']:+.1%}"
            print(f"{regime:<6} {way:<5} {one['median']:>+9.1%} {spread:>18} {off:>19.3f} {busy:>10.0%}")
    print(f"at most {CLAIM:.0%}: {'holds' if holds else 'DOES NOT HOLD'}")
    print(json.dumps({"benchmark": "dashboard", "rounds": ROUNDS, "holds": holds, "more": more}))


def a_round(regime: str, number: int, url: str) -> dict[str, Took]:
    """Each way once; before the first round once more, so that everything is loaded."""
    first = number % len(WAYS)
    order = (*WAYS[first:], *WAYS[:first])
    return {way: one_way(regime, way, url) for way in (order if number else order * 2)}


def one_way(regime: str, way: str, url: str) -> Took:
    gc.collect()
    return asyncio.run(work(regime, way, url))


def figures(rounds: list[dict[str, Took]], way: str) -> dict[str, float]:
    """How much more, pair by pair; the interval of the median is that of its ranks, for any distribution."""
    more = sorted(one[way].cpu / one["off"].cpu - 1 for one in rounds)
    beside = int(binom.ppf(0.025, len(more), 0.5))
    return {"median": statistics.median(more), "low": more[beside - 1], "high": more[-beside]}


async def work(regime: str, way: str, url: str) -> Took:
    """What the calls alone take, without the first."""
    events = Events()
    questions = (Request.user(f"row {number}", max_tokens=64, tag="generate") for number in range(CALLS[regime]))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        journal = place / "journal.db"
        over_http: dict[str, Any] = {"base_url": url, "api_key": "nobody's", "price": Price(input=1, output=2)}
        async with Engine(
            "openai/fake" if regime == "wire" else Instant(LATENCY_S[regime]), budget=Budget(usd=100),
            limits=Limits(rpm=6_000_000), concurrency=IN_FLIGHT[regime], journal=journal, events=events,
            **(over_http if regime == "wire" else {}),
        ) as engine:  # fmt: skip
            with shown(way, events, engine, place=place):
                began = Took.so_far()
                events.emit(StageStarted("generate", CALLS[regime], "rows"))
                done = 0
                async for _ in engine.map(questions):
                    done += 1
                    if done == UNCOUNTED:
                        began = Took.so_far()
                    events.emit(RowAccepted(f"an input like many others {done}", "an answer"))
                    if done % 10 == 0:
                        events.emit(StageProgressed("generate", done, CALLS[regime], (("temperature", "0.9"),)))
                return Took.so_far().since(began)


@contextmanager
def shown(way: str, events: Events, engine: Engine, *, place: Path) -> Iterator[None]:
    """The run as it is shown: not at all, as a line with a count, or as users see it."""
    if way == "off":
        yield
        return
    if way == "line":
        yield from line(events)
        return
    console = Console(file=io.StringIO(), width=120, height=40, force_terminal=True, color_system="256")
    with Dashboard(
        events,
        title="bench",
        model="test/model",
        simulated=True,
        stages=("parse", "generate", "train"),
        statistics=engine.statistics,
        console=console,
        record=place / "live.json",
        within=asyncio.get_running_loop().call_soon_threadsafe,
    ):
        yield


def line(events: Events) -> Iterator[None]:
    """The simplest thing that could work: how many, four times a second at most."""
    out, counted, told_s = io.StringIO(), 0, 0.0

    def notice(event: Event) -> None:
        nonlocal counted, told_s
        if isinstance(event, ReplyReceived):
            counted += 1
            if (now := time.monotonic()) - told_s >= LINE_EVERY_S:
                told_s = now
                out.write(f"\r{counted} replies")

    unsubscribe = events.subscribe(notice)
    yield
    unsubscribe()


class Instant:
    """A provider in this process that answers after some time, for next to nothing."""

    name = "test/model"
    endpoint = "nowhere"
    simulated = True
    price = Price(input=1, output=2)
    capabilities = Capabilities()

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002  # as providers are asked
        await asyncio.sleep(self._latency_s)
        return RawReply(200, {}, b"an answer", self._latency_s)

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002  # the reply says it all
        return Reading((raw.body.decode(),), ("stop",), Usage(10, 5), "model-1")

    async def aclose(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    main()
