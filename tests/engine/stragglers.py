"""A provider that is slow when it is told to be, and an engine that has seen enough of it to tell."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from engine import Engine, Reply, Request, SmeltError
from engine.fakes import virtual_time
from engine.messages import RawReply
from engine.providers import ConnectionFailed
from tests.engine.asking import GENEROUS, Given, now, question

WARM = 70  # replies: the kind is known, and two more attempts may be sent
COST = 10 * 1 + 5 * 2  # of an answer, in millionths of a dollar
Fate = tuple[float, int | str]
"""How many seconds an attempt is out, and how it ends: a status, or "broken"."""


class Uneven(Given):
    """Answers after a second with the text and the number of the attempt, unless a text's attempts have other fates."""

    def __init__(self, **fates: Sequence[Fate]) -> None:
        self.fates = fates
        self.sent: Counter[str] = Counter()
        self.order: list[str] = []

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        text = request.messages[-1].content
        attempt = self.sent[text]
        self.sent[text] += 1
        self.order.append(text)
        fates = self.fates.get(text, [])
        seconds, end = fates[attempt] if attempt < len(fates) else (1.0, 200)
        await asyncio.sleep(min(seconds, timeout_s))
        if end == "broken":
            raise ConnectionFailed("reset")
        return RawReply(int(end), {}, f"{text} {attempt}".encode(), seconds)


async def warm_up(engine: Engine) -> None:
    """So many replies that their kind is known; they take a second."""
    async for outcome in engine.map([question(f"warm {i}") for i in range(WARM)]):
        outcome.unwrap()


async def ends(asking: Coroutine[Any, Any, Reply]) -> tuple[str, float]:
    """What came of a question, as the reply's text or the error's name, and how long that took."""
    began = now()
    try:
        return (await asking).text, now() - began
    except SmeltError as error:
        return type(error).__name__, now() - began


def straggle(
    *fates: Fate, then: Callable[[Engine], Coroutine[Any, Any, None]] | None = None, **given: Any
) -> tuple[str, float, Uneven]:
    """Ask "slow", whose attempts have these fates, of an engine that hedges; `then` looks at what is left."""
    provider = Uneven(slow=fates)
    told: dict[str, Any] = {"budget": GENEROUS, "hedge": True} | given

    async def main() -> tuple[str, float]:
        async with Engine(provider, **told) as engine:
            await warm_up(engine)
            end = await ends(engine.ask(question("slow")))
            if then is not None:
                await then(engine)
            return end

    return *virtual_time.run(main()), provider
