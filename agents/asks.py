"""What a stage needs of the engine: somebody who answers a request, and an error that is an outcome too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Protocol, TypeVar

from engine.errors import SmeltError
from engine.messages import Outcome, Reply, Request
from engine.providers import Capabilities

__all__ = ["Asks", "all_of", "attempt", "capabilities_of", "coldest", "question_of", "takes_choices", "takes_schema"]

QUESTION_DIGITS = 16

T = TypeVar("T")


class Asks(Protocol):
    """Whoever answers: the engine, or ten lines in a test."""

    async def ask(self, request: Request) -> Reply:
        """The answer; raises a SmeltError when there is none."""
        ...


def coldest(asks: Asks, *, tag: str) -> float | None:
    """The temperature for a question of a tag that has one right answer: none where whoever is asked takes none."""
    can = capabilities_of(asks, tag)
    return None if can is not None and can.max_temperature is None else 0.0


def takes_schema(asks: Asks, *, tag: str) -> bool:
    """Whether whoever is asked holds its model to a schema."""
    can = capabilities_of(asks, tag)
    return can is None or can.schema


def takes_choices(asks: Asks, *, tag: str) -> bool:
    """Whether whoever is asked can hold its model to some texts: those in this process can, hardly any other."""
    can = capabilities_of(asks, tag)
    return can is not None and can.choices


def capabilities_of(asks: Asks, tag: str) -> Capabilities | None:
    """What may be asked of whoever answers requests of a tag; None where nobody says."""
    told = getattr(asks, "capabilities_of", None)
    can = told(tag) if callable(told) else None
    return can if isinstance(can, Capabilities) else None


def question_of(request: Request) -> str:
    """The name of a question in the data and in exported requests: the same wherever and whenever it is asked."""
    return request.identity(asked_of="").hex()[:QUESTION_DIGITS]


async def attempt(asks: Asks, request: Request) -> Outcome:
    """Ask, and take an error of ours as an outcome: what it costs is the stage's to decide. A bug still raises."""
    try:
        return Outcome(request, reply=await asks.ask(request))
    except SmeltError as error:
        return Outcome(request, error=error)


async def all_of(work: Iterable[Awaitable[T]]) -> list[T]:
    """Everything at the same time, in order; a bug in one ends the others."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(each)) for each in work]
    return [task.result() for task in tasks]


async def _awaited(work: Awaitable[T]) -> T:
    return await work
