"""What all requests of a stage have in common comes first, and requests say how long that is."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import pairwise, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.making.generate import Assignment, build_request
from agents.making.plan import Target
from agents.prompts import fill, opening
from agents.records import Pair, Spec
from agents.voting.ballots import Voting, next_calls, vote_requests
from engine.messages import Request

PAIRS = tuple(Pair(f"question {i}", f"answer {i}") for i in range(6))
SPEC = Spec(instruction="Answer the question.\nBe {brief}.", demonstrations=PAIRS)
FIXED = {"instruction"}  # the fields that are the same in all requests of a stage
AROUND = 400  # characters: a question that comes last may be put into words, but into few


def beginning(request: Request) -> str:
    return "".join(message.content for message in request.messages)[: request.stable]


def test_every_prompt_says_what_varies_last() -> None:
    for file in files("agents.prompts").iterdir():
        text = file.read_text() if file.name.endswith(".txt") else ""
        fields = list(re.finditer(r"\{(\w+)\}", text))
        varying = [field for field in fields if field[1] not in FIXED]
        if varying and any(field[1] in FIXED for field in fields):
            assert max(field.end() for field in fields if field[1] in FIXED) < varying[0].start(), file.name
            assert len(text) - varying[0].start() < AROUND, file.name


def test_an_opening_ends_before_the_first_field_that_is_not_given() -> None:
    whole = fill("generate", instruction="do {it}", inputs='"a"', count="3", target="")

    stable = opening("generate", instruction="do {it}")

    assert whole.startswith(stable)
    assert stable.endswith("<inputs>\n")
    assert opening("annotate", instruction="x") == fill("annotate", instruction="x")


assignments = st.builds(
    Assignment,
    number=st.integers(0, 9),
    count=st.integers(1, 20),
    target=st.none() | st.builds(Target, st.text(min_size=1), st.booleans()),
    seeds=st.lists(st.text(min_size=1)).map(tuple),
)


@given(assignments, assignments)
def test_requests_for_inputs_share_all_that_they_call_stable(one: Assignment, other: Assignment) -> None:
    requests = [build_request(SPEC, one), build_request(SPEC, other)]

    assert len({beginning(request) for request in requests}) == 1
    assert SPEC.instruction in beginning(requests[0])


def test_requests_for_inputs_call_stable_all_that_they_share() -> None:
    requests = [
        build_request(SPEC, Assignment(number=0, count=3, seeds=("x",))),
        build_request(SPEC, Assignment(number=1, count=4, seeds=("y",))),
    ]

    one, other = (request.messages[0].content for request in requests)
    shared = "".join(a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    assert beginning(requests[0]) == shared.removesuffix('"')  # the quotation mark of the first input


@pytest.mark.parametrize("together", [1, 4])
def test_requests_for_labels_share_the_system_message_and_say_so(together: int) -> None:
    voting = Voting(votes=3, temperature=None, demonstrations=2, seed=0, together=together)
    texts = [f"text {i}" for i in range(8)]

    requests = [call.request for call in next_calls(SPEC, texts, [[] for _ in texts], voting)]

    assert len(requests) > 2
    assert all(beginning(request) == request.messages[0].content for request in requests)
    assert all(one.messages[0] == other.messages[0] for one, other in pairwise(requests))


def test_demonstrations_are_drawn_anew_for_every_vote_so_they_are_not_called_stable() -> None:
    voting = Voting(votes=3, temperature=None, demonstrations=2, seed=0, together=1)

    shown = {request.messages[1] for request in vote_requests(SPEC, "x", voting)}

    assert len(shown) > 1
