"""Claim: every regime of limits is used to the full, hardly ever overstepped, and no row is lost.

The regimes: limits told (per minute, quantised by the second, tokens that bind with sizes that vary, input and output
apart, two engines with one key), limits told by the provider's headers alone, limits that nobody tells, and a limit
that halves for a while. Real HTTP, the fake provider in a process of its own, and the engine with everything on.

Beside it what one would write by hand for a limit of so many requests a minute: a semaphore, asyncio-throttle, or a
leaky bucket, each around aiohttp, and each with tenacity's waits when refused. The share is that of the limit, from
the first row to the nineteenth of twenty; the rest is the tail of those refused. Where the limit was told the first of
twenty rows are left out, too: a second's burst is allowed there, and would make the share look better than it is.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from benchmarks.apart import Fake, provider
from engine import FREE, Engine, Limits, Request
from engine.fakes.limits import RateLimits
from engine.fakes.service import Change

AT_ONCE = 2  # regimes measured at the same time, each with processes of its own
RPM = 6_000
TPM = 3_000_000
SECONDS = 15.0
LONG_SECONDS = 25.0  # where the limit must be found first
LATENCY_S = 0.3
MAX_TOKENS = 200
SIZES = (20, 1_000)  # tokens of a prompt, where they vary
PLAIN_TOKENS = 20
RIVALS_IN_FLIGHT = 60
RIVALS_ATTEMPTS = 10
FIRST_ROWS, MOST_OF_THE_ROWS = 0.05, 0.95

What = Literal["requests", "tokens_charged", "output_tokens"]
Enter = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Claim:
    """The least share of the limit that is used, and the most 429s of all requests. Never is a row lost."""

    share: float
    refused: float


TOLD, BY_HEADERS, NOT_TOLD = Claim(0.97, 0.001), Claim(0.95, 0.005), Claim(0.90, 0.02)
FOLLOWED = Claim(0.90, 0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A limit, who knows of it, and what we claim."""

    limits: RateLimits
    told: Limits | None = None
    by_headers: bool = True
    engines: int = 1
    dialect: Literal["openai", "anthropic"] = "openai"
    what: What = "requests"
    varied: bool = False
    seconds: float = SECONDS
    changes: tuple[Change, ...] = ()
    capacity: float | None = None  # of the limit, in units a second, on the whole
    claim: Claim | None = None
    rival: str | None = None

    @property
    def per_second(self) -> float:
        by_what = {"requests": self.limits.rpm, "tokens_charged": self.limits.tpm, "output_tokens": self.limits.otpm}
        return self.capacity or (by_what[self.what] or 0) / 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    share: float
    refused: int
    refused_share: float
    rows: int
    lost: int
    seconds: float
    holds: bool


BY_THE_MINUTE, BY_THE_SECOND = RateLimits(rpm=RPM, quantum_s=0), RateLimits(rpm=RPM)
HALVED = (Change(after_s=10, limits=RateLimits(rpm=RPM // 2)), Change(after_s=20, limits=BY_THE_SECOND))

REGIMES: dict[str, Regime] = {
    "told, by the minute": Regime(limits=BY_THE_MINUTE, told=Limits(rpm=RPM), claim=TOLD),
    "told, by the second": Regime(limits=BY_THE_SECOND, told=Limits(rpm=RPM), claim=TOLD),
    "told, tokens bind": Regime(
        limits=RateLimits(rpm=60_000, tpm=TPM),
        told=Limits(rpm=60_000, tpm=TPM),
        what="tokens_charged",
        varied=True,
        claim=TOLD,
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
    "told by headers": Regime(limits=BY_THE_SECOND, claim=BY_HEADERS, seconds=LONG_SECONDS),
    "told by headers, tokens bind": Regime(
        limits=RateLimits(rpm=60_000, tpm=TPM),
        what="tokens_charged",
        varied=True,
        claim=BY_HEADERS,
        seconds=LONG_SECONDS,
    ),
    "told by nobody": Regime(limits=BY_THE_SECOND, by_headers=False, claim=NOT_TOLD, seconds=LONG_SECONDS),
    "halves and recovers, by headers": Regime(
        limits=BY_THE_SECOND,
        changes=HALVED,
        seconds=40.0,
        capacity=(30 * RPM + 10 * RPM / 2) / 40 / 60,
        claim=FOLLOWED,
    ),
    "semaphore": Regime(limits=BY_THE_SECOND, rival="semaphore"),
    "asyncio-throttle": Regime(limits=BY_THE_SECOND, rival="asyncio-throttle"),
    "leaky bucket": Regime(limits=BY_THE_SECOND, rival="leaky bucket"),
}


def main() -> None:
    print(f"{'regime':<32} {'share':>6} {'429s':>6} {'of all':>8} {'rows':>6} {'lost':>5} {'seconds':>8}")
    results: dict[str, Measured] = {}
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        for name, measured in zip(REGIMES, pool.map(measure, REGIMES), strict=True):
            results[name] = measured
            print_row(name, measured)
    failing = [name for name, measured in results.items() if not measured.holds]
    print(f"the claim {'holds' if not failing else 'DOES NOT HOLD for ' + ', '.join(failing)}")
    figures = {name: asdict(measured) for name, measured in results.items()}
    print(json.dumps({"benchmark": "limits", "holds": not failing, "regimes": figures}))


def print_row(name: str, row: Measured) -> None:
    figures = f"{row.share:>6.3f} {row.refused:>6} {row.refused_share:>8.3%} {row.rows:>6} {row.lost:>5}"
    print(f"{name:<32} {figures} {row.seconds:>8.1f}{'' if row.holds else '  <- claimed otherwise'}")


def measure(name: str) -> Measured:
    regime = REGIMES[name]
    rows = texts_for(regime)
    with provider(
        limits=regime.limits, tells_limits=regime.by_headers, changes=regime.changes, latency_s=LATENCY_S
    ) as fake:
        asking = ask_with_engines(fake, regime, rows) if regime.rival is None else ask_by_hand(fake, regime, rows)
        answered = asyncio.run(asking)
        entries = fake.audit(since=regime.engines)["entries"]  # without those that opened the connections
    return judged(regime, entries, rows=len(rows), answered=answered)


def texts_for(regime: Regime) -> list[str]:
    """As many as fill the time at the limit; of sizes that vary evenly, in an order that mixes them."""
    least, most = SIZES if regime.varied else (PLAIN_TOKENS, PLAIN_TOKENS)
    texts, amount, i = list[str](), 0.0, 0
    while amount < regime.per_second * regime.seconds:
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
            for i, engine in enumerate(engines):
                await engine.ask(Request.user(f"open {i}", max_tokens=MAX_TOKENS))
            shares = [texts[i :: regime.engines] for i in range(regime.engines)]
            return sum(await asyncio.gather(*map(answers, engines, shares)))


async def answers(engine: Engine, texts: Sequence[str]) -> int:
    requests = (Request.user(text, max_tokens=MAX_TOKENS) for text in texts)
    return sum([outcome.error is None async for outcome in engine.map(requests, ordered=False)])


def judged(regime: Regime, entries: Sequence[dict[str, Any]], *, rows: int, answered: int) -> Measured:
    let_in = [entry for entry in entries if entry["status"] == 200]
    refused = len(entries) - len(let_in)
    finds_out = regime.told is None and regime.rival is None
    first = 0 if finds_out else int(FIRST_ROWS * len(let_in))
    most = let_in[first : int(MOST_OF_THE_ROWS * len(let_in))]
    seconds = most[-1]["at"] - (entries[0] if finds_out else most[0])["at"]
    used = sum(1 if regime.what == "requests" else entry[regime.what] for entry in most)
    share, refused_share = used / seconds / regime.per_second, refused / len(entries)
    claim = regime.claim or Claim(0.0, 1.0)
    holds = share >= claim.share and refused_share <= claim.refused and (answered == rows or regime.claim is None)
    return Measured(
        share=round(share, 4),
        refused=refused,
        refused_share=round(refused_share, 5),
        rows=rows,
        lost=rows - answered,
        seconds=round(entries[-1]["at"] - entries[0]["at"], 2),
        holds=holds,
    )


# -- by hand


class LeakyBucket:
    """As aiolimiter does it: so many may enter at once, and the bucket empties evenly."""

    def __init__(self, *, capacity: float, per_second: float) -> None:
        self._capacity, self._per_second = capacity, per_second
        self._level, self._at = 0.0, 0.0

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            self._level = max(0.0, self._level - (now - self._at) * self._per_second)
            self._at = now
            if self._level + 1 <= self._capacity:
                break
            await asyncio.sleep((self._level + 1 - self._capacity) / self._per_second)
        self._level += 1
        yield


def way_in(rival: str) -> Enter:
    from asyncio_throttle import Throttler

    slots, throttler = asyncio.Semaphore(RIVALS_IN_FLIGHT), Throttler(rate_limit=RPM // 60, period=1.0)
    bucket = LeakyBucket(capacity=RPM / 60, per_second=RPM / 60)

    @asynccontextmanager
    async def throttled() -> AsyncIterator[None]:
        async with throttler:
            yield

    @asynccontextmanager
    async def one_of_a_few() -> AsyncIterator[None]:
        async with slots:
            yield

    return {"semaphore": one_of_a_few, "asyncio-throttle": throttled, "leaky bucket": bucket.enter}[rival]


async def ask_by_hand(fake: Fake, regime: Regime, texts: Sequence[str]) -> int:
    import aiohttp
    from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    enter = way_in(regime.rival or "")

    async def once(session: aiohttp.ClientSession, text: str) -> None:
        body = {"model": "echo", "max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": text}]}
        async with enter(), session.post(f"{fake.url}/chat/completions", json=body) as response:
            response.raise_for_status()
            await response.json()

    async def one(session: aiohttp.ClientSession, text: str) -> bool:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(aiohttp.ClientError),
            wait=wait_random_exponential(max=10),
            stop=stop_after_attempt(RIVALS_ATTEMPTS),
        )
        try:
            await retrying(once, session, text)
        except RetryError:
            return False
        return True

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await once(session, "open")
        return sum(await asyncio.gather(*(one(session, text) for text in texts)))


if __name__ == "__main__":
    main()
