"""What a call may cost and did cost: integers of pico-dollars (10^-12 USD), never floats.

A `Price` is what a provider's page says, in USD per million tokens. It knows nothing of caps, ledgers or the wire.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

import orjson

from engine.errors import UserError
from engine.messages import Request, Usage

__all__ = ["FREE", "PICO_PER_USD", "Amount", "Price", "Tier", "exact", "input_token_bound"]

Amount = int | float | str | Decimal
"""Money as people write it. A float is taken as it prints, so 0.1 means one tenth."""

PICO_PER_USD: Final = 10**12

# One USD per million tokens is this many pico-dollars a token.
_PICO_PER_TOKEN: Final = 10**6

# Far outside what any price or budget is, and small enough that nobody's typing slip fills the memory with digits.
_LARGEST: Final = Decimal(10) ** 12
_DECIMALS: Final = 40


def exact(value: Amount, *, name: str) -> Decimal:
    """The amount as written, exactly; UserError when it is negative, not a number, or beyond reason."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise UserError(f"{name} must be a number (got {value!r})") from None
    if not amount.is_finite() or not 0 <= amount <= _LARGEST:
        raise UserError(f"{name} must lie between 0 and {_LARGEST:g} (got {value!r})")
    if -int(amount.as_tuple().exponent) > _DECIMALS:
        raise UserError(f"{name} must have at most {_DECIMALS} decimals (got {value!r})")
    return amount


@dataclass(frozen=True, slots=True, init=False)
class Price:
    """What tokens cost, in USD per million, kept exactly.

    Price(input=0.25, output=2)                        # the cache, if there is one, at the price of input
    Price(input="3", output="15", cached_input="0.3")  # reading from the cache is cheaper
    Price(input=0, output=0)                           # free, and said so: the same as FREE

    `tiers` hold the prices of long requests; a tier prices the *whole* request once its input is longer than `above`.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    cache_write: Decimal | None
    tiers: tuple[Tier, ...]
    _rates: _Rates = field(repr=False, compare=False)

    def __init__(
        self,
        *,
        input: Amount,  # noqa: A002 - the word on every price page
        output: Amount,
        cached_input: Amount | None = None,
        cache_write: Amount | None = None,
        tiers: tuple[Tier, ...] = (),
    ) -> None:
        put = object.__setattr__  # frozen, and yet more welcoming in what it takes than in what it holds
        put(self, "input", exact(input, name="the price of input"))
        put(self, "output", exact(output, name="the price of output"))
        put(self, "cached_input", _optional(cached_input, name="the price of cached input"))
        put(self, "cache_write", _optional(cache_write, name="the price of cache writes"))
        put(self, "tiers", tuple(sorted(tiers, key=lambda tier: tier.above)))
        put(self, "_rates", _Rates.of(self))

    def cost(self, usage: Usage) -> int:
        """What a call with this usage costs, in pico-dollars, rounded up to a whole one."""
        price = self._tier_of(usage.input_tokens)
        return price._rates.cost(usage)  # noqa: SLF001 - a price too

    def bound(self, *, input_tokens: int, output_tokens: int) -> int:
        """The most that a call of at most so many tokens can cost, in pico-dollars, whatever the cache does.

        Every tier that so many input tokens can reach is considered, and the dearest counts.
        """
        within_reach = [self, *(tier.price for tier in self.tiers if tier.above < input_tokens)]
        return max(price._rates.bound(input_tokens, output_tokens) for price in within_reach)  # noqa: SLF001

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


def _scaled(rate: Decimal, decimals: int) -> int:
    """USD per million tokens as pico-dollars a token x 10^decimals; Decimal's own arithmetic would round."""
    numerator, denominator = rate.as_integer_ratio()
    return numerator * _PICO_PER_TOKEN * 10**decimals // denominator


_BEYOND_ALL_TIERS: Final = 10**18

FREE: Final = Price(input=0, output=0)
"""Costs nothing, and somebody said so: local models and servers of one's own."""


# What templates put around our words, generously: role markers of a message (3 to 8 tokens measured in the wild), and
# once a request what a server may add of itself (a date, a default system prompt; the longest we know has about 90).
_TOKENS_PER_MESSAGE: Final = 16
_TOKENS_PER_REQUEST: Final = 128
# A schema may be re-written and explained to the model by the provider, in words that we never see.
_TOKENS_PER_SCHEMA: Final = 512


def input_token_bound(request: Request) -> int:
    """No tokenizer makes more input tokens of this request than this.

    A token stands for at least one byte, so bytes bound tokens, but some tokenizers normalise first: U+FDFA is 3
    bytes, and 33 after NFKC. The larger of the two counts, text by text.
    """
    texts = sum(_most_tokens(message.content) for message in request.messages)
    framing = _TOKENS_PER_REQUEST + _TOKENS_PER_MESSAGE * len(request.messages)
    return texts + framing + (_schema_tokens(request) if request.schema is not None else 0)


def _most_tokens(text: str) -> int:
    if text.isascii():
        return len(text)
    # A lone surrogate is sent as a replacement character, which has three bytes as it would have itself.
    plain = len(text.encode("utf-8", "surrogatepass"))
    return max(plain, len(unicodedata.normalize("NFKC", text).encode("utf-8", "surrogatepass")))


def _schema_tokens(request: Request) -> int:
    return _TOKENS_PER_SCHEMA + 2 * len(orjson.dumps(request.schema, option=orjson.OPT_INDENT_2))
