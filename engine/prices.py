"""What a call may cost and did cost: integers of pico-dollars (10^-12 USD), never floats.

A `Price` is what a provider's page says, in USD per million tokens. It knows nothing of caps, ledgers or the wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

from engine.errors import UnknownPrice, UserError
from engine.messages import Usage
from engine.text import meant

if TYPE_CHECKING:
    from genai_prices.types import Tier as ListedTier
    from genai_prices.types import TieredPrices

    _Listed = Mapping[str, Decimal | TieredPrices]

__all__ = [
    "BATCH_SHARE",
    "FREE",
    "PICO_PER_USD",
    "Amount",
    "Price",
    "Tier",
    "dollars",
    "exact",
    "in_full",
    "listed",
    "lookup",
]

Amount = int | float | str | Decimal
"""Money as people write it. A float is taken as it prints, so 0.1 means one tenth."""

PICO_PER_USD: Final = 10**12

BATCH_SHARE: Final = Decimal("0.5")
"""What batches cost at OpenAI and at Anthropic, as a share of the list price. Elsewhere nobody has promised it."""

# One USD per million tokens is this many pico-dollars a token.
_PICO_PER_TOKEN: Final = 10**6

# Far outside what any price or budget is, and small enough that nobody's typing slip fills the memory with digits.
_LARGEST: Final = Decimal(10) ** 12
_DECIMALS: Final = 40

_CENTS_WILL_DO: Final = 100  # dollars

# Decimal's own precision of 28 digits would round a product without a word.
_EXACTLY: Final = Context(prec=4 * _DECIMALS)


def exact(value: Amount, *, name: str) -> Decimal:
    """The amount as written, exactly; UserError when it is negative, not a number, or beyond reason."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise UserError(f"{name} must be a number (got {value!r})") from None
    except ValueError:  # Python writes no whole number of so many digits, and so cannot say which it was either
        raise UserError(f"{name} must lie between 0 and {_LARGEST:g} (got one of thousands of digits)") from None
    if not amount.is_finite() or not 0 <= amount <= _LARGEST:
        raise UserError(f"{name} must lie between 0 and {_LARGEST:g} (got {value!r})")
    if -int(amount.as_tuple().exponent) > _DECIMALS:
        raise UserError(f"{name} must have at most {_DECIMALS} decimals (got {value!r})")
    return amount


def dollars(pico: int) -> str:
    """Pico-dollars for people: "$4.9987", and "$5.00" where that is all of it.

    Two digits that count below a cent, "$0.00025"; from a hundred dollars on cents will do, "$1,234.50". So what is
    nearly all of a small budget does not look like all of it, and a line of amounts fits a narrow screen.
    """
    usd = Decimal(pico) / PICO_PER_USD
    if abs(usd) >= _CENTS_WILL_DO:
        return f"${usd:,.2f}"
    if pico == 0 or abs(usd) >= Decimal("0.01"):
        return f"${usd:.4f}".removesuffix("00")
    return f"${usd.quantize(Decimal((0, (1,), usd.adjusted() - 1))):f}"


def in_full(pico: int) -> str:
    """An amount as somebody gave it, with every digit that counts: "$0.00465", "$5.00", "$1,234.50"."""
    usd = Decimal(pico) / PICO_PER_USD
    dollars, _, parts = f"{usd:,f}".partition(".")
    return f"${dollars}.{parts.rstrip('0'):0<2}"


@dataclass(frozen=True, slots=True, init=False)
class Price:
    """What tokens cost, in USD per million, kept exactly.

    Price(input=0.25, output=2)                        # the cache, if there is one, at the price of input
    Price(input="3", output="15", cached_input="0.3")  # reading from the cache is cheaper
    Price(input=0, output=0)                           # free, and said so: the same as FREE

    `tiers` hold the prices of long requests; a tier prices the *whole* request once its input is longer than `above`.
    `batch` is the share of all this that requests in batches cost, as in Price(input=3, output=15, batch="0.5"); None
    leaves it to what is known of the provider.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    cache_write: Decimal | None
    tiers: tuple[Tier, ...]
    batch: Decimal | None
    _rates: _Rates = field(repr=False, compare=False)

    def __init__(
        self,
        *,
        input: Amount,  # noqa: A002 - the word on every price page
        output: Amount,
        cached_input: Amount | None = None,
        cache_write: Amount | None = None,
        tiers: tuple[Tier, ...] = (),
        batch: Amount | None = None,
    ) -> None:
        put = object.__setattr__  # frozen, and yet more welcoming in what it takes than in what it holds
        put(self, "input", exact(input, name="the price of input"))
        put(self, "output", exact(output, name="the price of output"))
        put(self, "cached_input", _optional(cached_input, name="the price of cached input"))
        put(self, "cache_write", _optional(cache_write, name="the price of cache writes"))
        put(self, "tiers", tuple(sorted(tiers, key=lambda tier: tier.above)))
        put(self, "batch", _optional(batch, name="the share that batches cost"))
        put(self, "_rates", _Rates.of(self))

    def cost(self, usage: Usage) -> int:
        """What a call with this usage costs, in pico-dollars, rounded up to a whole one."""
        price = self._tier_of(usage.input_tokens)
        return price._rates.cost(usage)  # noqa: SLF001 - a price too

    def saved_by_cache(self, usage: Usage) -> int:
        """How many pico-dollars less the call cost than without a cache; below zero where it was mostly written to."""
        return self.cost(replace(usage, cached_tokens=0, cache_write_tokens=0)) - self.cost(usage)

    def bound(self, *, input_tokens: int, output_tokens: int) -> int:
        """The most that a call of at most so many tokens can cost, in pico-dollars, whatever the cache does.

        Every tier that so many input tokens can reach is considered, and the dearest counts.
        """
        if not self.tiers:
            return self._rates.bound(input_tokens, output_tokens)
        within_reach = [self, *(tier.price for tier in self.tiers if tier.above < input_tokens)]
        return max(price._rates.bound(input_tokens, output_tokens) for price in within_reach)  # noqa: SLF001

    def at_share(self, share: Amount) -> Price:
        """The same price at a share of it, as for batches: `price.at_share(BATCH_SHARE)`. Never rounded down."""
        part = exact(share, name="the share of a price")
        return Price(
            input=_product(self.input, part),
            output=_product(self.output, part),
            cached_input=None if self.cached_input is None else _product(self.cached_input, part),
            cache_write=None if self.cache_write is None else _product(self.cache_write, part),
            tiers=tuple(Tier(tier.above, tier.price.at_share(part)) for tier in self.tiers),
        )

    @property
    def is_free(self) -> bool:
        """True when no call can cost anything."""
        return self.bound(input_tokens=_BEYOND_ALL_TIERS, output_tokens=1) == 0

    def _tier_of(self, input_tokens: int) -> Price:
        price = self
        for tier in self.tiers:
            if input_tokens > tier.above:
                price = tier.price
        return price


@dataclass(frozen=True, slots=True)
class Tier:
    """The price of a whole request whose input is longer than `above` tokens."""

    above: int
    price: Price


@dataclass(frozen=True, slots=True)
class _Rates:
    """A price as integers: parts of a pico-dollar a token, `parts` of which make one pico-dollar."""

    input: int
    output: int
    cached_input: int
    cache_write: int
    parts: int

    @classmethod
    def of(cls, price: Price) -> _Rates:
        cached = price.input if price.cached_input is None else price.cached_input
        written = price.input if price.cache_write is None else price.cache_write
        rates = (price.input, price.output, cached, written)
        decimals = max(0, *(-int(rate.as_tuple().exponent) for rate in rates))
        scaled_input, scaled_output, scaled_cached, scaled_written = (_scaled(rate, decimals) for rate in rates)
        return cls(scaled_input, scaled_output, scaled_cached, scaled_written, parts=10**decimals)

    def cost(self, usage: Usage) -> int:
        if min(usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens) < 0:
            raise ValueError(f"tokens cannot be negative (got {usage})")
        # A provider that counts its cache beside the input rather than within it must not make the call cheaper.
        plain = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
        return self._whole(
            plain * self.input
            + usage.cached_tokens * self.cached_input
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
        )

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        dearest = max(self.input, self.cached_input, self.cache_write)
        return self._whole(input_tokens * dearest + output_tokens * self.output)

    def _whole(self, parts: int) -> int:
        return -(-parts // self.parts)


def _optional(value: Amount | None, *, name: str) -> Decimal | None:
    return None if value is None else exact(value, name=name)


def _product(rate: Decimal, share: Decimal) -> Decimal:
    product = _EXACTLY.multiply(rate, share)
    if -int(product.as_tuple().exponent) <= _DECIMALS:
        return product
    return product.quantize(Decimal(1).scaleb(-_DECIMALS), rounding=ROUND_CEILING, context=_EXACTLY)


def _scaled(rate: Decimal, decimals: int) -> int:
    """USD per million tokens as pico-dollars a token x 10^decimals; Decimal's own arithmetic would round."""
    numerator, denominator = rate.as_integer_ratio()
    return numerator * _PICO_PER_TOKEN * int(10**decimals) // denominator


_BEYOND_ALL_TIERS: Final = 10**18

FREE: Final = Price(input=0, output=0)
"""Costs nothing, and somebody said so: local models and servers of one's own."""


def lookup(name: str, *, at: datetime | None = None) -> Price:
    """The list price of `provider/model`, from the table that is installed; nothing goes over the network.

    Where the price depends on the hour, the dearest of the coming day counts, because a run may take one. Raises
    UnknownPrice for a model that the table lacks, calls free, or bills for more than its tokens.
    """
    provider, _, model = name.partition("/")
    prices = _listed(provider, model, since=at or datetime.now(UTC))
    if not prices or not all(_is_plain(price) for price in prices):
        known = listed(provider)
        near = "" if model in known else meant(model, known)
        raise UnknownPrice(
            f"no price is known for {name!r}{near}: give it in USD per million tokens with --price-in and --price-out, "
            "or in Python with price=Price(input=..., output=...); 0 if it costs nothing"
        )
    limits = sorted({tier.start for price in prices for value in price.values() for tier in _tiers(value)})
    tiers = tuple(Tier(limit, _dearest(prices, input_tokens=limit + 1)) for limit in limits)
    lowest = _dearest(prices, input_tokens=0)
    return Price(
        input=lowest.input,
        output=lowest.output,
        cached_input=lowest.cached_input,
        cache_write=lowest.cache_write,
        tiers=tiers,
    )


def listed(provider: str) -> list[str]:
    """The models of a provider that the price table names; none of a provider that it does not know."""
    from genai_prices.data import providers

    return [model.id for known in providers if known.id == provider for model in known.models]


def _listed(provider: str, model: str, *, since: datetime) -> list[_Listed]:
    """What the table says for each half-hour of a day, as {unit: price}; nothing for what it does not know."""
    from genai_prices import Usage as NoUsage
    from genai_prices import calc_price

    half_hours = (since + timedelta(minutes=30 * step) for step in range(49))
    try:
        found = [
            calc_price(NoUsage(input_tokens=0), model, provider_id=provider, genai_request_timestamp=moment)
            for moment in half_hours
        ]
    except LookupError:
        return []
    # The table also guesses at providers from parts of their names; a guess is no price.
    if any(calculation.provider.id != provider.lower() for calculation in found):
        return []
    return [{unit: value for unit, value in vars(each.model_price).items() if value is not None} for each in found]


# Billed a request rather than a token: a Price cannot say it, so a cap could not be held.
_BEYOND_TOKENS: Final = frozenset({"requests_kcount", "input_text_messages_kcount"})


def _is_plain(price: _Listed) -> bool:
    both = all(_at(price.get(unit), 0) for unit in ("input_mtok", "output_mtok"))
    return both and _BEYOND_TOKENS.isdisjoint(price)


def _dearest(prices: Iterable[_Listed], *, input_tokens: int) -> Price:
    """Each unit at the most it costs in any of the prices, for a request with so many input tokens."""

    def most(*units: str) -> Decimal:
        # The first of the units that has a price of its own counts.
        return max(
            next(value for unit in units if (value := _at(p.get(unit), input_tokens)) is not None) for p in prices
        )

    return Price(
        input=most("input_mtok"),
        output=max(most("output_mtok"), most("output_reasoning_mtok", "output_mtok")),
        cached_input=most("cache_read_mtok", "input_mtok"),
        cache_write=most("cache_write_mtok", "input_mtok"),
    )


def _at(value: Decimal | TieredPrices | None, input_tokens: int) -> Decimal | None:
    if value is None or isinstance(value, Decimal):
        return value
    reached = [tier.price for tier in value.tiers if input_tokens > tier.start]
    return reached[-1] if reached else value.base


def _tiers(value: Decimal | TieredPrices) -> list[ListedTier]:
    return [] if isinstance(value, Decimal) else value.tiers
