"""What one would write by hand: aiohttp, something that keeps the pace, and tenacity's waits after a failure.

Knows no engine. Each way in is used as its makers say; what they are told of a limit is all of it, by the second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp
    from tenacity.stop import StopBaseT
    from tenacity.wait import WaitBaseT

__all__ = ["LONGEST_WAIT_S", "WAYS_IN", "Enter", "ask_by_hand"]

LONGEST_WAIT_S = 10.0

Enter = Callable[[], AbstractAsyncContextManager[Any]]


def semaphore(_: int, in_flight: int) -> Enter:
    slots = asyncio.Semaphore(in_flight)
    return lambda: slots


def asyncio_throttle(per_second: int, _: int) -> Enter:
    from asyncio_throttle import Throttler

    throttler = Throttler(rate_limit=per_second, period=1.0)
    return lambda: throttler


def aiolimiter(per_second: int, _: int) -> Enter:
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(per_second, 1.0)
    return lambda: limiter


def nothing(_: int, __: int) -> Enter:
    return nullcontext


WAYS_IN: dict[str, Callable[[int, int], Enter]] = {
    "semaphore": semaphore,
    "asyncio-throttle": asyncio_throttle,
    "aiolimiter": aiolimiter,
    "tenacity alone": nothing,
}
"""By name: of the limit a second and how many in flight, what a request has to pass."""


async def ask_by_hand(
    url: str,
    texts: Sequence[str],
    *,
    enter: Enter,
    max_tokens: int,
    stop: StopBaseT,
    wait: WaitBaseT | None = None,
    timeout_s: float | None = None,
) -> list[float]:
    """Ask all at once; how long each took that was answered, in seconds. Waits are random unless told otherwise."""
    import aiohttp

    async with session(timeout_s) as opened:

        async def once(text: str) -> None:
            body = {"model": "echo", "max_tokens": max_tokens, "messages": [{"role": "user", "content": text}]}
            async with enter(), opened.post(f"{url}/chat/completions", json=body) as response:
                response.raise_for_status()
                answer = await response.json()
                _ = answer["choices"][0]["message"]["content"]

        asking = (
            persisting(once, text, stop=stop, wait=wait, on=(aiohttp.ClientError, TimeoutError)) for text in texts
        )
        return [took for took in await asyncio.gather(*asking) if took is not None]


async def persisting(
    once: Callable[[str], Any],
    text: str,
    *,
    stop: StopBaseT,
    wait: WaitBaseT | None,
    on: tuple[type[BaseException], ...],
) -> float | None:
    """How long it took with tenacity's help; None when it was given up, or what came could not be read."""
    from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, wait_random_exponential

    waits = wait or wait_random_exponential(max=LONGEST_WAIT_S)
    began = time.perf_counter()
    try:
        await AsyncRetrying(retry=retry_if_exception_type(on), wait=waits, stop=stop)(once, text)
    except (RetryError, ValueError, KeyError):
        return None
    return time.perf_counter() - began


@asynccontextmanager
async def session(timeout_s: float | None) -> AsyncIterator[aiohttp.ClientSession]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as opened:
        yield opened
