"""How an engine is asked in tests, of what provider, and what is left when it has answered: nothing."""

from __future__ import annotations

import asyncio

from engine import Budget, Capabilities, Engine, Price, Request, Usage
from engine.messages import RawReply
from engine.providers import Reading

GENEROUS = Budget(usd=100)
MICRO = 10**6  # pico-dollars


class Given:
    """All of a provider but how it answers. Its replies are their texts."""

    name = "test/model"
    endpoint = "nowhere"
    simulated = True
    price = Price(input=1, output=2)
    capabilities = Capabilities()

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002 - the reply says it all
        return Reading((raw.body.decode(),), ("stop",), Usage(10, 5), "model-1")

    async def aclose(self) -> None:
        raise AssertionError("a provider that was handed in stays the caller's")


def question(text: str = "hello", *, max_tokens: int = 100) -> Request:
    return Request.user(text, max_tokens=max_tokens)


def questions(count: int) -> list[Request]:
    return [question(f"row {i}") for i in range(count)]


def now() -> float:
    return asyncio.get_running_loop().time()


def nothing_is_left(engine: Engine) -> bool:
    """Nothing in flight, nothing set aside, and the journal and the ledger agree; of an engine that is open."""
    statistics, counts = engine.statistics(), engine._opened().counts()
    written = sum(totals.spent + totals.assumed for totals in counts.by_tag.values())
    left = statistics.reserved, statistics.in_flight, statistics.waiting, counts.in_flight, counts.answered_twice
    return left == (0, 0, 0, 0, 0) and written == statistics.spent + statistics.assumed
