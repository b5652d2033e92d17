"""A teacher that is not there: a `World` answers from the messages alone, in this process, at a simulated price."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from engine.clock import Clock
from engine.errors import RequestRejected
from engine.messages import FinishReason, Message, RawReply, Request
from engine.prices import Price
from engine.providers import AttemptTimedOut, Capabilities, Reading
from engine.providers.openai import read_completion
from engine.providers.shapes import Completion, chat_completion, complete, prompt_tokens

__all__ = ["Answer", "Answered", "Simulated", "World", "answered_by"]

DEFAULT_TEMPERATURE: Final = 1.0
"""What a request without a temperature gets, as at both services."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a world says, why it ended there, and how long a real teacher might have taken (seconds)."""

    text: str
    finish_reason: FinishReason = "stop"
    latency_s: float = 0.0


class World(Protocol):
    """A simulated teacher with a known truth.

    `answer` is a pure function of the world's seed and its arguments: it has no side channel, so the same world
    answers alike in this process and behind HTTP. `sample` tells the completions of one request apart.
    """

    @property
    def name(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def price(self) -> Price: ...

    def answer(
        self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0
    ) -> Answer: ...

    def truth(self, messages: Sequence[Message]) -> str | None:
        """The right answer to a labelling request, or None when it is no such request. For scoring simulations only."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """The completions of one request, and how long the slowest of them took."""

    completions: tuple[Completion, ...]
    latency_s: float

    @property
    def output_tokens(self) -> int:
        return sum(completion.tokens for completion in self.completions)


def answered_by(
    world: World,
    messages: Sequence[Message],
    *,
    temperature: float | None,
    max_tokens: int,
    n: int = 1,
    stop: Sequence[str] = (),
) -> Answered:
    """Ask a world for n completions, each cut to what was allowed. Pure, as the world is."""
    heat = DEFAULT_TEMPERATURE if temperature is None else temperature
    answers = [world.answer(messages, temperature=heat, max_tokens=max_tokens, sample=sample) for sample in range(n)]
    cut = (complete(answer.text, answer.finish_reason, max_tokens=max_tokens, stop=stop) for answer in answers)
    return Answered(tuple(cut), max(answer.latency_s for answer in answers))


class Simulated:
    """A world as a provider. It takes the time the world says, on the clock it is given, and none of anybody's money.

    The reply is a pure function of the world and the request: same request, same bytes. `seed` and `schema` of a
    request are accepted and change nothing, since a world answers from the messages alone.
    """

    simulated: bool = True

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.capabilities = Capabilities()
        self._clock = clock

    @property
    def name(self) -> str:
        return f"simulated/{self.world.name}"

    @property
    def endpoint(self) -> str:
        return f"simulated world {self.world.name} seed {self.world.seed}"

    @property
    def price(self) -> Price:
        """What the world would charge."""
        return self.world.price

    def input_tokens(self, request: Request) -> int:
        """What the request will count as input, exactly: no more need be set aside for it."""
        return prompt_tokens(request.messages)

    def __repr__(self) -> str:
        return f"<Simulated {self.world.name} seed {self.world.seed}>"

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        if objection := self.capabilities.objection(request):
            raise RequestRejected(f"{self.name}: {objection}")
        answered = answered_by(
            self.world,
            request.messages,
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            n=request.n,
            stop=request.stop,
        )
        await self._clock.sleep(min(answered.latency_s, timeout_s))
        if answered.latency_s > timeout_s:
            raise AttemptTimedOut(f"{self.name}: no complete reply within {timeout_s:g} s")
        body = self._body(request, answered)
        return RawReply(200, {"content-type": "application/json"}, body, answered.latency_s)

    def read(self, request: Request, raw: RawReply) -> Reading:
        return read_completion(request, raw, model=self.world.name)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _body(self, request: Request, answered: Answered) -> bytes:
        digest = hashlib.sha256(request.identity(asked_of=self.endpoint)).hexdigest()
        return chat_completion(
            answered.completions,
            ident=f"chatcmpl-{digest[:24]}",
            created=0,  # a time of day would make two runs of one seed differ
            model=self.world.name,
            input_tokens=prompt_tokens(request.messages),
        )
