"""What one attempt can cost at most, and how to make that less without believing anything.

A bound is true or it is none: tokens are counted as the bytes that they could be, unless whoever answers says how it
counts them, and answers are as long as they may be. Where money is short the answer is allowed less, several times
what answers of its kind have needed. That is a true bound too, since the provider cuts what is longer; a reply that
was cut so answers nothing, and its question is asked again with all that the asker allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.messages import Request
from engine.prices import Price, input_token_bound
from engine.providers import Reading

__all__ = ["Count", "allowance", "bound_of", "input_bound", "was_cut"]

Count = Callable[[Request], int | None]
"""How many input tokens a request will be charged at most, from whoever will count them; None when it cannot say."""

# With replies like the last 256, log-normal (sigma 0.5), one in ten million is longer than that.
TIMES: Final = 4
LEAST: Final = 16  # tokens; there are services that refuse to be allowed fewer


def input_bound(request: Request, *, count: Count | None) -> int:
    """No provider charges more input tokens for this request than this."""
    bound = input_token_bound(request)
    told = None if count is None else count(request)
    return bound if told is None else min(bound, told)


def bound_of(request: Request, *, input_tokens: int, price: Price) -> int:
    """The most that an attempt at this request can cost, in pico-dollars."""
    return price.bound(input_tokens=input_tokens, output_tokens=request.n * request.max_tokens)


def allowance(*, usual: int | None, asked: int) -> int:
    """How many tokens an answer may have where money is short: never more than were asked for.

    `usual` is what all but one in a hundred of the last answers of the kind stayed within, None while that is unknown.
    """
    return asked if usual is None else min(asked, max(LEAST, TIMES * usual))


def was_cut(reading: Reading, sent: Request) -> bool:
    """Whether a reply might have been longer, had more been allowed.

    Some servers do not say why they ended, so whoever used all that was allowed counts as cut.
    """
    usage = reading.usage
    is_full = usage is not None and usage.output_tokens >= sent.n * sent.max_tokens
    return is_full or "length" in reading.finish_reasons
