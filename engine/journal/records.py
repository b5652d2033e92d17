"""What the journal says, as frozen records, and what it writes, as rows. Amounts are pico-dollars."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import orjson

from engine.messages import RawReply

__all__ = ["Counts", "Entry", "Rows", "Stored", "Totals", "packed", "unpacked"]


@dataclass(frozen=True, slots=True)
class Stored:
    """A reply to a question, what it cost, and how often the question was sent.

    One that does not answer could not be parsed when it came; a better parser may try again, for nothing.
    """

    raw: RawReply
    cost: int
    assumed: bool
    answers: bool
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One attempt as it stands. `cost` is None while it is in flight; `raw` is None when no reply came."""

    attempt: int
    key: bytes
    tag: str
    bound: int
    cost: int | None
    assumed: bool
    raw: RawReply | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What attempts came to. `replies` counts those with a reply kept, of whatever kind."""

    attempts: int
    replies: int
    spent: int
    assumed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A journal in figures. `answered_twice` counts the questions that were answered, so paid for, more than once."""

    attempts: int
    in_flight: int
    replies: int
    answered_twice: int
    by_tag: Mapping[str, Totals]


IntentRow: TypeAlias = tuple[int, bytes, str, int]  # attempt, key, tag, bound
ChargeRow: TypeAlias = tuple[int, int, bool]  # attempt, cost, assumed
ReplyRow: TypeAlias = tuple[int, bool, int, bytes, bytes, float, int]  # attempt, answers, then as unpacked


class Rows(NamedTuple):
    """What must become durable together."""

    intent: IntentRow | None = None
    charge: ChargeRow | None = None
    reply: ReplyRow | None = None


# Kept of a reply's headers: who answered, how fast we may go, what the body is. Never a cookie.
_HEADERS: Final = frozenset({"content-type", "date", "request-id", "retry-after", "x-request-id", "x-should-retry"})
_HEADER_FAMILIES: Final = ("anthropic-ratelimit-", "x-ratelimit-")


def packed(attempt: int, raw: RawReply, *, answers: bool | None) -> ReplyRow:
    """A reply as a row. It answers its question if it says so with its status, unless the caller knows better."""
    kept = {name: text for name, text in raw.headers.items() if name in _HEADERS or name.startswith(_HEADER_FAMILIES)}
    headers = orjson.dumps(kept)
    is_answer = 200 <= raw.status < 300 if answers is None else answers
    return (attempt, is_answer, raw.status, headers, raw.body, raw.latency_s, _checksum(headers, raw.body))


def unpacked(status: int, headers: bytes, body: bytes, latency_s: float, checksum: int) -> RawReply | None:
    """The reply that was packed, or None if it is not what was written: SQLite does not notice a flipped bit."""
    if _checksum(headers, body) != checksum:
        return None
    return RawReply(status=status, headers=orjson.loads(headers), body=body, latency_s=latency_s)


def _checksum(headers: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(headers))
