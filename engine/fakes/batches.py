"""Batches from the service's side: what is taken, how it gets on with time, and what comes of each line.

Pure: the time comes in with every call. Lines are processed one after the other over the batch's time; who asks later
sees more of them done. What is processed is billed, at half the price, whether or not anybody fetches it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Literal

from engine.fakes.audit import Audit, fingerprint
from engine.fakes.chance import Sightings, chance
from engine.fakes.checks import check_amounts, check_counts, check_shares
from engine.fakes.dialect import Dialect, Headers, Refusal, answer_to
from engine.messages import Usage
from engine.prices import BATCH_SHARE
from engine.providers.simulated import World

__all__ = ["BatchBehaviour", "Fate", "Job", "Jobs", "Line", "Result", "page_size"]

Fate = Literal["answered", "refused", "expired", "canceled"]

DAY_S: Final = 86_400.0

_NOTHING: Final = Usage(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBehaviour:
    """How batches go.

    A batch takes `seconds`, evenly over its lines; what is not done after `window_s` expires. `failing` is the share of
    lines that fail with a server's error, `expiring` of those that expire whatever the time; a line's second coming
    draws anew. At most `queued_lines`, and of input `queued_tokens`, may be under way in all.
    """

    seconds: float = 0.0
    window_s: float = DAY_S
    failing: float = 0.0
    expiring: float = 0.0
    queued_lines: int | None = None
    queued_tokens: int | None = None

    def __post_init__(self) -> None:
        check_shares(failing=self.failing, expiring=self.expiring)
        check_counts(queued_lines=self.queued_lines, queued_tokens=self.queued_tokens)
        check_amounts(seconds=self.seconds, window_s=self.window_s)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it came: whose it is, and the request's body."""

    ident: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a line: status and body, unless it was not run."""

    ident: str
    fate: Fate
    status: int = 0
    body: bytes = b""
    usage: Usage = _NOTHING


@dataclass(slots=True, eq=False)
class Job:
    """A batch at the service. Times are seconds since 1970."""

    ident: str
    dialect: Dialect
    key: str | None
    lines: Sequence[Line]
    created: float
    seconds: float
    expires: float
    told: Mapping[str, object] = field(default_factory=dict)  # what the dialect wants to remember
    results: list[Result] = field(default_factory=list)
    canceled: float | None = None
    flaw: tuple[int | None, str, str] | None = None  # line, code, message: it was never run
    tokens: int = 0  # of input, as far as anybody limits them

    @property
    def due(self) -> float:
        """When it ends."""
        ends = min(self.created + self.seconds, self.expires)
        return ends if self.canceled is None else min(ends, self.canceled)

    def is_over(self, now: float) -> bool:
        return self.flaw is not None or now >= self.due

    def count(self, *fates: Fate) -> int:
        return sum(result.fate in fates for result in self.results)


class Jobs:
    """Every batch, newest last, and what they cost."""

    def __init__(self, world: World, behaviour: BatchBehaviour, audit: Audit, *, seed: int) -> None:
        self.behaviour = behaviour
        self.jobs: dict[str, Job] = {}
        self.numbers = count()  # of batches, those that were deleted too
        self._world = world
        self._audit = audit
        self._seed = seed
        self._price = world.price.at_share(BATCH_SHARE)
        self._sightings = Sightings()

    def take(
        self,
        dialect: Dialect,
        headers: Headers,
        lines: Sequence[Line],
        *,
        now: float,
        ident: str,
        told: Mapping[str, object],
        flaw: tuple[int | None, str, str] | None = None,
    ) -> Job:
        """A batch has come in."""
        key = dialect.key(headers)
        job = Job(
            ident,
            dialect,
            None if key is None else fingerprint(key),
            lines,
            created=now,
            seconds=self.behaviour.seconds,
            expires=now + self.behaviour.window_s,
            told=told,
            flaw=flaw,
            tokens=self._tokens(dialect, lines, told),
        )
        job.flaw = flaw or self._too_much(job, now=now)
        self.jobs[ident] = job
        return job

    def _tokens(self, dialect: Dialect, lines: Sequence[Line], told: Mapping[str, object]) -> int:
        if self.behaviour.queued_tokens is None:
            return 0
        total = 0
        for line in lines:
            with suppress(Refusal):  # it fails in its turn
                total += dialect.read(line.body, _headers_of(told)).input_tokens
        return total

    def _too_much(self, job: Job, *, now: float) -> tuple[int | None, str, str] | None:
        queued = [other for other in self.jobs.values() if not other.is_over(now)] + [job]
        limits = {
            "lines": (self.behaviour.queued_lines, sum(len(each.lines) for each in queued)),
            "tokens": (self.behaviour.queued_tokens, sum(each.tokens for each in queued)),
        }
        for what, (most, together) in limits.items():
            if most is not None and together > most:
                advice = "Please try again once some in_progress batches have been completed."
                message = f"Enqueued token limit reached. Limit: {most} enqueued {what}. {advice}"
                return None, "token_limit_exceeded", message
        return None

    def advance(self, now: float) -> None:
        """Process every line whose time has come."""
        for job in self.jobs.values():
            self._advance(job, now)

    def _advance(self, job: Job, now: float) -> None:
        if job.flaw is not None:
            return
        until = min(now, job.due)
        for place in range(len(job.results), len(job.lines)):
            done_at = job.created + job.seconds * (place + 1) / len(job.lines)
            if done_at <= until:
                job.results.append(self._process(job, job.lines[place], at=done_at))
            elif now >= job.due:
                fate: Fate = "canceled" if job.canceled is not None else "expired"
                job.results.append(Result(job.lines[place].ident, fate))
            else:
                return

    def _process(self, job: Job, line: Line, *, at: float) -> Result:
        met = self._chance(line.body)
        if met < self.behaviour.expiring:
            return Result(line.ident, "expired")
        entry = self._audit.enter_line(at=at, dialect=job.dialect.name, key=job.key, batch=job.ident)
        try:
            if met < self.behaviour.expiring + self.behaviour.failing:
                raise Refusal("server", "Internal error")
            asked = job.dialect.read(line.body, _headers_of(job.told))
        except Refusal as refusal:
            entry.status, body = job.dialect.refuse(refusal, number=entry.number)
            return Result(line.ident, "refused", entry.status, body)
        entry.model, entry.status = asked.model, 200
        answered = answer_to(asked, self._world)
        usage = asked.usage(answered.output_tokens)
        self._audit.bill(entry, usage, price=self._price)
        body = job.dialect.write(asked, answered.completions, number=entry.number, created=int(job.created))
        return Result(line.ident, "answered", 200, body, usage)

    def _chance(self, body: bytes) -> float:
        return chance(body, f"{self._seed}/{self._sightings.count(body)}/batch")


def page_size(query: Mapping[str, str], *, most: int) -> int:
    """How many are listed at once. Raises Refusal for what is no number of them."""
    told = query.get("limit", "20")
    if not told.isdecimal() or not 1 <= int(told) <= most:
        raise Refusal("invalid", f"Invalid 'limit': expected a whole number from 1 to {most}.", field="limit")
    return int(told)


def _headers_of(told: Mapping[str, object]) -> Headers:
    return {"anthropic-version": str(told.get("version"))}
