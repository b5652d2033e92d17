"""A teacher that is not there: a `World` answers from the messages alone, in this process, at a simulated price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.messages import FinishReason, Message
from engine.prices import Price

__all__ = ["Answer", "World"]


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
