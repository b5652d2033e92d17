"""Lines of requests against a provider that is nothing but its limits: no socket, no world, and no waiting.

What is asserted about shares of a limit and about refusals is asserted here, on the virtual clock, where it comes out
the same on every machine. The line, the slots, the pace and the limits are the real ones.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

from engine.admission import Admission, Echo, Used
from engine.clock import SystemClock
from engine.concurrency import Crowd, News
from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.dialect import Dialect
from engine.fakes.limits import Charge, Denial, Gate, RateLimits
from engine.fakes.openai_side import OpenAISide
from engine.headers import retry_after_s
from engine.limiter import Limiter
from engine.throttle import Limits, Sizes

__all__ = ["Arrival", "Client", "Climate", "Log", "run_clients"]

_DIALECTS: Final[dict[str, Dialect]] = {"openai": OpenAISide(), "anthropic": AnthropicSide()}
_BYTES_A_TOKEN: Final = 4
_BYTES_AROUND: Final = 144  # a request adds to its prompt
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.5, 30.0  # of the one who was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """How the provider is: its limits over time, whether it tells them, how long it takes, how even the way to it is.

    `changes` are moments and the limits from then on. In a storm, from one moment to another, everything is turned
    away, as overload or as too fast.
    """

    limits: RateLimits
    changes: tuple[tuple[float, RateLimits], ...] = ()
    dialect: Literal["openai", "anthropic"] = "openai"
    tells_limits: bool = True
    tells_waits: bool = True
    latency_s: float = 0.5  # median; the spread is log-normal
    latency_spread: float = 0.3
    way_s: float = 0.002  # one way, at the least
    jitter_s: float = 0.002  # on top, evenly spread
    storm: tuple[float, float] | None = None
    storm_news: tuple[News, ...] = (News.OVERLOADED,)  # any of them
    overload_share: float = 0.0  # of requests that are turned away on a fine day, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An engine, as far as limits see it: what it was told, how wide it is, how large its requests are."""

    told: Limits = field(default_factory=Limits)
    concurrency: int | None = None
    workers: int = 400
    input_tokens: tuple[int, int] = (100, 100)  # evenly spread between
    output_tokens: tuple[int, int] = (50, 50)
    max_tokens: int = 100
    shares_account: bool = True  # one limiter with the other clients


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request at the provider's door."""

    at: float
    client: int
    admitted: bool
    input_tokens: int
    output_tokens: int
    charged: int  # tokens, of a common limit


@dataclass(slots=True)
class Log:
    """What came to the door."""

    arrivals: list[Arrival] = field(default_factory=list)

    def between(self, since: float, until: float = math.inf) -> Log:
        return Log([arrival for arrival in self.arrivals if since <= arrival.at < until])

    @property
    def refused(self) -> int:
        return sum(not arrival.admitted for arrival in self.arrivals)

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, len(self.arrivals))

    def rate(self, since: float, until: float, *, what: str = "requests", client: int | None = None) -> float:
        """What was let in, in units a second: requests, charged, input_tokens or output_tokens."""
        amounts = (
            1 if what == "requests" else int(getattr(arrival, what))
            for arrival in self.arrivals
            if arrival.admitted and since <= arrival.at < until and client in (None, arrival.client)
        )
        return sum(amounts) / (until - since)


async def run_clients(climate: Climate, clients: Sequence[Client], *, seconds: float, seed: int = 0) -> Log:
    """Let the clients ask without end for so many seconds, and return what the provider saw."""
    door = _Door(climate, Random(seed))
    clock = SystemClock()
    shared = Limiter(clock=clock)
    async with asyncio.TaskGroup() as tasks:
        running = []
        for number, client in enumerate(clients):
            limiter = shared if client.shares_account else Limiter(clock=clock)
            admission = Admission(limiter=limiter, crowd=Crowd(fixed=client.concurrency), clock=clock, told=client.told)
            line = _Line(client, number, admission, door, Random(f"{seed}/{number}"))
            running += [tasks.create_task(line.work()) for _ in range(client.workers)]
        await asyncio.sleep(seconds)
        for task in running:
            task.cancel()
    return door.log


class _Door:
    """The provider's side."""

    def __init__(self, climate: Climate, chance: Random) -> None:
        self.climate = climate
        self.log = Log()
        self._dialect = _DIALECTS[climate.dialect]
        self._gate = Gate(climate.limits)
        self._changes = list(climate.changes)
        self._chance = chance

    def way_s(self) -> float:
        return self.climate.way_s + self._chance.uniform(0.0, self.climate.jitter_s)

    def latency_s(self) -> float:
        return self._chance.lognormvariate(math.log(self.climate.latency_s), self.climate.latency_spread)

    def arrive(self, charge: Charge, *, output_tokens: int, client: int, now: float) -> Echo:
        while self._changes and self._changes[0][0] <= now:
            self._gate.change(self._changes.pop(0)[1], now=now)
        news, denial = self._weather(now), None
        if news is News.GOOD:
            denial = self._gate.admit(charge, now=now, denied_counts=self._dialect.denied_counts)
            news = News.GOOD if denial is None else News.TOO_FAST
        if news is News.GOOD:
            self._gate.produced(charge, output_tokens)
        charged = self._gate.tokens_charged(charge)
        self.log.arrivals.append(Arrival(now, client, news is News.GOOD, charge.input_tokens, output_tokens, charged))
        return self._echo(news, denial, Used(charge.input_tokens, output_tokens))

    def _weather(self, now: float) -> News:
        climate = self.climate
        if climate.storm is not None and climate.storm[0] <= now < climate.storm[1]:
            return self._chance.choice(climate.storm_news)
        return News.OVERLOADED if self._chance.random() < climate.overload_share else News.GOOD

    def _echo(self, news: News, denial: Denial | None, used: Used) -> Echo:
        headers: dict[str, str] = {}
        if self.climate.tells_limits:
            headers |= self._dialect.limit_headers(self._gate.standings(), wall=0.0)
        delay_s = None
        if denial is not None and self.climate.tells_waits:
            delay_s = retry_after_s(self._dialect.deny(denial, model="any").headers, now=0.0)
        return Echo(news, headers, delay_s, used if news is News.GOOD else Used(0, 0))


class _Line:
    """One client's requests, each asked until it is let in."""

    def __init__(self, client: Client, number: int, admission: Admission, door: _Door, chance: Random) -> None:
        self.client = client
        self.number = number
        self.admission = admission
        self._door = door
        self._chance = chance
        self._sizes = Sizes()

    async def work(self) -> None:
        while True:
            input_tokens = self._chance.randint(*self.client.input_tokens)
            output_tokens = self._chance.randint(*self.client.output_tokens)
            failures = 0
            while (echo := await self._attempt(input_tokens, output_tokens, failures)).news is not News.GOOD:
                failures += 1
                backoff = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0**failures) * self._chance.uniform(0.5, 1.0)
                await asyncio.sleep(max(backoff, echo.delay_s or 0.0))

    async def _attempt(self, input_tokens: int, output_tokens: int, failures: int) -> Echo:
        """Ask once, there and back again."""
        bound, most = input_tokens * _BYTES_A_TOKEN + _BYTES_AROUND, self.client.max_tokens
        ticket = await self.admission.enter(
            lambda: self._sizes.demand("", input_bound=bound, max_tokens=most, n=1), again=failures > 0
        )
        echo = Echo(News.NONE)
        try:
            await asyncio.sleep(self._door.way_s())
            now = asyncio.get_running_loop().time()
            came = self._door.arrive(
                Charge(input_tokens, most), output_tokens=output_tokens, client=self.number, now=now
            )
            await asyncio.sleep(self._door.way_s() + (self._door.latency_s() if came.news is News.GOOD else 0.0))
            echo = came
        finally:
            self.admission.leave(ticket, echo)
        if echo.used is not None and echo.news is News.GOOD:
            self._sizes.notify("", input_bound=bound, input_tokens=input_tokens, output_tokens=output_tokens, n=1)
        return echo
