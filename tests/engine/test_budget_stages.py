"""Stages have shares of the budget: no more than these, what is kept for one goes to no other, and all is used."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest

from engine.budget import Budget, Share
from engine.errors import BudgetReached, UserError
from engine.fakes import virtual_time
from engine.ledger import Ledger, Reservation
from tests.engine.ledgers import CAP, taken


@pytest.mark.parametrize("shares", [None, [("generate", 0.5)], {1: 0.5}, 0.5])
@pytest.mark.parametrize("name", ["at_most", "kept"])
def test_what_is_no_table_of_shares_is_refused_in_one_line(name: str, shares: Any) -> None:
    with pytest.raises(UserError) as refusal:
        Budget(5, **{name: shares})

    assert str(refusal.value).startswith(f"{name} must be shares by the names of stages, as in {{'generate': 0.7}}")


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        pytest.param({"at_most": {"generate": 0}}, "'generate' must lie between 0 and 1 (got 0)", id="nothing"),
        pytest.param({"at_most": {"generate": 1.1}}, "between 0 and 1", id="more than all"),
        pytest.param({"at_most": {"generate": "much"}}, "must be a number", id="no number"),
        pytest.param({"kept": {"generate": 0.6, "annotate": 0.5}}, "no more can be kept", id="kept twice"),
        pytest.param(
            {"kept": {"generate": 0.6}, "at_most": {"generate": 0.5}}, "0.6 cannot be kept for it", id="kept for nobody"
        ),
    ],
)
def test_shares_that_cannot_be_are_refused(wrong: dict[str, dict[str, float | str]], part: str) -> None:
    with pytest.raises(UserError) as refusal:
        Budget(5, **wrong)

    assert part in str(refusal.value)


def test_shares_are_exact_parts_of_the_whole_and_never_rounded_up() -> None:
    shares = Budget("0.000000000010", at_most={"generate": "0.77"}, kept={"annotate": 0.2}).shares({"annotate": 3})

    assert shares == {"generate": Share(at_most=7), "annotate": Share(kept=2, charged=3)}


def test_a_stage_takes_its_share_and_no_more() -> None:
    async def scenario() -> str:
        ledger = Ledger(10**12, shares=Budget(1, at_most={"generate": 0.7}).shares({"generate": 5 * 10**11}))
        with pytest.raises(BudgetReached) as refusal:
            await ledger.reserve(3 * 10**11, stage="generate")
        await ledger.reserve(2 * 10**11, stage="generate")
        await ledger.reserve(8 * 10**11, stage="annotate")
        return str(refusal.value)

    assert virtual_time.run(scenario()) == (
        "the share of 'generate', $0.70 of a budget of $1.00, is reached: $0.50 charged, "
        "and the next call may cost up to $0.30"
    )


def test_what_is_kept_for_a_stage_is_given_to_no_other() -> None:
    async def scenario() -> str:
        ledger = Ledger(10**12, shares=Budget(1, kept={"annotate": 0.4}).shares({}))
        with pytest.raises(BudgetReached) as refusal:
            await ledger.reserve(7 * 10**11, stage="generate")
        await ledger.reserve(3 * 10**11, stage="annotate")
        await ledger.reserve(6 * 10**11)
        assert ledger.headroom == 10**11
        return str(refusal.value)

    assert virtual_time.run(scenario()) == (
        "the budget of $1.00 is reached: $0.00 spent and $0.00 assumed, $0.40 kept for 'annotate', "
        "and the next call may cost up to $0.70"
    )


def test_what_is_kept_for_a_stage_that_is_over_goes_to_who_waits_for_it() -> None:
    async def scenario() -> int:
        ledger = Ledger(CAP, shares={"retrieve": Share(kept=500, charged=10)})
        await ledger.reserve(400, stage="generate")
        waiting = asyncio.create_task(ledger.reserve(450, stage="generate"))
        await asyncio.sleep(0)
        assert not waiting.done()
        ledger.finish("retrieve")
        assert ledger.shares["retrieve"] == Share(kept=500, charged=10, is_over=True)
        return (await waiting).amount

    assert virtual_time.run(scenario()) == 450


def test_the_most_that_was_refused_is_known_by_stage() -> None:
    async def scenario() -> Mapping[str, int]:
        ledger = Ledger(CAP, shares={"generate": Share(at_most=300)})
        for amount, stage in ((400, "generate"), (350, "generate"), (CAP + 1, "annotate"), (CAP + 2, "retrieve")):
            with pytest.raises(BudgetReached):
                await ledger.reserve(amount, stage=stage)
        return ledger.refused

    assert virtual_time.run(scenario()) == {"generate": 400, "": CAP + 2}


def test_others_wait_for_what_is_wanted_for_work_that_is_under_way() -> None:
    async def scenario() -> list[object]:
        ledger = Ledger(CAP)
        holder = taken(ledger, 100)
        ledger.keep(800, stage="annotate")
        other = asyncio.create_task(ledger.reserve(200))
        await asyncio.sleep(0)
        found: list[object] = [other.done()]
        label = await ledger.reserve(500, stage="annotate")  # not held up by the other, who came first
        ledger.settle(label, 300)
        ledger.keep(500, stage="annotate")
        await asyncio.sleep(0)
        found.append(other.done())
        ledger.keep(400, stage="annotate")
        found.append((await other).amount)
        ledger.release(holder)
        return found

    assert virtual_time.run(scenario()) == [False, False, 200]


def test_nobody_waits_for_work_that_does_not_come() -> None:
    """When nothing is in flight any more, what was wanted belongs to whoever waits; and it is no reason to refuse."""

    async def scenario() -> int:
        ledger = Ledger(CAP)
        holder = taken(ledger, 100)
        ledger.keep(CAP, stage="annotate")
        other = asyncio.create_task(ledger.reserve(900))
        await asyncio.sleep(0)
        ledger.settle(holder, 100)
        return (await other).amount

    assert virtual_time.run(scenario()) == 900


def test_who_waits_for_the_own_stage_holds_up_no_other() -> None:
    async def scenario() -> list[object]:
        ledger = Ledger(CAP, shares={"generate": Share(at_most=500)})
        holder = ledger.try_reserve(400, stage="generate")
        held_up = asyncio.create_task(ledger.reserve(300, stage="generate"))
        behind = asyncio.create_task(ledger.reserve(10, stage="generate"))
        other = asyncio.create_task(ledger.reserve(600))
        await asyncio.sleep(0)
        found: list[object] = [other.done(), held_up.done(), behind.done()]
        assert holder is not None
        ledger.release(holder)
        ledger.release(await other)
        return [*found, (await held_up).amount, (await behind).amount]

    assert virtual_time.run(scenario()) == [True, False, False, 300, 10]


def test_who_waits_for_common_money_is_not_overtaken_by_other_stages() -> None:
    async def scenario() -> list[object]:
        ledger = Ledger(CAP, shares={"generate": Share(at_most=900)})
        holder = ledger.try_reserve(400, stage="generate")
        large = asyncio.create_task(ledger.reserve(900))
        small = asyncio.create_task(ledger.reserve(10, stage="generate"))
        await asyncio.sleep(0)
        found: list[object] = [large.done(), small.done()]
        assert holder is not None
        ledger.release(holder)
        return [*found, (await large).amount, (await small).amount]

    assert virtual_time.run(scenario()) == [False, False, 900, 10]


def end_somehow(ledger: Ledger, reservation: Reservation, chance: random.Random) -> None:
    how = chance.randrange(3)
    if how == 0:
        ledger.settle(reservation, chance.randrange(reservation.amount + 1))
    elif how == 1:
        ledger.assume(reservation)
    else:
        ledger.release(reservation)


@pytest.mark.parametrize("seed", range(20))
def test_under_contention_the_cap_holds_is_used_and_nobody_hangs(seed: int) -> None:
    """Two hundred callers of three stages with random costs, ends and cancellations; at least 97 % is spent."""
    chance = random.Random(seed)
    shares = {"generate": Share(at_most=chance.randrange(20_000, 100_001)), "annotate": Share(kept=30_000)}
    ledger = Ledger(100_000, shares=shares if seed % 2 else None)

    async def call(stage: str) -> None:
        while True:
            reservation = await ledger.reserve(chance.randrange(2, 400), stage=stage, least=lambda: 1)
            assert ledger.spent + ledger.assumed + ledger.reserved <= 100_000
            try:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                ledger.assume(reservation)
                raise
            end_somehow(ledger, reservation, chance)

    async def scenario() -> list[object]:
        stages = ["", "generate", "annotate", "annotate"]
        tasks = [asyncio.create_task(call(stages[i % 4])) for i in range(200)]
        await asyncio.sleep(0)
        for task in chance.sample(tasks, 20):
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    ends = virtual_time.run(scenario())

    assert {type(end) for end in ends} <= {BudgetReached, asyncio.CancelledError}
    assert ledger.waiting == 0
    assert ledger.in_flight == 0
    assert 97_000 <= ledger.spent + ledger.assumed <= 100_000
    for name, share in ledger.shares.items():
        assert share.charged <= (shares[name].at_most or 100_000)


def test_the_repr_tells_how_things_stand() -> None:
    ledger = Ledger(5 * 10**12, spent=10**12)
    taken(ledger, 10**12)

    assert repr(ledger) == ("<Ledger [$1.00 spent, $0.00 assumed, $1.00 reserved of $5.00 | 1 in flight, 0 waiting]>")


def test_what_a_stage_has_set_aside_before_anything_is_kept_for_it_counts_towards_that() -> None:
    ledger = Ledger(1_000)
    taken = ledger.try_reserve(573, stage="third")
    ledger.keep(250, stage="first")
    ledger.keep(178, stage="third")

    assert ledger.try_reserve(177) is not None
    assert taken is not None
    ledger.settle(taken, 0)
    assert ledger.try_reserve(823 - 250 - 178 + 1) is None
    assert ledger.try_reserve(823 - 250 - 178) is not None


def test_who_waits_when_something_is_first_kept_for_their_stage_may_have_it() -> None:
    async def main() -> int:
        ledger = Ledger(100)
        held = ledger.try_reserve(100)
        waiting = asyncio.ensure_future(ledger.reserve(60, stage="third"))
        await asyncio.sleep(0)
        ledger.keep(60, stage="third")
        assert held is not None
        ledger.settle(held, 40)
        return (await waiting).amount

    assert virtual_time.run(main()) == 60
