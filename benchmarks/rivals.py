"""One client after another asks the same questions: `python benchmarks/rivals.py NAME URL REQUESTS IN_FLIGHT`.

Prints one JSON line: what the asking took, in seconds that passed and seconds of the processor, and the most memory.
Each runs in a process of its own, so that none pays for another's imports, and may run in another environment: only
what a client needs is imported, and that before the clock starts, as are the first requests that open connections.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine import Engine, Provider

__all__ = ["KEY", "MAX_TOKENS", "TEXT", "WORDS", "Took", "everything_on"]

MAX_TOKENS = 250
KEY = (
    "sk-benchmark-Q7wZ3nVd9fKxT2bLm5Rj8yHc4Gp6Ae1Su0"  # nobody's; as long as real ones, which are looked for in replies
)
WORDS = (
    "the quick brown fox jumps over the lazy dog and runs on to the river "  # some 210 tokens are asked, as many come
)
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


async def measured_by(ask: Callable[[str], Awaitable[str]], *, requests: int, in_flight: int) -> Took:
    def run(texts: Sequence[str]) -> Awaitable[int]:
        return gathered(ask, texts, in_flight=in_flight)

    return await measured(run, requests=requests, in_flight=in_flight)


@asynccontextmanager
async def everything_on(model: str | Provider, *, in_flight: int, **more: Any) -> AsyncIterator[Engine]:
    """An engine with limits, a budget, intents and replies fsynced, retries, and somebody who listens to its events."""
    from engine import Budget, Engine, Events, Limits, Price

    events = Events()
    events.subscribe(lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(
            model,
            budget=Budget(usd=100_000),
            price=Price(input="0.25", output=2),
            limits=Limits(rpm=100_000_000, tpm=10**11),
            concurrency=in_flight,
            journal=Path(folder) / "journal.db",
            events=events,
            **more,
        ) as engine:
            yield engine


async def smelt(url: str, requests: int, in_flight: int, *, dialect: str = "openai") -> Took:
    from engine import Request

    async with everything_on(f"{dialect}/echo", in_flight=in_flight, base_url=url, api_key=KEY) as engine:

        async def run(texts: Sequence[str]) -> int:
            questions = (Request.user(text, max_tokens=MAX_TOKENS) for text in texts)
            return sum([outcome.reply is not None async for outcome in engine.map(questions, ordered=False)])

        return await measured(run, requests=requests, in_flight=in_flight)


async def bare(url: str, requests: int, in_flight: int, *, cycles_rarely: bool = False) -> Took:
    """aiohttp, and nothing else but reading the JSON."""
    import aiohttp
    import orjson

    if cycles_rarely:
        gc.set_threshold(50_000)

    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def ask(text: str) -> str:
            body = {"model": "echo", "messages": [{"role": "user", "content": text}], "max_tokens": MAX_TOKENS}
            async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
                response.raise_for_status()
                read = orjson.loads(await response.read())
                return str(read["choices"][0]["message"]["content"])

        return await measured_by(ask, requests=requests, in_flight=in_flight)


async def openai(url: str, requests: int, in_flight: int, *, on_aiohttp: bool = False) -> Took:
    from openai import AsyncOpenAI, DefaultAioHttpClient

    http = DefaultAioHttpClient() if on_aiohttp else None
    async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=2, http_client=http) as client:

        async def ask(text: str) -> str:
            completion = await client.chat.completions.create(
                model="echo", messages=[{"role": "user", "content": text}], max_tokens=MAX_TOKENS
            )
            return completion.choices[0].message.content or ""

        return await measured_by(ask, requests=requests, in_flight=in_flight)


async def anthropic(url: str, requests: int, in_flight: int) -> Took:
    from anthropic import AsyncAnthropic

    async with AsyncAnthropic(base_url=url.removesuffix("/v1"), api_key=KEY, max_retries=2) as client:

        async def ask(text: str) -> str:
            message = await client.messages.create(
                model="echo", messages=[{"role": "user", "content": text}], max_tokens=MAX_TOKENS
            )
            return "".join(block.text for block in message.content if block.type == "text")

        return await measured_by(ask, requests=requests, in_flight=in_flight)


async def litellm(url: str, requests: int, in_flight: int) -> Took:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch one
    library: Any = import_module("litellm")

    async def ask(text: str) -> str:
        reply: Any = await library.acompletion(
            model="openai/echo",
            api_base=url,
            api_key=KEY,
            messages=[{"role": "user", "content": text}],
            max_tokens=MAX_TOKENS,
        )
        return str(reply.choices[0].message.content)

    return await measured_by(ask, requests=requests, in_flight=in_flight)


async def curator(url: str, requests: int, in_flight: int) -> Took:
    """Its own loop, cache and retries; told limits that do not bind."""
    tokenizers = Path(import_module("litellm").__path__[0]) / "litellm_core_utils" / "tokenizers"
    os.environ["TELEMETRY_ENABLED"] = "0"
    os.environ["TIKTOKEN_CACHE_DIR"] = str(tokenizers)  # it would fetch one
    library: Any = import_module("bespokelabs.curator")

    limits = {"max_requests_per_minute": 10**8, "max_tokens_per_minute": 10**11}
    with tempfile.TemporaryDirectory() as folder:
        model = library.LLM(
            model_name="echo",
            backend="openai",
            backend_params={"base_url": url, "api_key": KEY, "max_concurrent_requests": in_flight, **limits},
            generation_params={"max_tokens": MAX_TOKENS},
        )

        async def run(texts: Sequence[str]) -> int:
            return len(await asyncio.to_thread(lambda: model(list(texts), working_dir=folder).dataset))

        return await measured(run, requests=requests, in_flight=in_flight)


async def distilabel(url: str, requests: int, in_flight: int) -> Took:
    """Its client alone, without its pipeline, which would have it wait for whole batches."""
    library: Any = import_module("distilabel.models.llms")
    model = library.OpenAILLM(model="echo", base_url=url, api_key=KEY)
    model.load()

    async def ask(text: str) -> str:
        made = await model.agenerate(input=[{"role": "user", "content": text}], max_new_tokens=MAX_TOKENS)
        return str(made["generations"][0])

    return await measured_by(ask, requests=requests, in_flight=in_flight)


Client = Callable[[str, int, int], Awaitable[Took]]
CLIENTS: dict[str, Client] = {
    "smelt": smelt,
    "smelt, anthropic": partial(smelt, dialect="anthropic"),
    "aiohttp": bare,
    "aiohttp, cycles rarely": partial(bare, cycles_rarely=True),
    "openai": openai,
    "openai on aiohttp": partial(openai, on_aiohttp=True),
    "anthropic": anthropic,
    "litellm": litellm,
    "curator": curator,
    "distilabel": distilabel,
}
ON_UVLOOP = " on uvloop"


def main(arguments: Sequence[str]) -> None:
    name, url, requests, in_flight = arguments
    took: Any = run_of(name)(CLIENTS[name.removesuffix(ON_UVLOOP)](url, int(requests), int(in_flight)))
    print(json.dumps(asdict(took)))


def run_of(name: str) -> Callable[..., object]:
    if not name.endswith(ON_UVLOOP):
        return asyncio.run
    import uvloop

    return uvloop.run


if __name__ == "__main__":
    main(sys.argv[1:])
