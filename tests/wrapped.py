"""A world with another before it, which says the same: what a test wants otherwise, it says otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from engine.messages import Message
from engine.prices import Price
from engine.providers.simulated import Answer, World


class Wrapped:
    """A world that says what another says."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def name(self) -> str:
        return self._world.name

    @property
    def seed(self) -> int:
        return self._world.seed

    @property
    def price(self) -> Price:
        return self._world.price

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:
        return self._world.answer(messages, temperature=temperature, max_tokens=max_tokens, sample=sample)

    def truth(self, messages: Sequence[Message]) -> str | None:
        return self._world.truth(messages)
