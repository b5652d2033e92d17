"""What the journal says, as frozen records, and what it writes, as rows. Amounts are pico-dollars."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import orjson

from engine.headers import worth_keeping
from engine.messages import RawReply

__all__ = [
    "Counts",
    "Entry",
    "Line",
    "MergedRow",
    "NoteRow",
    "OpenBatch",
    "Rows",
    "Stored",
    "Sums",
    "Totals",
    "Worth",
    "is_whole",
    "noted",
    "packed",
    "unpacked",
    "worth",
    "writable",
]


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
    """One attempt as it stands. `cost` is None while it is in flight; `raw` is None when no reply was kept.

    `request` is what was sent, as the sender wrote it down (`Request.canonical`); None if it was not told.
    """

    attempt: int
    key: bytes
    tag: str
    request: bytes | None
    bound: int
    cost: int | None
    assumed: bool
    raw: RawReply | None
    worth: Worth | None  # of the reply

    @property
    def answers(self) -> bool:
        """Whether the reply is the answer to its question."""
        return self.worth == Worth.ANSWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What attempts came to. `replies` counts those with a reply kept, of whatever kind."""

    attempts: int
    replies: int
    spent: int
    assumed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A journal in figures. `answered_twice` counts the questions that were answered, so paid for, more than once.

    `at_stake` is what the attempts in flight may cost at most: of a process that is dead, they will be charged that.
    """

    attempts: int
    in_flight: int
    at_stake: int
    replies: int
    answered_twice: int
    by_tag: Mapping[str, Totals]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One attempt of a batch that is still out. `request` is what was sent, as the sender wrote it down."""

    attempt: int
    key: bytes
    tag: str
    bound: int
    request: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A batch some of whose attempts are still out: the `lines`, of all `attempts`.

    `asked_of` is who was asked, `at` when it began (seconds since 1970), `notes` what was written down since, by kind.
    """

    name: str
    asked_of: str
    at: float
    attempts: range
    notes: Mapping[str, Mapping[str, object]]
    lines: Sequence[Line]


class Worth(IntEnum):
    """What a kept reply is worth to whoever asks the same question again."""

    NOTHING = 0  # an error, or cut short on purpose
    PERHAPS = 1  # could not be parsed when it came
    ANSWER = 2  # (the numbers are on disk: see the schema)


IntentRow: TypeAlias = tuple[int, bytes, str, int, int | None]  # attempt, key, tag, bound, the request's checksum
RequestRow: TypeAlias = tuple[int, bytes]  # attempt, what is sent
ChargeRow: TypeAlias = tuple[int, int, bool, int | None]  # attempt, cost, assumed, worth of the reply if there is one
ReplyRow: TypeAlias = tuple[int, int, bytes, bytes, float, int]  # attempt, then as unpacked


NoteRow: TypeAlias = tuple[int, str, str, bytes, int]  # number, batch, kind, what is told, checksum


MergedRow: TypeAlias = tuple[str, int]  # another journal's name, how many of its attempts are here


class Rows(NamedTuple):
    """What must become durable together."""

    intent: IntentRow | None = None
    request: RequestRow | None = None
    charge: ChargeRow | None = None
    reply: ReplyRow | None = None
    note: NoteRow | None = None
    merged: MergedRow | None = None


class Sums(NamedTuple):
    """What all rows come to, as it stands beside them: a line that is lost or changed shows in one of these.

    `intents` is the exclusive or of the intents' keys and bounds; `charges` the sum of what is written of each charge
    but its cost.
    """

    commits: int
    attempts: int
    spent: int
    assumed: int
    intents: bytes
    charges: int

    def after(self, intents: Sequence[IntentRow], charges: Sequence[ChargeRow]) -> Sums:
        """With one more commit, of these rows."""
        assumed = sum(cost for _, cost, is_assumed, _ in charges if is_assumed)
        mixed = int.from_bytes(self.intents)
        for _, key, _, bound, _ in intents:
            mixed ^= int.from_bytes(key) ^ bound
        return Sums(
            commits=self.commits + 1,
            attempts=self.attempts + len(intents),
            spent=self.spent + sum(cost for _, cost, *_ in charges) - assumed,
            assumed=self.assumed + assumed,
            intents=mixed.to_bytes(32),
            charges=self.charges + sum(4 * attempt + _told(worth) for attempt, _, _, worth in charges),
        )


def _told(worth: int | None) -> int:
    return 0 if worth is None else worth + 1


def worth(raw: RawReply, *, answers: bool | None, is_cut: bool = False) -> Worth:
    """A reply of status 2xx answers its question, unless the caller knows better."""
    is_success = 200 <= raw.status < 300 and not is_cut
    if is_success if answers is None else answers:
        return Worth.ANSWER
    return Worth.PERHAPS if is_success else Worth.NOTHING


def packed(attempt: int, raw: RawReply) -> ReplyRow:
    """A reply as a row, with the headers that matter."""
    headers = _encoded(worth_keeping(raw.headers))
    return (
        attempt,
        raw.status,
        headers,
        raw.body,
        raw.latency_s,
        _checksum(raw.status, headers, raw.body, raw.latency_s),
    )


def _encoded(headers: Mapping[str, str]) -> bytes:
    try:
        return orjson.dumps(headers)
    except TypeError:  # bytes that are not UTF-8 come as lone surrogates; the reply is worth more than they are
        return orjson.dumps({writable(name): writable(text) for name, text in headers.items()})


def writable(text: str) -> str:
    """The text as a file can hold it: half a surrogate pair becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def noted(attempt: int, key: bytes, *, tag: str, bound: int, request: bytes | None) -> Rows:
    """An intent as rows, with what is sent if that is told."""
    if request is None:
        return Rows(intent=(attempt, key, writable(tag), bound, None))
    return Rows((attempt, key, writable(tag), bound, zlib.crc32(request)), (attempt, request))


def is_whole(request: object, checksum: object) -> bool:
    """Whether a request is what was noted; one that was never told is."""
    return (None if request is None else isinstance(request, bytes) and zlib.crc32(request)) == checksum


def unpacked(status: int, headers: object, body: object, latency_s: float, checksum: int) -> RawReply | None:
    """The reply that was packed, or None if it is not what was written: SQLite does not notice a flipped bit."""
    if not (isinstance(headers, bytes) and isinstance(body, bytes)):
        return None
    if _checksum(status, headers, body, latency_s) != checksum:
        return None
    return RawReply(status=status, headers=orjson.loads(headers), body=body, latency_s=latency_s)


def _checksum(status: int, headers: bytes, body: bytes, latency_s: float) -> int:
    return zlib.crc32(body, zlib.crc32(headers, zlib.crc32(f"{status} {latency_s}".encode())))
