"""n completions from an endpoint that gives one a request: n requests, each a sample of its own, and one reply."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from engine.messages import Reply, Request, Usage

__all__ = ["in_parts", "joined", "parts_of"]


async def in_parts(request: Request, answer: Callable[[Request], Awaitable[Reply]]) -> Reply:
    """Ask for all parts at once. One that fails fails the whole, once all have ended.

    The others are in the journal then: asking again will not pay for them again.
    """
    ends = await asyncio.gather(*(answer(part) for part in parts_of(request)), return_exceptions=True)
    replies: list[Reply] = []
    for end in ends:
        if isinstance(end, BaseException):
            raise end
        replies.append(end)
    return joined(replies)


def parts_of(request: Request) -> list[Request]:
    """One request a completion, in order. Asking the whole again asks exactly these again."""
    return [replace(request, n=1, sample=_sample(request, i)) for i in range(request.n)]


def joined(replies: Sequence[Reply]) -> Reply:
    """The replies to the parts as the reply to the whole; it is the journal's only if all of it is."""
    usages = [reply.usage for reply in replies]
    return Reply(
        texts=tuple(text for reply in replies for text in reply.texts),
        finish_reasons=tuple(reason for reply in replies for reason in reply.finish_reasons),
        usage=Usage(
            sum(usage.input_tokens for usage in usages),
            sum(usage.output_tokens for usage in usages),
            sum(usage.cached_tokens for usage in usages),
            sum(usage.cache_write_tokens for usage in usages),
        ),
        model=replies[0].model,
        cost_usd=sum(reply.cost_usd for reply in replies),
        paid_usd=sum(reply.paid_usd for reply in replies),
        latency_s=max(reply.latency_s for reply in replies),
        attempts=sum(reply.attempts for reply in replies),
        from_journal=all(reply.from_journal for reply in replies),
    )


def _sample(request: Request, i: int) -> int:
    """A number that nobody who counts samples 0, 1, 2 comes across: parts must not answer other requests' samples."""
    name = f"{request.sample}/{request.n}/{i}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:7], "big")
