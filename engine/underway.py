"""The questions under way: who else asks the same, and who has waited in line for too long.

It sends nothing and knows no money: it holds questions, and ends the waiting of those that nothing will come of.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from engine.attempt import Question
from engine.clock import Clock
from engine.errors import SmeltError

__all__ = ["Underway"]


@dataclass(slots=True, eq=False)
class Held:
    """A question, and for others who ask the same its end: an error, or None when the journal may know the answer."""

    question: Question
    ended: asyncio.Future[SmeltError | None]


class Underway:
    """Everything that was asked and has not ended.

    Who stands in line is not given up because the line is long, but because it does not move: when nothing was
    answered for `patience_s` seconds.
    """

    def __init__(self, *, patience_s: float, clock: Clock) -> None:
        self._held: dict[bytes, Held] = {}
        self._patience_s = patience_s
        self._clock = clock
        self._answered_at = -math.inf
        self._watch: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def holding(self, question: Question) -> Iterator[None]:
        """Hold the question while it is under way; an error that leaves the block is its twins' error too."""
        held = Held(question, asyncio.get_running_loop().create_future())
        self._held[question.key] = held
        error: SmeltError | None = None
        if self._watch is None:
            self._look_again_in(self._patience_s)
        try:
            yield
        except SmeltError as failure:
            error = failure
            raise
        finally:
            del self._held[question.key]
            held.ended.set_result(error)

    def twin_of(self, key: bytes) -> asyncio.Future[SmeltError | None] | None:
        """The end of the same question, if somebody is asking it. Shield it: others wait for it too."""
        held = self._held.get(key)
        return None if held is None else held.ended

    def notify_answer(self) -> None:
        """The provider has answered somebody: the line moves."""
        self._answered_at = self._clock.monotonic()

    def give_up_waiting(self) -> None:
        """End the waiting, in line or between attempts, of everybody who is not out at the provider right now."""
        for held in self._held.values():
            if not held.question.is_sent:
                self._give_up(held.question)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self) -> None:
        """Give up those in line for whom nothing has moved for too long, and look again when the next may be due."""
        self._watch = None
        now, next_at = self._clock.monotonic(), math.inf
        for held in self._held.values():
            if held.question.attempts:
                continue  # sent before: its own deadline runs
            due = max(held.question.asked_at, self._answered_at) + self._patience_s
            if due <= now + 1e-6:  # a timer may fire that much early
                self._give_up(held.question)
            else:
                next_at = min(next_at, due)
        if self._held:
            self._look_again_in(min(next_at - now, self._patience_s))

    def _look_again_in(self, seconds: float) -> None:
        self._watch = asyncio.get_running_loop().call_later(seconds, self._look)

    def _give_up(self, question: Question) -> None:
        if not question.scope.expired():
            question.scope.reschedule(asyncio.get_running_loop().time())
