"""Another attempt beside one that takes far too long: the first that answers counts, and the slower ones are kept.

They are let finish, and not cancelled. Cancelled, they would be charged at their bounds, which is several times what
they cost, and replies that are paid for would be thrown away. They are written down as replies that answer nothing, so
that the journal goes on to say what the asker was told. Their slots and their reserved money are their own until they
end, as they would be had nobody raced with them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final

from engine.attempt import Admitted, Attempts, Ending, Question
from engine.hedging.stragglers import Stragglers
from engine.verdict import Verdict

__all__ = ["Races"]

MOST_ATTEMPTS: Final = 3  # in a race: who is slow thrice is slow for a reason
SOONEST_S: Final = 0.05  # between two looks for stragglers
LATEST_S: Final = 1.0
AGAIN_S: Final = 0.25  # until stragglers are looked at again that could not be helped


@dataclass(slots=True, eq=False)
class _Race:
    """The attempts at one question, the latest of which left at `since`."""

    first: Question
    since: float
    finish: asyncio.Future[Ending]  # what the asker is told
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    others: list[Question] = field(default_factory=list)
    out: int = 0
    is_over: bool = False  # it is answered

    @property
    def may_grow(self) -> bool:
        """Whether another attempt makes sense: somebody is out at the provider, and no answer is being written."""
        is_out = self.first.is_sent or any(other.is_sent for other in self.others)
        return is_out and not self.is_over and len(self.others) < MOST_ATTEMPTS - 1

    def judge(self, question: Question, ending: Ending) -> Ending:
        """The first answer counts, from the moment that it is known; a later one answers nothing."""
        if self.is_over:
            return ending._replace(answers=False)
        self.is_over = ending.answers
        if self.is_over and self.others and question is not self.others[-1]:
            asyncio.get_running_loop().call_soon(self._call_back_latest)
        return ending

    def _call_back_latest(self) -> None:
        """It need not leave any more, if it has not; that costs nothing."""
        if not self.others[-1].is_sent:
            self.tasks[-1].cancel()


class Races:
    """Lets attempts depart as `Attempts` does, and sends another one beside those that take far too long.

    Only where limits, a slot and the money for a whole attempt are there at once. One timer for all, and none while
    nothing is out. `notify_failure` is told of failures that the asker does not hear of.
    """

    def __init__(self, attempts: Attempts, *, notify_failure: Callable[[Question, Verdict], None]) -> None:
        self.hedged = 0
        self._attempts = attempts
        self._clock = attempts.clock
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
        """Send, with others beside it where it takes too long; how that ended for the asker."""
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
            question.attempts += sum(other.attempts - 1 for other in race.others)

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
        """Tell the asker what came of it, once that is known: the first answer, or the last failure."""
        has_failed = race.out == 1 and not race.is_over
        # While somebody is out for it, or the asker is about to hear the answer, nobody may give it up.
        race.first.is_sent = not has_failed
        if ending.answers or has_failed:
            if not race.finish.done():
                race.finish.set_result(ending)
            return
        if ending.verdict is not None:
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
        """Send others beside those that have been out for too long, as far as that can be done now."""
        self._timer = None
        if not self._waited_for:
            return
        now = self._clock.monotonic() + 1e-6  # a timer may fire that much early
        shortest, next_at = self._stragglers.shortest_patience_s, math.inf
        for race in tuple(self._waited_for):
            if race.since + shortest > now:  # so has everybody who left later
                next_at = min(next_at, race.since + shortest)
                break
            due = race.since + self._stragglers.patience_s(race.first.request.tag)
            if due > now:
                next_at = min(next_at, due)
            elif race.may_grow and not self._help(race, now):
                next_at = now + AGAIN_S
                break
        self._look_at(next_at)

    def _help(self, race: _Race, now: float) -> bool:
        """Send another attempt, if that can be done without waiting."""
        if not self._stragglers.may_hedge:
            return False
        other = replace(race.first, attempts=1, is_sent=False)
        admitted = self._attempts.admit_nowait(other)
        if admitted is None:
            return False
        self._stragglers.notify_hedged()
        self.hedged += 1
        race.others.append(other)
        self._begin(race, other, admitted)
        del self._waited_for[race]  # to the end of the line of those who are looked at
        race.since = now
        self._waited_for[race] = None
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
