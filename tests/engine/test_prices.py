"""Prices are kept as written, costs are exact and rounded up, and no bound is ever too low."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnknownPrice, UserError
from engine.messages import Usage
from engine.prices import BATCH_SHARE, FREE, Price, Tier, dollars, in_full, lookup

rates = st.decimals(min_value=0, max_value=1000, allow_nan=False, allow_infinity=False, places=9)
tokens = st.integers(min_value=0, max_value=10**7)


@st.composite
def prices(draw: st.DrawFn, *, tiers: bool = True) -> Price:
    longer = [Tier(draw(tokens), draw(prices(tiers=False))) for _ in range(draw(st.integers(0, 2)))] if tiers else []
    optional = st.none() | rates
    return Price(
        input=draw(rates),
        output=draw(rates),
        cached_input=draw(optional),
        cache_write=draw(optional),
        tiers=tuple(longer),
    )


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    cached, written, plain = draw(tokens), draw(tokens), draw(tokens)
    return Usage(cached + written + plain, draw(tokens), cached, written)


def test_a_float_means_what_it_prints() -> None:
    assert Price(input=0.1, output="2e0") == Price(input=Decimal("0.1"), output=2)


def test_one_usd_a_million_is_a_million_pico_dollars_a_token() -> None:
    assert Price(input=1, output=3).cost(Usage(2, 5)) == 2 * 10**6 + 5 * 3 * 10**6


def test_a_part_of_a_pico_dollar_is_rounded_up() -> None:
    price = Price(input="0.0000001", output=0)  # a tenth of a pico-dollar a token

    assert [price.cost(Usage(count, 0)) for count in (0, 1, 10, 11)] == [0, 1, 1, 2]


def test_the_cache_costs_what_input_does_unless_said_otherwise() -> None:
    usage = Usage(100, 0, cached_tokens=60, cache_write_tokens=30)

    assert Price(input=1, output=0).cost(usage) == 100 * 10**6
    assert Price(input=1, output=0, cached_input="0.1", cache_write=2).cost(usage) == (10 + 6 + 60) * 10**6


def test_cache_counted_beside_the_input_does_not_make_a_call_cheaper() -> None:
    assert Price(input=1, output=0, cached_input="0.5").cost(Usage(10, 0, cached_tokens=40)) == 20 * 10**6


def test_a_tier_prices_the_whole_request() -> None:
    price = Price(input=1, output=1, tiers=(Tier(100, Price(input=2, output=3)),))

    assert price.cost(Usage(100, 10)) == 110 * 10**6
    assert price.cost(Usage(101, 10)) == (202 + 30) * 10**6


def test_a_bound_considers_only_tiers_within_reach_and_takes_the_dearest() -> None:
    price = Price(input=5, output=1, tiers=(Tier(100, Price(input=1, output=1)), Tier(200, Price(input=9, output=1))))

    assert price.bound(input_tokens=150, output_tokens=0) == 150 * 5 * 10**6
    assert price.bound(input_tokens=201, output_tokens=0) == 201 * 9 * 10**6


def exactly(price: Price, usage: Usage) -> Fraction:
    """What a call costs in pico-dollars, by the text-book."""
    for tier in price.tiers:
        if usage.input_tokens > tier.above:
            price = tier.price
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    cached = price.input if price.cached_input is None else price.cached_input
    written = price.input if price.cache_write is None else price.cache_write
    parts = (
        (plain, price.input),
        (usage.cached_tokens, cached),
        (usage.cache_write_tokens, written),
        (usage.output_tokens, price.output),
    )
    return sum((Fraction(rate) * count for count, rate in parts), Fraction()) * 10**6


@given(prices(), usages())
def test_a_cost_is_what_the_tokens_cost_rounded_up(price: Price, usage: Usage) -> None:
    """With the cache, its writes, and the prices of long requests."""
    assert price.cost(usage) == ceil(exactly(price, usage))


@given(prices(), usages())
def test_a_bound_is_never_below_the_cost_of_what_it_bounds(price: Price, usage: Usage) -> None:
    bound = price.bound(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)

    assert price.cost(usage) <= bound


@given(prices(), usages(), tokens, tokens)
def test_a_bound_holds_for_all_that_stays_within_it(price: Price, usage: Usage, more: int, longer: int) -> None:
    """Fewer tokens may lie in a dearer tier, and the cache may be dearer than plain input."""
    bound = price.bound(input_tokens=usage.input_tokens + more, output_tokens=usage.output_tokens + longer)

    assert price.cost(usage) <= bound


@given(prices(), usages())
def test_a_batch_costs_half_rounded_up(price: Price, usage: Usage) -> None:
    assert price.at_share(BATCH_SHARE).cost(usage) == ceil(Fraction(exactly(price, usage), 2))


def test_a_share_of_a_price_is_never_rounded_down() -> None:
    """A third of 10^-40 USD has no end; a call must not become cheaper for it."""
    price = Price(input=Decimal(10) ** -40, output=0).at_share("0.3")

    assert price.input == Decimal(10) ** -40


@given(rates, rates, tokens, tokens)
def test_costs_are_exact(input_rate: Decimal, output_rate: Decimal, inputs: int, outputs: int) -> None:
    exactly = (Fraction(input_rate) * inputs + Fraction(output_rate) * outputs) * 10**6

    assert Price(input=input_rate, output=output_rate).cost(Usage(inputs, outputs)) == ceil(exactly)


def test_costs_stay_exact_beyond_what_decimals_carry_by_themselves() -> None:
    price = Price(input="1." + "0" * 38 + "1", output=0)

    assert price.cost(Usage(10**12, 0)) == 10**18 + 1


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "-0.01", "much", "", "1e13", "1e-50", True])
def test_what_is_no_price_is_refused_in_one_line(wrong: float | str) -> None:
    with pytest.raises(UserError) as refusal:
        Price(input=wrong, output=1)

    assert str(refusal.value).startswith("the price of input must ")
    assert repr(wrong) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_negative_tokens_are_a_bug() -> None:
    with pytest.raises(ValueError, match="negative"):
        FREE.cost(Usage(-1, 0))


def test_free_is_free_and_a_price_that_is_not_knows_it() -> None:
    assert FREE.is_free
    assert FREE.cost(Usage(10**9, 10**9)) == 0
    assert not Price(input=0, output="0.0001").is_free
    assert not Price(input=0, output=0, tiers=(Tier(10, Price(input=1, output=0)),)).is_free


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (0, "$0.00"),
        (5 * 10**12, "$5.00"),
        (4998712345000, "$4.9987"),
        (99 * 10**12 + 10**9, "$99.0010"),
        (1234 * 10**12 + 5 * 10**11, "$1,234.50"),
        (252 * 10**6, "$0.00025"),
        (1, "$0.0000000000010"),
    ],
)
def test_dollars_are_readable(pico: int, text: str) -> None:
    assert dollars(pico) == text


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (5 * 10**12, "$5.00"),
        (4650 * 10**6, "$0.00465"),
        (123456789, "$0.000123456789"),
        (1234 * 10**12 + 5 * 10**11, "$1,234.50"),
        (10**18, "$1,000,000.00"),
        (1, "$0.000000000001"),
    ],
)
def test_what_somebody_gave_is_told_in_full(pico: int, text: str) -> None:
    """A cap that is rounded looks as if it had been passed, or another had been understood."""
    assert in_full(pico) == text


def test_the_table_knows_list_prices() -> None:
    price = lookup("openai/gpt-4o-mini")

    assert (price.input, price.output, price.cached_input) == (Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))


def test_the_table_knows_the_price_of_long_requests() -> None:
    price = lookup("google/gemini-2.5-pro")

    assert price.tiers
    assert price.tiers[0].price.input > price.input


def test_beyond_the_long_context_limit_the_whole_request_is_dearer() -> None:
    price = lookup("openai/gpt-5.4")

    short, long = price.cost(Usage(272_000, 1000)), price.cost(Usage(272_001, 1000))
    assert (short, long) == ((272_000 * 25 + 1000 * 150) * 10**5, (272_001 * 50 + 1000 * 225) * 10**5)


def test_the_table_knows_what_writing_into_the_cache_costs() -> None:
    price = lookup("anthropic/claude-haiku-4-5")

    assert (price.input, price.cache_write) == (Decimal(1), Decimal("1.25"))


def test_where_the_hour_matters_the_dearest_of_the_day_counts() -> None:
    night, noon = (datetime(2026, 6, 1, hour, tzinfo=UTC) for hour in (2, 20))

    assert lookup("deepseek/deepseek-chat", at=night) == lookup("deepseek/deepseek-chat", at=noon)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("openai/dates", id="no such model"),
        pytest.param("nowhere/gpt-4o-mini", id="no such provider"),
        pytest.param("my-openai/gpt-4o-mini", id="a provider that only looks like one"),
        pytest.param("gpt-4o-mini", id="no provider"),
        pytest.param("", id="nothing"),
        pytest.param("perplexity/sonar", id="billed by the request as well"),
        pytest.param("openrouter/qwen/qwen3-next-80b-a3b-instruct:free", id="called free by the table"),
    ],
)
def test_an_unknown_price_says_how_to_give_it(name: str) -> None:
    with pytest.raises(UnknownPrice, match=r"--price-in.*price=Price\("):
        lookup(name)


def test_every_price_in_the_table_can_be_read_or_is_refused() -> None:
    from genai_prices.data import providers

    names = [f"{provider.id}/{provider.models[0].id}" for provider in providers if provider.models]
    known = 0
    for name in names:
        try:
            assert not lookup(name).is_free
            known += 1
        except UnknownPrice:
            continue
    assert known > len(names) / 2
