"""The cap holds at every moment, waiters are served in order, and nothing hangs at the end of the money."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from engine.budget import Budget, Share
from engine.errors import BudgetReached, UserError
from engine.fakes import virtual_time
from engine.ledger import Ledger, Reservation
from tests.engine.ledgers import CAP, taken


class LedgerMachine(RuleBasedStateMachine):
    """Any order of reservations, settlements within their bounds, assumptions and releases, for any stages."""

    reservations = Bundle[Reservation]("reservations")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(CAP)
        self.shares: dict[str, Share] = {}
        self.wanted: dict[str, int] = {}
        self.taken: dict[Reservation, str] = {}

    @initialize(at_most=st.none() | st.integers(0, CAP), kept=st.integers(0, CAP // 2), other=st.integers(0, CAP // 2))
    def share_out(self, at_most: int | None, kept: int, other: int) -> None:
        first = Share(at_most, kept if at_most is None else min(kept, at_most))
        self.shares = {"first": first, "second": Share(kept=other)}
        self.ledger = Ledger(CAP, shares=self.shares)

    @rule(target=reservations, amount=st.integers(0, CAP), stage=st.sampled_from(["", "first", "second", "third"]))
    def reserve(self, amount: int, stage: str) -> Reservation | MultipleResults[Reservation]:
        fits = amount <= self.room_for(stage)
        reservation = self.ledger.try_reserve(amount, stage=stage)
        assert (reservation is not None) == fits
        if reservation is None:
            return multiple()
        self.taken[reservation] = stage
        return reservation

    @rule(amount=st.integers(0, CAP), stage=st.sampled_from(["first", "third"]))
    def keep(self, amount: int, stage: str) -> None:
        self.ledger.keep(amount, stage=stage)
        self.wanted[stage] = amount

    @rule(stage=st.sampled_from(["first", "second", "third"]))
    def finish(self, stage: str) -> None:
        self.ledger.finish(stage)
        self.wanted.pop(stage, None)

    @rule(reservation=consumes(reservations), share=st.floats(0, 1))
    def settle(self, reservation: Reservation, share: float) -> None:
        del self.taken[reservation]
        self.ledger.settle(reservation, int(reservation.amount * share))

    @rule(reservation=consumes(reservations))
    def assume(self, reservation: Reservation) -> None:
        del self.taken[reservation]
        self.ledger.assume(reservation)

    @rule(reservation=consumes(reservations))
    def release(self, reservation: Reservation) -> None:
        del self.taken[reservation]
        self.ledger.release(reservation)

    @invariant()
    def cap_holds(self) -> None:
        ledger = self.ledger
        assert min(ledger.spent, ledger.assumed, ledger.reserved, ledger.in_flight) >= 0
        assert ledger.spent + ledger.assumed + ledger.reserved <= CAP
        assert ledger.headroom == CAP - ledger.spent - ledger.assumed - ledger.reserved

    @invariant()
    def no_stage_passes_its_share(self) -> None:
        for share in self.ledger.shares.values():
            assert share.at_most is None or share.charged + share.reserved <= share.at_most

    @invariant()
    def what_is_kept_for_a_stage_is_there_for_it(self) -> None:
        for name, share in self.ledger.shares.items():
            wanted_by_others = sum(self.wanted.values())
            kept = 0 if share.is_over else share.kept
            assert self.room_for(name) >= kept - share.charged - share.reserved - wanted_by_others

    def room_for(self, stage: str) -> int:
        """What fits, worked out from the outside."""
        ledger, shares = self.ledger, self.ledger.shares
        kept = sum(self.kept_for(name) for name in {*shares, *self.wanted} if name != stage)
        room = CAP - ledger.spent - ledger.assumed - ledger.reserved - kept
        share = shares.get(stage, Share())
        return room if share.at_most is None else min(room, share.at_most - share.charged - share.reserved)

    def kept_for(self, stage: str) -> int:
        """Of what is wanted nothing is kept while nothing is in flight: who would it be that wants it?"""
        share = self.ledger.shares.get(stage, Share())
        reserved = sum(reservation.amount for reservation, name in self.taken.items() if name == stage)
        most = self.wanted.get(stage, 0) if share.at_most is None else share.at_most - share.charged
        wanted = min(self.wanted.get(stage, 0), most) - reserved if self.ledger.in_flight else 0
        return max(0, (0 if share.is_over else share.kept) - share.charged - share.reserved, wanted)


TestLedgerMachine = LedgerMachine.TestCase


def test_budgets_are_kept_exactly() -> None:
    assert Budget(usd=0.1).cap == Budget(usd="0.10").cap == 10**11
    assert Budget(5) == Budget(usd="5")


def test_a_fraction_of_a_pico_dollar_is_rounded_away() -> None:
    assert Budget(usd="0.0000000000019").cap == 1


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "five", "1e-13", 1_000_001])
def test_what_is_no_budget_is_refused_in_one_line(wrong: float | str) -> None:
    with pytest.raises(UserError, match="the budget must") as refusal:
        Budget(usd=wrong)

    assert repr(wrong) in str(refusal.value)


def test_a_number_of_thousands_of_digits_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match=r"the budget must lie between 0 and .* thousands of digits"):
        Budget(10**5000)


def test_settling_frees_what_was_not_needed() -> None:
    ledger = Ledger(CAP, spent=100, assumed=50)
    ledger.settle(taken(ledger, 800), 300)

    assert (ledger.spent, ledger.assumed, ledger.reserved, ledger.headroom) == (400, 50, 0, 550)


def test_what_nobody_knows_is_assumed_whole() -> None:
    ledger = Ledger(CAP)
    ledger.assume(taken(ledger, 800))

    assert (ledger.spent, ledger.assumed) == (0, 800)


@pytest.mark.parametrize("cost", [-1, 1001])
def test_a_cost_beyond_what_was_set_aside_is_refused_and_changes_nothing(cost: int) -> None:
    ledger = Ledger(CAP)
    reservation = taken(ledger, 1000)

    with pytest.raises(ValueError, match="set aside"):
        ledger.settle(reservation, cost)

    assert (ledger.spent, ledger.reserved) == (0, 1000)


def test_a_reservation_is_closed_once() -> None:
    ledger = Ledger(CAP)
    reservation = taken(ledger, 10)
    ledger.release(reservation)

    for close in (ledger.release, ledger.assume, lambda r: ledger.settle(r, 1)):
        with pytest.raises(ValueError, match="closed"):
            close(reservation)
    with pytest.raises(ValueError, match="closed"):
        Ledger(CAP).release(taken(ledger, 10))


def test_a_negative_amount_is_a_bug() -> None:
    with pytest.raises(ValueError, match="negative"):
        Ledger(CAP).try_reserve(-1)


def test_without_a_cap_everything_fits() -> None:
    ledger = Ledger(None)
    ledger.settle(taken(ledger, 0), 0)

    assert virtual_time.run(ledger.reserve(0)).amount == 0
    assert ledger.headroom is None


def test_the_reserve_waits_for_a_settlement() -> None:
    async def scenario() -> list[int]:
        ledger = Ledger(CAP)
        first = await ledger.reserve(900)
        waiter = asyncio.create_task(ledger.reserve(200))
        await asyncio.sleep(0)
        assert ledger.waiting == 1
        ledger.settle(first, 500)
        return [(await waiter).amount, ledger.spent, ledger.reserved, ledger.waiting]

    assert virtual_time.run(scenario()) == [200, 500, 200, 0]


def test_waiters_are_served_first_come_first_served() -> None:
    """A small amount does not overtake a large one, not even through try_reserve."""

    async def scenario() -> list[str]:
        ledger, served = Ledger(CAP), list[str]()

        async def take(name: str, amount: int) -> None:
            reservation = await ledger.reserve(amount)
            served.append(name)
            await asyncio.sleep(0)
            ledger.release(reservation)

        holder = taken(ledger, 600)
        async with asyncio.TaskGroup() as group:
            for name, amount in (("large", 900), ("small", 10), ("tiny", 1)):
                group.create_task(take(name, amount))
            await asyncio.sleep(0)
            assert ledger.try_reserve(1) is None
            ledger.release(holder)
        return served

    assert virtual_time.run(scenario()) == ["large", "small", "tiny"]


def test_what_can_never_fit_is_refused_at_once() -> None:
    async def scenario() -> str:
        ledger = Ledger(5 * 10**12, spent=4 * 10**12, assumed=5 * 10**11)
        taken(ledger, 10**11)
        with pytest.raises(BudgetReached) as refusal:
            await ledger.reserve(6 * 10**11)
        assert ledger.waiting == 0
        return str(refusal.value)

    assert virtual_time.run(scenario()) == (
        "the budget of $5.00 is reached: $4.00 spent and $0.50 assumed, and the next call may cost up to $0.60"
    )


def test_what_can_never_fit_does_not_even_join_the_line() -> None:
    async def scenario() -> int:
        ledger = Ledger(CAP, spent=500)
        holder = taken(ledger, 400)
        waiter = asyncio.create_task(ledger.reserve(300))
        await asyncio.sleep(0)
        with pytest.raises(BudgetReached):
            await ledger.reserve(501)
        ledger.release(holder)
        return (await waiter).amount

    assert virtual_time.run(scenario()) == 300


def test_waiters_are_refused_when_nothing_in_flight_can_make_room() -> None:
    """The one who cannot fit any more is refused; the next, who can, is served."""

    async def scenario() -> list[object]:
        ledger = Ledger(CAP)
        holder = taken(ledger, 600)
        waiters = [asyncio.create_task(ledger.reserve(amount)) for amount in (500, 400)]
        await asyncio.sleep(0)
        ledger.assume(holder)
        return await asyncio.gather(*waiters, return_exceptions=True)

    refused, served = virtual_time.run(scenario())
    assert isinstance(refused, BudgetReached)
    assert isinstance(served, Reservation)


def test_a_cancelled_waiter_leaves_nothing_and_lets_the_next_one_in() -> None:
    async def scenario() -> tuple[int, int, int]:
        ledger = Ledger(CAP)
        taken(ledger, 600)
        large, small = asyncio.create_task(ledger.reserve(900)), asyncio.create_task(ledger.reserve(100))
        await asyncio.sleep(0)
        large.cancel()
        return (await small).amount, ledger.waiting, ledger.reserved

    assert virtual_time.run(scenario()) == (100, 0, 700)


def test_a_waiter_cancelled_after_being_served_gives_the_money_back() -> None:
    """Cancelled between the grant and its own waking: the narrowest moment there is."""

    async def scenario() -> tuple[int, int, int]:
        ledger = Ledger(CAP)
        holder = taken(ledger, 600)
        first, second = asyncio.create_task(ledger.reserve(900)), asyncio.create_task(ledger.reserve(800))
        await asyncio.sleep(0)
        ledger.release(holder)
        first.cancel()
        reservation = await second
        assert first.cancelled()
        return reservation.amount, ledger.reserved, ledger.waiting

    assert virtual_time.run(scenario()) == (800, 800, 0)


def test_a_waiter_cancelled_before_the_settlement_is_passed_over() -> None:
    """Cancelled, but not yet run again, when the money comes free."""

    async def scenario() -> tuple[int, int]:
        ledger = Ledger(CAP)
        holder = taken(ledger, 600)
        first, second = asyncio.create_task(ledger.reserve(900)), asyncio.create_task(ledger.reserve(800))
        await asyncio.sleep(0)
        first.cancel()
        ledger.release(holder)
        return (await second).amount, ledger.reserved

    assert virtual_time.run(scenario()) == (800, 800)


# -- taking less while the whole does not fit


def test_while_the_whole_does_not_fit_as_little_is_taken_as_will_do() -> None:
    async def scenario() -> list[int]:
        ledger = Ledger(CAP)
        whole = await ledger.reserve(700, least=lambda: 100)
        less = await ledger.reserve(700, least=lambda: 100)
        return [whole.amount, less.amount, ledger.reserved]

    assert virtual_time.run(scenario()) == [700, 100, 800]


def test_how_little_will_do_is_asked_at_the_head_of_the_line() -> None:
    """By then more may be known than when the caller joined it."""

    async def scenario() -> int:
        ledger, least = Ledger(CAP), 700
        holder = taken(ledger, 900)
        waiter = asyncio.create_task(ledger.reserve(700, least=lambda: least))
        await asyncio.sleep(0)
        least = 150
        ledger.settle(holder, 800)
        return (await waiter).amount

    assert virtual_time.run(scenario()) == 150


def test_the_whole_is_taken_where_it_fits_again() -> None:
    async def scenario() -> int:
        ledger = Ledger(CAP)
        holder = taken(ledger, 900)
        waiter = asyncio.create_task(ledger.reserve(700, least=lambda: 150))
        await asyncio.sleep(0)
        ledger.release(holder)
        return (await waiter).amount

    assert virtual_time.run(scenario()) == 700


@pytest.mark.parametrize(("least", "is_hopeless"), [(101, True), (100, False), (10_000, True)])
def test_only_what_would_not_fit_at_its_least_is_refused(least: int, is_hopeless: bool) -> None:
    async def scenario() -> list[object]:
        ledger = Ledger(CAP, spent=900)
        return list(await asyncio.gather(ledger.reserve(500, least=lambda: least), return_exceptions=True))

    [end] = virtual_time.run(scenario())
    assert isinstance(end, BudgetReached) == is_hopeless


def test_part_of_a_reservation_is_one_of_its_own_and_the_sum_stays_the_same() -> None:
    ledger = Ledger(CAP)
    whole = ledger.adopt(100, stage="generate")

    piece = ledger.part(whole, 30)
    assert (whole.amount, piece.amount, ledger.reserved, ledger.in_flight) == (70, 30, 100, 2)
    ledger.settle(piece, 20)
    ledger.release(whole)
    assert (ledger.spent, ledger.reserved) == (20, 0)
    with pytest.raises(ValueError, match="no part"):
        ledger.part(whole, 1)
