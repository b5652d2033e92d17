"""Money that workers hold: it never passes the cap, and what became of it is charged once."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.budget import Share
from engine.errors import BudgetReached
from engine.fleet.leases import Leases
from engine.fleet.purse import Purse
from engine.fleet.wire import Account
from engine.ledger import Ledger

CAP = 1000
STAGES = ("generate", "annotate", "")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two"]),
            st.sampled_from(STAGES),
            st.sampled_from(["lend", "spend", "assume", "return", "tell", "die", "vanish"]),
            st.integers(1, 400),
        ),
        max_size=40,
    )
)
def test_what_is_spent_and_held_never_passes_the_cap_and_no_share_of_it(
    steps: list[tuple[str, str, str, int]],
) -> None:
    """Workers spend what they hold and tell of it at any time, die, or vanish with their journals."""
    ledger = Ledger(CAP, shares={"generate": Share(at_most=600)})
    leases = Leases(ledger)
    truth: dict[tuple[str, str], Account] = {}
    held: dict[tuple[str, str], int] = {}
    for worker, stage, what, amount in steps:
        at = (worker, stage)
        mine, account = held.get(at, 0), truth.get(at, Account())
        part = min(mine, amount)
        if what == "lend" and (reservation := ledger.try_reserve(amount, stage=stage)):
            leases.lend(worker, stage, reservation)
            held[at] = mine + amount
        elif what in ("spend", "assume", "return"):
            field = {"spend": "spent", "assume": "assumed", "return": "returned"}[what]
            truth[at] = account._replace(**{field: getattr(account, field) + part})
            held[at] = mine - part
        elif what == "tell":
            leases.settle(worker, {tag: each for (name, tag), each in truth.items() if name == worker})
        elif what in ("die", "vanish"):
            found = {tag: each for (name, tag), each in truth.items() if name == worker}
            leases.bury(worker, found if what == "die" else None)
            assert leases.held(worker) == 0
            for each in [each for each in truth if each[0] == worker] + [each for each in held if each[0] == worker]:
                truth.pop(each, None)
                held.pop(each, None)

        assert ledger.spent + ledger.assumed + ledger.reserved <= CAP
        assert ledger.shares["generate"].charged + ledger.shares["generate"].reserved <= 600
        assert ledger.reserved >= sum(held.values())


def test_a_dead_worker_is_charged_what_its_journal_says_and_the_rest_is_free() -> None:
    ledger = Ledger(CAP)
    leases = Leases(ledger)
    leases.lend("dead", "", ledger.adopt(500))
    leases.settle("dead", {"": Account(spent=100)})

    beyond = leases.bury("dead", {"": Account(spent=150, assumed=40)})

    assert (ledger.spent, ledger.assumed, ledger.reserved) == (150, 40, 0)
    assert beyond == {"": 90}
    assert leases.charged("dead") == 190


def test_a_worker_whose_journal_nobody_can_read_is_charged_all_that_it_held() -> None:
    ledger = Ledger(CAP)
    leases = Leases(ledger)
    leases.lend("lost", "", ledger.adopt(500))
    leases.settle("lost", {"": Account(spent=100, returned=50)})

    leases.bury("lost", None)

    assert (ledger.spent, ledger.assumed, ledger.reserved) == (100, 350, 0)


def test_more_than_was_lent_cannot_be_charged() -> None:
    ledger = Ledger(CAP)
    leases = Leases(ledger)
    leases.lend("one", "", ledger.adopt(10))

    with pytest.raises(ValueError, match="more than it was lent"):
        leases.settle("one", {"": Account(spent=11)})


# -- a worker's side


def test_a_purse_spends_what_a_stage_was_lent_and_says_what_it_did_with_it() -> None:
    purse = Purse()
    purse.lend(100, stage="annotate")

    assert purse.try_reserve(10, stage="generate") is None
    first, second = (purse.try_reserve(50, stage="annotate") for _ in range(2))
    assert first is not None
    assert second is not None
    assert purse.try_reserve(1, stage="annotate") is None
    purse.settle(first, 20)
    purse.assume(second)
    purse.give_back({}, {})

    assert purse.accounts()["annotate"] == Account(spent=20, assumed=50, returned=30)
    assert purse.try_reserve(1, stage="annotate") is None


def test_a_purse_keeps_what_its_requests_need_and_what_is_set_aside() -> None:
    purse = Purse()
    purse.lend(100, stage="")
    held = purse.try_reserve(70, stage="")
    assert held is not None

    purse.give_back({"": 20}, {})

    assert purse.accounts()[""].returned == 30
    purse.settle(held, 10)
    purse.give_back({"": 20}, {})
    assert purse.accounts()[""].returned == 70


def test_who_waits_in_a_purse_asks_for_what_is_missing_and_goes_on_with_it() -> None:
    async def main() -> None:
        purse = Purse()
        purse.lend(30, stage="")
        waiting = asyncio.ensure_future(purse.reserve(100, stage="", least=lambda: 50))
        await asyncio.sleep(0)

        assert purse.wants({}) == {"": 20}
        purse.lend(20, stage="")
        assert (await waiting).amount == 50
        assert purse.wants({}) == {}

    asyncio.run(main())


def test_who_waits_for_more_holds_nothing_that_others_may_be_waiting_for() -> None:
    """Each of two workers would wait for what the other one holds, for ever."""

    async def main() -> None:
        purse = Purse()
        purse.lend(90, stage="")
        waiting = asyncio.ensure_future(purse.reserve(100, stage=""))
        await asyncio.sleep(0)

        purse.give_back({"": 90}, {"": 30})

        assert purse.accounts()[""].returned == 60
        assert purse.wants({"": 30}) == {"": 100}
        purse.lend(100, stage="")
        assert (await waiting).amount == 100

    asyncio.run(main())


def test_who_is_refused_more_still_waits_for_what_is_in_flight_and_is_then_told_why() -> None:
    async def main() -> None:
        purse = Purse()
        purse.lend(100, stage="")
        held = purse.try_reserve(80, stage="")
        assert held is not None
        waiting = asyncio.ensure_future(purse.reserve(50, stage=""))
        await asyncio.sleep(0)
        purse.refuse("", "the budget of $1 is reached")
        await asyncio.sleep(0)

        assert not waiting.done()
        assert purse.wants({}) == {}
        purse.settle(held, 60)
        with pytest.raises(BudgetReached, match=r"the budget of \$1 is reached"):
            await waiting

    asyncio.run(main())


def test_once_there_is_more_who_was_refused_asks_again() -> None:
    async def main() -> None:
        purse = Purse()
        purse.lend(100, stage="")
        held = purse.try_reserve(80, stage="")
        waiting = asyncio.ensure_future(purse.reserve(50, stage=""))
        await asyncio.sleep(0)
        purse.refuse("", "the budget of $1 is reached")
        purse.refuse("", "")

        assert held is not None
        assert purse.wants({}) == {"": 30}
        purse.settle(held, 80)
        assert not waiting.done()
        purse.lend(30, stage="")
        assert (await waiting).amount == 50

    asyncio.run(main())


def test_a_stage_that_waits_for_money_holds_no_other_up() -> None:
    async def main() -> None:
        purse = Purse()
        purse.lend(10, stage="generate")
        waiting = asyncio.ensure_future(purse.reserve(50, stage="annotate"))
        await asyncio.sleep(0)
        other = asyncio.ensure_future(purse.reserve(10, stage="generate"))
        await asyncio.sleep(0)

        assert (await other).amount == 10
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_who_has_too_little_for_anything_keeps_nothing_from_the_others() -> None:
    """Else workers that each hold a part of what they need would wait for one another without end."""

    async def main() -> None:
        purse = Purse()
        purse.lend(10, stage="")
        waiting = asyncio.create_task(purse.reserve(30))
        await asyncio.sleep(0)

        purse.give_back({"": 10}, {"": 0})

        assert purse.accounts()[""].returned == 10
        assert purse.wants({"": 0}) == {"": 30}
        purse.lend(30, stage="")
        assert (await waiting).amount == 30

    asyncio.run(main())
