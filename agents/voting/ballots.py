"""What is asked when inputs are labelled, and what came of it: calls, ballots, annotations. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from agents.asks import question_of
from agents.chance import chance
from agents.parsing.language import language_name
from agents.prompts import fill
from agents.records import Pair, RejectReason, Spec, Vote
from agents.voting.lists import numbered, read_labels
from agents.voting.vote import Aim, known_answers, lasting, normaliser, tally, votes_to_ask
from engine.batching import Choice, items_that_pay, merged
from engine.errors import ContentFiltered, DeadlineExceeded, ProviderUnavailable, RequestFailed, SmeltError, UserError
from engine.messages import FinishReason, Message, Outcome, Request

__all__ = [
    "LABELLING",
    "Annotation",
    "Ballot",
    "Call",
    "Voting",
    "annotation_of",
    "ballots_of",
    "call_for",
    "closed",
    "cost_each",
    "inputs_per_call",
    "may_be_one_of_them",
    "next_calls",
    "vote_requests",
]

LABELLING = "annotate"
"""The tag of the requests for votes."""

LEAST_LABEL_TOKENS = 32
UNKNOWN_LABEL_TOKENS = 512  # no demonstration says how long an answer is
MOST_CHOICES = 1000  # labels that a model is held to
PACKING_TOKENS = 8  # of a label in a list: its number, quotation marks, a line break
MOST_TOKENS_TOGETHER = 2048  # of the inputs, and of the answers, that share a call
BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """How an input is labelled: at most `votes` times, each time with up to `demonstrations` in another order.

    `together` is how many inputs may share a call, where sharing pays: the instruction and the demonstrations are then
    paid once for all of them. With `sampled`, the votes of a round are the n completions of one request. They then
    share their demonstrations and their company, and err together more often. `weights` say what a model's vote counts
    for where several label, at most 1, which is what those count for that are not named. `aim` is what the inputs were
    written for, where that is as good as a vote. `held` says that whoever labels can be held to the task's labels, so
    that an input that is labelled alone gets one of them.
    """

    votes: int = 3
    temperature: float | None = 0.7  # None: the endpoint takes none
    demonstrations: int = 8
    seed: int = 0
    together: int = 1
    sampled: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)
    aim: Aim | None = None
    held: bool = False

    def __post_init__(self) -> None:
        for model, weight in self.weights.items():
            if not 0 < weight <= 1:
                raise UserError(f"a vote of {model!r} must weigh more than 0 and at most 1 (got {weight})")

    def weights_of(self, ballots: Sequence[Ballot]) -> list[float]:
        """What each ballot counts for."""
        return [self.weights.get(ballot.model, 1.0) for ballot in ballots]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What came of labelling one input. Without a vote, `reason` or `error` says why there is none.

    `first` is the label of the first vote that came, normalised: what a single label would have been. `failures`
    has a reason for each vote that was asked and brought no label. `error` is what ended more than this input.
    `repeats` counts the votes that had to be asked for again, because a shared call brought none. `cost_usd` is its
    part of what the calls for it were paid, those that brought nothing included. `lasting` is how likely the winner is
    the one that all votes would have given.
    """

    input: str
    asked: int
    vote: Vote | None = None
    first: str | None = None
    failures: tuple[RejectReason, ...] = ()
    reason: RejectReason | None = None
    error: SmeltError | None = None
    repeats: int = 0
    cost_usd: float = 0.0
    lasting: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One vote on one input: the label as it came, or why there is none, or the error that ends more than this vote.

    `model` is who gave it, `question` names the call that did, as exported requests name it; `cost_usd` is the vote's
    part of what its calls were paid.
    """

    label: str | None = None
    failure: RejectReason | None = None
    error: SmeltError | None = None
    is_repeat: bool = False
    model: str = ""
    question: str = ""
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """A request for a vote on each of some inputs; `places` says which they are, in the order in which it shows them.

    Its completions are as many votes. The number of the first one is the request's `sample`, which tells votes apart
    that read the same.
    """

    request: Request
    places: tuple[int, ...]

    @property
    def votes(self) -> range:
        """The numbers of the votes, one a completion."""
        return range(self.request.sample, self.request.sample + self.request.n)


# -- what to ask


def vote_requests(spec: Spec, text: str, voting: Voting) -> tuple[Request, ...]:
    """The requests for all votes on an input that is labelled alone, in order.

    Each shows another draw and order of the demonstrations where there are enough of them; that is what makes votes
    independent at every endpoint.
    """
    return tuple(_request(spec, [text], voting, vote=vote) for vote in range(voting.votes))


def inputs_per_call(spec: Spec, texts: Sequence[str], voting: Voting) -> Choice:
    """How many of the inputs are worth a call: as many as may share one, unless that saves little or has no room."""
    shown = sorted((_size(pair.input) + _size(pair.output) for pair in spec.demonstrations), reverse=True)
    return items_that_pay(
        shared=(_size(spec.asked) + sum(shown[: voting.demonstrations])) // BYTES_A_TOKEN,
        each=PACKING_TOKENS + max(map(_size, texts), default=0) // BYTES_A_TOKEN,
        answer=PACKING_TOKENS + _label_tokens(spec),
        most=voting.together,
        room=MOST_TOKENS_TOGETHER,
    )


def next_calls(
    spec: Spec, texts: Sequence[str], ballots: Sequence[Sequence[Ballot]], voting: Voting
) -> tuple[Call, ...]:
    """The calls for all inputs whose outcome is open, none when none is; those that want the same votes share calls."""
    wanted: defaultdict[range, list[int]] = defaultdict(list)
    for place, cast in enumerate(ballots):
        if more := _votes_wanted(cast, spec, voting):
            wanted[range(len(cast), len(cast) + more)].append(place)
    return tuple(call for votes, places in wanted.items() for call in _calls(spec, texts, places, voting, votes))


def _calls(spec: Spec, texts: Sequence[str], places: Sequence[int], voting: Voting, votes: range) -> Iterator[Call]:
    """The calls for some votes on some inputs, vote by vote."""
    for vote in votes[:1] if voting.sampled else votes:
        for company in _companies(texts, places, voting, vote=vote):
            call = call_for(spec, texts, company, voting, vote=vote)
            alike = [replace(call.request, sample=each) for each in votes] if voting.sampled else [call.request]
            yield from (Call(request, company) for request in merged(alike))


def call_for(spec: Spec, texts: Sequence[str], company: tuple[int, ...], voting: Voting, *, vote: int) -> Call:
    """The call for one vote on each of a company of inputs, in their order."""
    return Call(_request(spec, [texts[place] for place in company], voting, vote=vote), company)


def _companies(texts: Sequence[str], places: Sequence[int], voting: Voting, *, vote: int) -> list[tuple[int, ...]]:
    """Who shares a call, and in which order: drawn anew for each vote, in calls as even as can be.

    What a teacher says of an input depends on what stands around and before it. So no input keeps its place and company
    from vote to vote, and what went wrong for these reasons is outvoted.
    """
    order = list(places)
    chance(voting.seed, "company", vote, *(texts[place] for place in places)).shuffle(order)
    calls = -(-len(order) // voting.together)
    return [tuple(order[at::calls]) for at in range(calls)]


def _votes_wanted(ballots: Sequence[Ballot], spec: Spec, voting: Voting) -> int:
    """How many more votes to ask at once: the fewest that could end it, 0 when nothing can change the outcome."""
    if any(ballot.error for ballot in ballots):
        return 0
    counted = [ballot for ballot in ballots if ballot.label is not None]
    labels = list(map(normaliser(spec), _labels(counted)))
    weights = voting.weights_of(counted)
    return votes_to_ask(labels, remaining=voting.votes - len(ballots), weights=weights, aim=voting.aim)


def _labels(ballots: Sequence[Ballot]) -> list[str]:
    return [ballot.label for ballot in ballots if ballot.label is not None]


# -- what came of it


def ballots_of(outcome: Outcome, call: Call, spec: Spec) -> list[dict[int, Ballot]]:
    """For each completion its ballots, by the place of the input; an input of several without one must be asked again.

    That is so where the list has no label under an input's number, and where a call was refused for what may be wrong
    with one of its inputs.
    """
    if outcome.reply is None:
        shared = len(call.places) > 1 and may_be_one_of_them(outcome.error)
        return [{} if shared else dict.fromkeys(call.places, _failed(outcome.error)) for _ in call.votes]
    completions = zip(outcome.reply.texts, outcome.reply.finish_reasons, strict=True)
    found = [_ballots(text, reason, call.places, spec) for text, reason in completions]
    told = partial(
        replace, model=outcome.reply.model, question=question_of(call.request), cost_usd=cost_each(outcome, call)
    )
    return [{place: told(ballot) for place, ballot in ballots.items()} for ballots in found]


def cost_each(outcome: Outcome, call: Call) -> float:
    """What each vote on each input of a call was paid, in USD, whether it came or not."""
    paid = 0.0 if outcome.reply is None else outcome.reply.paid_usd
    return paid / (len(call.places) * len(call.votes))


def _ballots(text: str, reason: FinishReason, places: Sequence[int], spec: Spec) -> dict[int, Ballot]:
    if len(places) == 1:
        return {places[0]: _ballot(text, reason, spec)}
    if reason in ("refusal", "filtered"):
        return {}
    labels = read_labels(text, count=len(places), is_cut=reason == "length")
    return {places[number - 1]: _ballot(label, "stop", spec) for number, label in labels.items()}


def may_be_one_of_them(error: SmeltError | None) -> bool:
    """Whether a failure may be about one input rather than about the provider, where asking again would be in vain."""
    return isinstance(error, RequestFailed) and not isinstance(error, ProviderUnavailable | DeadlineExceeded)


def _failed(error: SmeltError | None) -> Ballot:
    if isinstance(error, ContentFiltered):
        return Ballot(failure="refusal")
    return Ballot(failure="failed") if isinstance(error, RequestFailed) else Ballot(failure="failed", error=error)


def _ballot(text: str, reason: FinishReason, spec: Spec) -> Ballot:
    """A completion as a vote. A label that was cut is no label."""
    if reason in ("refusal", "filtered"):
        return Ballot(failure="refusal")
    if not text.strip() and spec.empty_answer != "":
        return Ballot(failure="empty")
    return Ballot(failure="length") if reason == "length" else Ballot(label=text)


def closed(spec: Spec, ballots: Sequence[Sequence[Ballot]], voting: Voting) -> list[list[Ballot]]:
    """The ballots of inputs that are labelled together; an error that ends more than a vote ends all that are open.

    Those that it spared could be asked on, in calls that it left smaller: their labels would be others than without it.
    """
    error = next((ballot.error for cast in ballots for ballot in cast if ballot.error), None)
    missing = [] if error is None else [Ballot(failure="failed", error=error)]
    return [[*cast, *(missing if _votes_wanted(cast, spec, voting) else ())] for cast in ballots]


def annotation_of(spec: Spec, text: str, ballots: Sequence[Ballot], voting: Voting) -> Annotation:
    """What the votes on an input amount to; with less than half of those asked for counted, there is no winner."""
    normalise = normaliser(spec)
    counted = [ballot for ballot in ballots if ballot.label is not None]
    failures = tuple(ballot.failure for ballot in ballots if ballot.failure is not None)
    error = next((ballot.error for ballot in ballots if ballot.error), None)
    too_few = 2 * len(counted) < len(ballots)
    cost_usd = math.fsum(ballot.cost_usd for ballot in ballots)
    vote = None if error or too_few else _vote_of(counted, normalise, voting)
    labels = list(map(normalise, _labels(counted)))
    return Annotation(
        input=text,
        asked=len(ballots),
        vote=vote and replace(vote, cost_usd=cost_usd),
        first=labels[0] if labels else None,
        failures=failures,
        reason=Counter(failures).most_common(1)[0][0] if too_few and not error else None,
        error=error,
        repeats=sum(ballot.is_repeat for ballot in ballots),
        cost_usd=cost_usd,
        lasting=lasting(
            labels, remaining=voting.votes - len(ballots), weights=voting.weights_of(counted), aim=voting.aim
        ),
    )


def _vote_of(counted: Sequence[Ballot], normalise: Callable[[str], str], voting: Voting) -> Vote:
    return replace(
        tally(_labels(counted), normalise, weights=voting.weights_of(counted)),
        models=tuple(ballot.model for ballot in counted),
        questions=tuple(ballot.question for ballot in counted),
    )


# -- words


def _request(spec: Spec, texts: Sequence[str], voting: Voting, *, vote: int) -> Request:
    count = min(voting.demonstrations, len(spec.demonstrations))
    shown = chance(voting.seed, "vote", *texts, vote).sample(spec.demonstrations, count)
    alone = len(texts) == 1
    messages = _conversation(spec, shown, texts[0]) if alone else _joint_conversation(spec, shown, texts)
    return Request(
        messages=messages,
        max_tokens=LEAST_LABEL_TOKENS + len(texts) * (_label_tokens(spec) + (0 if alone else PACKING_TOKENS)),
        temperature=voting.temperature,
        tag=LABELLING,
        sample=vote,
        choices=_choices(spec) if alone and voting.held else (),
        stable=len(messages[0].content),  # the demonstrations after it are drawn anew for every vote
    )


def _choices(spec: Spec) -> tuple[str, ...]:
    """The answers there are; none where they are not a closed set, too many, or one of them is to say nothing."""
    known = known_answers(spec)
    return known if spec.labels and all(known) and len(known) <= MOST_CHOICES else ()


def _conversation(spec: Spec, shown: Sequence[Pair], text: str) -> tuple[Message, ...]:
    turns = ((Message("user", pair.input), Message("assistant", pair.output)) for pair in shown)
    opening = Message("system", fill("annotate", instruction=spec.asked) + _language_line(spec))
    return (opening, *(message for turn in turns for message in turn), Message("user", text))


def _joint_conversation(spec: Spec, shown: Sequence[Pair], texts: Sequence[str]) -> tuple[Message, ...]:
    opening = Message("system", fill("annotate_many", instruction=spec.asked) + _language_line(spec))
    asked = Message("user", numbered(texts))
    if not shown:
        return opening, asked
    inputs, outputs = numbered([pair.input for pair in shown]), numbered([pair.output for pair in shown])
    return opening, Message("user", inputs), Message("assistant", outputs), asked


def _language_line(spec: Spec) -> str:
    """What the language of the instruction says no longer where it was translated."""
    if spec.translation is None or spec.form != "text":
        return ""
    return "\n" + fill("annotate_language", language=language_name(spec.output_language or spec.language))


def _label_tokens(spec: Spec) -> int:
    # A token is hardly ever less than a byte: twice the bytes of the longest known answer.
    answers = (*spec.labels, *(pair.output for pair in spec.demonstrations))
    return 2 * max(map(_size, answers), default=UNKNOWN_LABEL_TOKENS)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
