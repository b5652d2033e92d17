"""What a provider may say of itself: how many requests to have in flight, how long one may take, what it costs."""

from __future__ import annotations

import pytest

from engine.budget import Budget
from engine.clock import SystemClock
from engine.errors import UserError
from engine.fakes.worlds import EchoWorld
from engine.prices import FREE, Price
from engine.providers.choice import at_once_of, price_of, timeout_of
from engine.providers.simulated import Simulated


class Plain(Simulated):
    """Says nothing of itself."""

    def __init__(self) -> None:
        super().__init__(EchoWorld(), SystemClock())


class InProcess(Plain):
    """A model in this process: slow, free, and busy with a batch."""

    worth_in_flight = 128
    attempt_timeout_s = 3600.0
    price = FREE


class Dear(Plain):
    price = Price(input=1, output=2)


def test_what_a_provider_says_counts_where_nobody_else_says() -> None:
    assert (at_once_of(Plain()), at_once_of(InProcess())) == (None, 128)
    assert (timeout_of(Plain(), told=None), timeout_of(InProcess(), told=None)) == (120.0, 3600.0)
    assert timeout_of(InProcess(), told=9.0) == 9.0


def test_without_a_budget_a_provider_must_say_that_it_is_free() -> None:
    assert price_of(InProcess(), told=None, budget=None) is FREE
    with pytest.raises(UserError, match="no budget: give one"):
        price_of(Dear(), told=None, budget=None)
    with pytest.raises(UserError, match="no budget: give one"):
        price_of(InProcess(), told=Price(input=1, output=0), budget=None)
    assert price_of(Dear(), told=None, budget=Budget(usd=1)) == Price(input=1, output=2)
