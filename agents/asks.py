"""What a stage needs of the engine: somebody who answers a request, and an error that is an outcome too."""

from __future__ import annotations

from typing import Protocol

from engine.errors import SmeltError
from engine.messages import Outcome, Reply, Request

__all__ = ["Asks", "attempt"]


class Asks(Protocol):
    """Whoever answers: the engine, or ten lines in a test."""

    async def ask(self, request: Request) -> Reply:
        """The answer; raises a SmeltError when there is none."""
        ...


async def attempt(asks: Asks, request: Request) -> Outcome:
    """Ask, and take an error of ours as an outcome: what it costs is the stage's to decide. A bug still raises."""
    try:
        return Outcome(request, reply=await asks.ask(request))
    except SmeltError as error:
        return Outcome(request, error=error)
