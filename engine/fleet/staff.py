"""The workers of a fleet: hired until there are as many as are wanted, listened to, and buried when they die.

What a dead one leaves is its journal, which is taken into the run's before anything that it had is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from engine.errors import JournalUnusable, SmeltError, WorkersLost
from engine.fleet.gathering import all_taken_in, is_written, taken_in, written_off
from engine.fleet.hand import Hand
from engine.fleet.links import Hiring, Post, WorkerGone
from engine.fleet.wire import Account, News
from engine.journal import Journal

__all__ = ["Owner", "Staff"]

_T = TypeVar("_T")

MOST_LOSSES: Final = 5  # one after the other, without an answer in between; those who go together are one
AGAIN_S: Final = 10.0  # after one did not come to begin, while others are at work
SILENT_S: Final = 60.0  # a worker that says nothing for so long, though it should twice a second, is taken for dead
CLOSING_S: Final = 20.0  # that a worker may take to let go
LEAST_LINGER_S: Final = 0.01
NEWS_A_SECOND: Final = 1000.0  # of all workers together: with more the driver would do nothing else


class Owner(Protocol):
    """Whose staff it is; all of these are called in its loop, and none of them waits."""

    def joined(self, hand: Hand) -> None: ...

    def heard(self, hand: Hand, news: News) -> None: ...

    def lost(self, hand: Hand, *, why: str) -> None:
        """It is gone; nothing is known yet of what it did last. Without a reason it was let go."""
        ...

    def buried(self, hand: Hand, found: Mapping[str, Account] | None, *, why: str) -> None:
        """What it did is in the run's journal now; None: nobody can read its own, for this reason."""
        ...

    def at_stake(self, hand: Hand) -> Mapping[str, int]:
        """All that it may have spent, by stage, in pico-dollars."""
        ...

    def refused(self, error: SmeltError) -> None:
        """Somebody who came is no good, for this reason; there are others."""
        ...

    def gave_up(self, error: SmeltError) -> None:
        """There are no workers, and no more can be had."""
        ...

    def crashed(self, fault: Exception) -> None: ...


class Staff:
    """Hires, for as long as it is open, by what `hiring` wants. `hired` are the arguments of every worker's engine."""

    def __init__(
        self,
        hiring: Hiring,
        hired: Mapping[str, Any],
        *,
        keys: Mapping[str, str],
        journal: Journal,
        folder: Path,
        owner: Owner,
        silent_s: float = SILENT_S,
    ) -> None:
        self.everybody: list[Hand] = []  # those who are gone, too
        self._hiring = hiring
        self._hired = hired
        self._keys = keys
        self._journal = journal
        self._folder = folder
        self._owner = owner
        self._silent_s = silent_s
        self._come = 0  # or are about to
        self._at_hand = 0
        self._coming = 0
        self._refused = 0  # places that stay empty until there are other machines
        self._untold: list[SmeltError] = []  # why, as long as nobody is at work
        self._losses = 0
        self._last_come = 0  # the number of who came last before the last loss
        self._changed = asyncio.Event()
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._attending: dict[str, asyncio.Task[None]] = {}
        self._is_closing = False

    def __repr__(self) -> str:
        return f"<Staff [{self._at_hand} workers, {self._coming} coming, {self._hiring.wanted} wanted]>"

    async def open(self, *, accounts: int) -> None:
        """On return the first worker has begun. Raises SmeltError when none can be had."""
        self._folder.mkdir(exist_ok=True)
        await self._hiring.open(accounts=accounts)
        self._spawn(self._keep_up())
        await self._first

    async def aclose(self) -> None:
        """Let all of them go, and take in what they hold."""
        self._is_closing = True
        for task in list(self._tasks - set(self._attending.values())):
            task.cancel()
        here = [hand for hand in self.everybody if not hand.is_gone]
        await asyncio.gather(*(self._dismiss(hand) for hand in here))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for hand in self.everybody:
            if not hand.taken_in.is_set():
                await self._take_in(hand)
        if not self._first.done():
            self._first.cancel()
        await self._hiring.aclose()
        unreadable = [hand.journal for hand in self.everybody if hand.journal.parent.is_dir()]
        await all_taken_in(self._journal, self._folder, but=unreadable)  # of those, too, who were about to come

    # -- coming

    async def _keep_up(self) -> None:
        """As many as are wanted, also when some die or more are wanted than before."""
        changes = asyncio.create_task(self._watch())
        try:
            while True:
                self._changed.clear()
                while self._at_hand + self._coming + self._refused < self._hiring.wanted:
                    self._coming += 1
                    self._spawn(self._hire())
                await self._changed.wait()
        finally:
            changes.cancel()

    async def _watch(self) -> None:
        while True:
            await self._hiring.wait_change()
            self._refused = 0  # who comes now may be another
            self._changed.set()

    async def _hire(self) -> None:
        self._come = number = self._come + 1
        name = f"w{number:04d}"
        journal = self._folder / name / "journal.db"
        try:
            link = await self._hiring.hire(Post(name=name, hired=self._hired, journal=journal, keys=self._keys))
        except WorkerGone as error:
            self._note_loss(number, why=str(error))
            if self._at_hand:
                await asyncio.sleep(AGAIN_S)
        except SmeltError as error:
            self._turn_away(error)
        else:
            hand = Hand(name, link, journal=journal, number=number)
            self.everybody.append(hand)
            self._at_hand += 1
            self._owner.joined(hand)
            self._attending[name] = self._spawn(self._attend(hand))
            if not self._first.done():
                self._first.set_result(None)
            self._tell_refused()
        finally:
            self._coming -= 1
            self._changed.set()

    def _turn_away(self, error: SmeltError) -> None:
        """Nobody else would do better there. The others go on; where there are none, and none are coming, it ends."""
        self._refused += 1
        self._untold.append(error)
        if self._at_hand:
            self._tell_refused()
        elif self._coming == 1:  # this one
            self._give_up(self._untold[0])

    def _tell_refused(self) -> None:
        for error in self._untold:
            self._owner.refused(error)
        self._untold.clear()

    def _note_loss(self, number: int, *, why: str) -> None:
        """A machine takes all its workers with it: only who came after a loss can be another one.

        While somebody is at work there is no reason to give up.
        """
        if number > self._last_come:
            self._losses += 1
            self._last_come = self._come
        if self._losses >= MOST_LOSSES and not self._at_hand:
            self._give_up(WorkersLost(f"{self._losses} workers were lost one after the other, the last: {why}"))

    def _give_up(self, error: SmeltError) -> None:
        if not self._first.done():
            self._first.set_exception(error)
        elif not self._is_closing:
            self._owner.gave_up(error)

    # -- at work

    @property
    def _linger_s(self) -> float:
        """How long a worker, and we, wait for more to tell: with many of them longer."""
        return max(LEAST_LINGER_S, self._at_hand / NEWS_A_SECOND)

    async def _attend(self, hand: Hand) -> None:
        """Tell it what is to be done, and hear what it has done, until it is gone."""
        loops = [asyncio.create_task(self._command(hand)), asyncio.create_task(self._listen(hand))]
        try:
            await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in loops:
                each.cancel()
            ends = await asyncio.gather(*loops, return_exceptions=True)
        for error in ends:
            if isinstance(error, WorkerGone):
                await self._bury(hand, why=str(error))
                return
            if isinstance(error, Exception):
                self._owner.crashed(error)

    async def _command(self, hand: Hand) -> None:
        while True:
            await hand.due.wait()
            order = hand.order()
            await self._note_stake(hand)
            await self._in_time(hand.link.tell(order))
            await asyncio.sleep(self._linger_s)

    async def _note_stake(self, hand: Hand) -> None:
        """Before it hears of more money: who finds its journal unreadable one day can say what it may have cost."""
        if not hand.stake.covers(at_stake := self._owner.at_stake(hand)):
            try:
                await asyncio.to_thread(hand.stake.note, at_stake)
            except OSError as error:
                raise WorkerGone(f"{hand.stake.folder} cannot be written ({error.strerror})") from error

    async def _listen(self, hand: Hand) -> None:
        while True:
            news = await self._in_time(hand.link.news(linger_s=self._linger_s))
            if news.ended:
                self._losses = 0
            self._owner.heard(hand, news)

    async def _in_time(self, call: Coroutine[Any, Any, _T]) -> _T:
        """What a worker answers. Raises WorkerGone when it does not: it may hang, or its machine."""
        try:
            async with asyncio.timeout(self._silent_s):
                return await call
        except TimeoutError:
            raise WorkerGone(f"it said nothing for {self._silent_s:g} s") from None

    # -- going

    async def _bury(self, hand: Hand, *, why: str) -> None:
        if hand.is_gone:
            return
        hand.is_gone = True
        self._at_hand -= 1
        hand.link.kill()
        self._hiring.notify_gone(hand.name)
        self._owner.lost(hand, why=why)
        self._note_loss(hand.number, why=why)
        self._changed.set()
        await self._take_in(hand)

    async def _dismiss(self, hand: Hand) -> None:
        """Let one go in order, so that its last word is heard."""
        attending = self._attending[hand.name]
        attending.cancel()
        await asyncio.gather(attending, return_exceptions=True)
        if hand.is_gone:  # it died meanwhile
            return
        hand.is_gone = True
        self._at_hand -= 1
        try:
            async with asyncio.timeout(CLOSING_S):
                self._owner.heard(hand, await hand.link.close())
        except (WorkerGone, TimeoutError):
            pass  # its journal says the same
        hand.link.kill()
        self._hiring.notify_gone(hand.name)
        self._owner.lost(hand, why="")

    async def _take_in(self, hand: Hand) -> None:
        """What it has written becomes part of the run's journal."""
        why, found = "", None
        try:
            totals = await taken_in(self._journal, hand.journal)
            found = {tag: Account(each.spent, each.assumed) for tag, each in totals.items()}
        except JournalUnusable as error:
            why = str(error)
            if not is_written(hand.journal):  # nobody can ever read what it spent
                await written_off(self._journal, hand.stake, self._owner.at_stake(hand))
        hand.taken_in.set()
        self._owner.buried(hand, found, why=why)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_end)
        return task

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            if not self._first.done():
                self._first.set_exception(error)
            self._owner.crashed(error)
