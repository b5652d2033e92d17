"""Models of a name, a price and a fate each, which keep the true ledger of what they were asked and charged."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable

from engine import Capabilities, Price, Request
from engine.messages import FinishReason, RawReply, Usage
from engine.providers import Reading
from tests.engine.scripted import answered, refusal, reply

Fate = Callable[["Teller"], RawReply | Exception | None]
"""What happens to the next request instead of an answer, if anything."""


class Teller:
    """Answers everything with the last message in capitals, unless its fate is another."""

    simulated = True

    def __init__(
        self,
        name: str,
        fate: Fate = lambda _: None,
        *,
        price: Price | None = None,
        latency_s: float = 1.0,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.name = f"test/{name}"
        self.endpoint = f"nowhere of {name}"
        self.price = price or Price(input=1, output=2)
        self.capabilities = capabilities or Capabilities()
        self.fate = fate
        self.latency_s = latency_s
        self.seen: list[float] = []  # when something came, whatever became of it
        self.asked: Counter[str] = Counter()  # what was answered, so paid for
        self.billed = 0  # pico-dollars

    def __repr__(self) -> str:
        return f"<Teller {self.name} [{len(self.seen)} seen, {self.asked.total()} answered]>"

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - answers in time
        self.seen.append(now())
        fate = self.fate(self)
        if isinstance(fate, Exception):
            raise fate
        if fate is not None:
            await asyncio.sleep(0.1)
            return fate
        self.asked[request.messages[-1].content] += 1
        self.billed += self.price.cost(Usage(10, 5))
        await asyncio.sleep(self.latency_s)
        return answered(request)

    def read(self, request: Request, raw: RawReply) -> Reading:
        body = json.loads(raw.body)
        stop: FinishReason = "stop"
        return Reading(tuple(body["texts"]), (stop,) * request.n, Usage(*body["usage"]), self.name)

    async def aclose(self) -> None:
        raise AssertionError("a provider that was handed in stays the caller's")


def now() -> float:
    return asyncio.get_running_loop().time()


def after_dollars(usd: float) -> Fate:
    """No credit is left once so much was charged."""
    return lambda teller: refusal(429, "insufficient_quota") if teller.billed >= usd * 1e12 else None


def out_between(start: float, end: float, status: int = 503) -> Fate:
    """An outage, from one second to another."""
    return lambda _: refusal(status) if start <= now() < end else None


def refused_from(start: float, status: int, code: str = "") -> Fate:
    """Nothing is allowed any more."""
    return lambda _: refusal(status, code) if now() >= start else None


def finds_wrong(teller: Teller) -> RawReply:  # noqa: ARG001 - whatever is asked
    return reply(status=400, error={"type": "invalid_request_error", "message": "temperature is wrong"})
