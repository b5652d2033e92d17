"""A second attempt beside one that takes far too long: the first that answers counts, and the other is kept.

The slower one is let finish where it can be, and not cancelled. Cancelled, it would be charged at its bound, which is
several times what it costs, and a reply that is paid for would be thrown away. It is written down as a reply that
answers nothing, so that the journal goes on to say what the asker was told. Its slot and its reserved money are its
own until it ends, as they would be had nobody raced with it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final

from engine.attempt import Admitted, Attempts, Ending, Question
from engine.clock import Clock
from engine.hedging.stragglers import Stragglers
from engine.verdict import Verdict

__all__ = ["Races"]

SOONEST_S: Final = 0.05  # between two looks for stragglers
LATEST_S: Final = 1.0
AGAIN_S: Final = 0.25  # until stragglers are looked at again that could not be helped


@dataclass(slots=True, eq=False)
class _Race:
    """The attempts at one question, the first of which left at `since`."""

    first: Question
    since: float
    finish: asyncio.Future[Ending]  # what the asker is told
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    second: Question | None = None
    out: int = 0
    failed: Ending | None = None
    is_over: bool = False  # it is answered

    def judge(self, ending: Ending) -> Ending:
        """The first answer counts, from the moment that it is known; a later one answers nothing."""
        if self.is_over:
            return ending._replace(answers=False)
        self.is_over = ending.answers
        if self.is_over and self.second is not None:
            asyncio.get_running_loop().call_soon(self._call_back_second)
        return ending

    def _call_back_second(self) -> None:
        """It need not leave any more, if it has not; that costs nothing."""
        if self.second is not None and not self.second.is_sent:
            self.tasks[-1].cancel()


class Races:
    """Lets attempts depart as `Attempts` does, and sends a second one beside those that take far too long.

    Only where limits, a slot and the money for a whole attempt are there at once. One timer for all, and none while
    nothing is out. `notify_failure` is told of failures that the asker does not hear of.
    """

    def __init__(
        self, attempts: Attempts, *, clock: Clock, notify_failure: Callable[[Question, Verdict], None]
    ) -> None:
        self.hedged = 0
        self._attempts = attempts
        self._clock = clock
        self._notify_failure = notify_failure
        self._stragglers = Stragglers()
        self._waited_for: dict[_Race, None] = {}  # in the order in which they left
        self._tasks: set[asyncio.Task[None]] = set()
        self._out = 0  # attempts
        self._timer: asyncio.TimerHandle | None = None

    @property
    def beside(self) -> int:
        """How many attempts are out beside those that somebody waits for."""
        return max(0, self._out - len(self._waited_for))

    async def depart(self, question: Question, admitted: Admitted) -> Ending:
        """Send, with a second attempt beside it where it takes too long; how that ended for the asker."""
        race = _Race(question, self._clock.monotonic(), asyncio.get_running_loop().create_future())
        self._waited_for[race] = None
        self._stragglers.notify_sent()
        self._begin(race, question, admitted)
        self._watch()
        try:
            return await race.finish
        except asyncio.CancelledError:
            await _give_up(race.tasks)
            raise
        finally:
            del self._waited_for[race]
            if race.second is not None:
                question.attempts += race.second.attempts - 1

    async def aclose(self) -> None:
        """Give up the slower attempts that are still out."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await _give_up(self._tasks)

    # -- attempts

    def _begin(self, race: _Race, question: Question, admitted: Admitted) -> None:
        question.race = race
        task = asyncio.get_running_loop().create_task(self._attempt(race, question, admitted))
        race.out += 1
        self._out += 1
        race.tasks.append(task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, race: _Race, question: Question, admitted: Admitted) -> None:
        """One attempt to its durable end, whether somebody waits for it still or not."""
        began = self._clock.monotonic()
        try:
            ending = await self._attempts.depart(question, admitted)
            if ending.reading is not None:
                self._stragglers.notify_reply(question.request.tag, self._clock.monotonic() - began)
                self._watch()
            self._end(race, ending)
        except Exception as error:  # the disk failed, or a bug of ours
            if race.finish.done():
                raise  # nobody waits any more: asyncio says it
            race.finish.set_exception(error)
        finally:
            race.out -= 1
            self._out -= 1
            if not race.out:
                race.finish.cancel()  # closed in the middle: nobody shall wait for ever

    def _end(self, race: _Race, ending: Ending) -> None:
        """Tell the asker what came of it, once that is known."""
        if ending.answers:
            self._tell(race, ending, untold=race.failed)
        elif race.is_over:
            self._tell_failure(race, ending)
        elif race.out > 1:  # the other may answer still
            race.failed = ending
            race.first.is_sent = True  # somebody is out for it: who stops the engine must let it come back
        elif race.failed is None:
            self._tell(race, ending)
        else:
            race.first.is_sent = False
            ending, other = (race.failed, ending) if ending.error is None else (ending, race.failed)
            self._tell(race, ending, untold=other)

    def _tell(self, race: _Race, ending: Ending, *, untold: Ending | None = None) -> None:
        if not race.finish.done():
            race.finish.set_result(ending)
        self._tell_failure(race, untold)

    def _tell_failure(self, race: _Race, ending: Ending | None) -> None:
        if ending is not None and ending.verdict is not None:
            self._notify_failure(race.first, ending.verdict)

    # -- stragglers

    def _watch(self) -> None:
        """See that somebody looks for stragglers, once it is known what one is."""
        if self._timer is not None or not self._waited_for:
            return
        shortest = self._stragglers.shortest_patience_s
        if shortest < math.inf:
            oldest = next(iter(self._waited_for))
            self._look_at(oldest.since + shortest)

    def _look_at(self, moment: float) -> None:
        delay_s = min(LATEST_S, max(SOONEST_S, moment - self._clock.monotonic()))
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._look)

    def _look(self) -> None:
        """Send second attempts beside those that have been out for too long, as far as that can be done now."""
        self._timer = None
        if not self._waited_for:
            return
        now = self._clock.monotonic() + 1e-6  # a timer may fire that much early
        shortest, next_at = self._stragglers.shortest_patience_s, math.inf
        for race in self._waited_for:
            if race.since + shortest > now:  # so has everybody who left later
                next_at = min(next_at, race.since + shortest)
                break
            due = race.since + self._stragglers.patience_s(race.first.request.tag)
            if due > now:
                next_at = min(next_at, due)
            elif race.second is None and race.first.is_sent and not self._help(race):
                next_at = now + AGAIN_S
                break
        self._look_at(next_at)

    def _help(self, race: _Race) -> bool:
        """Send a second attempt, if that can be done without waiting."""
        if not self._stragglers.may_hedge:
            return False
        second = replace(race.first, attempts=1, is_sent=False)
        admitted = self._attempts.admit_nowait(second)
        if admitted is None:
            return False
        self._stragglers.notify_hedged()
        self.hedged += 1
        race.second = second
        self._begin(race, second, admitted)
        return True


async def _give_up(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel them and wait until they hold nothing any more."""
    tasks = tuple(tasks)
    loop = asyncio.get_running_loop()
    for task in tasks:
        # Not at once: a task that has not begun would end without ever running, and keep what it was given.
        loop.call_soon(task.cancel)
    if tasks:
        await asyncio.wait(tasks)
