"""Claim: every regime of limits is used to the full, hardly ever overstepped, and no row is lost.

The regimes: limits told (per minute, quantised by the second, tokens that bind with sizes that vary, input and output
apart, two engines with one key), limits told by the provider's headers alone, limits that nobody tells, and a limit
that halves for a while. Real HTTP, the fake provider in a process of its own, and the engine with everything on.

Beside it what one would write by hand for a limit of so many requests a minute (`by_hand`): a semaphore,
asyncio-throttle and aiolimiter, each with tenacity's waits when refused, and tenacity's waits alone.

The share is what the provider let in, by its own books, of what the limit allowed in the same time. That time ends
when nineteen of twenty rows are let in: the last may be the tail of those refused. Where the limit was told it begins
when one of twenty is, since a second's burst at the start would make the share look better than it is; where the
limit must be found it begins with the first row. 429s are counted from the first request to the last.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks.apart import Fake, provider
from benchmarks.by_hand import LONGEST_WAIT_S, WAYS_IN, ask_by_hand
from engine import FREE, Engine, Limits, Request
from engine.fakes.behaviour import Change
from engine.fakes.limits import RateLimits

REPEATS = 3
AT_ONCE = 4  # regimes measured at the same time, each with processes of its own
RPM = 6_000
TPM = 3_000_000
SECONDS = 12.0
LONG_SECONDS = 25.0  # where the limit must be found first
HALF_FROM_S, HALF_UNTIL_S, HALVED_SECONDS = 20.0, 40.0, 80.0
LATENCY_S = 0.3
MAX_TOKENS = 200
SIZES = (20, 1_000)  # tokens of a prompt, where they vary
PLAIN_TOKENS = 20
IN_FLIGHT_BY_HAND, ATTEMPTS_BY_HAND = 60, 10
FIRST_ROWS, MOST_OF_THE_ROWS = 0.05, 0.95

What = Literal["requests", "tokens_charged", "output_tokens"]


@dataclass(frozen=True, slots=True)
class Claim:
    """The least share of the limit that is used, and the most 429s of all requests. Never is a row lost."""

    share: float
    refused: float


TOLD, BY_HEADERS, NOT_TOLD = Claim(0.97, 0.001), Claim(0.95, 0.005), Claim(0.90, 0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A limit, who knows of it, who asks, and what we claim. `claim` is None where others ask."""

    limits: RateLimits
    told: Limits | None = None
    by_headers: bool = True
    engines: int = 1
    dialect: Literal["openai", "anthropic"] = "openai"
    what: What = "requests"
    varied: bool = False
    seconds: float = SECONDS
    halves: bool = False
    claim: Claim | None = None
    by_hand: str | None = None

    @property
    def per_second(self) -> float:
        by_what = {"requests": self.limits.rpm, "tokens_charged": self.limits.tpm, "output_tokens": self.limits.otpm}
        return (by_what[self.what] or 0) / 60

    @property
    def changes(self) -> tuple[Change, ...]:
        half = RateLimits(rpm=RPM // 2)
        return (
            Change(after_s=HALF_FROM_S, limits=half),
            Change(after_s=HALF_UNTIL_S, limits=self.limits),
        ) * self.halves

    def allowed(self, since: float, until: float) -> float:
        """What the limit let in between these moments, in seconds from the first request on."""
        halved = max(0.0, min(until, HALF_UNTIL_S) - max(since, HALF_FROM_S)) if self.halves else 0.0
        return self.per_second * (until - since - halved / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a regime."""

    share: float
    refused: int
    requests: int
    rows: int
    lost: int
    seconds: float
    cpu_ms: float  # of the client, for each row


BY_THE_MINUTE, BY_THE_SECOND = RateLimits(rpm=RPM, quantum_s=0), RateLimits(rpm=RPM)
TOKENS = RateLimits(rpm=60_000, tpm=TPM)

REGIMES: dict[str, Regime] = {
    "halves and recovers, by headers": Regime(
        limits=BY_THE_SECOND, halves=True, seconds=HALVED_SECONDS, claim=BY_HEADERS
    ),
    "halves and recovers, told by nobody": Regime(
        limits=BY_THE_SECOND, halves=True, seconds=HALVED_SECONDS, by_headers=False, claim=NOT_TOLD
    ),
    "told by headers": Regime(limits=BY_THE_SECOND, seconds=LONG_SECONDS, claim=BY_HEADERS),
    "told by headers, tokens bind": Regime(
        limits=TOKENS, what="tokens_charged", varied=True, seconds=LONG_SECONDS, claim=BY_HEADERS
    ),
    "told by nobody": Regime(limits=BY_THE_SECOND, by_headers=False, seconds=LONG_SECONDS, claim=NOT_TOLD),
    "told, by the minute": Regime(limits=BY_THE_MINUTE, told=Limits(rpm=RPM), claim=TOLD),
    "told, by the second": Regime(limits=BY_THE_SECOND, told=Limits(rpm=RPM), claim=TOLD),
    "told, tokens bind": Regime(
        limits=TOKENS, told=Limits(rpm=60_000, tpm=TPM), what="tokens_charged", varied=True, claim=TOLD
    ),
    "told, input and output apart": Regime(
        limits=RateLimits(rpm=60_000, itpm=20_000_000, otpm=600_000),
        told=Limits(rpm=60_000, input_tpm=20_000_000, output_tpm=600_000),
        dialect="anthropic",
        what="output_tokens",
        varied=True,
        claim=TOLD,
    ),
    "told, two engines with one key": Regime(limits=BY_THE_SECOND, told=Limits(rpm=RPM), engines=2, claim=TOLD),
    **{f"by hand: {way}": Regime(limits=BY_THE_SECOND, by_hand=way) for way in WAYS_IN},
}


def main(words: Sequence[str]) -> None:
    """All regimes, or those whose names contain one of the words."""
    names = [name for name in REGIMES if not words or any(word in name for word in words)]
    print(
        f"{'regime':<36} {'share':>6} {'(spread)':>15} {'429s':>6} {'of all':>8} {'rows':>6} {'lost':>5} {'CPU ms':>7}"
    )
    figures, failing = {}, []
    for name, runs in measured(names):
        holds = print_row(name, runs)
        figures[name] = {"holds": holds, "runs": [asdict(run) for run in runs]}
        failing += [] if holds else [name]
    print(f"the claim {'holds' if not failing else 'DOES NOT HOLD for ' + ', '.join(failing)}")
    print(json.dumps({"benchmark": "limits", "holds": not failing, "regimes": figures}))


def measured(names: Sequence[str]) -> Iterator[tuple[str, list[Measured]]]:
    """Engines first; who polls is measured by itself, or it would slow the others down."""
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        for at_once in (True, False):
            several = [name for name in names if (REGIMES[name].by_hand is None) is at_once]
            jobs = {name: [pool.submit(measure, name) for _ in range(REPEATS)] for name in several if at_once}
            for name in several:
                yield name, [job.result() for job in jobs.get(name, [])] or [pool.submit(measure, name).result()]


def print_row(name: str, runs: Sequence[Measured]) -> bool:
    """Medians and the spread of shares; 429s, rows and those lost of all runs. Returns whether the claim holds."""
    shares = [run.share for run in runs]
    refused, requests = sum(run.refused for run in runs), sum(run.requests for run in runs)
    rows, lost = sum(run.rows for run in runs), sum(run.lost for run in runs)
    claim = REGIMES[name].claim
    holds = claim is None or (median(shares) >= claim.share and refused <= claim.refused * requests and not lost)
    spread = f"{min(shares):.3f} to {max(shares):.3f}" if len(runs) > 1 else ""
    counts = f"{refused:>6} {refused / requests:>8.3%} {rows:>6} {lost:>5} {median(run.cpu_ms for run in runs):>7.2f}"
    print(
        f"{name:<36} {median(shares):>6.3f} {spread:>15} {counts}{'' if holds else '  <- claimed otherwise'}",
        flush=True,
    )
    return holds


def measure(name: str) -> Measured:
    regime = REGIMES[name]
    rows = texts_for(regime)
    import_clients()
    with provider(
        limits=regime.limits, tells_limits=regime.by_headers, changes=regime.changes, latency_s=LATENCY_S
    ) as fake:
        began = time.process_time()
        asking = ask_with_engines(fake, regime, rows) if regime.by_hand is None else ask_otherwise(fake, regime, rows)
        answered = asyncio.run(asking)
        cpu_s = time.process_time() - began
        entries = fake.audit(since=0)["entries"]
    return judged(regime, entries, rows=len(rows), answered=answered, cpu_s=cpu_s)


def import_clients() -> None:
    """What they need, so that their work is counted and not their loading."""
    import aiohttp  # noqa: F401
    import aiolimiter  # noqa: F401
    import asyncio_throttle  # noqa: F401
    import tenacity  # noqa: F401


def texts_for(regime: Regime) -> list[str]:
    """As many as fill the time at the limit; of sizes that vary evenly, in an order that mixes them."""
    least, most = SIZES if regime.varied else (PLAIN_TOKENS, PLAIN_TOKENS)
    texts, amount, i = list[str](), 0.0, 0
    while amount < regime.allowed(0.0, regime.seconds):
        tokens = least + (i * 7_919) % (most - least + 1)
        texts.append(f"{i:>8} ".ljust(4 * tokens, "x"))
        takes = {"requests": 1, "tokens_charged": tokens + MAX_TOKENS, "output_tokens": min(tokens, MAX_TOKENS)}
        amount, i = amount + takes[regime.what], i + 1
    return texts


async def ask_with_engines(fake: Fake, regime: Regime, texts: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            engines = [
                await stack.enter_async_context(
                    Engine(
                        f"{regime.dialect}/echo",
                        base_url=fake.url,
                        api_key="no-key",
                        price=FREE,
                        limits=regime.told,
                        journal=Path(folder) / f"{i}.db",
                    )
                )
                for i in range(regime.engines)
            ]
            shares = [texts[i :: regime.engines] for i in range(regime.engines)]
            return sum(await asyncio.gather(*map(answers, engines, shares)))


async def answers(engine: Engine, texts: Sequence[str]) -> int:
    requests = (Request.user(text, max_tokens=MAX_TOKENS) for text in texts)
    return sum([outcome.error is None async for outcome in engine.map(requests, ordered=False)])


async def ask_otherwise(fake: Fake, regime: Regime, texts: Sequence[str]) -> int:
    from tenacity import stop_after_attempt, wait_exponential

    way = regime.by_hand or ""
    enter = WAYS_IN[way](int(regime.per_second), IN_FLIGHT_BY_HAND)
    wait = wait_exponential(max=LONGEST_WAIT_S) if way == "tenacity alone" else None
    stop = stop_after_attempt(ATTEMPTS_BY_HAND)
    return len(await ask_by_hand(fake.url, texts, enter=enter, max_tokens=MAX_TOKENS, stop=stop, wait=wait))


def judged(regime: Regime, entries: Sequence[dict[str, Any]], *, rows: int, answered: int, cpu_s: float) -> Measured:
    began = entries[0]["at"]
    let_in = [entry for entry in entries if entry["status"] == 200]
    finds_out = regime.told is None and regime.by_hand is None
    first = 0 if finds_out else int(FIRST_ROWS * len(let_in))
    # From one arrival to another: what came at the first moment was not let in after it.
    counted = let_in[first : int(MOST_OF_THE_ROWS * len(let_in))]
    used = sum(1 if regime.what == "requests" else entry[regime.what] for entry in counted[1:])
    return Measured(
        share=round(used / regime.allowed(counted[0]["at"] - began, counted[-1]["at"] - began), 4),
        refused=sum(entry["status"] == 429 for entry in entries),
        requests=len(entries),
        rows=rows,
        lost=rows - answered,
        seconds=round(entries[-1]["at"] - began, 2),
        cpu_ms=round(1000 * cpu_s / rows, 3),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
