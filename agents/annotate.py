"""Labelling inputs: several independent votes each, asked only while the outcome is open.

It makes no difference whose inputs they are: drafts of a teacher or a file of the user's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agents.asks import Asks, attempt
from agents.chance import chance
from agents.prompts import fill
from agents.records import Pair, RejectReason, Spec, Vote
from agents.vote import normaliser, tally, votes_to_ask
from engine.errors import ContentFiltered, RequestFailed, SmeltError
from engine.messages import Message, Outcome, Request

__all__ = ["Annotation", "Voting", "annotate", "annotate_all", "vote_requests"]

LEAST_LABEL_TOKENS = 32
UNKNOWN_LABEL_TOKENS = 512  # no demonstration says how long an answer is


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """How an input is labelled: at most `votes` times, each time with up to `demonstrations` in another order."""

    votes: int = 3
    temperature: float | None = 0.7  # None: the endpoint takes none
    demonstrations: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What came of labelling one input. Without a vote, `reason` or `error` says why there is none.

    `first` is the label of the first vote that came, normalised: what a single label would have been. `failures`
    has a reason for each vote that was asked and brought no label. `error` is what ended more than this input.
    """

    input: str
    asked: int
    vote: Vote | None = None
    first: str | None = None
    failures: tuple[RejectReason, ...] = ()
    reason: RejectReason | None = None
    error: SmeltError | None = None


def vote_requests(spec: Spec, text: str, voting: Voting) -> tuple[Request, ...]:
    """The requests for all votes on an input, in order.

    Each shows another draw and order of the demonstrations where there are enough of them; that is what makes votes
    independent at every endpoint. Votes that still read the same are told apart by `sample`.
    """
    draws = _demonstration_draws(spec, text, voting)
    return tuple(
        Request(
            messages=_conversation(spec, shown, text),
            max_tokens=_label_tokens(spec),
            temperature=voting.temperature,
            tag="annotate",
            sample=draws[:number].count(shown),
        )
        for number, shown in enumerate(draws)
    )


def _demonstration_draws(spec: Spec, text: str, voting: Voting) -> list[tuple[Pair, ...]]:
    count = min(voting.demonstrations, len(spec.demonstrations))
    return [
        tuple(chance(voting.seed, "vote", text, number).sample(spec.demonstrations, count))
        for number in range(voting.votes)
    ]


def _conversation(spec: Spec, shown: Sequence[Pair], text: str) -> tuple[Message, ...]:
    turns = ((Message("user", pair.input), Message("assistant", pair.output)) for pair in shown)
    opening = Message("system", fill("annotate", instruction=spec.instruction))
    return (opening, *(message for turn in turns for message in turn), Message("user", text))


def _label_tokens(spec: Spec) -> int:
    # A token is hardly ever less than a byte: twice the bytes of the longest known answer, and some for packing.
    answers = (*spec.labels, *(pair.output for pair in spec.demonstrations))
    longest = max((len(answer.encode("utf-8", "surrogatepass")) for answer in answers), default=UNKNOWN_LABEL_TOKENS)
    return LEAST_LABEL_TOKENS + 2 * longest


async def annotate(asks: Asks, spec: Spec, text: str, voting: Voting) -> Annotation:
    """Label one input by vote.

    Asks as few as could end it, then more only while the leader can still be caught up with: of three votes the
    third is asked when the first two differ. A vote that fails is not asked again; when fewer than half of all votes
    could be counted, there is no vote.
    """
    normalise = normaliser(spec)
    requests = vote_requests(spec, text, voting)
    outcomes: list[Outcome] = []
    while not _stopped_by(outcomes):
        labels = [normalise(sample) for sample in _samples(outcomes, spec)]
        more = votes_to_ask(labels, remaining=len(requests) - len(outcomes))
        if not more:
            break
        outcomes += await _ask_together(asks, requests[len(outcomes) : len(outcomes) + more])
    return _annotation(spec, text, outcomes, votes=voting.votes)


async def annotate_all(asks: Asks, spec: Spec, texts: Sequence[str], voting: Voting) -> tuple[Annotation, ...]:
    """Label inputs at the same time; the annotations come in the order of the inputs, whoever was first."""
    async with asyncio.TaskGroup() as together:
        tasks = [together.create_task(annotate(asks, spec, text, voting)) for text in texts]
    return tuple(task.result() for task in tasks)


async def _ask_together(asks: Asks, requests: Sequence[Request]) -> list[Outcome]:
    async with asyncio.TaskGroup() as together:
        tasks = [together.create_task(attempt(asks, request)) for request in requests]
    return [task.result() for task in tasks]


def _annotation(spec: Spec, text: str, outcomes: Sequence[Outcome], *, votes: int) -> Annotation:
    normalise = normaliser(spec)
    samples = _samples(outcomes, spec)
    failures = tuple(reason for outcome in outcomes if (reason := _failure(outcome, spec)) is not None)
    error = _stopped_by(outcomes)
    too_few = 2 * len(samples) < votes
    return Annotation(
        input=text,
        asked=len(outcomes),
        vote=None if error or too_few else tally(samples, normalise),
        first=normalise(samples[0]) if samples else None,
        failures=failures,
        reason=Counter(failures).most_common(1)[0][0] if too_few and not error else None,
        error=error,
    )


def _stopped_by(outcomes: Sequence[Outcome]) -> SmeltError | None:
    """The error that ends more than one vote: no money, no access, nothing to be done here."""
    errors = (outcome.error for outcome in outcomes)
    return next((error for error in errors if error and not isinstance(error, RequestFailed)), None)


def _samples(outcomes: Sequence[Outcome], spec: Spec) -> list[str]:
    return [outcome.unwrap().text for outcome in outcomes if outcome.reply and _failure(outcome, spec) is None]


def _failure(outcome: Outcome, spec: Spec) -> RejectReason | None:
    """Why a vote cannot be counted; None when it can. A label that was cut is no label."""
    if outcome.reply is None:
        return "refusal" if isinstance(outcome.error, ContentFiltered) else "failed"
    if outcome.reply.finish_reasons[0] in ("refusal", "filtered"):
        return "refusal"
    if not outcome.reply.text.strip() and spec.empty_answer != "":
        return "empty"
    return "length" if outcome.reply.finish_reasons[0] == "length" else None
