"""Where a prompt leaves doubt the teacher is asked how to split it, and believed where the text bears it out."""

from __future__ import annotations

import asyncio
import json

import pytest

from agents.parsing.parse import parse, parse_with_teacher
from agents.parsing.specs import text_of
from agents.records import Spec
from engine.errors import ProviderUnavailable
from engine.messages import Reply, Request, Usage
from tests.agents.layouts import LAYOUTS


class Teacher:
    """A teacher that always gives the same answer and remembers what it was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        return Reply(texts=(self.answer,), finish_reasons=("stop",), usage=Usage(1, 1), model="teacher")


DOUBTFUL = (
    "Tag every word.\n\nHere is an example:\nJohn sleeps.\nThe result is: John (Noun) sleeps (Verb)\nThat is all."
)


def ask(teacher: Teacher, text: str) -> Spec:
    return asyncio.run(parse_with_teacher(teacher, text))


def split(instruction: str, *pairs: tuple[str, str]) -> str:
    rows = [{"input": given, "output": output} for given, output in pairs]
    return json.dumps({"instruction": instruction, "demonstrations": rows})


def test_the_teacher_is_not_asked_where_the_text_leaves_no_doubt() -> None:
    teacher = Teacher("")

    assert ask(teacher, LAYOUTS["input_output"]) == parse(LAYOUTS["input_output"])
    assert teacher.asked == []


def test_the_teachers_split_counts_when_it_stands_in_the_text() -> None:
    answer = "Sure!\n```json\n" + split("Tag every word.", ("John sleeps.", "John (Noun)  sleeps (Verb)")) + "\n```"
    teacher = Teacher(answer)
    spec = ask(teacher, DOUBTFUL)

    assert spec.instruction == "Tag every word."
    assert spec.layout == "teacher"
    assert spec.demonstrations[0].input == "John sleeps."
    assert DOUBTFUL in teacher.asked[0].messages[0].content
    assert teacher.asked[0].tag == "parse"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("I cannot help with that.", id="refusal"),
        pytest.param('{"instruction": "Tag every word."', id="cut"),
        pytest.param(split("Tag each word.", ("John sleeps.", "John (Noun) sleeps (Verb)")), id="reworded"),
        pytest.param(split("Tag every word.", ("Mary sleeps.", "Mary (Noun) sleeps (Verb)")), id="invented"),
        pytest.param('{"instruction": 1, "demonstrations": "none"}', id="wrong types"),
        pytest.param('{"instruction": "", "demonstrations": []}', id="empty"),
        pytest.param("[]", id="no object"),
    ],
)
def test_a_split_that_the_text_does_not_hold_is_passed_over(answer: str) -> None:
    assert ask(Teacher(answer), DOUBTFUL) == parse(DOUBTFUL)


def test_a_teacher_that_fails_leaves_the_texts_own_split() -> None:
    class Failing:
        async def ask(self, request: Request) -> Reply:  # noqa: ARG002 it fails whatever it is asked
            raise ProviderUnavailable("no luck")

    assert asyncio.run(parse_with_teacher(Failing(), DOUBTFUL)) == parse(DOUBTFUL)


OPEN = "Classify each ticket, as the team does: hardware for what breaks, software for what crashes. Text follows."


def named(*labels: object) -> str:
    return json.dumps({"labels": labels})


def test_the_teacher_names_the_labels_that_the_words_only_hint_at() -> None:
    teacher = Teacher(named("hardware", "software"))
    spec = ask(teacher, OPEN)

    assert (spec.kind, spec.labels, spec.doubts) == ("classification", ("hardware", "software"), ())
    assert spec.instruction == OPEN
    assert [request.tag for request in teacher.asked] == ["parse"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(named("hardware", "network"), id="not in the text"),
        pytest.param(named("hardware"), id="one alone"),
        pytest.param(named("hardware", "hardware"), id="the same twice"),
        pytest.param(named(), id="open"),
        pytest.param(named("hardware", 2), id="no text"),
        pytest.param("hardware, software", id="no JSON"),
    ],
)
def test_labels_that_the_text_does_not_hold_are_passed_over(answer: str) -> None:
    assert ask(Teacher(answer), OPEN) == parse(OPEN)


def test_labels_that_leave_out_a_demonstrated_answer_are_passed_over() -> None:
    text = f"{OPEN}\n\nInput: it smokes\nOutput: hardware\n\nInput: who knows\nOutput: other"

    assert ask(Teacher(named("hardware", "software")), text) == parse(text)


def test_nothing_is_asked_about_a_contradiction_or_of_a_written_spec() -> None:
    contradicting = "Answer yes or no.\n\nInput: a\nOutput: yes\n\nInput: b\nOutput: no\n\nInput: a\nOutput: no"
    teacher = Teacher(named("yes", "no"))

    assert parse(contradicting).doubts
    for text in (contradicting, text_of(parse(OPEN)), text_of(parse(DOUBTFUL), toml=True)):
        assert ask(teacher, text) == parse(text)
    assert teacher.asked == []
