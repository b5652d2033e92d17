"""One client after another asks the same questions: `python benchmarks/rivals.py NAME URL REQUESTS IN_FLIGHT`.

Prints one JSON line: what the asking took, in seconds that passed and seconds of the processor, and the most memory.
Each runs in a process of its own, so that none pays for another's imports, and may run in another environment: only
what a client needs is imported, and that before the clock starts, as are the first requests that open connections.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Took"]

MAX_TOKENS = 200
WORDS = "the quick brown fox jumps over the lazy dog and runs on to the river "  # some 200 tokens are asked, 200 come
TEXT = WORDS * 12

Run = Callable[[Sequence[str]], Awaitable[int]]
"""Asks all texts and says how many were answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What asking took."""

    requests: int
    answered: int
    seconds: float
    cpu_seconds: float
    peak_mb: float


async def measured(run: Run, *, requests: int, in_flight: int) -> Took:
    warm = min(requests, 2 * in_flight)
    await run([f"warm {i}: {TEXT}" for i in range(warm)])
    texts = [f"{i}: {TEXT}" for i in range(requests)]
    cpu, began = time.process_time(), time.perf_counter()
    answered = await run(texts)
    return Took(
        requests=requests,
        answered=answered,
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


async def gathered(ask: Callable[[str], Awaitable[str]], texts: Sequence[str], *, in_flight: int) -> int:
    """The plainest thing that works: everything at once, behind a semaphore."""
    slots = asyncio.Semaphore(in_flight)

    async def one(text: str) -> str:
        async with slots:
            return await ask(text)

    return sum(map(bool, await asyncio.gather(*(one(text) for text in texts))))


async def engine(url: str, requests: int, in_flight: int) -> Took:
    """Everything on: limits, budget, intents and replies fsynced, retries, events."""
    from engine import Budget, Engine, Events, Limits, Price, Request

    seen = 0

    def listener(_: object) -> None:
        nonlocal seen
        seen += 1

    events = Events()
    events.subscribe(listener)
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(
            "openai/echo",
            base_url=url,
            api_key="no-key",
            budget=Budget(usd=1000),
            price=Price(input="0.25", output=2),
            limits=Limits(rpm=100_000_000, tpm=10**11),
            concurrency=in_flight,
            journal=Path(folder) / "journal.db",
            events=events,
        ) as asks:

            async def run(texts: Sequence[str]) -> int:
                questions = (Request.user(text, max_tokens=MAX_TOKENS) for text in texts)
                return sum([outcome.reply is not None async for outcome in asks.map(questions, ordered=False)])

            return await measured(run, requests=requests, in_flight=in_flight)


async def bare(url: str, requests: int, in_flight: int) -> Took:
    """aiohttp, and nothing else but reading the JSON."""
    import aiohttp
    import orjson

    headers = {"content-type": "application/json", "authorization": "Bearer no-key"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def ask(text: str) -> str:
            body = {"model": "echo", "messages": [{"role": "user", "content": text}], "max_tokens": MAX_TOKENS}
            async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
                response.raise_for_status()
                read = orjson.loads(await response.read())
                return str(read["choices"][0]["message"]["content"])

        return await measured(
            lambda texts: gathered(ask, texts, in_flight=in_flight), requests=requests, in_flight=in_flight
        )


async def openai(url: str, requests: int, in_flight: int) -> Took:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="no-key", max_retries=2) as client:

        async def ask(text: str) -> str:
            completion = await client.chat.completions.create(
                model="echo", messages=[{"role": "user", "content": text}], max_tokens=MAX_TOKENS
            )
            return completion.choices[0].message.content or ""

        return await measured(
            lambda texts: gathered(ask, texts, in_flight=in_flight), requests=requests, in_flight=in_flight
        )


async def anthropic(url: str, requests: int, in_flight: int) -> Took:
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(base_url=url.removesuffix("/v1"), api_key="no-key", max_retries=2) as client:

        async def ask(text: str) -> str:
            message = await client.messages.create(
                model="echo", messages=[{"role": "user", "content": text}], max_tokens=MAX_TOKENS
            )
            return "".join(block.text for block in message.content if block.type == "text")

        return await measured(
            lambda texts: gathered(ask, texts, in_flight=in_flight), requests=requests, in_flight=in_flight
        )


CLIENTS: dict[str, Callable[[str, int, int], Awaitable[Took]]] = {
    "smelt": engine,
    "aiohttp": bare,
    "openai": openai,
    "anthropic": anthropic,
}


def main(arguments: Sequence[str]) -> None:
    name, url, requests, in_flight = arguments
    took: Any = asyncio.run(CLIENTS[name](url, int(requests), int(in_flight)))  # type: ignore[arg-type]
    print(json.dumps(asdict(took)))


if __name__ == "__main__":
    main(sys.argv[1:])
