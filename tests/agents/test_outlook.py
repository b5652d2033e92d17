"""What more money would bring: told from the yield so far, with an interval, and never as less than it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.reporting.outlook import FEWEST_ROWS, MOST_CAP, Outlook, outlook_of, under
from engine.budget import Budget, Share
from engine.ledger import Ledger
from engine.statistics import Statistics, TagStatistics
from tests.engine.pictures import figures

USD = 10**12
NONE: Mapping[str, Share] = {}


def stood(
    *,
    cap: int = 2 * USD,
    charged: int = 2 * USD,
    labels: int = 0,
    call: int = 1,
    shares: Mapping[str, Share] = NONE,
) -> Statistics:
    """How the money stood when a call for `call` was refused; of what rows cost, `labels` went into their labels."""
    costs = {"generate": charged - labels, "annotate": labels}
    return figures(
        cap=cap, spent=charged, assumed=0, shares=shares, refused={"": call},
        by_tag={tag: tag_costing(cost) for tag, cost in costs.items()},
    )  # fmt: skip


def tag_costing(cost: int) -> TagStatistics:
    return TagStatistics(
        requests=1, replies=1, from_journal=0, failed=0, attempts=1, input_tokens=0, output_tokens=0, cost=cost, saved=0
    )


def test_what_is_missing_is_priced_at_what_a_row_has_cost_and_a_call_must_fit() -> None:
    """800 rows for 2 dollars: 1,200 more cost three, and there is room for a call of each kind."""
    found = outlook_of(stood(), accepted=800, wanted=2000, yields=[8] * 100)
    with_room = outlook_of(stood(call=2 * USD // 100), accepted=800, wanted=2000, yields=[8] * 100)

    assert found == Outlook(usd="3.01", rows=1200, low=1200, high=1200, budget="5.01")
    assert with_room == Outlook(usd="3.04", rows=1200, low=1200, high=1200, budget="5.04")


def test_requests_that_differ_give_an_interval() -> None:
    chance = Random(0)
    yields = [chance.randrange(16) for _ in range(100)]

    found = outlook_of(stood(), accepted=sum(yields), wanted=2000, yields=yields)

    assert found is not None
    assert found.low < found.rows < found.high
    assert 0.05 < (found.high - found.rows) / found.rows < 0.2
    assert found.told() == (
        f"{found.usd} USD more would bring about {found.rows:,} rows ({found.low:,} to {found.high:,}), "
        "at the yield so far."
    )


def test_one_row_is_not_rows() -> None:
    found = outlook_of(stood(), accepted=99, wanted=100, yields=[5, 6] * 9)

    assert found is not None
    assert "about 1 row (0 to 2), at" in found.told()


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param({"cap": None}, id="there is no cap"),
        pytest.param({"refused": {}}, id="nothing was refused"),
        pytest.param({"refused": {"": USD // 2}, "cap": 3 * USD}, id="the refused call would be sent under this cap"),
    ],
)
def test_where_money_is_not_what_is_missing_nothing_is_told(nothing: dict[str, Any]) -> None:
    assert outlook_of(replace(stood(), **nothing), accepted=50, wanted=100, yields=[5, 5]) is None


def test_before_the_first_row_and_behind_the_last_it_tells_what_it_takes_to_go_on() -> None:
    for accepted in (0, 100):
        found = outlook_of(stood(call=USD), accepted=accepted, wanted=100, yields=[])
        assert found is not None
        assert found.told() == f"it takes about {found.usd} USD more to go on."


def test_one_request_has_no_interval_and_says_so() -> None:
    found = outlook_of(stood(), accepted=8, wanted=100, yields=[8])

    assert found is not None
    assert "(no interval: too few requests)" in found.told()


@pytest.mark.parametrize(
    ("shares", "budget", "because"),
    [
        pytest.param({"generate": Share(USD // 2, charged=USD // 2)}, "6.33", "'generate' has 25%", id="most"),
        pytest.param({"retrieve": Share(kept=USD)}, "6.33", "50% of the budget is kept for 'retrieve'", id="kept"),
        pytest.param({"retrieve": Share(kept=USD, is_over=True)}, "3.17", "", id="kept for what is over"),
        pytest.param({"annotate": Share(at_most=3 * USD // 2, charged=USD)}, "3.17", "", id="enough"),
    ],
)  # fmt: skip
def test_a_part_of_the_budget_that_binds_makes_it_dearer_and_is_named(
    shares: dict[str, Share], budget: str, because: str
) -> None:
    """A dollar for 100 rows, half of it for labels: 16 cents for 16 more, and room for two calls of a dollar."""
    stood_so = stood(cap=2 * USD, charged=USD, labels=USD // 2, shares=shares)
    found = outlook_of(replace(stood_so, refused={"": USD + 1}), accepted=100, wanted=100 + FEWEST_ROWS, yields=[5, 5])

    assert found is not None
    assert found.budget == budget
    assert because in found.because
    assert bool(found.because) == bool(because)


@given(
    cap=st.integers(1, 10**16),
    unspent=st.integers(0, 10**12),
    call=st.integers(0, 10**13),
    labels=st.floats(0, 1),
    accepted=st.integers(0, 10**6),
    wanted=st.integers(1, 10**7),
    yields=st.lists(st.integers(0, 100), max_size=50),
)
@pytest.mark.long
def test_the_money_it_asks_for_suffices_at_the_yield_so_far(
    cap: int, unspent: int, call: int, labels: float, accepted: int, wanted: int, yields: list[int]
) -> None:
    charged = max(0, cap - unspent)
    call = max(call, cap - charged + 1)
    stands = stood(cap=cap, charged=charged, labels=int(charged * labels), call=call)

    found = outlook_of(stands, accepted=accepted, wanted=wanted, yields=yields)

    assert found is not None
    left = Decimal(found.budget) * USD - charged
    assert left >= call
    if accepted and left < MOST_CAP - charged:
        assert left * accepted >= charged * max(0, wanted - accepted)
    assert Decimal(found.budget) >= Decimal(cap) / USD + Decimal(found.usd)
    assert 0 <= found.low <= found.rows <= found.high
    assert "E" not in found.usd + found.budget


@given(
    at_most=st.floats(0.001, 1),
    kept=st.floats(0.001, 0.99),
    charged=st.integers(0, USD // 100),
    call=st.integers(2 * USD // 100, USD),
)
@pytest.mark.long
def test_a_ledger_under_the_advised_budget_lets_the_refused_call_through(
    at_most: float, kept: float, charged: int, call: int
) -> None:
    """Whatever parts of the budget stages have."""
    budget = Budget("0.02", at_most={"generate": at_most}, kept={"annotate": kept})
    stands = under(stood(charged=charged, shares=budget.shares({"generate": charged})), budget)

    found = outlook_of(replace(stands, refused={"generate": call}), accepted=10, wanted=20, yields=[5, 5])

    assert found is not None
    if Decimal(found.budget) < 10**6:
        raised = Budget(found.budget, at_most={"generate": at_most}, kept={"annotate": kept})
        ledger = Ledger(raised.cap, spent=charged, shares=raised.shares({"generate": charged}))
        assert ledger.try_reserve(call, stage="generate") is not None
