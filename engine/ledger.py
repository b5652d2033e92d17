"""Money is reserved before a call and settled after it, so a cap holds whatever the replies do.

Integers of pico-dollars throughout. The ledger knows no price, no provider and no disk; of stages it knows names, what
each may take at most, and what is kept for it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from engine.budget import Share
from engine.errors import BudgetReached
from engine.prices import dollars, in_full

__all__ = ["Ledger", "Reservation", "reached"]


@dataclass(slots=True, eq=False)
class _Stage:
    """How a stage stands, and who waits in it; the one without a name is for all that have no share of their own."""

    name: str
    limit: int  # the cap, when it has none of its own
    kept: int = 0
    wanted: int = 0  # from now on, by whoever has work for it under way
    charged: int = 0
    reserved: int = 0
    is_over: bool = False
    line: OrderedDict[_Waiter, None] = field(default_factory=OrderedDict)  # in order of arrival; any of them may leave

    @property
    def kept_now(self) -> int:
        """What nobody else may take while something is in flight; what its own limit denies it need not wait for it."""
        wanted = min(self.wanted, self.limit - self.charged)
        return max(0, self.kept - self.charged - self.reserved, wanted - self.reserved)

    @property
    def kept_always(self) -> int:
        """What nobody else may ever take, if all that is in flight turns out to cost nothing."""
        return max(0, self.kept - self.charged)


@dataclass(slots=True, eq=False)
class Reservation:
    """Money set aside for one attempt, until it is settled, assumed or released: exactly one of them, once."""

    amount: int
    _tag: str
    _stage: _Stage = field(repr=False)  # the tag's own, or the others'


Least = Callable[[], int]


class Ledger:
    """What was spent, what is assumed to be, and what is set aside; the sum never passes the cap.

    Nor does what a stage takes pass its share, and what is kept for one is not given to another. A cap of None is no
    limit: for prices of zero only, which the caller answers for.

    Not for use from several threads.
    """

    def __init__(
        self, cap: int | None, *, spent: int = 0, assumed: int = 0, shares: Mapping[str, Share] | None = None
    ) -> None:
        self.cap = cap
        self.spent = spent
        self.assumed = assumed
        self.reserved = 0
        self._shares = dict(shares or {})
        self._others = _Stage("", cap or 0)
        self._stages = {name: _stage_of(name, share, cap=cap or 0) for name, share in self._shares.items()}
        self._open: set[Reservation] = set()
        self._refused: dict[str, int] = {}
        self._arrivals = 0
        self._waiting = 0

    @property
    def headroom(self) -> int | None:
        """What is neither gone nor set aside, or None when there is no cap."""
        return None if self.cap is None else self.cap - self.spent - self.assumed - self.reserved

    @property
    def in_flight(self) -> int:
        """How many reservations are open."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """How many callers wait for a settlement to make room."""
        return self._waiting

    @property
    def shares(self) -> Mapping[str, Share]:
        """How the stages that have a share stand."""
        return {
            name: replace(share, charged=stage.charged, reserved=stage.reserved, is_over=stage.is_over)
            for name, share in self._shares.items()
            for stage in (self._stages[name],)
        }

    @property
    def refused(self) -> Mapping[str, int]:
        """The most that a call was refused, by stage; those without a share of their own count as one, named ""."""
        return dict(self._refused)

    def try_reserve(self, amount: int, *, stage: str = "") -> Reservation | None:
        """Set `amount` aside now, or None if it does not fit now or others have waited longer."""
        if amount < 0:
            raise ValueError(f"an amount cannot be negative (got {amount})")
        return None if self._waiting else self._take(amount, stage)

    async def reserve(self, amount: int, *, stage: str = "", least: Least | None = None) -> Reservation:
        """Set `amount` aside, waiting in line while something in flight may still give money back.

        While the whole does not fit, as little is taken as `least` says; it is asked at the head of the line, since by
        then more may be known. Raises BudgetReached when nothing can make room: at once if it can never fit, else at
        the head of the line. First come, first served: a large amount at the head is not overtaken by small ones,
        unless it waits for its own stage, or for money that is kept for another.
        """
        if reservation := self.try_reserve(amount, stage=stage):
            return reservation
        self._arrivals += 1
        granted: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(amount, least, stage, self._stage(stage), self._arrivals, granted)
        if self._is_hopeless(waiter.least_amount(), waiter.stage):
            raise self._reached(waiter.least_amount(), waiter.stage)
        waiter.stage.line[waiter] = None
        self._waiting += 1
        self._serve()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def adopt(self, amount: int, *, stage: str = "") -> Reservation:
        """Set aside what an earlier process has set out for, whatever the cap is now: it may be billed."""
        return self._set_aside(amount, stage)

    def keep(self, amount: int, *, stage: str) -> None:
        """Leave so much to a stage, beyond what it has taken, until told otherwise: for work that is under way.

        Others wait meanwhile. They need not wait for what will never come: when nothing at all is in flight, what is
        left belongs to whoever comes first.
        """
        if stage not in self._stages:
            self._tell_apart(stage)
        self._stages[stage].wanted = amount
        self._serve()

    def amend(self, cap: int, *, shares: Mapping[str, Share] | None = None) -> None:
        """From now on this is the cap, with shares of the same stages: who waits is served, or refused, by it.

        Raises ValueError below what is gone or set aside, since that cannot be taken back, and where there was no cap.
        """
        if self.cap is None or cap < self.spent + self.assumed + self.reserved:
            raise ValueError(f"the cap cannot be {cap}: there is none, or more of it is gone or set aside")
        if self._shares.keys() != (shares or {}).keys():
            raise ValueError(f"the stages that have shares are {', '.join(self._shares) or 'none'}, as before")
        self.cap, self._shares = cap, dict(shares or {})
        for name, stage in {"": self._others, **self._stages}.items():
            share = self._shares.get(name, _NONE)
            stage.limit = cap if share.at_most is None else share.at_most
            stage.kept = 0 if stage.is_over else share.kept
        self._serve()

    def finish(self, stage: str) -> None:
        """The stage is over: nothing is kept for it any more, and what it left is for the others."""
        if stage in self._stages:
            self._stages[stage].is_over = True
            self._stages[stage].kept = self._stages[stage].wanted = 0
            self._serve()

    def settle(self, reservation: Reservation, cost: int) -> None:
        """The call cost this much, at most what was set aside; what is left of it is free again."""
        if not 0 <= cost <= reservation.amount:
            raise ValueError(f"a cost must lie between 0 and the {reservation.amount} set aside (got {cost})")
        self._close(reservation, charged=cost)
        self.spent += cost
        self._serve()

    def assume(self, reservation: Reservation) -> None:
        """Nobody knows what the call cost: it is charged whole, and kept apart from what is known."""
        self._close(reservation, charged=reservation.amount)
        self.assumed += reservation.amount
        self._serve()

    def part(self, reservation: Reservation, amount: int) -> Reservation:
        """So much of what is set aside, as a reservation of its own: for money that is settled piece by piece."""
        if reservation not in self._open or not 0 <= amount <= reservation.amount:
            raise ValueError(f"{amount} is no part of this reservation, or it is closed")
        reservation.amount -= amount
        piece = Reservation(amount, reservation._tag, reservation._stage)  # noqa: SLF001 - made here
        self._open.add(piece)
        return piece

    def release(self, reservation: Reservation) -> None:
        """The call surely cost nothing."""
        self._close(reservation, charged=0)
        self._serve()

    def __repr__(self) -> str:
        cap = "no cap" if self.cap is None else f"of {in_full(self.cap)}"
        parts = f"{dollars(self.spent)} spent, {dollars(self.assumed)} assumed, {dollars(self.reserved)} reserved {cap}"
        return f"<Ledger [{parts} | {self.in_flight} in flight, {self.waiting} waiting]>"

    # -- what fits

    def _stage(self, name: str) -> _Stage:
        return self._stages.get(name, self._others)

    def _tell_apart(self, name: str) -> None:
        """Give a stage that was one of the others a place of its own, with all that it has set aside or waits for."""
        stage, others = _Stage(name, self.cap or 0), self._others
        for reservation in self._open:
            if reservation._tag == name:  # noqa: SLF001 - made here
                reservation._stage = stage  # noqa: SLF001
                stage.reserved += reservation.amount
        others.reserved -= stage.reserved
        for waiter in [waiter for waiter in others.line if waiter.tag == name]:
            del others.line[waiter]
            stage.line[waiter] = None
            waiter.stage = stage
        self._stages[name] = stage

    def _take(self, amount: int, tag: str) -> Reservation | None:
        if self.cap is not None and amount > self._room(self.cap, self._stage(tag)):
            return None
        return self._set_aside(amount, tag)

    def _set_aside(self, amount: int, tag: str) -> Reservation:
        stage = self._stage(tag)
        reservation = Reservation(amount, tag, stage)
        self._open.add(reservation)
        self.reserved += amount
        stage.reserved += amount
        return reservation

    def _room(self, cap: int, stage: _Stage) -> int:
        """What the stage could set aside now."""
        room = cap - self.spent - self.assumed - self.reserved
        if not self._stages:
            return room
        for_others = sum(
            other.kept_now if self._open else other.kept_always for other in self._stages.values() if other is not stage
        )
        return min(room - for_others, stage.limit - stage.charged - stage.reserved)

    def _is_hopeless(self, amount: int, stage: _Stage) -> bool:
        """Whether it would not fit even if everything in flight turned out to cost nothing: charges only grow."""
        if self.cap is None:
            return False
        for_others = sum(other.kept_always for other in self._stages.values() if other is not stage)
        return amount > min(self.cap - self.spent - self.assumed - for_others, stage.limit - stage.charged)

    def _close(self, reservation: Reservation, *, charged: int) -> None:
        if reservation not in self._open:
            raise ValueError("this reservation is closed, or another ledger's")
        self._open.remove(reservation)
        self.reserved -= reservation.amount
        stage = reservation._stage  # noqa: SLF001 - made here, and nobody else's business
        stage.reserved -= reservation.amount
        stage.charged += charged

    # -- the line

    def _serve(self) -> None:
        """Grant or refuse from the head of the line, as far as can be told now."""
        held_up: set[_Stage] = set()
        while self._waiting and (waiter := self._next(held_up)) is not None:
            least = waiter.least_amount()
            if waiter.granted.cancelled():
                pass  # it was told so, and has not run since
            elif reservation := self._take(waiter.amount, waiter.tag) or self._take(least, waiter.tag):
                waiter.granted.set_result(reservation)
            elif self._is_hopeless(least, waiter.stage):
                waiter.granted.set_exception(self._reached(least, waiter.stage))
            elif self._is_held_up(least):
                held_up.add(waiter.stage)
                continue
            else:
                return
            self._remove(waiter)

    def _is_held_up(self, amount: int) -> bool:
        """Whether there is money, but not for the stage of whoever waits for so much: then others need not wait."""
        return self.headroom is not None and amount <= self.headroom

    def _next(self, held_up: set[_Stage]) -> _Waiter | None:
        """Who came first of all whose stage is not held up."""
        stages = (self._others, *self._stages.values())
        heads = [next(iter(stage.line)) for stage in stages if stage.line and stage not in held_up]
        return min(heads, key=lambda waiter: waiter.number, default=None)

    def _remove(self, waiter: _Waiter) -> None:
        del waiter.stage.line[waiter]
        self._waiting -= 1

    def _leave(self, waiter: _Waiter) -> None:
        """A waiter was cancelled: in the line, or in the moment between being served and waking."""
        if waiter in waiter.stage.line:
            self._remove(waiter)
            self._serve()
        elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
            self.release(waiter.granted.result())

    def _reached(self, amount: int, stage: _Stage) -> BudgetReached:
        name = stage.name if stage.name in self._shares else ""
        self._refused[name] = max(amount, self._refused.get(name, 0))
        return reached(amount, name, cap=self.cap or 0, spent=self.spent, assumed=self.assumed, shares=self.shares)


def reached(
    amount: int, stage: str, *, cap: int, spent: int, assumed: int, shares: Mapping[str, Share]
) -> BudgetReached:
    """That a call of a stage may cost so much, and that it is not there: whose money it is that is gone."""
    next_call = f"the next call may cost up to {dollars(amount)}"
    share = shares.get(stage, _NONE)
    if share.at_most is not None and amount > share.at_most - share.charged:
        return BudgetReached(
            f"the share of {stage!r}, {dollars(share.at_most)} of a budget of {in_full(cap)}, is reached: "
            f"{dollars(share.charged)} charged, and {next_call}"
        )
    kept = {name: other.kept_always for name, other in shares.items() if name != stage}
    told = "".join(f", {dollars(each)} kept for {name!r}" for name, each in kept.items() if each)
    gone = f"{dollars(spent)} spent and {dollars(assumed)} assumed"
    return BudgetReached(f"the budget of {in_full(cap)} is reached: {gone}{told}, and {next_call}")


_NONE: Final = Share()


def _stage_of(name: str, share: Share, *, cap: int) -> _Stage:
    limit = cap if share.at_most is None else share.at_most
    return _Stage(name, limit, kept=share.kept, charged=share.charged)


@dataclass(slots=True, eq=False)
class _Waiter:
    amount: int
    least: Least | None
    tag: str
    stage: _Stage
    number: int
    granted: asyncio.Future[Reservation]

    def least_amount(self) -> int:
        return self.amount if self.least is None else min(self.amount, self.least())
