"""Batch endpoints: many requests at once, answered within a day, for less. What all of them have in common.

An endpoint is asked to take a batch, how a batch stands, and for what came of it, line by line. It knows no journal, no
budget and no retry; each call is made once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol

from engine.messages import RawReply, Request
from engine.verdict import NO_WORDS, Kind, Verdict, classify

__all__ = ["BatchEndpoint", "CallFailed", "FileLimits", "Flaw", "Found", "LineReply", "Look", "in_a_batch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """How large one batch may be."""

    lines: int
    bytes: int


class CallFailed(Exception):
    """A call to the endpoint failed. A verdict that is surely unbilled says that nothing was begun either."""

    def __init__(self, verdict: Verdict, *, is_missing: bool = False) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict
        self.is_missing = is_missing  # what was asked for is not there


class Found(NamedTuple):
    """Whether a batch of ours exists: its id, or None; not `is_sure` while one that may be ours cannot be told yet."""

    batch: str | None
    is_sure: bool


class Flaw(NamedTuple):
    """What the endpoint found wrong with a batch that it would not run: a line, counted from 1, or all of it."""

    line: int | None
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a batch stands. `ended` lines have a result, of whatever kind, of `total`; `files` is where results are."""

    state: Literal["running", "ended", "failed"]
    word: str  # the endpoint's own
    ended: int = 0
    total: int = 0
    files: tuple[str, ...] = ()
    flaws: tuple[Flaw, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineReply:
    """What came of one line: the reply as it would have come over the wire alone, or a verdict; never both.

    `ran` is False for a line that was never begun.
    """

    ident: str
    raw: RawReply | None = None
    verdict: Verdict | None = None
    ran: bool = True

    @classmethod
    def refused(cls, ident: str, raw: RawReply, *, own: Mapping[str, Kind] = NO_WORDS) -> LineReply:
        """The line failed, as this reply says; `own` are the server's words. What failed within a batch is unbilled."""
        verdict = classify(raw, own=own) or Verdict(kind=Kind.TRANSIENT, message="a line failed without a reason")
        return cls(ident=ident, verdict=replace(verdict, billed=False))

    @classmethod
    def not_run(cls, ident: str, *, why: str) -> LineReply:
        """The batch ended before the line was answered."""
        message = f"the batch ended before this was answered ({why})"
        return cls(ident=ident, verdict=Verdict(kind=Kind.TRANSIENT, message=message, billed=False), ran=False)


class BatchEndpoint(Protocol):
    """Takes batches of lines and gives back what came of them. Raises CallFailed.

    `uploads`: lines are uploaded as a file before the batch is created; a file alone costs nothing.
    """

    @property
    def limits(self) -> FileLimits: ...

    @property
    def uploads(self) -> bool: ...

    def line(self, request: Request, *, ident: str) -> bytes:
        """The request as a line of a batch, without a line break. `ident` has at most 64 letters, digits, - and _."""
        ...

    async def upload(self, lines: Sequence[bytes], *, name: str) -> str:
        """Upload the lines; the id of the file."""
        ...

    async def create(self, *, name: str, file: str | None, lines: Sequence[bytes]) -> str:
        """Create a batch of the file, or of the lines where nothing is uploaded; its id."""
        ...

    async def find(self, *, name: str, lines: int, since: float) -> Found:
        """The batch of that name and so many lines, if it was created at or after `since` (seconds since 1970)."""
        ...

    async def look(self, batch: str) -> Look: ...

    def results(self, batch: str, look: Look) -> AsyncGenerator[LineReply, None]:
        """What came of the lines, in any order; to be closed."""
        ...

    async def aclose(self) -> None: ...


def in_a_batch(request: Request) -> Request:
    """The request as a line says it: nothing is asked to be kept for those that follow.

    When they follow is the provider's to choose, and what was kept by then might be gone: to write costs more than to
    say it again.
    """
    return replace(request, stable=0)
