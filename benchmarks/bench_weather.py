"""Claim: in any weather every row ends well, nobody waits past a deadline, and a storm is soon forgotten.

Two regimes. In the mix some requests fail at random (errors, resets, stalls, broken bodies, errors under a good
status), and what counts is that all rows are answered nevertheless. In the storm everything is turned away for a
minute, as overload or as too fast, at random, and what counts is how soon the line moves again as before. Beside it
the same by hand: aiohttp, a semaphore, and tenacity's waits.

Real HTTP, the fake provider in a process of its own, and the engine with everything on; the storm in both dialects.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from benchmarks.apart import Fake, provider
from engine import FREE, Engine, Limits, Request, SmeltError
from engine.fakes.faults import FaultRates
from engine.fakes.limits import RateLimits
from engine.fakes.service import Change

AT_ONCE = 3  # regimes measured at the same time, each with processes of its own: in a storm nobody works
LATENCY_S = 0.3
MAX_TOKENS = 20

MIX = FaultRates(error=0.05, reset=0.02, stall=0.02, garbled=0.01, error_under_200=0.01)
MIX_ROWS = 1_000
STALL_S = 30.0
ATTEMPT_TIMEOUT_S = 5.0
DEADLINE_S = 60.0

RPM = 3_000
STORM = FaultRates(overloaded=0.5, too_fast=0.5)
FINE_S, STORM_S, AFTER_S = 8.0, 60.0, 22.0  # before, in it, and what must be left to do afterwards
RECOVERY_S, RECOVERED = 10.0, 0.9
SPAN_S = 2.0  # over which a rate is read

RIVALS_IN_FLIGHT = 50
RIVALS_ATTEMPTS = 10

Asker = Literal["openai", "anthropic", "by hand"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """`longest_s` is what the slowest row took, in line too; `recovery_s` is None where it never came back."""

    rows: int
    lost: int
    requests: int
    seconds: float
    longest_s: float
    recovery_s: float | None
    holds: bool


def main() -> None:
    regimes: list[tuple[str, Asker]] = [
        ("mix", "openai"), ("mix", "by hand"), ("storm", "openai"), ("storm", "anthropic"), ("storm", "by hand"),
    ]  # fmt: skip
    names = f"{'rows':>6} {'lost':>5} {'requests':>9} {'seconds':>8} {'longest':>8} {'back':>6}"
    print(f"{'regime':<7} {'asked by':<10} {names}")
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        results = dict(zip(regimes, pool.map(measure, *zip(*regimes, strict=True)), strict=True))
    for (regime, asker), row in results.items():
        print_row(regime, asker, row)
    holds = all(row.holds for (_, asker), row in results.items() if asker != "by hand")
    claim = f"all rows end well, and {RECOVERED:.0%} of the rate is back within {RECOVERY_S:g} s"
    print(f"{claim}: {'holds' if holds else 'DOES NOT HOLD'}")
    figures = {f"{regime}, {asker}": asdict(row) for (regime, asker), row in results.items()}
    print(json.dumps({"benchmark": "weather", "holds": holds, "regimes": figures}))


def print_row(regime: str, asker: str, row: Measured) -> None:
    back = "-" if row.recovery_s is None else f"{row.recovery_s:.1f}"
    figures = f"{row.rows:>6} {row.lost:>5} {row.requests:>9} {row.seconds:>8.1f} {row.longest_s:>8.1f} {back:>6}"
    print(f"{regime:<7} {asker:<10} {figures}{'' if row.holds else '  <- the claim does not hold'}")


def measure(regime: str, asker: Asker) -> Measured:
    return mix(asker) if regime == "mix" else storm(asker)


def mix(asker: Asker) -> Measured:
    with provider(faults=MIX, latency_s=LATENCY_S, stall_s=STALL_S) as fake:
        began = time.perf_counter()
        took = asyncio.run(ask(fake, asker, rows=MIX_ROWS, limits=None))
        seconds = time.perf_counter() - began
        requests = fake.audit()["requests"]
    longest = max(took, default=0.0)
    lost = MIX_ROWS - len(took)
    return Measured(
        rows=MIX_ROWS,
        lost=lost,
        requests=requests,
        seconds=round(seconds, 1),
        longest_s=round(longest, 1),
        recovery_s=None,
        holds=lost == 0 and longest <= DEADLINE_S,
    )


def storm(asker: Asker) -> Measured:
    rows = int((FINE_S + AFTER_S) * RPM / 60)
    changes = (Change(after_s=FINE_S, faults=STORM), Change(after_s=FINE_S + STORM_S, faults=FaultRates()))
    with provider(limits=RateLimits(rpm=RPM), changes=changes, latency_s=LATENCY_S) as fake:
        took = asyncio.run(ask(fake, asker, rows=rows, limits=Limits(rpm=RPM)))
        entries = fake.audit(since=0)["entries"]
    recovery_s = recovery(entries)
    return Measured(
        rows=rows,
        lost=rows - len(took),
        requests=len(entries),
        seconds=round(entries[-1]["at"] - entries[0]["at"], 1),
        longest_s=round(max(took, default=0.0), 1),
        recovery_s=None if recovery_s is None else round(recovery_s, 1),
        holds=len(took) == rows and recovery_s is not None and recovery_s <= RECOVERY_S,
    )


def recovery(entries: Sequence[dict[str, Any]]) -> float | None:
    """How long after the storm the rate was again what it had been; None when it never was."""
    began = entries[0]["at"]
    let_in: list[float] = [entry["at"] - began for entry in entries if entry["status"] == 200]
    before = sum(moment < FINE_S for moment in let_in) / FINE_S
    for moment in (moment for moment in let_in if moment >= FINE_S + STORM_S):
        if sum(moment <= other < moment + SPAN_S for other in let_in) >= RECOVERED * before * SPAN_S:
            return moment - FINE_S - STORM_S
    return None


async def ask(fake: Fake, asker: Asker, *, rows: int, limits: Limits | None) -> list[float]:
    """Ask so many rows; how long each took that was answered."""
    if asker == "by hand":
        return await ask_by_hand(fake, rows=rows)
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(
            f"{asker}/echo",
            base_url=fake.url,
            api_key="no-key",
            price=FREE,
            limits=limits,
            journal=Path(folder) / "journal.db",
            deadline_s=DEADLINE_S if limits is None else 900.0,
            attempt_timeout_s=ATTEMPT_TIMEOUT_S,
        ) as engine:
            ends = await asyncio.gather(*(timed(engine, f"row {i}") for i in range(rows)))
    return [end for end in ends if end is not None]


async def timed(engine: Engine, text: str) -> float | None:
    began = time.perf_counter()
    try:
        await engine.ask(Request.user(text, max_tokens=MAX_TOKENS))
    except SmeltError:
        return None
    return time.perf_counter() - began


async def ask_by_hand(fake: Fake, *, rows: int) -> list[float]:
    import aiohttp
    from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    slots = asyncio.Semaphore(RIVALS_IN_FLIGHT)

    async def once(session: aiohttp.ClientSession, text: str) -> None:
        body = {"model": "echo", "max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": text}]}
        async with slots, session.post(f"{fake.url}/chat/completions", json=body) as response:
            response.raise_for_status()
            answer = await response.json()
            _ = answer["choices"][0]["message"]["content"]

    async def one(session: aiohttp.ClientSession, text: str) -> float | None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
            wait=wait_random_exponential(max=10),
            stop=stop_after_attempt(RIVALS_ATTEMPTS),
        )
        began = time.perf_counter()
        try:
            await retrying(once, session, text)
        except (RetryError, ValueError, KeyError):  # given up, not JSON, or no answer in it
            return None
        return time.perf_counter() - began

    timeout = aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        ends = await asyncio.gather(*(one(session, f"row {i}") for i in range(rows)))
    return [end for end in ends if end is not None]


if __name__ == "__main__":
    main()
