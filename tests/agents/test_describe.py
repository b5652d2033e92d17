"""A query there always is: the teacher's description, or the prompt's own words."""

from __future__ import annotations

import asyncio

import pytest

from agents.asks import Asks
from agents.finding.describe import describe, own_words
from agents.records import Pair, Spec
from engine.errors import BudgetReached, RequestFailed
from engine.messages import FinishReason, Reply, Request, Usage
from engine.providers import Capabilities

SPEC = Spec(
    instruction="Write the date as ISO.", demonstrations=(Pair("May 5, 2020", "2020-05-05"), Pair("hello", "N/A"))
)


class Teacher:
    """Answers everything alike, and remembers what it was asked."""

    def __init__(self, text: str, finish_reason: FinishReason = "stop") -> None:
        self.asked: list[Request] = []
        self.text, self.finish_reason = text, finish_reason

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        return Reply(texts=(self.text,), finish_reasons=(self.finish_reason,), usage=Usage(1, 1), model="toy")


class Failing:
    """Fails, whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def ask(self, request: Request) -> Reply:  # noqa: ARG002 it fails whatever it is asked
        raise self.error


def test_the_teachers_description_is_the_query() -> None:
    teacher = Teacher("  A model that normalises dates. ")
    notes: list[str] = []

    described = asyncio.run(describe(teacher, SPEC, thing="model", note=notes.append))

    assert described == ("A model that normalises dates.",)
    assert notes == []


def test_the_teacher_sees_the_task_and_its_examples() -> None:
    teacher = Teacher("words")

    asyncio.run(describe(teacher, SPEC, thing="model", note=print))
    asyncio.run(describe(teacher, SPEC, thing="dataset", note=print))

    model, dataset = teacher.asked
    for request in (model, dataset):
        [message] = request.messages
        assert "<task>\nWrite the date as ISO.\n</task>" in message.content
        assert '{"input": "May 5, 2020", "output": "2020-05-05"}' in message.content
    assert (model.tag, dataset.tag) == ("retrieve", "retrieve")
    assert model.messages != dataset.messages


def test_a_task_without_examples_can_be_described() -> None:
    teacher = Teacher("words")

    asyncio.run(describe(teacher, Spec(instruction="Translate."), thing="model", note=print))

    assert "(none given)" in teacher.asked[0].messages[0].content


@pytest.mark.parametrize(
    ("asks", "why"),
    [
        pytest.param(Failing(RequestFailed("no luck")), "the teacher failed (no luck)", id="failed"),
        pytest.param(Teacher("I cannot", "refusal"), "the teacher declined", id="refused"),
        pytest.param(Teacher("  "), "the teacher declined", id="blank"),
    ],
)
def test_without_an_answer_the_prompts_own_words_are_the_query_and_it_is_said(asks: Asks, why: str) -> None:
    notes: list[str] = []

    described = asyncio.run(describe(asks, SPEC, thing="dataset", note=notes.append))

    assert described == (own_words(SPEC),)
    assert notes == [f"searching data sets with the prompt's own words, because {why}"]


def test_what_stops_a_run_stops_the_describing_too() -> None:
    with pytest.raises(BudgetReached):
        asyncio.run(describe(Failing(BudgetReached("spent")), SPEC, thing="model", note=print))


def test_no_query_is_longer_than_can_be_searched_with() -> None:
    long = Spec(
        instruction="i" * 1_000_000, demonstrations=(Pair("x" * 1_000_000, "y" * 1_000_000),), labels=("a", "b")
    )

    (described,) = asyncio.run(describe(Teacher("word " * 600_000), SPEC, thing="model", note=print))

    assert len(described) < 5_000
    assert len(own_words(long)) < 20_000
    assert own_words(long).endswith("a\nb")


def test_own_words_hold_the_labels() -> None:
    assert own_words(Spec(instruction="Route it.", labels=("billing", "other"))).split("\n")[1:] == ["billing", "other"]


@pytest.mark.parametrize(("highest", "temperature"), [(None, None), (1.0, 0.0)])
def test_a_model_that_takes_no_temperature_is_sent_none(highest: float | None, temperature: float | None) -> None:
    class Able(Teacher):
        def capabilities_of(self, tag: str) -> Capabilities:
            assert tag == "retrieve"
            return Capabilities(max_temperature=highest)

    teacher = Able("A model that writes dates.")
    asyncio.run(describe(teacher, SPEC, thing="model", note=print))

    assert [request.temperature for request in teacher.asked] == [temperature]
