"""Labelling: independent votes, no more than needed, and a failed vote costs a vote."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.annotate import Voting, annotate, annotate_all, vote_requests
from agents.ballots import inputs_per_call, joint_votes, round_requests
from agents.records import Pair, Spec
from engine.errors import (
    BudgetReached,
    ContentFiltered,
    ContextOverflow,
    ProviderRefused,
    ProviderUnavailable,
    SmeltError,
)
from engine.fakes import virtual_time
from engine.messages import FinishReason, Reply, Request, Usage

DEMONSTRATIONS = tuple(Pair(f"text {i}", f"2021-01-0{i}") for i in range(1, 7))
SPEC = Spec(instruction="Find the date.", demonstrations=DEMONSTRATIONS, empty_answer="N/A")
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


def test_the_normaliser_of_the_task_is_what_votes_are_counted_by() -> None:
    spec = Spec(instruction="Route.", kind="classification", labels=("Card", "Cash"), demonstrations=DEMONSTRATIONS)
    vote = asyncio.run(annotate(Votes("card.", '"Card"', "Cash", spec=spec), spec, "x", VOTING)).vote

    assert vote is not None
    assert vote.winner == "Card"
    assert vote.samples == ("card.", '"Card"')


# -- several inputs a call

TOGETHER = Voting(together=8)
TEXTS = [f"row {i}" for i in range(8)]


def asked_in(request: Request) -> list[str]:
    """The inputs of a request, in its order."""
    last = request.messages[-1].content
    return [json.loads(line) for line in re.findall(r"^\d+\. (.*)$", last, re.MULTILINE)] or [last]


class Labels:
    """A teacher that knows a label for every input, for as many as are asked for at once."""

    def __init__(self, label: Callable[[str, int], str], *, latency: float = 0.0) -> None:
        self.label, self.latency = label, latency
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        call = len(self.asked)
        await asyncio.sleep(random.Random(repr((request, self.latency))).uniform(0, self.latency))
        texts = tuple(self.answer(request, call + sample) for sample in range(request.n))
        stop: FinishReason = "stop"
        return Reply(texts=texts, finish_reasons=(stop,) * request.n, usage=Usage(1, 1), model="m")

    def answer(self, request: Request, call: int) -> str:
        labels = [self.label(text, call) for text in asked_in(request)]
        return labels[0] if len(labels) == 1 else json.dumps(labels)

    @property
    def sizes(self) -> list[int]:
        return [len(asked_in(request)) for request in self.asked]


class Breaking(Labels):
    """Like Labels, but a shared call ends as it is told."""

    def __init__(self, ending: str | SmeltError) -> None:
        super().__init__(lambda text, _: text.upper())
        self.ending = ending

    def answer(self, request: Request, call: int) -> str:
        if len(asked_in(request)) == 1:
            return super().answer(request, call)
        if isinstance(self.ending, SmeltError):
            raise self.ending
        return self.ending


def winners(teacher: Labels, voting: Voting = TOGETHER, texts: list[str] = TEXTS) -> list[str | None]:
    annotations = virtual_time.run(annotate_all(teacher, SPEC, texts, voting))
    assert [annotation.input for annotation in annotations] == texts
    return [annotation.vote.winner if annotation.vote else None for annotation in annotations]


def test_several_inputs_share_the_calls_that_label_them() -> None:
    teacher = Labels(lambda text, _: text.upper())

    assert winners(teacher) == [text.upper() for text in TEXTS]
    assert teacher.sizes == [8, 8]


def test_a_shared_call_shows_the_demonstrations_once_and_has_room_for_all_labels() -> None:
    teacher = Labels(lambda text, _: text)
    winners(teacher)
    request = teacher.asked[0]
    system, shown, answered, last = request.messages

    assert [message.role for message in request.messages] == ["system", "user", "assistant", "user"]
    assert system.content.startswith("Find the date.")
    pairs = {
        Pair(text, label) for text, label in zip(_numbered(shown.content), json.loads(answered.content), strict=True)
    }
    assert pairs == set(DEMONSTRATIONS)
    assert sorted(_numbered(last.content)) == TEXTS
    assert (request.max_tokens, request.temperature, request.tag) == (32 + 8 * (8 + 20), 0.7, "annotate")


def _numbered(text: str) -> list[str]:
    return [json.loads(line.partition(". ")[2]) for line in text.splitlines()]


def test_no_input_stands_in_the_same_place_for_every_vote() -> None:
    first, second = joint_votes(SPEC, TEXTS, TOGETHER, first=0, votes=2)

    assert asked_in(first.request) != asked_in(second.request)
    assert first.request.messages[1] != second.request.messages[1]
    assert (first, second) == joint_votes(SPEC, TEXTS, TOGETHER, first=0, votes=2)


def test_shared_calls_that_read_the_same_are_still_several_questions() -> None:
    joints = joint_votes(Spec(instruction="Find."), ["a", "b"], Voting(votes=9, together=2), first=0, votes=9)

    assert len({joint.request.identity(asked_of="m") for joint in joints}) == 9


def test_only_those_that_are_still_open_are_asked_for_again_and_together() -> None:
    """Of eight inputs two get different labels in the first two votes."""
    teacher = Labels(lambda text, call: f"{text} {min(call, 2)}" if text in TEXTS[:2] else text)

    assert winners(teacher) == ["row 0 2", "row 1 2", *TEXTS[2:]]
    assert teacher.sizes == [8, 8, 2]


@pytest.mark.parametrize(
    "ending",
    [
        "I'm sorry, but I can't help with that.",
        '["one", "too", "few"]',
        json.dumps(["one too many"] * 9),
        ContentFiltered("one of them"),
        ContextOverflow("all of them together"),
    ],
    ids=["refused", "too few", "too many", "filtered", "too long"],
)
def test_what_no_whole_list_came_for_is_asked_one_by_one(ending: str | SmeltError) -> None:
    teacher = Breaking(ending)
    annotations = virtual_time.run(annotate_all(teacher, SPEC, TEXTS, TOGETHER))

    assert [annotation.vote.winner for annotation in annotations if annotation.vote] == [t.upper() for t in TEXTS]
    assert {(annotation.asked, annotation.repeats) for annotation in annotations} == {(2, 2)}
    assert teacher.sizes == [8, 8, *[1] * 16]


def test_a_list_that_was_cut_is_asked_one_by_one_too() -> None:
    class Cut(Labels):
        async def ask(self, request: Request) -> Reply:
            reply = await super().ask(request)
            cut: FinishReason = "length" if len(asked_in(request)) > 1 else "stop"
            return Reply(texts=reply.texts, finish_reasons=(cut,), usage=reply.usage, model="m")

    assert winners(Cut(lambda text, _: text)) == TEXTS


def test_a_provider_that_fails_is_not_asked_for_each_of_them() -> None:
    teacher = Breaking(ProviderUnavailable("503"))
    annotations = virtual_time.run(annotate_all(teacher, SPEC, TEXTS, TOGETHER))

    assert {annotation.reason for annotation in annotations} == {"failed"}
    assert {annotation.asked for annotation in annotations} == {3}
    assert teacher.sizes == [8, 8, 8]


@pytest.mark.parametrize("error", [BudgetReached("spent"), ProviderRefused("no such key")])
def test_what_ends_more_than_a_call_ends_every_input_in_it(error: SmeltError) -> None:
    teacher = Breaking(error)
    annotations = virtual_time.run(annotate_all(teacher, SPEC, TEXTS, TOGETHER))

    assert {id(annotation.error) for annotation in annotations} == {id(error)}
    assert teacher.sizes == [8, 8]


@settings(max_examples=25, deadline=None)
@given(labels=st.lists(st.sampled_from("ab"), min_size=8, max_size=8), latency=st.floats(0.1, 9.0))
def test_who_answers_first_does_not_matter_in_shared_calls_either(labels: list[str], latency: float) -> None:
    def run(wait: float) -> object:
        def label(text: str, _: int) -> str:
            return labels[int(text.split()[1]) % 8]

        texts = [f"row {i}" for i in range(50)]
        return virtual_time.run(annotate_all(Labels(label, latency=wait), SPEC, texts, TOGETHER))

    assert run(latency) == run(0.0)


def test_long_inputs_and_long_answers_are_labelled_alone() -> None:
    long_answers = Spec(instruction="Summarise.", demonstrations=(Pair("text", "x" * 2000),))

    assert inputs_per_call(SPEC, ["short"], TOGETHER).items == 8
    assert inputs_per_call(SPEC, ["short", "x" * 5000], TOGETHER).items == 1
    assert inputs_per_call(long_answers, ["short"], TOGETHER).items == 1
    assert inputs_per_call(SPEC, [], TOGETHER).items == 1


# -- n completions of one request


def test_votes_of_a_round_may_be_completions_of_one_request() -> None:
    sampled = Voting(sampled=True)
    (both,) = round_requests(SPEC, "x", sampled, first=0, votes=2)
    (third,) = round_requests(SPEC, "x", sampled, first=2, votes=1)

    assert (both.n, third.n) == (2, 1)
    assert both.messages != third.messages
    bare = Spec(instruction="Find.")
    rounds = [round_requests(bare, "x", sampled, first=first, votes=1) for first in range(3)]
    assert len({request.identity(asked_of="m") for (request,) in rounds}) == 3


@pytest.mark.parametrize("together", [1, 8])
def test_completions_are_counted_as_the_votes_they_are(together: int) -> None:
    teacher = Labels(lambda text, call: f"{text} {call}" if text == "row 0" and together == 1 else text)
    annotations = virtual_time.run(annotate_all(teacher, SPEC, TEXTS, Voting(together=together, sampled=True)))

    assert {annotation.asked for annotation in annotations} <= {2, 3}
    assert {request.n for request in teacher.asked} <= {1, 2}
    assert teacher.asked[0].n == 2
    assert all(annotation.vote for annotation in annotations)
