"""A fleet in this process, asked of a provider that remembers who asked it what."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import Capabilities, Price, Request, Usage
from engine.fleet.fleet import Fleet
from engine.fleet.near import Near
from engine.messages import RawReply
from engine.providers import AttemptTimedOut, Reading
from tests.engine.asking import GENEROUS

__all__ = ["Service", "fleet_of", "until"]


@dataclass
class Service:
    """What all workers ask. It answers in capitals, bills every answer, and remembers what it billed, in pico-dollars.

    `stalls` names questions whose first so many attempts end without an answer, and are billed all the same.
    """

    latency_s: float = 0.002
    slow: Mapping[str, float] = field(default_factory=dict)  # by worker
    stalls: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    by_worker: Counter[str] = field(default_factory=Counter)
    billed: int = 0

    def provider(self, worker: str) -> Provider:
        return Provider(self, worker)


class Provider:
    """One worker's way to the service."""

    name = "test/model"
    endpoint = "nowhere"
    simulated = True
    price = Price(input=1, output=2)
    capabilities = Capabilities()

    def __init__(self, service: Service, worker: str) -> None:
        self._service = service
        self.account = ("service", worker)  # workers share no process, so they share no limiter

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002
        service, text = self._service, request.messages[-1].content
        service.asked[text] += 1
        service.by_worker[self.account[1]] += 1
        service.billed += 20 * 10**6
        await asyncio.sleep(service.slow.get(self.account[1], service.latency_s))
        if service.stalls[text] > 0:
            service.stalls[text] -= 1
            raise AttemptTimedOut("no answer")
        return RawReply(200, {}, text.upper().encode(), service.latency_s)

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002
        return Reading((raw.body.decode(),), ("stop",), Usage(10, 5), "model-1")

    async def aclose(self) -> None:
        raise AssertionError("a provider that was handed in stays the caller's")


def fleet_of(service: Service, near: Near | int, folder: Path, **rest: Any) -> tuple[Fleet, Near]:
    """A fleet whose workers ask the service, with its journal in the folder."""

    def hired_as(name: str, hired: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**hired, "model": service.provider(name)}

    near = Near(near, hired_as=hired_as) if isinstance(near, int) else near
    settings = {"budget": GENEROUS} | rest
    return Fleet(service.provider("driver"), hiring=near, journal=folder / "journal.db", **settings), near


async def until(is_so: Callable[[], object]) -> None:
    """Let the others go on until it is so."""
    while not is_so():  # noqa: ASYNC110 - what is waited for here has no event
        await asyncio.sleep(0.001)
