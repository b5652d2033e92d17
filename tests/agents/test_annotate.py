"""Labelling: independent votes, no more than needed, and a failed vote costs a vote."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.records import Pair, Spec
from agents.voting.annotate import Voting, annotate, annotate_all, vote_requests
from agents.voting.ballots import Ballot, next_calls
from engine.errors import BudgetReached, ContentFiltered, ProviderRefused, ProviderUnavailable, SmeltError
from engine.fakes import virtual_time
from engine.messages import FinishReason, Reply, Request, Usage
from engine.providers import Capabilities
from tests.agents.voters import DEMONSTRATIONS, SPEC, TEXTS, Labels, is_shared, labels_of, winners

VOTING = Voting()
Answer = str | SmeltError | tuple[str, FinishReason]


class Votes:
    """A teacher that gives each vote on an input the answer meant for it, after a wait of its own."""

    def __init__(self, *answers: Answer, spec: Spec = SPEC, voting: Voting = VOTING, latency: float = 0.0) -> None:
        self.answers, self.spec, self.voting, self.latency = answers, spec, voting, latency
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        await asyncio.sleep(random.Random(repr((request, self.latency))).uniform(0, self.latency))
        number = vote_requests(self.spec, request.messages[-1].content, self.voting).index(request)
        answer = self.answers[number]
        if isinstance(answer, SmeltError):
            raise answer
        text, finish_reason = answer if isinstance(answer, tuple) else (answer, "stop")
        return Reply(texts=(text,), finish_reasons=(finish_reason,), usage=Usage(1, 1), model="m")


def test_a_vote_shows_instruction_demonstrations_and_the_input_alone() -> None:
    request = vote_requests(SPEC, "on May 5", VOTING)[0]
    system, *turns, last = request.messages

    assert (system.role, last.role, last.content) == ("system", "user", "on May 5")
    assert system.content.startswith("Find the date.")
    shown = [Pair(turns[at].content, turns[at + 1].content) for at in range(0, len(turns), 2)]
    assert sorted(shown, key=repr) == sorted(DEMONSTRATIONS, key=repr)
    assert {turn.role for turn in turns[::2]} == {"user"}
    assert {turn.role for turn in turns[1::2]} == {"assistant"}
    assert (request.temperature, request.tag) == (0.7, "annotate")


def test_votes_on_an_input_read_differently_and_the_same_again_next_time() -> None:
    requests = vote_requests(SPEC, "on May 5", VOTING)

    assert len({request.messages for request in requests}) == 3
    assert requests == vote_requests(SPEC, "on May 5", VOTING)
    assert requests != vote_requests(SPEC, "on May 5", Voting(seed=1))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_votes_stay_different_questions_where_demonstrations_are_few(count: int) -> None:
    spec = Spec(instruction="Find.", demonstrations=DEMONSTRATIONS[:count])
    requests = vote_requests(spec, "on May 5", Voting(votes=5))

    assert len({request.identity(asked_of="m") for request in requests}) == 5


def test_a_surrogate_in_an_input_does_not_break_the_draw() -> None:
    assert len(vote_requests(SPEC, "\ud800", VOTING)) == 3


def test_no_more_demonstrations_are_shown_than_wanted() -> None:
    assert len(vote_requests(SPEC, "x", Voting(demonstrations=2))[0].messages) == 2 + 2 * 2


def test_room_for_a_label_follows_the_longest_known_answer() -> None:
    assert vote_requests(SPEC, "x", VOTING)[0].max_tokens == 32 + 2 * len("2021-01-01")
    assert vote_requests(Spec(instruction="Translate."), "x", VOTING)[0].max_tokens == 32 + 2 * 512


@pytest.mark.parametrize(
    ("answers", "winner", "asked"),
    [
        (("a", "a", "b"), "a", 2),
        (("a", "b", "b"), "b", 3),
        (("a", "b", "c"), "a", 3),
        ((ProviderUnavailable("503"), "b", "b"), "b", 3),
    ],
    ids=["settled by two", "third decides", "tie to the first", "a failed vote is not asked again"],
)
def test_votes_are_asked_while_the_outcome_is_open(answers: tuple[Answer, ...], winner: str, asked: int) -> None:
    teacher = Votes(*answers)
    annotation = asyncio.run(annotate(teacher, SPEC, "x", VOTING))

    assert annotation.vote is not None
    assert annotation.vote.winner == winner
    assert annotation.asked == len(teacher.asked) == asked


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (ProviderUnavailable("503"), "failed"),
        (ContentFiltered("no"), "refusal"),
        (("I will not", "refusal"), "refusal"),
        (" \n", "empty"),
        (("2021-01", "length"), "length"),
    ],
    ids=["failed", "filtered", "refused", "empty", "cut"],
)
def test_without_enough_labels_there_is_no_vote_but_a_reason(bad: Answer, reason: str) -> None:
    annotation = asyncio.run(annotate(Votes(bad, bad, "a"), SPEC, "x", VOTING))

    assert (annotation.vote, annotation.reason, annotation.error) == (None, reason, None)
    assert annotation.failures == (reason, reason)
    assert annotation.first == "a"


def test_an_empty_label_counts_where_it_is_the_empty_answer() -> None:
    spec = Spec(instruction="Find.", demonstrations=DEMONSTRATIONS, empty_answer="")
    annotation = asyncio.run(annotate(Votes("", "", "x", spec=spec), spec, "x", VOTING))

    assert annotation.vote is not None
    assert (annotation.vote.winner, annotation.vote.agreement) == ("", 1.0)


@pytest.mark.parametrize("error", [BudgetReached("spent"), ProviderRefused("no such key")])
def test_what_ends_more_than_one_input_is_handed_on_and_no_vote_is_made_of_the_rest(error: SmeltError) -> None:
    teacher = Votes("a", error, "a")
    annotation = asyncio.run(annotate(teacher, SPEC, "x", VOTING))

    assert annotation.error is error
    assert (annotation.vote, annotation.reason) == (None, None)
    assert len(teacher.asked) == 2


def test_a_bug_is_not_swallowed() -> None:
    class Broken:
        async def ask(self, request: Request) -> Reply:
            raise ZeroDivisionError(request.tag)

    with pytest.raises(ExceptionGroup):
        asyncio.run(annotate(Broken(), SPEC, "x", VOTING))


@settings(max_examples=40, deadline=None)
@given(answers=st.lists(st.sampled_from("ab"), min_size=3, max_size=3), latency=st.floats(0.1, 9.0))
def test_who_answers_first_does_not_matter(answers: list[str], latency: float) -> None:
    def run(wait: float) -> object:
        return virtual_time.run(annotate_all(Votes(*answers, latency=wait), SPEC, ["x", "y", "z"], VOTING))

    assert run(latency) == run(0.0)


def test_annotations_come_in_the_order_of_the_inputs() -> None:
    inputs = [f"row {i}" for i in range(20)]
    annotations = virtual_time.run(annotate_all(Votes("a", "b", "b", latency=5.0), SPEC, inputs, VOTING))

    assert [annotation.input for annotation in annotations] == inputs


class Held(Labels):
    """Its model can be held to some texts."""

    def capabilities_of(self, tag: str) -> Capabilities:
        return Capabilities(choices=tag == "annotate")


@pytest.mark.parametrize(
    ("spec", "choices"),
    [
        pytest.param(replace(SPEC, labels=("a", "b")), ("a", "b", "N/A"), id="labels and the empty answer"),
        pytest.param(replace(SPEC, labels=("a", "b"), empty_answer=""), (), id="silence is an answer"),
        pytest.param(SPEC, (), id="texts"),
        pytest.param(replace(SPEC, labels=tuple(map(str, range(1000)))), (), id="too many"),
    ],
)
def test_whoever_can_be_held_to_the_labels_is(spec: Spec, choices: tuple[str, ...]) -> None:
    """But not where several inputs share a call, nor where nobody says that it can be."""
    held, free = Held(), Labels()

    asyncio.run(annotate(held, spec, "an input", Voting(votes=1)))
    asyncio.run(annotate(free, spec, "an input", Voting(votes=1)))
    asyncio.run(annotate_all(held, spec, TEXTS, Voting(votes=1, together=8)))

    assert held.asked[0].choices == choices
    assert [request.choices for request in held.asked if is_shared(request)] == [()]
    assert [request.choices for request in free.asked] == [()]


def test_the_normaliser_of_the_task_is_what_votes_are_counted_by() -> None:
    spec = Spec(instruction="Route.", kind="classification", labels=("Card", "Cash"), demonstrations=DEMONSTRATIONS)
    vote = asyncio.run(annotate(Votes("card.", '"Card"', "Cash", spec=spec), spec, "x", VOTING)).vote

    assert vote is not None
    assert vote.winner == "Card"
    assert vote.samples == ("card.", '"Card"')


# -- n completions of one request


def test_votes_of_a_round_may_be_completions_of_one_request() -> None:
    (both,) = next_calls(SPEC, ["x"], [[]], Voting(sampled=True))
    (third,) = next_calls(SPEC, ["x"], [[Ballot(label="a"), Ballot(label="b")]], Voting(sampled=True))

    assert (both.request.n, third.request.n) == (2, 1)
    assert (list(both.votes), list(third.votes)) == ([0, 1], [2])
    assert both.request.messages != third.request.messages
    assert both.request.identity(asked_of="m") != third.request.identity(asked_of="m")


def test_no_request_asks_for_more_completions_than_endpoints_give_and_none_reads_as_another() -> None:
    cast = [Ballot(label=label) for label in "ab" * 30]
    calls = next_calls(SPEC, ["x"], [cast], Voting(votes=99, sampled=True))

    assert [call.request.n for call in calls] == [8, 7]
    assert [vote for call in calls for vote in call.votes] == list(range(60, 75))
    assert len({call.request.identity(asked_of="m") for call in calls}) == 2


@pytest.mark.parametrize("together", [1, 8])
def test_completions_are_counted_as_the_votes_they_are(together: int) -> None:
    teacher = Labels(lambda text, call: f"{text} {call}" if text == "row 0" and together == 1 else text)
    annotations = virtual_time.run(annotate_all(teacher, SPEC, TEXTS, Voting(together=together, sampled=True)))

    assert {annotation.asked for annotation in annotations} <= {2, 3}
    assert {request.n for request in teacher.asked} <= {1, 2}
    assert teacher.asked[0].n == 2
    assert all(annotation.vote for annotation in annotations)


def test_a_completion_that_is_no_list_is_asked_for_again_as_the_vote_it_is() -> None:
    class Second(Labels):
        """Refuses in every second completion."""

        async def ask(self, request: Request) -> Reply:
            reply = await super().ask(request)
            return replace(reply, texts=(reply.texts[0], "no")) if request.n == 2 else reply

    teacher = Second()

    assert winners(teacher, Voting(together=8, sampled=True)) == labels_of(TEXTS)
    assert [(request.n, request.sample) for request in teacher.asked] == [(2, 0), (1, 1), (1, 1)]
