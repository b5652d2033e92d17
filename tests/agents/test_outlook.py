"""What more money would bring: told from the yield so far, with an interval, and never as less than it costs."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.outlook import Outlook, outlook_of

USD = 10**12


def test_what_is_missing_is_priced_at_what_a_row_has_cost() -> None:
    """800 rows for 2 dollars: 1,200 more cost three."""
    found = outlook_of(cap=2 * USD, charged=2 * USD, accepted=800, wanted=2000, yields=[8] * 100)

    assert found == Outlook(usd="3.00", rows=1200, low=1200, high=1200, budget="5.00")


def test_requests_that_differ_give_an_interval() -> None:
    chance = Random(0)
    yields = [chance.randrange(16) for _ in range(100)]

    found = outlook_of(cap=2 * USD, charged=2 * USD, accepted=sum(yields), wanted=2000, yields=yields)

    assert found is not None
    assert found.low < found.rows < found.high
    assert 0.05 < (found.high - found.rows) / found.rows < 0.2
    assert found.told() == (
        f"{found.usd} USD more would bring about {found.rows:,} rows ({found.low:,} to {found.high:,}), "
        "at the yield so far."
    )


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param({"accepted": 100}, id="nothing is missing"),
        pytest.param({"accepted": 0}, id="nothing was made"),
        pytest.param({"charged": 0}, id="nothing was charged"),
    ],
)
def test_where_nothing_tells_nothing_is_told(nothing: dict[str, int]) -> None:
    told = {"charged": USD, "accepted": 50} | nothing

    assert outlook_of(cap=USD, wanted=100, yields=[5, 5], **told) is None


def test_one_request_has_no_interval_and_says_so() -> None:
    found = outlook_of(cap=USD, charged=USD, accepted=8, wanted=100, yields=[8])

    assert found is not None
    assert "(no interval: too few requests)" in found.told()


@given(
    cap=st.integers(1, 10**18),
    charged=st.integers(1, 10**18),
    accepted=st.integers(1, 10**6),
    wanted=st.integers(1, 10**7),
    yields=st.lists(st.integers(0, 100), max_size=50),
)
def test_the_money_it_asks_for_suffices_at_the_yield_so_far(
    cap: int, charged: int, accepted: int, wanted: int, yields: list[int]
) -> None:
    found = outlook_of(cap=cap, charged=charged, accepted=accepted, wanted=wanted, yields=yields)

    if found is None:
        assert wanted <= accepted
        return
    assert Decimal(found.usd) * USD * accepted >= charged * (wanted - accepted)
    assert Decimal(found.budget) >= Decimal(cap) / USD + Decimal(found.usd)
    assert 0 <= found.low <= found.rows <= found.high
    assert "E" not in found.usd + found.budget
