"""The questions under way: who else asks the same, who has waited for too long, and why nothing more is sent, if so.

It sends nothing and knows no money: it holds questions, and ends the waiting of those that nothing will come of.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from itertools import islice
from types import TracebackType
from typing import Self

from engine.attempt import Question
from engine.clock import Clock
from engine.errors import DeadlineExceeded, Interrupted, ProviderUnavailable, SmeltError, UnreadableReply
from engine.scope import Scope
from engine.verdict import Kind

__all__ = ["Underway"]

LONGEST_HOLD_S = 86_400.0  # a day's allowance comes back in a day, and nobody should wait for ever


class Underway:
    """Everything that was asked and has not ended.

    Who stands in line is not given up because the line is long, but because it does not move: when nothing was
    answered for `patience_s` seconds. What it is known to wait for does not count, for a day at most: a limit, or a
    wait that the provider asked for (`held_until`). Who was sent is given up at the question's own deadline, not
    before `spare_until`. Once it was stopped, nothing more is sent at all.
    """

    def __init__(self, *, patience_s: float, clock: Clock) -> None:
        self.held_until: Callable[[], float] = lambda: -math.inf  # whoever knows the limits tells
        self._held: dict[bytes, Held] = {}
        self._patience_s = patience_s
        self._clock = clock
        self._answered_at = -math.inf
        self._watch: asyncio.TimerHandle | None = None  # one for all: a timer each would be most of their cost
        self._spared_until = -math.inf
        self._refusal: SmeltError | None = None
        self._is_suspended = False  # the refusal may be taken back
        self._is_held = False
        self._is_closing = False
        self._end: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # until closed

    def __len__(self) -> int:
        return len(self._held)

    def holding(self, question: Question) -> Held:
        """`with underway.holding(question):` while it is under way; an error that leaves the block is its twins' too.

        When it is given up, the block ends with the error that says why.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return Held(question, self, self._loop)

    def twin_of(self, key: bytes) -> asyncio.Future[SmeltError | None] | None:
        """The end of the same question, if somebody is asking it: an error, or None when the journal may know.

        Shield it: others wait for it too.
        """
        held = self._held.get(key)
        return None if held is None else held.wait_end()

    def holds(self, key: bytes) -> bool:
        """Whether this question is under way."""
        return key in self._held

    def notify_answer(self) -> None:
        """The provider has answered somebody: the line moves."""
        self._answered_at = self._clock.monotonic()

    def silent_since(self) -> float:
        """Since when whoever is out at the provider waits, and nobody was answered; infinite when nobody is."""
        sent_at = (held.question.sent_at for held in self._held.values() if held.question.is_sent)
        return max(min(sent_at, default=math.inf), self._answered_at)

    def stop(self, error: SmeltError) -> None:
        """Nothing more is sent, for this reason. Who is out at the provider comes back, everybody else is told now.

        The first reason stays.
        """
        if self._refusal is not None and not self._is_suspended:
            return
        self._is_suspended = False
        self._refuse(error)

    def suspend(self, error: SmeltError) -> None:
        """Nothing more is sent for this reason, until `resume`: else as `stop`."""
        if self._refusal is None:
            self._is_suspended = True
            self._refuse(error)

    def resume(self) -> None:
        """What was suspended goes on; what was stopped does not."""
        if self._is_suspended:
            self._is_suspended, self._refusal = False, None

    def send_away(self, error: SmeltError, *, at_most: int | None = None) -> None:
        """End the waiting of so many that have not been sent, or of all: for who knows where they fare better.

        What leaves while it is about to end is at the provider then, and comes home.
        """
        waiting = (held for held in self._held.values() if not held.question.is_sent)
        for held in islice(waiting, at_most):
            held.give_up_for(error, unless=held.is_sent)

    def _refuse(self, error: SmeltError) -> None:
        self._refusal = error
        self.send_away(error)

    def hold(self) -> None:
        """Nobody's time runs out until `let_go`: it is not the provider that they wait for."""
        self._is_held = True

    def let_go(self) -> None:
        """Time runs again, and begins anew for all who wait."""
        self._is_held = False
        self._answered_at = self._clock.monotonic()
        self.spare_until(self._answered_at + self._patience_s)

    def stop_after(self, seconds: float) -> None:
        """Stop when so many seconds have passed, unless closed before."""
        loop = asyncio.get_running_loop()
        reason = f"the run's time of {seconds:g} s is over: nothing more is asked, and what was in flight is kept"
        self._end = loop.call_later(seconds, self.stop, Interrupted(reason))

    def stopped(self) -> SmeltError | None:
        """Why nothing more is sent, if so; an error of the asker's own."""
        return None if self._refusal is None else self._refusal.again()

    def deadline_of(self, question: Question) -> float:
        """Until when it may be tried again."""
        if self._refusal is not None:
            return -math.inf
        return math.inf if self._is_held else max(question.deadline, self._spared_until)

    def spare_until(self, moment: float) -> None:
        """Nobody is given up before who was sent: it is not for them that they wait."""
        self._spared_until = max(self._spared_until, moment)

    def notify_closing(self) -> None:
        """Nothing more is sent, and soon `aclose` gives up even those who are out at the provider."""
        self._is_closing = True
        self.stop(Interrupted("the engine was closed before this was answered"))

    async def aclose(self) -> None:
        """Give up everything; on return all of it has ended, and given back what it held."""
        self.notify_closing()
        while self._held:
            for held in self._held.values():
                held.give_up_for(self.stopped())
            await asyncio.wait([held.wait_end() for held in self._held.values()])
        for timer in (self._watch, self._end):
            if timer is not None:
                timer.cancel()
        self._watch = self._end = self._loop = None

    def last_word(self, error: BaseException | None) -> SmeltError | None:
        """What the end of a question means for its twins: their error, or None when they may look or ask themselves."""
        if isinstance(error, SmeltError):
            return error
        return self._refusal if error is not None or self._is_closing else None

    def begin(self, held: Held) -> None:
        self._held[held.question.key] = held
        if self._watch is None:
            self._look_again_in(self._patience_s)

    def end(self, held: Held) -> None:
        del self._held[held.question.key]

    def _look(self) -> None:
        """Give up those whose time is over, and look again when the next may be due."""
        self._watch = None
        now, next_at = self._clock.monotonic(), math.inf
        held_until = self.held_until()
        for held in self._held.values():
            due = self._due(held.question, held_until)
            if due <= now + 1e-6:  # a timer may fire that much early
                held.give_up_for(self._refusal or _too_late(held.question, after_s=self._patience_s))
            else:
                next_at = min(next_at, due)
        if self._held:
            self._look_again_in(min(next_at - now, self._patience_s))

    def _due(self, question: Question, held_until: float) -> float:
        if self._is_held:
            return math.inf
        if question.attempts:
            return max(question.deadline, self._spared_until)
        moved_at = max(question.asked_at, self._answered_at)
        return max(moved_at, min(held_until, moved_at + LONGEST_HOLD_S)) + self._patience_s

    def _look_again_in(self, seconds: float) -> None:
        self._watch = asyncio.get_running_loop().call_later(seconds, self._look)


def _too_late(question: Question, *, after_s: float) -> SmeltError:
    """What it ends with: answers that nobody can read are the reason even if there was time for no more of them."""
    last = question.failed_with
    if last is None:
        return DeadlineExceeded(f"no answer within {after_s:g} s")
    if last.kind is Kind.PROTOCOL:
        return last.error()
    return DeadlineExceeded(f"no answer within {after_s:g} s, the last try: {last.message}")


class Held(Scope):
    """A question under way, as a block; its end is made known only if somebody waits for it."""

    __slots__ = ("_ended", "_reason", "_underway", "question")

    def __init__(self, question: Question, underway: Underway, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.question = question
        self._underway = underway
        self._reason: SmeltError | None = None  # why it was given up
        self._ended: asyncio.Future[SmeltError | None] | None = None

    def wait_end(self) -> asyncio.Future[SmeltError | None]:
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
        return self._ended

    def is_sent(self) -> bool:
        return self.question.is_sent

    def _end(self, unless: Callable[[], bool] | None) -> None:
        super()._end(unless)
        self.question.is_given_up = self.given_up

    def give_up_for(self, reason: SmeltError | None, *, unless: Callable[[], bool] | None = None) -> None:
        if not self.given_up:  # of several reasons the last: what it was spared for before says nothing any more
            self._reason = reason
        self.give_up(unless=unless)

    def __enter__(self) -> Self:
        super().__enter__()
        self._underway.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._underway.end(self)
        try:
            super().__exit__(kind, error, trace)
            # It was not tried again since everything was stopped; or this failure was the one that stopped everything.
            if isinstance(error, ProviderUnavailable | UnreadableReply) and (stopped := self._underway.stopped()):
                error = stopped
                raise error from None
        except TimeoutError:
            if self._reason is None or not self.given_up:
                raise
            error = self._reason.again()
            raise error from None
        finally:
            if self._ended is not None:
                self._ended.set_result(self._underway.last_word(error))
