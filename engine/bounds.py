"""What one attempt can cost at most, and how to make that less without believing anything.

A bound is true or it is none: tokens are counted as the bytes that they could be, unless whoever answers says how it
counts them, and answers are as long as they may be. Where money is short the answer is allowed less, several times
what answers of its kind have needed. That is a true bound too, since the provider cuts what is longer; a reply that
was cut so answers nothing, and its question is asked again with all that the asker allowed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

import orjson

from engine.messages import Request
from engine.providers import Reading

__all__ = ["Count", "allowance", "input_bound", "was_cut"]

Count = Callable[[Request], int | None]
"""How many input tokens a request will be charged at most, from whoever will count them; None when it cannot say."""

# With replies like the last 256, log-normal (sigma 0.5), one in ten million is longer than that.
TIMES: Final = 4
LEAST: Final = 16  # tokens; there are services that refuse to be allowed fewer

# What templates put around our words, generously: role markers of a message (3 to 8 tokens measured in the wild), and
# once a request what a server may add of itself (a date, a default system prompt; the longest we know has about 90).
_TOKENS_PER_MESSAGE: Final = 16
_TOKENS_PER_REQUEST: Final = 128
# A schema may be re-written and explained to the model by the provider, in words that we never see.
_TOKENS_PER_SCHEMA: Final = 512


def input_bound(request: Request, *, count: Count | None = None) -> int:
    """No provider charges more input tokens for this request than this.

    A token stands for at least one byte, so bytes bound tokens, but some tokenizers normalise first: U+FDFA is 3
    bytes, and 33 after NFKC. The larger of the two counts, text by text.
    """
    texts = sum(_most_tokens(message.content) for message in request.messages)
    framing = _TOKENS_PER_REQUEST + _TOKENS_PER_MESSAGE * len(request.messages)
    bound = texts + framing + (_schema_tokens(request) if request.schema is not None else 0)
    told = None if count is None else count(request)
    return bound if told is None else min(bound, told)


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


def _most_tokens(text: str) -> int:
    if text.isascii():
        return len(text)
    # A lone surrogate is sent as a replacement character, which has three bytes as it would have itself.
    plain = len(text.encode("utf-8", "surrogatepass"))
    return max(plain, len(unicodedata.normalize("NFKC", text).encode("utf-8", "surrogatepass")))


def _schema_tokens(request: Request) -> int:
    return _TOKENS_PER_SCHEMA + 2 * len(orjson.dumps(request.schema, option=orjson.OPT_INDENT_2))
