"""Claim: a request with everything on takes 2.5 times the processor time of a bare aiohttp call, or less, and an eighth
of what it takes through the openai SDK, or less.

Two regimes: 100 and 1,000 requests in flight. Everything on means limits, a budget, intents and replies journaled with
fsync, retries and events. The provider answers at once, in a process of its own; so the clients never wait, and what
is left is their own work. Each client has a process of its own, too, and they take turns. The processor's time of a
whole process is counted, its threads included, without imports and without the first connections.

The engine has Python look for garbage in cycles rarely; what that alone does for bare aiohttp stands beside it, and so
does what uvloop does for either. curator, litellm and distilabel come along where `make rivals` has installed them.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.apart import ask, provider
from benchmarks.rivals import Took

ROUNDS = 5
IN_FLIGHT = (100, 1_000)
FEW, MANY = 2_000, 10_000
REQUESTS = {
    "smelt": MANY, "smelt, anthropic": MANY, "smelt on uvloop": MANY,
    "aiohttp": MANY, "aiohttp, cycles rarely": MANY, "aiohttp on uvloop": MANY,
    "openai": FEW, "openai on aiohttp": FEW, "anthropic": FEW,
}  # fmt: skip
ELSEWHERE = {"litellm": FEW, "curator": FEW, "distilabel": FEW}
ROUNDS_ELSEWHERE = 2  # they take seconds to import, and are not part of the claim
MOST_OF_AIOHTTP, LEAST_OF_OPENAI = 2.5, 8.0
RIVALS = Path(".rivals")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of all rounds: CPU milliseconds a request, with the least and the greatest, and requests a second."""

    cpu_ms: float
    least: float
    greatest: float
    per_second: float
    peak_mb: float
    lost: int


def main() -> None:
    table = {in_flight: regime(in_flight) for in_flight in IN_FLIGHT}
    claims = {in_flight: ratios(figures) for in_flight, figures in table.items()}
    holds = all(one <= MOST_OF_AIOHTTP and other >= LEAST_OF_OPENAI for one, other in claims.values())
    for in_flight, (of_aiohttp, of_openai) in claims.items():
        print(f"{in_flight:>5} in flight: {of_aiohttp:.2f} x aiohttp, {of_openai:.1f} x less than openai")
    print(f"at most {MOST_OF_AIOHTTP} x and at least {LEAST_OF_OPENAI:g} x: {'holds' if holds else 'DOES NOT HOLD'}")
    regimes = {
        in_flight: {name: asdict(each) for name, each in figures.items()} for in_flight, figures in table.items()
    }
    print(json.dumps({"benchmark": "overhead", "holds": holds, "ratios": claims, "regimes": regimes}))


def regime(in_flight: int) -> dict[str, Figures]:
    """All clients in turn, round by round."""
    heads = f"{'CPU ms a request':>17} {'of the rounds':>18} {'requests/s':>11} {'MB':>6} {'lost':>5}"
    print(f"{f'{in_flight} in flight':<24} {heads}")
    took: dict[str, list[Took]] = {}
    with provider(latency_s=0.0) as fake:
        for turn in range(ROUNDS):
            there = REQUESTS if turn >= ROUNDS_ELSEWHERE else REQUESTS | installed()
            for name, requests in there.items():
                one = ask(name, fake.url, requests=requests, in_flight=in_flight, python=python_of(name))
                took.setdefault(name, []).append(one)
    figures = {name: summed(each) for name, each in took.items()}
    for name, each in figures.items():
        spread = f"{each.least:.3f} to {each.greatest:.3f}"
        rest = f"{each.per_second:>11,.0f} {each.peak_mb:>6.0f} {each.lost:>5}"
        print(f"{name:<24} {each.cpu_ms:>17.3f} {spread:>18} {rest}")
    return figures


def installed() -> dict[str, int]:
    return {name: requests for name, requests in ELSEWHERE.items() if python_of(name).exists()}


def python_of(name: str) -> Path:
    return RIVALS / name / "bin" / "python" if name in ELSEWHERE else Path(sys.executable)


def summed(rounds: Sequence[Took]) -> Figures:
    cpu_ms = [1_000 * took.cpu_seconds / took.requests for took in rounds]
    return Figures(
        cpu_ms=round(statistics.median(cpu_ms), 4),
        least=round(min(cpu_ms), 4),
        greatest=round(max(cpu_ms), 4),
        per_second=round(statistics.median(took.requests / took.seconds for took in rounds), 1),
        peak_mb=round(max(took.peak_mb for took in rounds), 1),
        lost=sum(took.requests - took.answered for took in rounds),
    )


def ratios(figures: Mapping[str, Figures]) -> tuple[float, float]:
    """How much of bare aiohttp we take, and how many of us the openai SDK takes."""
    ours = figures["smelt"].cpu_ms
    return round(ours / figures["aiohttp"].cpu_ms, 2), round(figures["openai"].cpu_ms / ours, 1)


if __name__ == "__main__":
    main()
