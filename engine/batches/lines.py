"""One request in a batch, and the batch it is in, while they are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from engine.attempt import Attempts, Ending, Question
from engine.batches.course import Progress, progress_of
from engine.journal import Line as Stored
from engine.journal import OpenBatch
from engine.ledger import Reservation
from engine.messages import Request
from engine.statistics import Tally

__all__ = ["Line", "Shipment", "adopted"]


@dataclass(slots=True, eq=False)
class Line:
    """One request in a batch, or on its way into one. `request` is what is sent.

    `is_fitted`: it allows less than the asker did, to save money.
    """

    question: Question
    request: Request
    reservation: Reservation
    finish: asyncio.Future[Ending]
    is_fitted: bool
    attempt: int = 0


@dataclass(slots=True, eq=False)
class Shipment:
    """A batch under way. `lines` are those that have not ended, by attempt; `since` is in seconds since 1970."""

    name: str
    attempts: range
    since: float
    progress: Progress
    lines: dict[int, Line]
    is_adopted: bool = False
    failures: int = 0  # in a row
    looks: int = 0
    answered: int = 0

    def ident(self, attempt: int) -> str:
        """What the endpoint calls the line of this attempt."""
        return f"{self.name}-{attempt}"

    def line_named(self, ident: str) -> tuple[int, Line] | None:
        """The attempt and the line that the endpoint calls so, if it is ours and has not ended."""
        name, _, number = ident.rpartition("-")
        if name != self.name or not number.isdecimal() or len(number) > 20:
            return None
        line = self.lines.get(int(number))
        return None if line is None else (int(number), line)


def adopted(batch: OpenBatch, attempts: Attempts, *, uploads: bool, tally: Callable[[str], Tally]) -> Shipment:
    """A batch that an earlier process left out. Its money is set aside, whatever the budget is now."""
    lines = {each.attempt: _adopted(each, attempts, tally(each.tag)) for each in batch.lines}
    progress = progress_of(batch.notes, uploads=uploads)
    return Shipment(batch.name, batch.attempts, batch.at, progress, lines, is_adopted=True)


def _adopted(stored: Stored, attempts: Attempts, tally: Tally) -> Line:
    request = Request.from_canonical(stored.request, tag=stored.tag)
    question = attempts.question(request, stored.key, tally)
    question.attempts = 1
    return Line(
        question,
        request,
        attempts.ledger.adopt(stored.bound, stage=stored.tag),
        asyncio.get_running_loop().create_future(),
        is_fitted=request.identity(asked_of=attempts.asked_of) != stored.key,
        attempt=stored.attempt,
    )
