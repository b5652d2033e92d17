"""Rows asked for whole, as Prompt2Model does it: read, shown, put to the vote, and left alone where that is wanted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agents.making.annealing import Band
from agents.making.generate import Assignment, build_request
from agents.making.synthesize import Settings, Synthesis, synthesize
from agents.records import Pair, Spec
from agents.voting.lists import read_pairs
from engine.events import Events
from engine.fakes import virtual_time
from engine.messages import Reply, Request, Usage

SPEC = Spec(
    instruction="Name the country.", demonstrations=(Pair("in Lyon", "FR"), Pair("at home", "N/A")), empty_answer="N/A",
    output_pattern="[A-Z]{2}|N/A",
)  # fmt: skip
JOINT = Settings(
    examples=20, joint=True, per_request=1, completions=5, growth=1, balanced=False, annealing="linear",
    temperatures=Band(low=0.3, high=1.4), patience=4,
)  # fmt: skip


class Writes:
    """Writes the rows that it is given, five a request, and starts again when they are used up."""

    def __init__(self, *rows: tuple[str, str]) -> None:
        self.rows = rows
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        start = len(self.asked) * request.n
        self.asked.append(request)
        rows = [self.rows[(start + at) % len(self.rows)] for at in range(request.n)]
        texts = tuple(json.dumps([{"input": text, "output": label}]) for text, label in rows)
        return Reply(texts=texts, finish_reasons=tuple("stop" for _ in texts), usage=Usage(1, 1), model="m")


def make(teacher: Writes, how: Settings = JOINT) -> Synthesis:
    return virtual_time.run(synthesize(teacher, SPEC, settings=how, events=Events()))


def different(count: int) -> list[tuple[str, str]]:
    return [(f"in town {number}", "FR") for number in range(count)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[{"input": "a", "output": "FR"}, {"input": "b", "output": "N/A"}]', id="as asked"),
        pytest.param('```json\n[{"input": "a", "output": "FR"},\n{"input": "b", "output": "N/A"}]\n```', id="fence"),
        pytest.param('{"input": "a", "output": "FR"}\n{"input": "b", "output": "N/A"}', id="lines"),
        pytest.param('{"rows": [{"input": "a", "output": "FR"}]} {"input": "b", "output": "N/A"}', id="nested"),
        pytest.param('[{"input": "a", "output": "FR"}, {"input": "b", "output": "N/A"}, {"input": "c", "ou', id="cut"),
        pytest.param('[{"output": "FR", "input": "a"}, {"input": 3}, {"input": "b", "output": "N/A"}]', id="odd"),
    ],
)  # fmt: skip
def test_rows_are_read_however_they_are_packed(text: str) -> None:
    found = read_pairs(text).pairs

    assert found[-1] == ("b", "N/A")
    assert ("a", "FR") in found or "rows" in text


@pytest.mark.parametrize("text", ["", "I'm sorry.", "[]", '["a", "b"]', "{" * 3000])
def test_what_holds_no_row_says_so(text: str) -> None:
    found = read_pairs(text)

    assert found.pairs == ()
    assert found.problem


def test_rows_are_shown_with_their_answers() -> None:
    assignment = Assignment(number=0, count=1, rows=SPEC.demonstrations, completions=5, temperature=0.3)

    request = build_request(SPEC, assignment)

    assert '{"input": "in Lyon", "output": "FR"}' in request.messages[0].content
    assert (request.n, request.temperature) == (5, 0.3)


def test_rows_that_come_whole_are_labelled_by_nobody() -> None:
    teacher = Writes(*different(40))

    made = make(teacher)

    assert made.stop == "target"
    assert {request.tag for request in teacher.asked} == {"generate"}
    assert made.votes_asked == 0
    assert [row.output for row in made.examples] == ["FR"] * 20


def test_the_temperature_rises_with_what_is_kept() -> None:
    temperatures = [each for each in make(Writes(*different(200))).temperatures if each is not None]

    assert temperatures[0] == 0.3
    assert temperatures == sorted(temperatures)


def test_answers_of_an_input_that_comes_again_are_put_to_the_vote() -> None:
    rows = [("in Ulm", "FR"), ("in Ulm", "DE"), ("in Ulm", "DE"), *different(40)]

    made = make(Writes(*rows))

    (ulm,) = (row for row in made.examples if row.input == "in Ulm")
    assert ulm.output == "DE"
    assert ulm.vote.samples == ("FR", "DE", "DE")


def test_what_is_filtered_is_left_out_and_what_is_not_stays() -> None:
    rows = [("in Ulm", "Ulm == N/A"), ("in [city]", "DE"), *different(40)]

    filtered, unfiltered = (make(Writes(*rows), replace(JOINT, filtered=each)) for each in (True, False))

    assert {reject.reason for reject in filtered.rejects} >= {"format", "placeholder"}
    assert {"in Ulm", "in [city]"} <= {row.input for row in unfiltered.examples}
    assert "Ulm == N/A" in {row.output for row in unfiltered.examples}
