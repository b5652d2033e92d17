"""What engines that share an account share: its limits, and the order in which they use them.

The provider counts by account, so two engines with one key must be paced as one. Each has a line of its own; those
whose head waits for a limit take turns. One timer for all of them, and no polling.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

from engine.clock import Clock
from engine.throttle import Demand, Limits, Pace, strictest

__all__ = ["Limiter", "Member", "limiter_of"]

TOLERANCE_S = 1e-6  # timers fire that much early, and sums of seconds are off by less


class Member(Protocol):
    """A line of one engine's."""

    def head(self, *, now: float) -> Demand | None:
        """What is to leave next; None when nothing waits, or waits for something else than a limit."""
        ...

    def let_in(self, demand: Demand, *, now: float) -> None:
        """The head may leave."""
        ...


class Limiter:
    """The limits of one account, and whose turn it is."""

    def __init__(self, *, clock: Clock) -> None:
        self.pace = Pace()
        self._clock = clock
        self._told: dict[Member, Limits] = {}
        self._turns: deque[Member] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0  # the handles of other loops do not say

    def __repr__(self) -> str:
        return f"<Limiter [{len(self._told)} sharing, {len(self._turns)} waiting | {self.pace!r}]>"

    def join(self, member: Member, *, told: Limits) -> None:
        """Share the limits; what any of those who share was told holds for all."""
        self._told[member] = told
        self._tell()

    def leave(self, member: Member) -> None:
        if self._told.pop(member, None) is None:
            return
        self._tell()
        self.serve()

    def may_leave(self, demand: Demand, *, now: float) -> bool:
        """Take the demand at once, unless somebody waits or a limit is in the way."""
        if self._turns or self.pace.ready_at(demand, now=now) > now + TOLERANCE_S:
            return False
        self.pace.take(demand, now=now)
        return True

    def wait_for_turn(self, member: Member) -> None:
        """The member's head waits for a limit, behind the heads of the others."""
        if member not in self._turns:
            self._turns.append(member)
        self.serve()

    def serve(self) -> None:
        """Let in whoever may leave now, in turn; set the timer for the one who may not."""
        if not self._turns and self._timer is None:
            return
        now = self._clock.monotonic()
        while self._turns:
            member = self._turns[0]
            demand = member.head(now=now)
            if demand is None:
                self._turns.popleft()
                continue
            moment = self.pace.ready_at(demand, now=now)
            if moment > now + TOLERANCE_S:
                self._set_timer(moment - now)
                return
            self.pace.take(demand, now=now)
            member.let_in(demand, now=now)
            self._turns.rotate(-1)
        self._clear_timer()

    def _tell(self) -> None:
        self.pace.tell(strictest(self._told.values()), now=self._clock.monotonic())

    def _set_timer(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + delay_s
        if self._timer is not None and self._fires_at <= due:
            return  # it comes early, finds this out again and is set anew: cheaper than cancelling it each time
        self._clear_timer()
        self._fires_at = due
        self._timer = loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.serve()

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


# Per event loop, since a timer belongs to one. Held weakly: a limiter lives as long as an engine uses it.
_SHARED: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[object, Limiter]] = WeakKeyDictionary()


def limiter_of(account: object, *, clock: Clock) -> Limiter:
    """The limiter of whoever uses this account on the running loop; a new one when nobody does."""
    limiters = _SHARED.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    limiter = limiters.get(account)
    if limiter is None:
        limiter = limiters[account] = Limiter(clock=clock)
    return limiter
