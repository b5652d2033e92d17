"""Labelling a file: every row ends, in its order, in bounded memory, and the same answers give the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.annotating.labelling import IN_BATCHES, LONGEST_INPUT, ONLINE, Labelled, Reach, Unlabelled, label_inputs
from agents.chance import chance
from agents.reading.inputs import InputRow
from agents.records import Spec
from agents.voting.annotate import Voting
from engine.errors import (
    BudgetReached,
    ContentFiltered,
    Interrupted,
    ProviderRefused,
    SmeltError,
    UserError,
)
from engine.fakes import virtual_time
from engine.messages import Reply, Request, Usage
from tests.agents.voters import SPEC, Labels, asked_in

VOTING = Voting(together=8)
Ended = Labelled | Unlabelled


class Paid(Labels):
    """Every call is paid a dollar; an error that is given for a text ends a call for it."""

    def __init__(self, errors: dict[str, SmeltError] | None = None, *, latency: float = 0.0) -> None:
        super().__init__(lambda text, _: f"({text})", latency=latency)
        self.errors = errors or {}

    async def ask(self, request: Request) -> Reply:
        reply = await super().ask(request)
        for text in asked_in(request):
            if text in self.errors:
                raise self.errors[text]
        return Reply(
            texts=reply.texts, finish_reasons=reply.finish_reasons, usage=Usage(1, 1), model="m-1", paid_usd=1.0
        )


def rows(*texts: str) -> list[InputRow]:
    return [InputRow(number, text) for number, text in enumerate(texts, start=1)]


def label(
    teacher: Labels, inputs: list[InputRow], *, spec: Spec = SPEC, voting: Voting = VOTING, reach: Reach = ONLINE
) -> list[Ended]:
    ended, _ = label_until(teacher, inputs, spec=spec, voting=voting, reach=reach)
    return ended


def label_until(
    teacher: Labels, inputs: list[InputRow], *, spec: Spec = SPEC, voting: Voting = VOTING, reach: Reach = ONLINE
) -> tuple[list[Ended], SmeltError | None]:
    ended: list[Ended] = []
    error = virtual_time.run(label_inputs(teacher, spec, iter(inputs), voting=voting, take=ended.append, reach=reach))
    return ended, error


def test_every_row_gets_its_label_in_its_order_whoever_was_first() -> None:
    inputs = rows(*(f"text no. {i}" for i in range(300)))
    slow = label(Paid(latency=9.0), inputs)

    assert [each.row for each in slow] == inputs
    assert [each.vote.winner for each in slow if isinstance(each, Labelled)] == [f"({row.text})" for row in inputs]
    assert slow == label(Paid(), inputs)


def test_what_calls_cost_is_shared_among_their_rows_to_the_last_cent() -> None:
    teacher = Paid()
    ended = label(teacher, rows(*(f"text no. {i}" for i in range(50))))

    assert sum(each.vote.cost_usd for each in ended if each.vote) == pytest.approx(len(teacher.asked))


class Forgetful(Paid):
    """Leaves the last input of every list out."""

    def written(self, labels: dict[int, str]) -> str:
        return super().written(dict(list(labels.items())[:-1]))


def test_rows_that_had_to_be_asked_about_again_pay_for_the_call_that_lost_them() -> None:
    teacher = Forgetful()
    ended = label(teacher, rows(*(f"text no. {i}" for i in range(8))))

    assert all(isinstance(each, Labelled) for each in ended)
    assert sum(each.vote.cost_usd for each in ended if each.vote) == pytest.approx(len(teacher.asked))


def test_a_row_says_who_gave_each_vote_and_in_which_call() -> None:
    (ended,) = label(Paid(), rows("one"))

    assert ended.vote is not None
    assert ended.vote.models == ("m-1", "m-1")
    assert len(set(ended.vote.questions)) == 2
    assert all(len(question) == 16 for question in ended.vote.questions)


def test_an_equal_text_is_asked_about_once_and_all_its_rows_get_the_label() -> None:
    teacher = Paid()
    one, other, again = label(teacher, rows("same", "other", "same"))

    assert isinstance(again, Labelled)
    assert isinstance(one, Labelled)
    assert (again.vote.winner, again.same_as, again.asked, again.vote.cost_usd) == (one.vote.winner, 1, 0, 0.0)
    assert (one.same_as, other.same_as) == (None, None)
    assert sum(asked_in(request).count("same") for request in teacher.asked) == one.asked


def test_texts_of_long_ago_are_forgotten() -> None:
    inputs = rows(*(f"text no. {i % 10}" for i in range(100)))

    assert all(each.same_as is None for each in label(Paid(), inputs, reach=replace(ONLINE, remembered=4)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(" \n", "empty", id="blank"),
        pytest.param("a\x00b", "unreadable", id="NUL"),
        pytest.param("x" * (LONGEST_INPUT + 1), "length", id="a megabyte of it"),
    ],
)
def test_a_row_that_cannot_be_asked_about_costs_nothing_but_itself(text: str, reason: str) -> None:
    teacher = Paid()
    before, bad, after = label(teacher, rows("one", text, "two"))

    assert isinstance(bad, Unlabelled)
    assert (bad.reason, bad.asked, bad.cost_usd, bad.row.text) == (reason, 0, 0.0, text)
    assert isinstance(before, Labelled)
    assert isinstance(after, Labelled)


@pytest.mark.parametrize(
    ("errors", "reason"),
    [({"two": ContentFiltered("no")}, "refusal"), ({"two": UserError("?")}, None)],
    ids=["one row", "the user's to mend"],
)
def test_a_row_without_votes_has_its_reason_and_what_the_user_must_mend_is_raised(
    errors: dict[str, SmeltError], reason: str | None
) -> None:
    if reason is None:
        with pytest.raises(BaseExceptionGroup) as caught:
            label(Paid(errors), rows("one", "two"))
        assert caught.group_contains(UserError)
        return
    one, two = label(Paid(errors), rows("one", "two"))

    assert isinstance(one, Labelled)
    assert isinstance(two, Unlabelled)
    assert two.reason == reason


def test_labels_that_break_the_task_or_disagree_are_none_and_stand_beside_the_row() -> None:
    spec = Spec(instruction="Route.", kind="classification", labels=("(one)", "b"), demonstrations=())
    good, bad = label(Paid(), rows("one", "two"), spec=spec)
    apart = Labels(lambda text, call: f"{text} {call}")
    (torn,) = label(apart, rows("x"))

    assert isinstance(good, Labelled)
    assert isinstance(bad, Unlabelled)
    assert isinstance(torn, Unlabelled)
    assert (bad.reason, torn.reason) == ("label", "agreement")
    assert bad.vote is not None
    assert set(bad.vote.samples) == {"(two)"}


@pytest.mark.parametrize(
    ("error", "reason"), [(BudgetReached("spent"), "budget"), (ProviderRefused("key"), "provider")], ids=str
)
def test_when_the_money_or_the_access_ends_every_row_is_accounted_for(error: SmeltError, reason: str) -> None:
    inputs = rows(*(f"text no. {i}" for i in range(2000)))
    teacher = Paid({"text no. 100": error}, latency=5.0)
    ended, why = label_until(teacher, inputs, reach=Reach(inputs=512))

    assert [each.row for each in ended] == inputs
    assert why is error
    labelled = sum(isinstance(each, Labelled) for each in ended)
    assert 512 - 40 <= labelled <= 512 + 200
    assert {each.reason for each in ended if isinstance(each, Unlabelled)} == {reason}
    assert all(isinstance(each, Unlabelled) for each in ended[-1200:])


def test_after_an_interruption_what_is_under_way_comes_home_first() -> None:
    teacher = Paid({"text no. 5": Interrupted("enough")}, latency=5.0)
    ended: list[Ended] = []

    with pytest.raises(Interrupted):
        virtual_time.run(
            label_inputs(
                teacher, SPEC, iter(rows(*(f"text no. {i}" for i in range(200)))), voting=VOTING, take=ended.append
            )
        )

    assert sum(isinstance(each, Labelled) for each in ended) >= 150


def test_in_batches_far_more_rows_are_under_way() -> None:
    assert IN_BATCHES.inputs > 10 * ONLINE.inputs


@pytest.mark.parametrize("allowed", [256, 1024])
@pytest.mark.long
def test_only_so_many_rows_are_read_ahead(allowed: int) -> None:
    read = 0

    def endless() -> Iterator[InputRow]:
        nonlocal read
        for number in range(1, 3001):
            read = number
            yield InputRow(number, f"text no. {number}")

    most = 0
    taken = 0

    def take(_: Ended) -> None:
        nonlocal most, taken
        taken += 1
        most = max(most, read - taken)

    virtual_time.run(
        label_inputs(Paid(latency=1.0), SPEC, endless(), voting=VOTING, take=take, reach=Reach(inputs=allowed))
    )

    assert taken == 3000
    assert allowed / 2 <= most <= allowed + 64


def test_long_rows_are_read_ahead_by_their_length() -> None:
    under_way = most = 0

    class Counting(Paid):
        async def ask(self, request: Request) -> Reply:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            try:
                await asyncio.sleep(1)
                return await super().ask(request)
            finally:
                under_way -= 1

    ended = label(
        Counting(), rows(*(f"{i} " + "x" * 4000 for i in range(200))), reach=replace(ONLINE, characters=64_000)
    )

    assert len(ended) == 200
    assert most <= 3 * 17


class Muddled(Labels):
    """Never gives a list that could be read."""

    def written(self, labels: dict[int, str]) -> str:  # noqa: ARG002
        return "well, it depends"


@pytest.mark.long
def test_where_shared_calls_cannot_be_used_they_are_given_up() -> None:
    teacher = Muddled()
    ended = label(teacher, rows(*(f"text no. {i}" for i in range(800))), reach=Reach(inputs=64))

    assert all(isinstance(each, Labelled) for each in ended)
    assert max(teacher.sizes[:50]) == 8
    assert max(teacher.sizes[-50:]) < 8


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_stands_in_the_file_the_same_answers_give_the_same_rows(data: st.DataObject) -> None:
    words = st.sampled_from(["a", "b", "c", "", "bad", "\x00", "x" * 50])
    inputs = rows(*data.draw(st.lists(words, max_size=90)))
    errors: dict[str, SmeltError] = {"bad": ContentFiltered("no")}
    latency = data.draw(st.floats(0, 10))

    ended = label(Paid(errors, latency=latency), inputs)

    assert [each.row for each in ended] == inputs
    assert ended == label(Paid(errors), inputs)


class Panel(Labels):
    """One call in three is answered by a model that is nearly always right, others by one that is half the time."""

    def __init__(self, *, named: bool = True) -> None:
        super().__init__()
        self._named = named

    async def ask(self, request: Request) -> Reply:
        reply = await super().ask(request)
        (text,) = asked_in(request)
        draw = chance("panel", text, request.sample)
        model, share = ("good", 0.98) if draw.random() < 1 / 3 else ("poor", 0.5)
        answer = f"({text})" if draw.random() < share else f"wrong {draw.randrange(3)}"
        return replace(reply, texts=(answer,), model=model if self._named else "one")


@pytest.mark.long
def test_where_several_models_label_the_one_that_agrees_with_the_others_weighs_more() -> None:
    inputs = rows(*(f"text no. {i}" for i in range(1500)))
    five = Voting(together=1, votes=5)

    def right(panel: Panel) -> int:
        ended = label(panel, inputs, voting=five, reach=Reach(inputs=32))[300:]
        return sum(each.vote is not None and each.vote.winner == f"({each.row.text})" for each in ended)

    assert right(Panel()) > right(Panel(named=False)) + 50
