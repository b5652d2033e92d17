"""Worlds whose teachers answer at once: what a simulated one takes for show is nothing that a test need wait for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from engine.messages import Message
from engine.prices import Price
from engine.providers import resolve
from engine.providers.resolve import world_named
from engine.providers.simulated import Answer, World


class AtOnce:
    """A world that says what another says, in no time."""

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
        answer = self._world.answer(messages, temperature=temperature, max_tokens=max_tokens, sample=sample)
        return replace(answer, latency_s=0.0)

    def truth(self, messages: Sequence[Message]) -> str | None:
        return self._world.truth(messages)


@contextmanager
def at_once() -> Iterator[None]:
    """Simulated teachers in this process answer at once."""
    with patch.object(resolve, "world_named", world_at_once):
        yield


def world_at_once(name: str, *, seed: int) -> AtOnce:
    return AtOnce(world_named(name, seed=seed))
