"""Worlds whose teachers answer at once: what a simulated one takes for show is nothing that a test need wait for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from engine.messages import Message
from engine.providers import resolve
from engine.providers.resolve import world_named
from engine.providers.simulated import Answer
from tests.wrapped import Wrapped


class AtOnce(Wrapped):
    """A world that says what another says, in no time."""

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:
        answer = super().answer(messages, temperature=temperature, max_tokens=max_tokens, sample=sample)
        return replace(answer, latency_s=0.0)


@contextmanager
def at_once() -> Iterator[None]:
    """Simulated teachers in this process answer at once."""
    with patch.object(resolve, "world_named", world_at_once):
        yield


def world_at_once(name: str, *, seed: int) -> AtOnce:
    return AtOnce(world_named(name, seed=seed))
