"""Claim: in any weather every row ends well, nobody waits past a deadline, and a storm is soon forgotten.

Two regimes. In the mix some requests fail at random (errors, resets, stalls, broken bodies, errors under a good
status), and what counts is that all rows are answered nevertheless. In the storm, between such weather before and
after, everything is turned away for a minute, as overload or as too fast, at random, and what counts is how soon the
line moves again as before: when five seconds begin in which nine tenths of the rate of before are let in again.

Beside it the same by hand (`by_hand`): aiohttp, a semaphore, and tenacity's waits, for ten attempts or as long as the
deadline allows.
Real HTTP, the fake provider in a process of its own, and the engine with everything on; the storm in both dialects.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from benchmarks.apart import Fake, provider
from benchmarks.by_hand import WAYS_IN, ask_by_hand
from engine import FREE, Engine, Limits, Request, SmeltError
from engine.fakes.behaviour import Change
from engine.fakes.faults import FaultRates
from engine.fakes.limits import RateLimits

REPEATS = 3
AT_ONCE = 8  # regimes measured at the same time, each with processes of its own: in a storm nobody works
LATENCY_S = 0.3
MAX_TOKENS = 20

MIX = FaultRates(error=0.05, reset=0.02, stall=0.02, garbled=0.01, error_under_200=0.01)
MIX_ROWS = 1_000
STALL_S = 30.0
ATTEMPT_TIMEOUT_S = 5.0

RPM = 3_000
STORM = FaultRates(overloaded=0.5, too_fast=0.5)
FINE_S, STORM_S, AFTER_S = 10.0, 60.0, 25.0  # before, in it, and what must be left to do afterwards
RECOVERY_S, RECOVERED, SPAN_S = 10.0, 0.9, 5.0
TURNED_AWAY = {429, 503, 529}

DEADLINES_S = {"mix": 60.0, "storm": 120.0}
IN_FLIGHT_BY_HAND, ATTEMPTS_BY_HAND = 50, 10

What = Literal["mix", "storm"]
Asker = Literal["openai", "anthropic", "by hand", "by hand, patient"]

REGIMES: list[tuple[What, Asker]] = [
    ("storm", "openai"), ("storm", "anthropic"), ("storm", "by hand"), ("storm", "by hand, patient"),
    ("mix", "openai"), ("mix", "anthropic"), ("mix", "by hand"), ("mix", "by hand, patient"),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run. `longest_s` is what the slowest row took, in line too; `recovery_s` is None where it never came back."""

    rows: int
    lost: int
    requests: int
    seconds: float
    longest_s: float
    recovery_s: float | None


def main(words: Sequence[str]) -> None:
    """All regimes, or those whose names contain one of the words."""
    regimes = [regime for regime in REGIMES if not words or any(word in ": ".join(regime) for word in words)]
    names = f"{'rows':>6} {'lost':>5} {'requests':>9} {'seconds':>8} {'longest':>8} {'back after':>12}"
    print(f"{'regime':<7} {'asked by':<17} {names}")
    figures, failing = {}, []
    for regime, runs in measured(regimes):
        name, holds = ": ".join(regime), print_row(regime, runs)
        figures[name] = {"holds": holds, "runs": [asdict(run) for run in runs]}
        failing += [] if holds or is_by_hand(regime[1]) else [name]
    print(f"all rows end well in time, and {RECOVERED:.0%} of the rate is back within {RECOVERY_S:g} s: ", end="")
    print("holds" if not failing else f"DOES NOT HOLD for {', '.join(failing)}")
    print(json.dumps({"benchmark": "weather", "holds": not failing, "regimes": figures}))


def is_by_hand(asker: Asker) -> bool:
    return asker not in ("openai", "anthropic")


def measured(regimes: Sequence[tuple[What, Asker]]) -> Iterator[tuple[tuple[What, Asker], list[Measured]]]:
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        times = {regime: 1 if is_by_hand(regime[1]) else REPEATS for regime in regimes}
        jobs = {regime: [pool.submit(measure, *regime) for _ in range(times[regime])] for regime in regimes}
        for regime, runs in jobs.items():
            yield regime, [run.result() for run in runs]


def print_row(regime: tuple[What, Asker], runs: Sequence[Measured]) -> bool:
    """Sums of rows, and of the rest the least favourable run. Returns whether the claim holds."""
    rows, lost, requests = (sum(getattr(run, what) for run in runs) for what in ("rows", "lost", "requests"))
    seconds, longest = (max(getattr(run, what) for run in runs) for what in ("seconds", "longest_s"))
    backs = [run.recovery_s for run in runs]
    known = [back for back in backs if back is not None]
    is_back = regime[0] == "mix" or (len(known) == len(backs) and max(known) <= RECOVERY_S)
    holds = not lost and longest <= DEADLINES_S[regime[0]] and is_back
    back = f"{min(known):.1f} to {max(known):.1f}" if known else "" if regime[0] == "mix" else "never"
    figures = f"{rows:>6} {lost:>5} {requests:>9} {seconds:>8.1f} {longest:>8.1f} {back:>12}"
    print(f"{regime[0]:<7} {regime[1]:<17} {figures}{'' if holds else '  <- not as claimed'}", flush=True)
    return holds


def measure(what: What, asker: Asker) -> Measured:
    in_storm = what == "storm"
    rows = int((FINE_S + AFTER_S) * RPM / 60) if in_storm else MIX_ROWS
    changes = (Change(after_s=FINE_S, faults=STORM), Change(after_s=FINE_S + STORM_S, faults=MIX))
    limits = RateLimits(rpm=RPM) if in_storm else RateLimits()
    with provider(limits=limits, faults=MIX, changes=changes * in_storm, latency_s=LATENCY_S, stall_s=STALL_S) as fake:
        began = time.perf_counter()
        took = asyncio.run(ask(fake, what, asker, rows=rows))
        seconds = time.perf_counter() - began
        entries = fake.audit(since=0)["entries"]
    back = recovery(entries) if in_storm else None
    return Measured(
        rows=rows,
        lost=rows - len(took),
        requests=len(entries),
        seconds=round(seconds, 1),
        longest_s=round(max(took, default=0.0), 1),
        recovery_s=None if back is None else round(back, 1),
    )


def recovery(entries: Sequence[dict[str, Any]]) -> float | None:
    """How long after the storm the rate was again what it had been; None when it never was."""
    began = entries[0]["at"]
    let_in: list[float] = [entry["at"] - began for entry in entries if entry["status"] not in TURNED_AWAY]
    before = sum(moment < FINE_S for moment in let_in) / FINE_S
    after = [moment for moment in let_in if moment >= FINE_S + STORM_S]
    enough = RECOVERED * before * SPAN_S
    begins = (moment for moment in after if sum(moment <= other < moment + SPAN_S for other in after) >= enough)
    first = next(begins, None)
    return None if first is None else first - FINE_S - STORM_S


async def ask(fake: Fake, what: What, asker: Asker, *, rows: int) -> list[float]:
    """Ask so many rows; how long each took that was answered."""
    texts = [f"row {i}" for i in range(rows)]
    if is_by_hand(asker):
        return await ask_otherwise(fake, texts, patience_s=None if asker == "by hand" else DEADLINES_S[what])
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(
            f"{asker}/echo",
            base_url=fake.url,
            api_key="no-key",
            price=FREE,
            limits=Limits(rpm=RPM) if what == "storm" else None,
            journal=Path(folder) / "journal.db",
            deadline_s=DEADLINES_S[what],
            attempt_timeout_s=ATTEMPT_TIMEOUT_S,
        ) as engine:
            ends = await asyncio.gather(*(timed(engine, text) for text in texts))
    return [end for end in ends if end is not None]


async def timed(engine: Engine, text: str) -> float | None:
    began = time.perf_counter()
    try:
        await engine.ask(Request.user(text, max_tokens=MAX_TOKENS))
    except SmeltError:
        return None
    return time.perf_counter() - began


async def ask_otherwise(fake: Fake, texts: Sequence[str], *, patience_s: float | None) -> list[float]:
    from tenacity import stop_after_attempt, stop_after_delay

    enter = WAYS_IN["semaphore"](RPM // 60, IN_FLIGHT_BY_HAND)
    stop = stop_after_attempt(ATTEMPTS_BY_HAND) if patience_s is None else stop_after_delay(patience_s)
    return await ask_by_hand(
        fake.url, texts, enter=enter, max_tokens=MAX_TOKENS, stop=stop, timeout_s=ATTEMPT_TIMEOUT_S
    )


if __name__ == "__main__":
    main(sys.argv[1:])
