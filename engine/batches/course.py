"""What to do next about a batch, how long to wait before, and what its end means for its lines. Pure.

    begun -> uploaded -> creating -> created -> ended -> every line settled

Each arrow is durable before the next step is taken, so whoever comes after a crash knows where it was. Between
`creating` and `created` nobody knows whether the batch exists: then it is looked for, and neither created again nor
given up until that is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from engine.messages import RawReply
from engine.providers.batches import Flaw, Found, Look
from engine.providers.foreign import encode
from engine.verdict import CHANCE, Kind, Verdict, classify

__all__ = [
    "CREATED",
    "CREATING",
    "MOST_FAILURES",
    "NEVER_CREATED",
    "UPLOADED",
    "Progress",
    "Step",
    "Timing",
    "after_finding",
    "gone",
    "is_queue_full",
    "next_step",
    "on_line_missing",
    "on_not_run",
    "progress_of",
    "should_fetch_again",
    "should_give_up",
    "time_of",
]

UPLOADED, CREATING, CREATED = "uploaded", "creating", "created"
"""What is noted of a batch, after that it has begun."""

QUEUE_FULL: Final = frozenset({"token_limit_exceeded"})

MOST_FAILURES: Final = (
    6  # of beginning what surely did not happen, of fetching results that are not whole, and of looking
)

NEVER_CREATED: Final = Verdict(kind=Kind.TRANSIENT, message="the batch was never created", billed=False, delay_s=0.0)
UNSAID: Final = Verdict(kind=Kind.PROTOCOL, message="the batch has ended without a word on this request", delay_s=0.0)
RESULTS_GONE: Final = Verdict(kind=Kind.PROTOCOL, message="the results of the batch are gone", delay_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take, in seconds.

    Requests gather until none has come for `quiet_s`, `patience_s` at most. A batch is looked at after `first_look_s`,
    then ever more rarely, up to `longest_look_s`. A creation whose reply never came may still be under way at the
    provider for `grace_s`; results are kept there for `kept_s`. All calls together are at most `calls_a_second`.
    """

    quiet_s: float = 2.0
    patience_s: float = 60.0
    first_look_s: float = 5.0
    longest_look_s: float = 60.0
    grace_s: float = 600.0
    kept_s: float = 29 * 86_400.0
    first_retry_s: float = 1.0
    longest_retry_s: float = 60.0
    calls_a_second: int = 2

    def until_look_s(self, age_s: float) -> float:
        """How long to wait before a batch of that age is looked at: a tenth of its age."""
        return min(self.longest_look_s, max(self.first_look_s, age_s / 10))

    def until_retry_s(self, failures: int, verdict: Verdict) -> float:
        """How long to wait after so many failures in a row; never less than was asked for."""
        backoff = min(self.longest_retry_s, self.first_retry_s * 2.0 ** min(failures - 1, 30))
        return max(backoff, verdict.delay_s or 0.0)


class Step(Enum):
    """What is to be done about a batch."""

    UPLOAD = "upload"
    CREATE = "create"
    FIND = "find"
    LOOK = "look"
    FETCH = "fetch"
    GIVE_BACK = "give back"  # it was not run: its lines cost nothing, and may be asked again
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a batch has come.

    `creating_since` (seconds since 1970) says that it may exist though its id is not known. `refusal` says why it
    surely does not, and never will.
    """

    uploads: bool
    file: str | None = None
    creating_since: float | None = None
    batch: str | None = None
    look: Look | None = None
    refusal: Verdict | None = None


def next_step(progress: Progress, *, open_lines: int) -> Step:
    """What is to be done now."""
    if not open_lines:
        return Step.DONE
    if progress.batch is not None:
        state = "running" if progress.look is None else progress.look.state
        return {"running": Step.LOOK, "ended": Step.FETCH, "failed": Step.GIVE_BACK}[state]
    if progress.creating_since is not None:
        return Step.FIND
    if progress.refusal is not None:
        return Step.GIVE_BACK
    return Step.UPLOAD if progress.uploads and progress.file is None else Step.CREATE


def progress_of(notes: Mapping[str, Mapping[str, object]], *, uploads: bool) -> Progress:
    """Where a batch was left by a process that is gone. One that was not being created never will be."""
    batch, file = (_text_of(notes.get(kind), name) for kind, name in ((CREATED, "batch"), (UPLOADED, "file")))
    if batch is not None:
        return Progress(uploads=uploads, file=file, batch=batch)
    if (creating := notes.get(CREATING)) is not None:
        return Progress(uploads=uploads, file=file, creating_since=time_of(creating))
    return Progress(uploads=uploads, file=file, refusal=NEVER_CREATED)


def after_finding(progress: Progress, found: Found, *, now: float, grace_s: float) -> Progress:
    """With what a search has told: the batch is there, or surely never was, or that is still open.

    That it is nowhere counts when the creation is long ago. A clock that was set back only makes that later.
    """
    if found.batch is not None:
        return replace(progress, batch=found.batch, creating_since=None)
    if found.is_sure and progress.creating_since is not None and now - progress.creating_since >= grace_s:
        return replace(progress, creating_since=None, refusal=NEVER_CREATED)
    return progress


def should_give_up(verdict: Verdict, *, failures: int) -> bool:
    """Whether what was refused so often before anything was created is not tried again."""
    return not verdict.may_retry or (verdict.kind in CHANCE and failures >= MOST_FAILURES)


def on_line_missing(look: Look, *, ran: int) -> Verdict:
    """What to think of a line that the results say nothing about, when `ran` others are told to have been run.

    Where as many are told as were run, it was not, and costs nothing. Else nobody knows.
    """
    if look.word not in {"expired", "cancelled"} or look.ended > ran:
        return UNSAID
    return _not_run(f"the batch ended before this was answered ({look.word})")


def should_fetch_again(verdict: Verdict, *, failures: int) -> bool:
    """Whether results that lack a line, or are not there, are asked for once more, when they were so often in vain.

    A page of a proxy's, or half of the file, looks like results in which nothing is said of anybody, and a 404 that is
    gone a second later like results that were deleted; to fetch is free, and to ask again is not.
    """
    return verdict in {UNSAID, RESULTS_GONE} and failures < MOST_FAILURES


def gone(*, age_s: float, kept_s: float, has_ended: bool) -> Verdict | None:
    """What a batch that is not there means for its lines; None when it should be there, so the key must be wrong."""
    return RESULTS_GONE if has_ended or age_s >= kept_s else None


def on_not_run(progress: Progress, number: int) -> Verdict:
    """What is to be said of a line, counted from 1, of a batch that was not run."""
    if progress.refusal is not None:
        return progress.refusal
    flaws = () if progress.look is None else progress.look.flaws
    own = [flaw for flaw in flaws if flaw.line in (None, number)]
    if own:
        return _verdict_on(own[0])
    another = "; ".join(flaw.message for flaw in flaws[:1]) or "no reason was given"
    return _not_run(f"the batch was not run: {another}")


def is_queue_full(look: Look) -> bool:
    """Whether a batch was not run because too much was under way."""
    return any(flaw.code in QUEUE_FULL for flaw in look.flaws)


def _not_run(message: str) -> Verdict:
    # No wait of its own: the next batch has one. And with a wait that was told it does not count as silence.
    return Verdict(kind=Kind.TRANSIENT, message=message, billed=False, delay_s=0.0)


def _verdict_on(flaw: Flaw) -> Verdict:
    if flaw.code in QUEUE_FULL:
        return Verdict(kind=Kind.RATE, message=flaw.message, billed=False, delay_s=0.0)
    body = encode({"error": {"code": flaw.code, "type": None, "message": f"the batch was not run: {flaw.message}"}})
    verdict = classify(RawReply(400, {}, body, 0.0))
    if verdict is None:
        raise AssertionError("unreachable")
    return replace(verdict, delay_s=verdict.delay_s or 0.0)


def _text_of(note: Mapping[str, object] | None, name: str) -> str | None:
    text = None if note is None else note.get(name)
    return text if isinstance(text, str) else None


def time_of(note: Mapping[str, object] | None) -> float:
    """When it was noted, in seconds since 1970."""
    at = None if note is None else note.get("at")
    return float(at) if isinstance(at, int | float) else 0.0
