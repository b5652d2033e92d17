"""Claim: where replies take a second, log-normally, a thousand in flight take at most 1.1 x what bare aiohttp takes.

Here nobody waits for the processor: the wall is the replies' own time, and whoever adds to it has a line of its own
somewhere. Everything is on (limits, budget, intents and replies fsynced, retries, events); beside it bare aiohttp and
the openai SDK, both behind a semaphore. How long a reply takes is drawn from its question, so that all clients wait for
the very same replies; the ideal is what a thousand hands would need that take the next question at once.

The fake provider is a process of its own, and so is each client. They take turns, so that a busy moment of the machine
meets all alike; medians are compared, and the spread stands beside.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist, median

from benchmarks.apart import provider
from benchmarks.rivals import TEXT
from engine.fakes.worlds import EchoWorld
from engine.messages import Message
from engine.providers.simulated import Answer

REQUESTS = 5_000
IN_FLIGHT = 1_000
REPEATS = 5
RUNS_OF_THE_SDK = 2  # it takes three times as long
CLIENTS = ("aiohttp", "smelt", "openai")

MEDIAN_S, SIGMA = 1.0, 0.5  # half of the replies take more than a second, one in a hundred more than 3.2
CLAIM = 1.1

RIVALS = Path(__file__).with_name("rivals.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNormal(EchoWorld):
    """An echo that takes as long as its question says: some questions are hard, whoever asks them."""

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:  # noqa: ARG002 - an echo depends on nothing else
        text = self.truth(messages)
        return Answer(text, latency_s=latency_s(text))


def latency_s(text: str) -> float:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    share = (int.from_bytes(digest) + 0.5) / 2**64
    return MEDIAN_S * math.exp(SIGMA * NormalDist().inv_cdf(share))


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
    took: dict[str, list[dict[str, float]]] = {client: [] for client in CLIENTS}
    for repeat in range(REPEATS):
        for client in CLIENTS:
            if client != "openai" or repeat < RUNS_OF_THE_SDK:
                took[client].append(run(client))
    bare = median(one["seconds"] for one in took["aiohttp"])
    figures = {client: figures_of(runs, bare=bare) for client, runs in took.items()}
    holds = figures["smelt"].times_aiohttp <= CLAIM and figures["smelt"].answered == REQUESTS
    best = ideal_s()
    print(f"{'client':<10} {'wall s':>8} {'range':>14} {'x aiohttp':>10} {'CPU ms':>8}")
    for client, row in figures.items():
        spread = f"{row.fastest_s:.2f}-{row.slowest_s:.2f}"
        print(f"{client:<10} {row.wall_s:>8.2f} {spread:>14} {row.times_aiohttp:>10.3f} {row.cpu_ms_a_request:>8.3f}")
    print(f"{'ideal':<10} {best:>8.2f}")
    print(f"at most {CLAIM} x bare aiohttp: {'holds' if holds else 'DOES NOT HOLD'}")
    rows = {client: asdict(row) for client, row in figures.items()}
    print(json.dumps({"benchmark": "latency", "holds": holds, "ideal_s": round(best, 3), "clients": rows}))


def run(client: str) -> dict[str, float]:
    """One run of a client, with a fake provider of its own."""
    with provider(LogNormal()) as fake:
        command = [sys.executable, str(RIVALS), client, fake.url, str(REQUESTS), str(IN_FLIGHT)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    took: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return took


def figures_of(runs: Sequence[dict[str, float]], *, bare: float) -> Figures:
    walls = [one["seconds"] for one in runs]
    return Figures(
        wall_s=round(median(walls), 3),
        fastest_s=round(min(walls), 3),
        slowest_s=round(max(walls), 3),
        cpu_ms_a_request=round(median(1000 * one["cpu_seconds"] / one["requests"] for one in runs), 3),
        times_aiohttp=round(median(walls) / bare, 3),
        answered=int(min(one["answered"] for one in runs)),
    )


def ideal_s() -> float:
    """The wall without any client: each of the hands takes the next question when its last is answered."""
    hands = [0.0] * IN_FLIGHT
    for i in range(REQUESTS):
        heapq.heapreplace(hands, hands[0] + latency_s(f"{i}: {TEXT}"))
    return max(hands)


if __name__ == "__main__":
    main()
