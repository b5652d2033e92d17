"""What is asked when inputs are labelled, and what came of it: requests, ballots, annotations. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.chance import chance
from agents.lists import read_labels
from agents.prompts import fill
from agents.records import Pair, RejectReason, Spec, Vote
from agents.vote import normaliser, tally, votes_to_ask
from engine.batching import Choice, items_that_pay, merged
from engine.errors import ContentFiltered, DeadlineExceeded, ProviderUnavailable, RequestFailed, SmeltError
from engine.messages import FinishReason, Message, Outcome, Request

__all__ = [
    "Annotation",
    "Ballot",
    "Joint",
    "Voting",
    "annotation_of",
    "ballots_of",
    "inputs_per_call",
    "joint_ballots",
    "joint_votes",
    "round_requests",
    "vote_requests",
    "votes_wanted",
]

LEAST_LABEL_TOKENS = 32
UNKNOWN_LABEL_TOKENS = 512  # no demonstration says how long an answer is
PACKING_TOKENS = 8  # of a label in a list: quotation marks, a comma, a line break
MOST_TOKENS_TOGETHER = 2048  # of the inputs, and of the answers, that share a call
BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """How an input is labelled: at most `votes` times, each time with up to `demonstrations` in another order.

    `together` is how many inputs may share a call, where sharing pays: the instruction and the demonstrations are then
    paid once for all of them. With `sampled`, the votes of a round show the same demonstrations and are the n
    completions of one request. That saves only where an endpoint has `n`, and a simulated teacher says other words
    where there is one than where there is none, so the data then depend on the dialect.
    """

    votes: int = 3
    temperature: float | None = 0.7  # None: the endpoint takes none
    demonstrations: int = 8
    seed: int = 0
    together: int = 1
    sampled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What came of labelling one input. Without a vote, `reason` or `error` says why there is none.

    `first` is the label of the first vote that came, normalised: what a single label would have been. `failures`
    has a reason for each vote that was asked and brought no label. `error` is what ended more than this input.
    `repeats` counts the votes that had to be asked for alone, after a shared call that could not be used.
    """

    input: str
    asked: int
    vote: Vote | None = None
    first: str | None = None
    failures: tuple[RejectReason, ...] = ()
    reason: RejectReason | None = None
    error: SmeltError | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One vote on one input: the label as it came, or why there is none, or the error that ends more than this vote."""

    label: str | None = None
    failure: RejectReason | None = None
    error: SmeltError | None = None
    is_repeat: bool = False


# -- one input a call


def vote_requests(spec: Spec, text: str, voting: Voting) -> tuple[Request, ...]:
    """The requests for all votes on an input, in order.

    Each shows another draw and order of the demonstrations where there are enough of them; that is what makes votes
    independent at every endpoint. Votes that still read the same are told apart by `sample`.
    """
    draws = [_draw(spec, voting, "vote", text, number) for number in range(voting.votes)]
    return tuple(
        _request(spec, voting, _conversation(spec, shown, text), sample=draws[:number].count(shown))
        for number, shown in enumerate(draws)
    )


def round_requests(spec: Spec, text: str, voting: Voting, *, first: int, votes: int) -> tuple[Request, ...]:
    """The requests for votes `first` and following on an input, as they are asked at the same time."""
    if not voting.sampled:
        return vote_requests(spec, text, voting)[first : first + votes]
    messages = _conversation(spec, _draw(spec, voting, "vote", text, first), text)
    return merged([_request(spec, voting, messages, sample=first) for _ in range(votes)])


def ballots_of(outcome: Outcome, spec: Spec) -> list[Ballot]:
    """A ballot for each completion that was asked for. A label that was cut is no label."""
    if outcome.reply is None:
        return [_failed(outcome.error)] * outcome.request.n
    completions = zip(outcome.reply.texts, outcome.reply.finish_reasons, strict=True)
    return [_ballot(text, reason, spec) for text, reason in completions]


# -- several inputs a call


@dataclass(frozen=True, slots=True)
class Joint:
    """A request for votes on several inputs. `order` has the place in the request of each of them."""

    request: Request
    order: tuple[int, ...]


def inputs_per_call(spec: Spec, texts: Sequence[str], voting: Voting) -> Choice:
    """How many of the inputs are worth a call: as many as may share one, unless that saves little or has no room."""
    if not texts:
        return Choice(1, "nothing is asked")
    shown = sorted((_size(pair.input) + _size(pair.output) for pair in spec.demonstrations), reverse=True)
    return items_that_pay(
        shared=(_size(spec.instruction) + sum(shown[: voting.demonstrations])) // BYTES_A_TOKEN,
        each=PACKING_TOKENS + max(map(_size, texts)) // BYTES_A_TOKEN,
        answer=PACKING_TOKENS + _label_tokens(spec),
        most=voting.together,
        room=MOST_TOKENS_TOGETHER,
    )


def joint_votes(spec: Spec, texts: Sequence[str], voting: Voting, *, first: int, votes: int) -> tuple[Joint, ...]:
    """The requests for votes `first` and following on several inputs at once.

    Each shows other demonstrations and has the inputs in another order, so that no input stands in the same place and
    company every time.
    """
    if voting.sampled:
        alike = _joint(spec, texts, voting, number=first)
        requests = merged([replace(alike.request, sample=first)] * votes)
        return tuple(Joint(request, alike.order) for request in requests)
    joints = [_joint(spec, texts, voting, number=number) for number in range(first + votes)]
    seen = [joint.request for joint in joints]
    return tuple(
        Joint(replace(joint.request, sample=seen[:number].count(joint.request)), joint.order)
        for number, joint in enumerate(joints)
    )[first:]


def joint_ballots(outcome: Outcome, joint: Joint, spec: Spec) -> list[list[Ballot] | None]:
    """For each completion the ballots in the order of the inputs; None where they must be asked for one by one.

    That is so when no whole list came, or when the call was refused for what may be wrong with one of the inputs.
    """
    if outcome.reply is None:
        if _may_be_one_of_them(outcome.error):
            return [None] * outcome.request.n
        return [[_failed(outcome.error)] * len(joint.order)] * outcome.request.n
    completions = zip(outcome.reply.texts, outcome.reply.finish_reasons, strict=True)
    return [_joint_ballots(text, reason, joint, spec) for text, reason in completions]


def _joint(spec: Spec, texts: Sequence[str], voting: Voting, *, number: int) -> Joint:
    order = list(range(len(texts)))
    chance(voting.seed, "order", number, *texts).shuffle(order)
    shown = _draw(spec, voting, "votes", *texts, number)
    request = _request(spec, voting, _joint_conversation(spec, shown, [texts[place] for place in order]))
    room = LEAST_LABEL_TOKENS + len(texts) * (PACKING_TOKENS + _label_tokens(spec))
    return Joint(replace(request, max_tokens=room), tuple(order.index(place) for place in range(len(texts))))


def _joint_ballots(text: str, reason: FinishReason, joint: Joint, spec: Spec) -> list[Ballot] | None:
    labels = read_labels(text, count=len(joint.order)) if reason in ("stop", "other") else None
    return None if labels is None else [_ballot(labels[place], "stop", spec) for place in joint.order]


def _may_be_one_of_them(error: SmeltError | None) -> bool:
    """Whether a failure may be about one input rather than about the provider, where asking again would be in vain."""
    return isinstance(error, RequestFailed) and not isinstance(error, ProviderUnavailable | DeadlineExceeded)


# -- what ballots come to


def votes_wanted(ballots: Sequence[Ballot], spec: Spec, voting: Voting) -> int:
    """How many more votes to ask at once: the fewest that could end it, 0 when nothing can change the outcome."""
    if any(ballot.error for ballot in ballots):
        return 0
    normalise = normaliser(spec)
    labels = [normalise(ballot.label) for ballot in ballots if ballot.label is not None]
    return votes_to_ask(labels, remaining=voting.votes - len(ballots))


def annotation_of(spec: Spec, text: str, ballots: Sequence[Ballot], voting: Voting) -> Annotation:
    """What the votes on an input amount to; with less than half of all votes counted, there is no winner."""
    normalise = normaliser(spec)
    labels = [ballot.label for ballot in ballots if ballot.label is not None]
    failures = tuple(ballot.failure for ballot in ballots if ballot.failure is not None)
    error = next((ballot.error for ballot in ballots if ballot.error), None)
    too_few = 2 * len(labels) < voting.votes
    return Annotation(
        input=text,
        asked=len(ballots),
        vote=None if error or too_few else tally(labels, normalise),
        first=normalise(labels[0]) if labels else None,
        failures=failures,
        reason=Counter(failures).most_common(1)[0][0] if too_few and not error else None,
        error=error,
        repeats=sum(ballot.is_repeat for ballot in ballots),
    )


def _failed(error: SmeltError | None) -> Ballot:
    if isinstance(error, ContentFiltered):
        return Ballot(failure="refusal")
    return Ballot(failure="failed") if isinstance(error, RequestFailed) else Ballot(failure="failed", error=error)


def _ballot(text: str, reason: FinishReason, spec: Spec) -> Ballot:
    if reason in ("refusal", "filtered"):
        return Ballot(failure="refusal")
    if not text.strip() and spec.empty_answer != "":
        return Ballot(failure="empty")
    return Ballot(failure="length") if reason == "length" else Ballot(label=text)


# -- words


def _request(spec: Spec, voting: Voting, messages: tuple[Message, ...], *, sample: int = 0) -> Request:
    return Request(
        messages=messages,
        max_tokens=LEAST_LABEL_TOKENS + _label_tokens(spec),
        temperature=voting.temperature,
        tag="annotate",
        sample=sample,
    )


def _draw(spec: Spec, voting: Voting, *name: str | int) -> tuple[Pair, ...]:
    count = min(voting.demonstrations, len(spec.demonstrations))
    return tuple(chance(voting.seed, *name).sample(spec.demonstrations, count))


def _conversation(spec: Spec, shown: Sequence[Pair], text: str) -> tuple[Message, ...]:
    turns = ((Message("user", pair.input), Message("assistant", pair.output)) for pair in shown)
    opening = Message("system", fill("annotate", instruction=spec.instruction))
    return (opening, *(message for turn in turns for message in turn), Message("user", text))


def _joint_conversation(spec: Spec, shown: Sequence[Pair], texts: Sequence[str]) -> tuple[Message, ...]:
    opening = Message("system", fill("annotate_many", instruction=spec.instruction))
    asked = Message("user", _numbered(texts))
    if not shown:
        return opening, asked
    answer = json.dumps([pair.output for pair in shown], ensure_ascii=False)
    return opening, Message("user", _numbered([pair.input for pair in shown])), Message("assistant", answer), asked


def _numbered(texts: Sequence[str]) -> str:
    return "\n".join(f"{number}. {json.dumps(text, ensure_ascii=False)}" for number, text in enumerate(texts, start=1))


def _label_tokens(spec: Spec) -> int:
    # A token is hardly ever less than a byte: twice the bytes of the longest known answer.
    answers = (*spec.labels, *(pair.output for pair in spec.demonstrations))
    return 2 * max(map(_size, answers), default=UNKNOWN_LABEL_TOKENS)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
