"""What a pilot asked and what came of it: calls as they were answered, groups as they ended. No decision is made here.

It stands between the stages and the engine and only listens, so a pilot asks exactly what the run would.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from agents.making.groups import Brought
from agents.making.outcomes import LEAST_WHOLE, REPEATS, labels_taste
from agents.making.plan import aim_of
from agents.making.synthesis import Synthesis
from agents.records import Reject, RejectReason
from agents.voting.annotate import Annotation
from engine import Engine
from engine.batching import Taste
from engine.clock import Clock
from engine.messages import Reply, Request
from engine.providers import Capabilities

__all__ = ["Aimed", "Answered", "Listening", "Tried", "seconds_on_the_way", "tried"]

_calls_of_group: ContextVar[list[Answered]] = ContextVar("calls_of_group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A call that was answered. `shared_tokens` of its input stand before the last message: other items need them too.

    `latency_s` is the provider's, also where the journal answered; the two times are the clock's, waits included.
    """

    tag: str
    input_tokens: int
    output_tokens: int
    shared_tokens: float
    usd: float
    latency_s: float
    asked_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Aimed:
    """An input that was written for an answer and voted on in full: whether the first vote said it, and all did."""

    answer: str
    first_agrees: bool
    lasts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A group of the pilot: a request for inputs and all that followed from it.

    `fresh` has an entry a draft, in order: whether it said something new. `labelled` drafts got `votes` in all, of
    which `repeats_labelled` turned out to repeat others only then. `in_full` were voted on without an aim.
    """

    asked: int
    fresh: tuple[bool, ...]
    labelled: int
    repeats_labelled: int
    votes: int
    in_full: int
    votes_in_full: int
    rows: int
    together: int
    labels_taste: Taste
    aimed: tuple[Aimed, ...]
    calls: tuple[Answered, ...]

    @property
    def inputs_taste(self) -> Taste:
        """What the reply was like that was asked for so many inputs."""
        if len(self.fresh) < LEAST_WHOLE * self.asked:
            return "broken"
        return "stale" if 2 * sum(self.fresh) < len(self.fresh) else "good"

    @property
    def seconds(self) -> float:
        """How long it takes where nothing has to wait."""
        return seconds_on_the_way(self.calls)


@dataclass(slots=True)
class Listening:
    """An engine that is listened to: what it answers is noted, by the generating request that it follows from."""

    engine: Engine
    clock: Clock
    groups: dict[Request, list[Answered]] = field(default_factory=dict)
    others: list[Answered] = field(default_factory=list)

    async def ask(self, request: Request) -> Reply:
        if request.tag == "generate":  # what is asked from here on, in tasks of its own too, follows from it
            _calls_of_group.set(self.groups.setdefault(request, []))
        asked_at = self.clock.monotonic()
        reply = await self.engine.ask(request)
        noted = _answered(request, reply, asked_at=asked_at, ended_at=self.clock.monotonic())
        _calls_of_group.get(self.others).append(noted)
        return reply

    def capabilities_of(self, tag: str) -> Capabilities:
        return self.engine.capabilities_of(tag)


def _answered(request: Request, reply: Reply, *, asked_at: float, ended_at: float) -> Answered:
    sizes = [len(message.content) for message in request.messages]
    return Answered(
        tag=request.tag,
        input_tokens=reply.usage.input_tokens,
        output_tokens=reply.usage.output_tokens,
        shared_tokens=reply.usage.input_tokens * sum(sizes[:-1]) / max(1, sum(sizes)),
        usd=reply.paid_usd,
        latency_s=reply.latency_s,
        asked_at=asked_at,
        ended_at=ended_at,
    )


def seconds_on_the_way(calls: Iterable[Answered]) -> float:
    """The latencies of the calls that had to wait for one another: backwards from the last, each after its cause."""
    total, before = 0.0, float("inf")
    for call in sorted(calls, key=lambda each: each.ended_at, reverse=True):
        if call.ended_at <= before:
            total, before = total + call.latency_s, call.asked_at
    return total


def tried(heard: Sequence[Brought], synthesis: Synthesis, listening: Listening) -> tuple[Tried, ...]:
    """The groups that ended without an error, each with what became of its drafts."""
    refused = {_place(reject): reject.reason for reject in synthesis.rejects}
    kept = {(row.provenance.request, row.provenance.position) for row in synthesis.examples}
    return tuple(
        _tried(brought, refused, kept, listening.groups.get(brought.group.request, ()))
        for brought in heard
        if brought.error is None
    )


def _place(reject: Reject) -> tuple[int, int]:
    return reject.provenance.request, reject.provenance.position


def _tried(
    brought: Brought,
    refused: dict[tuple[int, int], RejectReason],
    kept: set[tuple[int, int]],
    calls: Sequence[Answered],
) -> Tried:
    number = brought.group.assignment.number
    repeats = [refused.get((number, place)) in REPEATS for place in range(len(brought.drafts))]
    labels = [place for place, (_, ended) in enumerate(brought.drafts) if isinstance(ended, Annotation)]
    votes = sum(annotation.asked for annotation in brought.annotations)
    is_full = brought.group.voting.aim is None
    return Tried(
        asked=brought.group.assignment.inputs,
        fresh=tuple(not repeat for repeat in repeats),
        labelled=len(labels),
        repeats_labelled=sum(repeats[place] for place in labels),
        votes=votes,
        in_full=len(labels) if is_full else 0,
        votes_in_full=votes if is_full else 0,
        rows=sum((number, place) in kept for place in range(len(brought.drafts))),
        together=brought.group.voting.together,
        labels_taste=labels_taste(brought.annotations),
        aimed=_aimed(brought) if is_full else (),
        calls=tuple(calls),
    )


def _aimed(brought: Brought) -> tuple[Aimed, ...]:
    answer = aim_of(brought.group.assignment.target)
    if answer is None:
        return ()
    voted = [annotation for annotation in brought.annotations if annotation.vote is not None]
    return tuple(Aimed(answer, each.first == answer, each.vote.winner == answer) for each in voted if each.vote)
