"""Money is reserved before a call and settled after it, so a cap holds whatever the replies do.

Integers of pico-dollars throughout. The ledger knows no price, no provider and no disk.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from engine.errors import BudgetReached, UserError
from engine.prices import PICO_PER_USD, Amount, dollars, exact

__all__ = ["Budget", "Ledger", "Reservation"]

# What the journal's 64-bit integers hold with room to spare.
_LARGEST_USD: Final = 1_000_000


@dataclass(frozen=True, slots=True, init=False)
class Budget:
    """The most that may be spent: `Budget(usd=5)`, `Budget(usd="0.50")`."""

    usd: Decimal

    def __init__(self, usd: Amount) -> None:
        amount = exact(usd, name="the budget")
        object.__setattr__(self, "usd", amount)
        if not 1 <= self.cap <= _LARGEST_USD * PICO_PER_USD:
            raise UserError(f"the budget must be above 0 and at most {_LARGEST_USD} USD (got {usd!r})")

    @property
    def cap(self) -> int:
        """The cap in pico-dollars; a fraction of one is rounded away, never up."""
        numerator, denominator = self.usd.as_integer_ratio()
        return numerator * PICO_PER_USD // denominator


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Money set aside for one attempt, until it is settled, assumed or released: exactly one of them, once."""

    amount: int


class Ledger:
    """What was spent, what is assumed to be, and what is set aside; the sum never passes the cap.

    A cap of None is no limit: for prices of zero only, which the caller answers for.

    Not for use from several threads.
    """

    def __init__(self, cap: int | None, *, spent: int = 0, assumed: int = 0) -> None:
        self.cap: Final = cap
        self.spent = spent
        self.assumed = assumed
        self.reserved = 0
        self._open: set[Reservation] = set()
        self._waiting: OrderedDict[_Waiter, None] = OrderedDict()  # in order of arrival; any of them may leave

    @property
    def headroom(self) -> int | None:
        """What could be reserved now, or None when there is no cap."""
        return None if self.cap is None else self.cap - self.spent - self.assumed - self.reserved

    @property
    def in_flight(self) -> int:
        """How many reservations are open."""
        return len(self._open)

    @property
    def waiting(self) -> int:
        """How many callers wait for a settlement to make room."""
        return len(self._waiting)

    def try_reserve(self, amount: int) -> Reservation | None:
        """Set `amount` aside now, or None if it does not fit now or others have waited longer."""
        if amount < 0:
            raise ValueError(f"an amount cannot be negative (got {amount})")
        return None if self._waiting else self._take(amount)

    async def reserve(self, amount: int) -> Reservation:
        """Set `amount` aside, waiting in line while something in flight may still give money back.

        Raises BudgetReached when nothing can make room: at once if the amount can never fit, else when it is at the
        head of the line and nothing is in flight. First come, first served: a large amount at the head is not
        overtaken by small ones.
        """
        if reservation := self.try_reserve(amount):
            return reservation
        if self._is_hopeless(amount):
            raise self._reached(amount)
        waiter = _Waiter(amount, asyncio.get_running_loop().create_future())
        self._waiting[waiter] = None
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def settle(self, reservation: Reservation, cost: int) -> None:
        """The call cost this much, at most what was set aside; what is left of it is free again."""
        if not 0 <= cost <= reservation.amount:
            raise ValueError(f"a cost must lie between 0 and the {reservation.amount} set aside (got {cost})")
        self._close(reservation)
        self.spent += cost
        self._serve()

    def assume(self, reservation: Reservation) -> None:
        """Nobody knows what the call cost: it is charged whole, and kept apart from what is known."""
        self._close(reservation)
        self.assumed += reservation.amount
        self._serve()

    def release(self, reservation: Reservation) -> None:
        """The call surely cost nothing."""
        self._close(reservation)
        self._serve()

    def __repr__(self) -> str:
        cap = "no cap" if self.cap is None else f"of {dollars(self.cap)}"
        parts = f"{dollars(self.spent)} spent, {dollars(self.assumed)} assumed, {dollars(self.reserved)} reserved {cap}"
        return f"<Ledger [{parts} | {self.in_flight} in flight, {self.waiting} waiting]>"

    def _take(self, amount: int) -> Reservation | None:
        if self.headroom is not None and amount > self.headroom:
            return None
        reservation = Reservation(amount)
        self._open.add(reservation)
        self.reserved += amount
        return reservation

    def _close(self, reservation: Reservation) -> None:
        if reservation not in self._open:
            raise ValueError("this reservation is closed, or another ledger's")
        self._open.remove(reservation)
        self.reserved -= reservation.amount

    def _is_hopeless(self, amount: int) -> bool:
        """Spent and assumed only grow, so what does not fit beside them never will."""
        if self.cap is None:
            return False
        return not self._open or amount > self.cap - self.spent - self.assumed

    def _serve(self) -> None:
        """Grant or refuse from the head of the line, as far as can be told now."""
        while self._waiting:
            waiter = next(iter(self._waiting))
            if waiter.granted.cancelled():
                pass  # it was told so, and has not run since
            elif reservation := self._take(waiter.amount):
                waiter.granted.set_result(reservation)
            elif self._is_hopeless(waiter.amount):
                waiter.granted.set_exception(self._reached(waiter.amount))
            else:
                return
            del self._waiting[waiter]

    def _leave(self, waiter: _Waiter) -> None:
        """A waiter was cancelled: in the line, or in the moment between being served and waking."""
        if waiter in self._waiting:
            del self._waiting[waiter]
            self._serve()
        elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
            self.release(waiter.granted.result())

    def _reached(self, amount: int) -> BudgetReached:
        cap, spent, assumed = dollars(self.cap or 0), dollars(self.spent), dollars(self.assumed)
        return BudgetReached(
            f"the budget of {cap} is reached: {spent} spent and {assumed} assumed, "
            f"and the next call may cost up to {dollars(amount)}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    amount: int
    granted: asyncio.Future[Reservation]
