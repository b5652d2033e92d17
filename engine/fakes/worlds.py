"""The plainest world there is: it repeats what it was told. For tests and for measuring everything but the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.messages import Message
from engine.prices import Price
from engine.providers.simulated import Answer

__all__ = ["EchoWorld"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoWorld:
    """Answers with the last user message, after `latency_s` seconds, at a price like a small model's."""

    seed: int = 0
    latency_s: float = 0.0
    price: Price = field(default_factory=lambda: Price(input="0.25", output=2))
    name: str = "echo"

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:  # noqa: ARG002 - an echo depends on nothing else
        return Answer(self.truth(messages), latency_s=self.latency_s)

    def truth(self, messages: Sequence[Message]) -> str:
        """An echo is right when it repeats."""
        return next((message.content for message in reversed(messages) if message.role == "user"), "")
