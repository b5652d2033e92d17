"""JSON as dialects share it: ours written so that any row can be sent, theirs read without trust."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from engine.errors import UnreadableReply
from engine.messages import FinishReason, RawReply, Usage

__all__ = ["credible_usage", "decode", "encode", "ended", "optional", "trimmed"]


def encode(body: Mapping[str, object]) -> bytes:
    """The body as JSON bytes. A lone surrogate in a row is written as an escape; the provider may judge it."""
    try:
        return orjson.dumps(body)
    except TypeError:  # a lone surrogate, or an integer in a schema that is longer than 64 bits
        return json.dumps(body).encode()


def trimmed(encoded: bytes) -> bytes:
    """The same bytes in no more memory than they need: orjson leaves what it writes in a buffer of 4 KiB at least."""
    return bytes(memoryview(encoded))


def decode(raw: RawReply) -> dict[str, object]:
    """The body as an object; raises UnreadableReply for anything else, an error under a good status included."""
    try:
        body: object = orjson.loads(raw.body)
    except orjson.JSONDecodeError:
        # Some servers put a byte order mark before everything they say; it was paid for all the same.
        if raw.body.startswith(BOM_UTF8):
            return decode(replace(raw, body=raw.body.removeprefix(BOM_UTF8)))
        raise UnreadableReply(f"the provider answered {raw.status} with something that is not JSON") from None
    if not isinstance(body, dict):
        raise UnreadableReply(f"the provider answered {raw.status} with JSON that is not an object")
    if body.get("error") is not None:
        raise UnreadableReply(f"the provider answered {raw.status} with an error in place of a reply")
    return body


def ended(text: str, reason: FinishReason, *, stops: Sequence[str]) -> tuple[str, FinishReason]:
    """The answer without a stop sequence and what follows it: some leave it in, and some never look for it."""
    places = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return (text[: min(places)], "stop") if places else (text, reason)


def optional(told: object) -> object:
    """A count that dialects may leave out or set to null: then it is zero."""
    return 0 if told is None else told


def credible_usage(
    *, input_tokens: object, output_tokens: object, cached: object, cache_write: object, cap: int, texts: Sequence[str]
) -> Usage | None:
    """The usage if it can be true, else None, so that a call is never settled on a figure nobody can believe.

    It is true when all are counts, the input is not empty, the cache's parts fit into it, the output stays within
    `cap`, and is not zero when something was said.
    """
    told = (input_tokens, output_tokens, cached, cache_write)
    counts = [value for value in told if type(value) is int and value >= 0]  # a bool is an int, too
    if len(counts) < len(told):
        return None
    usage = Usage(*counts)
    fits = usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens and usage.output_tokens <= cap
    said_for_nothing = usage.output_tokens == 0 and any(texts)
    return usage if fits and usage.input_tokens > 0 and not said_for_nothing else None
