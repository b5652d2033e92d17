"""Teachers that are of no use: each run with one ends in order, soon, and says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from agents.making.synthesize import Settings, Synthesis, synthesize
from agents.records import Pair, Spec
from engine.events import Events
from engine.fakes import virtual_time
from engine.messages import Reply, Request, Usage

SPEC = Spec(
    instruction="Name the country.",
    demonstrations=(Pair("The train to Lyon was late again this morning.", "FR"), Pair("We stayed at home.", "N/A")),
    empty_answer="N/A",
    output_pattern="[A-Z]{2}|N/A",
)  # fmt: skip
HOW = Settings(examples=200, per_request=4)
NUMBERS = count()

Answers = Callable[[Request], str]


class Bad:
    """Answers by a rule and counts what that costs; labels are always right in form."""

    def __init__(self, writes: Answers, labels: Answers = lambda _: "FR") -> None:
        self.writes, self.labels = writes, labels
        self.asked = 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        says = self.writes if request.tag == "generate" else self.labels
        paid = 0.01 if request.tag == "generate" else 0.0001
        return Reply(texts=(says(request),), finish_reasons=("stop",), usage=Usage(100, 10), model="m", paid_usd=paid)


def make(teacher: Bad, spec: Spec = SPEC) -> Synthesis:
    return virtual_time.run(synthesize(teacher, spec, settings=HOW, events=Events()))


def fresh(_: Request) -> str:
    """Four inputs that are like nothing else."""
    return json.dumps([words() for _ in range(4)])


def in_german(_: Request) -> str:
    """Four inputs that are like nothing else but for their language, each too short to tell it."""
    return json.dumps([f"Der {word} ist nicht in dem Zug nach {word} auf der Insel." for word in words().split()[:4]])


def words() -> str:
    chance = Random(next(NUMBERS))
    return " ".join("".join(chance.choices("abcdefghijklmnoprstuvwyz", k=6)) for _ in range(5))


@pytest.mark.parametrize(
    ("teacher", "mostly"),
    [
        pytest.param(Bad(lambda _: '["The same train was late in Lyon."]'), "duplicate", id="always the same"),
        pytest.param(Bad(lambda _: "x]{ [[ }\x07 lorem"), "unreadable", id="garbage"),
        pytest.param(Bad(lambda _: "I'm sorry, but I can't help with that."), "refusal", id="refuses to write"),
        pytest.param(Bad(fresh, lambda _: "I'm sorry, but I can't help with that."), "refusal", id="refuses to label"),
        pytest.param(Bad(fresh, lambda _: "It is about France, I think."), "format", id="chats instead of labelling"),
        pytest.param(Bad(lambda _: '["The train to Lyon was late again this morning."]'), "leak", id="parrots"),
        pytest.param(Bad(in_german), "language", id="in another language"),
        pytest.param(Bad(fresh, lambda _: '"'), "format", id="labels with nothing"),
        pytest.param(Bad(lambda _: '["[insert sentence here]"]'), "placeholder", id="leaves blanks"),
    ],
)
def test_a_teacher_of_no_use_ends_the_run_with_its_reason(teacher: Bad, mostly: str) -> None:
    made = make(teacher)

    assert len(made.examples) <= 4
    assert made.stop == "nothing new"
    assert f"mostly: {mostly}" in made.why
    assert teacher.asked < 300


def test_a_teacher_that_runs_dry_ends_the_run_by_what_rows_cost() -> None:
    """One new input in ten requests never looks stuck, and costs a multiple of those before."""
    asked = count()

    def ever_less(request: Request) -> str:
        number = next(asked)
        if number < 30:
            return fresh(request)
        return json.dumps([words() if number % 10 == 0 else "The same train was late in Lyon."])

    made = make(Bad(ever_less))

    assert made.stop == "yield"
    assert "rows a dollar" in made.why
    assert len(made.examples) < HOW.examples


def test_a_teacher_that_answers_from_its_head_ends_the_run_where_answers_are_taken_from_the_input() -> None:
    asked = tuple(Pair(f"Question: where is {one}? Context: {one} is in {two}.", two) for one, two in ("ab", "cd"))
    spec = Spec(instruction="Answer.", demonstrations=asked, fields=("Question", "Context"), extractive=True)

    def questions(_: Request) -> str:
        return json.dumps([f"Question: where is {one}? Context: {words()}" for one in words().split()])

    made = make(Bad(questions, lambda _: "nobody knows"), spec)

    assert made.stop == "nothing new"
    assert "mostly: context" in made.why
