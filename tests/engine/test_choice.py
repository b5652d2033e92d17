"""What a provider may say of itself: how many requests to have in flight, how long one may take, what it costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.budget import Budget
from engine.clock import SystemClock
from engine.errors import UserError
from engine.fakes.worlds import EchoWorld
from engine.prices import FREE, Price
from engine.providers.choice import at_once_of, batch_share_of, batches_of, price_of, timeout_of
from engine.providers.profile import profile_of
from engine.providers.resolve import resolve
from engine.providers.simulated import Simulated

OWN, LIKE = profile_of("mine", {"batch": 0.25}), profile_of("mine", {"like": "openai"})


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


@pytest.mark.parametrize(
    ("model", "base_url", "told", "share"),
    [
        pytest.param("openai/m", None, {}, 0.5, id="OpenAI itself"),
        pytest.param("anthropic/m", None, {}, 0.5, id="Anthropic itself"),
        pytest.param("openai/m", "https://llm.example.org/v1", {}, 1, id="somebody else"),
        pytest.param("anthropic/m", "https://llm.example.org", {}, 1, id="somebody else, in the other dialect"),
        pytest.param("openai/m", "https://llm.example.org/v1", {"dialect": "openai"}, 1, id="who speaks alike"),
        pytest.param("openai/m", "https://llm.example.org/v1", {"dialect": OWN}, 0.25, id="who is known to the user"),
        pytest.param("openai/m", "https://llm.example.org/v1", {"dialect": LIKE}, 1, id="who is like OpenAI"),
        pytest.param("anthropic/m", None, {"dialect": "anthropic-2026-10-21"}, 0.5, id="Anthropic's newest version"),
    ],
)
def test_batches_are_cheaper_only_where_somebody_said_so(
    model: str, base_url: str | None, told: dict[str, Any], share: float
) -> None:
    provider = resolve(model, base_url=base_url, api_key="a-key", clock=SystemClock(), **told)

    assert batch_share_of(provider, price=Price(input=1, output=2)) == share
    assert batch_share_of(provider, price=Price(input=1, output=2, batch="0.75")) == Decimal("0.75")


def test_where_a_dialect_has_no_batches_nothing_goes_there() -> None:
    def reaches(**told: Any) -> bool:
        provider = resolve("openai/m", base_url="http://127.0.0.1:1/v1", clock=SystemClock(), **told)
        return batches_of(provider) is not None

    assert reaches()
    assert not reaches(dialect="ollama")
    assert not reaches(dialect=profile_of("mine", {"batch": False}))
