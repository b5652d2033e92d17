"""A provider that answers as it was told, and how it is asked."""

from __future__ import annotations

import asyncio
import json

from engine import Budget, Capabilities, ContentFiltered, Engine, Outcome, SmeltError, UnreadableReply, Usage
from engine.fakes import virtual_time
from engine.messages import FinishReason, RawReply, Request
from engine.providers import AttemptTimedOut, Reading
from tests.engine.asking import GENEROUS, Given, nothing_is_left

Step = RawReply | Exception


class Scripted(Given):
    """Plays its steps in turn, then answers everything with the last message in capitals."""

    def __init__(self, *steps: Step, latency_s: float = 1.0, capabilities: Capabilities | None = None) -> None:
        self.steps = list(steps)
        self.latency_s = latency_s
        self.capabilities = capabilities or Capabilities()
        self.sent: list[Request] = []

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        self.sent.append(request)
        step = self.steps.pop(0) if self.steps else answered(request)
        await asyncio.sleep(min(self.latency_s, timeout_s))
        if self.latency_s > timeout_s:
            raise AttemptTimedOut("too slow")
        if isinstance(step, Exception):
            raise step
        return step

    def read(self, request: Request, raw: RawReply) -> Reading:
        try:
            body = json.loads(raw.body)
        except ValueError:
            raise UnreadableReply("not JSON") from None
        if body.get("filtered"):
            raise ContentFiltered("refused by a filter")
        if body.get("bug"):
            raise ZeroDivisionError
        usage = Usage(*body["usage"]) if body["usage"] else None
        stop: FinishReason = "stop"
        reasons = (stop,) * request.n
        return Reading(tuple(body["texts"]), reasons, usage, "model-1")


def reply(*, status: int = 200, headers: dict[str, str] | None = None, **body: object) -> RawReply:
    return RawReply(status, headers or {}, json.dumps(body).encode(), 0.5)


def answered(request: Request, *, usage: tuple[int, int] | None = (10, 5)) -> RawReply:
    text = request.messages[-1].content.upper()
    return reply(texts=[text] * request.n, usage=usage)


def refusal(status: int, code: str = "", **headers: str) -> RawReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(status=status, headers=named, error={"code": code, "message": "no"})


def ask(provider: Scripted, request: Request, *, budget: Budget = GENEROUS, **settings: float) -> object:
    """The reply to one question, or the error it ended with."""

    async def main() -> object:
        async with Engine(provider, budget=budget, **settings) as engine:  # type: ignore[arg-type]
            try:
                return await engine.ask(request)
            except SmeltError as error:
                return error
            finally:
                assert nothing_is_left(engine)

    return virtual_time.run(main())


def ask_all(provider: Scripted, requests: list[Request], *, ordered: bool = True, **settings: object) -> list[Outcome]:
    async def main() -> list[Outcome]:
        async with Engine(provider, **({"budget": GENEROUS} | settings)) as engine:  # type: ignore[arg-type]
            outcomes = [outcome async for outcome in engine.map(requests, ordered=ordered)]
            assert nothing_is_left(engine)
            return outcomes

    return virtual_time.run(main())
