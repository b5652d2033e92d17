"""What a process does that asks in batches and may die between any two steps of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from engine import Budget, Engine, Price, Request
from engine.batches import Timing
from engine.clock import SystemClock
from engine.messages import RawReply
from engine.providers import Capabilities, Reading
from engine.providers.anthropic import Anthropic
from engine.providers.batches import BatchEndpoint, FileLimits, Found, LineReply, Look
from engine.providers.openai import OpenAI

if TYPE_CHECKING:
    from tests.victim import Doom

REQUESTS = 40
PRICE = Price(input="0.25", output=2, batch="0.5")
TIMING = Timing(
    quiet_s=0.05, first_look_s=0.05, longest_look_s=0.1, grace_s=0.5, first_retry_s=0.05, calls_a_second=10_000
)


def questions(trial: str) -> list[Request]:
    """What a trial asks: no two trials ask the same."""
    return [Request.user(f"{trial}/{number}: how are you?", max_tokens=40) for number in range(REQUESTS)]


def teacher(dialect: str, model: str, url: str) -> OpenAI | Anthropic:
    if dialect == "openai":
        return OpenAI(model, base_url=url, api_key="nobody-s-key-at-all", clock=SystemClock())
    return Anthropic(model, base_url=url, api_key="nobody-s-key-at-all", clock=SystemClock())


class WatchedEndpoint:
    """A batch endpoint, and the places before and after each call."""

    def __init__(self, inner: BatchEndpoint, doom: Doom) -> None:
        self._inner = inner
        self._doom = doom
        self.uploads = inner.uploads
        self.limits = FileLimits(lines=25, bytes=10**6)  # two batches a trial

    def line(self, request: Request, *, ident: str) -> bytes:
        return self._inner.line(request, ident=ident)

    async def upload(self, lines: Sequence[bytes], *, name: str) -> str:
        self._doom.reach("before upload")
        file = await self._inner.upload(lines, name=name)
        self._doom.reach("after upload")
        return file

    async def create(self, *, name: str, file: str | None, lines: Sequence[bytes]) -> str:
        self._doom.reach("before create")
        batch = await self._inner.create(name=name, file=file, lines=lines)
        self._doom.reach("after create")
        return batch

    async def find(self, *, name: str, lines: int, since: float) -> Found:
        self._doom.reach("before find")
        found = await self._inner.find(name=name, lines=lines, since=since)
        self._doom.reach("after find")
        return found

    async def look(self, batch: str) -> Look:
        self._doom.reach("before look")
        look = await self._inner.look(batch)
        self._doom.reach("after look")
        return look

    async def results(self, batch: str, look: Look) -> AsyncGenerator[LineReply, None]:
        self._doom.reach("before results")
        async with aclosing(self._inner.results(batch, look)) as results:
            async for reply in results:
                self._doom.reach("line")
                yield reply
        self._doom.reach("after results")

    async def aclose(self) -> None:
        await self._inner.aclose()


class Watched:
    """A teacher whose batches are watched."""

    simulated = False

    def __init__(self, inner: OpenAI | Anthropic, doom: Doom) -> None:
        self._inner = inner
        self._doom = doom

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def endpoint(self) -> str:
        return self._inner.endpoint

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def batches(self) -> WatchedEndpoint:
        return WatchedEndpoint(self._inner.batches(), self._doom)

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        return await self._inner.send(request, timeout_s=timeout_s)

    def read(self, request: Request, raw: RawReply) -> Reading:
        return self._inner.read(request, raw)

    async def aclose(self) -> None:
        await self._inner.aclose()


def ask_all(*, dialect: str, url: str, trial: str, folder: str, doom: Doom) -> None:
    """Ask all questions of a trial in batches, and write the answers down, whole or not at all."""

    async def session() -> list[str]:
        provider = Watched(teacher(dialect, trial, url), doom)
        async with Engine(
            provider,
            budget=Budget(usd=1),
            price=PRICE,
            journal=Path(folder) / "journal.db",
            batch=True,
            batch_timing=TIMING,
        ) as engine:
            texts = [outcome.unwrap().text async for outcome in engine.map(questions(trial))]
        await provider.aclose()
        return texts

    doom.hang_on_the_journal()
    doom.reach("begun")
    texts = asyncio.run(session())
    doom.reach("ended")
    temporary = Path(folder) / "answers.new"
    temporary.write_text(json.dumps(texts))
    temporary.replace(Path(folder) / "answers.json")
    print(json.dumps(doom.passed))
