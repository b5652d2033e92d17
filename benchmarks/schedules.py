"""Random runs against a cap, and a provider that keeps its own books of them: the judge of who overspends.

A schedule follows from its number alone. The provider bills what it does in integers of its own arithmetic, also where
its answer is lost, cut, unreadable or says nonsense of its usage; it knows nothing of the client's ledger.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Literal

import orjson

from benchmarks.chance import log_normal
from engine import Budget, Capabilities, Price, Request
from engine.bounds import input_bound
from engine.messages import RawReply
from engine.prices import PICO_PER_USD
from engine.providers import AttemptTimedOut, ConnectionFailed, Reading
from engine.providers.openai import read_completion

__all__ = ["Biller", "Books", "Kind", "Schedule", "drawn"]

STAGES = ("parse", "generate", "annotate")
WORTH = (500, 700)  # requests that a budget, or the least share of it, pays for at what they truly cost
FRAMING = 8  # tokens that a template puts around a message
MOST_TIMES = 5  # as much as the cheapest may the dearest kind of request cost
WORK_LEFT = 1.1  # times the budget is what there would be to do

PLAIN_HEADERS = {"content-type": "application/json"}

Fate = Literal["well", "refused", "error", "billed error", "lost", "stalled", "garbled", "filtered", "odd usage"]
FAILING: tuple[Fate, ...] = ("refused", "error", "billed error", "lost", "stalled", "garbled", "filtered", "odd usage")
ODD_USAGES: tuple[object, ...] = (
    None,
    {},
    {"prompt_tokens": -5, "completion_tokens": 3},
    {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": 10**15, "completion_tokens": 10**15},
    {"prompt_tokens": "12", "completion_tokens": "7"},
    {"prompt_tokens": 12, "completion_tokens": float(3)},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Requests of one stage: so many characters in, answers of log-normal length, at most `max_tokens` each."""

    stage: str
    characters: int
    median: float
    sigma: float
    max_tokens: int
    n: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Everything that happens in a run. Prices are pico-dollars a token; times are seconds.

    `greedy` providers use every token that a request allows them. `caps` are those of the run's lives, one after
    another; all but the last are ended by a crash.
    """

    seed: int
    kinds: tuple[Kind, ...]
    price_in: int
    price_out: int
    caps: tuple[int, ...]
    at_most: dict[str, Decimal]
    kept: dict[str, Decimal]
    in_flight: int
    fixed: bool
    hedge: bool
    latency_s: float
    timeout_s: float
    arrival_s: float
    failing: float  # the share of attempts that meet some fate
    cancelled: float  # the share of requests that are given up by their asker
    greedy: bool

    @property
    def price(self) -> Price:
        scale = Decimal(10**6)  # a pico-dollar a token is a millionth of a dollar per million
        return Price(input=self.price_in / scale, output=self.price_out / scale)

    def budget(self, life: int) -> Budget:
        return Budget(Decimal(self.caps[life]) / PICO_PER_USD, at_most=self.at_most, kept=self.kept)

    def requests(self) -> list[Request]:
        """All of them, in an order of chance."""
        requests = [
            Request.user(_text(kind, i), max_tokens=kind.max_tokens, n=kind.n, tag=kind.stage)
            for kind in self.kinds
            for i in range(kind.count)
        ]
        Random(self.seed).shuffle(requests)
        return requests


def drawn(seed: int, *, crashes: int = 0, work: float = WORK_LEFT) -> Schedule:
    """The schedule of that number, with work for so many times its budget.

    With crashes it plays in real time, which is made short.
    """
    chance = Random(f"{seed}/{crashes}")
    stages = STAGES[: chance.choice([1, 2, 3])]
    greedy, work_is_left = chance.random() < 0.1, chance.random() < 0.9
    at_most = {stages[0]: Decimal(chance.randrange(3, 9)) / 10} if chance.random() < 0.3 else {}
    kept = {stages[-1]: Decimal(chance.randrange(1, 4)) / 10} if len(stages) > 1 and chance.random() < 0.3 else {}
    price_in = chance.randrange(50_000, 5_000_000)
    price_out = price_in * chance.randrange(1, 9)
    shapes, costs = _shapes(chance, stages, price_in=price_in, price_out=price_out, greedy=greedy)
    cap = int(chance.randrange(*WORTH) * sum(costs) / len(costs) / float(min(at_most.values(), default=1)))
    needed = cap * (work if work_is_left else 0.5)
    parts = [float(at_most.get(stage, 1 / len(stages))) for stage in stages]
    in_flight = chance.choice([1, 3, 10, 30, 100, 200, 300, 400, 500, 500])
    return Schedule(
        seed=seed,
        kinds=tuple(
            replace(kind, count=math.ceil(needed * part / cost) + 1)
            for kind, cost, part in zip(shapes, costs, parts, strict=True)
        ),
        price_in=price_in,
        price_out=price_out,
        caps=(*sorted(cap if chance.random() < 0.7 else cap * 2 // 3 for _ in range(crashes)), cap),
        at_most=at_most,
        kept=kept,
        in_flight=max(30, in_flight) if crashes else in_flight,
        fixed=chance.random() < 0.7,
        hedge=chance.random() < 0.3,
        latency_s=0.004 if crashes else chance.choice([0.1, 1.0, 5.0]),
        timeout_s=0.2 if crashes else 20.0,
        arrival_s=chance.choice([0.0, 0.0, 5.0, 60.0]) * (0.002 if crashes else 1),
        failing=chance.choice([0.0, 0.0, 0.02, 0.02 if crashes else 0.1]),
        cancelled=chance.choice([0.0, 0.0, 0.02, 0.2]),
        greedy=greedy,
    )


def _shapes(
    chance: Random, stages: Sequence[str], *, price_in: int, price_out: int, greedy: bool
) -> tuple[list[Kind], list[float]]:
    """Kinds of requests and what each costs on average; none so cheap that there would be thousands of it."""
    while True:
        shapes = [_shape(chance, stage) for stage in stages]
        costs = [_mean_cost(kind, price_in=price_in, price_out=price_out, greedy=greedy) for kind in shapes]
        if max(costs) <= MOST_TIMES * min(costs):
            return shapes, costs


def _shape(chance: Random, stage: str) -> Kind:
    median = chance.choice([3.0, 10.0, 40.0, 150.0])
    return Kind(
        stage=stage,
        characters=chance.choice([20, 200, 1000]),
        median=median,
        sigma=chance.choice([0.0, 0.3, 0.6]),
        max_tokens=int(median * chance.choice([1.3, 4, 10, 30])) + 2,
        n=chance.choice([1, 1, 1, 3]),
        count=0,
    )


def _text(kind: Kind, i: int) -> str:
    return f"{kind.stage} {i} ".ljust(kind.characters, "x")


def _mean_cost(kind: Kind, *, price_in: int, price_out: int, greedy: bool) -> float:
    request = Request.user(_text(kind, 0), max_tokens=kind.max_tokens, n=kind.n)
    if greedy:
        return input_bound(request) * price_in + kind.n * kind.max_tokens * price_out
    mean = min(kind.max_tokens, max(1.0, kind.median * math.exp(kind.sigma**2 / 2)))
    return (FRAMING + kind.characters / 4) * price_in + kind.n * mean * price_out


class Books:
    """The provider's ledger, pico-dollars billed by stage: in this process, or in memory that outlives it."""

    def __init__(self, cells: memoryview | list[int] | None = None) -> None:
        self._cells = [0] * len(STAGES) if cells is None else cells

    def bill(self, stage: str, amount: int) -> None:
        self._cells[STAGES.index(stage)] += amount

    def billed(self, stage: str) -> int:
        return self._cells[STAGES.index(stage)]


class Biller:
    """A provider on whatever clock the loop has, which bills each request the moment that it arrives."""

    name = "test/biller"
    endpoint = "nowhere"
    simulated = True
    capabilities = Capabilities()

    def __init__(self, schedule: Schedule, books: Books, *, life: int = 0) -> None:
        self.schedule = schedule
        self.books = books
        self.price = schedule.price
        self.high_water = 0
        self.attempts = 0
        self._in_flight = 0
        self._chance = Random(f"{schedule.seed}/{life}")
        self._kinds = {kind.stage: kind for kind in schedule.kinds}

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        self.attempts += 1
        self._in_flight += 1
        self.high_water = max(self.high_water, self._in_flight)
        try:
            return await self._served(request, self._fate(), timeout_s)
        finally:
            self._in_flight -= 1

    def read(self, request: Request, raw: RawReply) -> Reading:
        return read_completion(request, raw, model="biller")

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _served(self, request: Request, fate: Fate, timeout_s: float) -> RawReply:
        latency_s = self.schedule.latency_s * self._chance.lognormvariate(0, 0.5)
        if fate in ("refused", "error"):
            await asyncio.sleep(latency_s)
            return _failure(429 if fate == "refused" else 500)
        input_tokens, lengths, cut = self._work(request)
        self.books.bill(request.tag, input_tokens * self.schedule.price_in + sum(lengths) * self.schedule.price_out)
        await asyncio.sleep(timeout_s if fate == "stalled" else min(latency_s, timeout_s))
        if fate == "stalled" or latency_s > timeout_s:
            raise AttemptTimedOut("no reply in time")
        if fate == "lost":
            raise ConnectionFailed("the connection broke")
        if fate == "billed error":
            return _failure(502)
        usage: object = {"prompt_tokens": input_tokens, "completion_tokens": sum(lengths)}
        if fate == "odd usage":
            usage = self._chance.choice(ODD_USAGES)
        reasons = ["content_filter" if fate == "filtered" else "length" if was_cut else "stop" for was_cut in cut]
        body = _completion(lengths, reasons, usage)
        return RawReply(200, PLAIN_HEADERS, body[: len(body) // 2] if fate == "garbled" else body, latency_s)

    def _work(self, request: Request) -> tuple[int, list[int], list[bool]]:
        """Tokens in, tokens of each completion, and which of them were cut."""
        if self.schedule.greedy:
            return input_bound(request), [request.max_tokens] * request.n, [True] * request.n
        kind, text = self._kinds[request.tag], request.messages[-1].content
        wanted = [_length(kind, f"{self.schedule.seed}/{text[:24]}/{i}") for i in range(request.n)]
        allowed = min(kind.max_tokens, request.max_tokens)
        return (
            FRAMING + math.ceil(len(text) / 4),
            [min(allowed, length) for length in wanted],
            [length > allowed for length in wanted],
        )

    def _fate(self) -> Fate:
        return self._chance.choice(FAILING) if self._chance.random() < self.schedule.failing else "well"


def _length(kind: Kind, name: str) -> int:
    """How long this answer is, whoever asks for it and whenever."""
    return max(1, round(log_normal(name, median=kind.median, sigma=kind.sigma)))


def _failure(status: int) -> RawReply:
    return RawReply(status, PLAIN_HEADERS, orjson.dumps({"error": {"message": "no", "type": "server_error"}}), 0.0)


def _completion(lengths: Sequence[int], reasons: Sequence[str], usage: object) -> bytes:
    return orjson.dumps(
        {
            "choices": [
                {"index": i, "message": {"role": "assistant", "content": f"{length} words"}, "finish_reason": reason}
                for i, (length, reason) in enumerate(zip(lengths, reasons, strict=True))
            ],
            "usage": usage,
        }
    )
