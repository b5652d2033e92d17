"""Asking for inputs and reading them, however the answer was written down."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.making.generate import Assignment, build_request, draw_seeds, generate, most_inputs
from agents.making.plan import Target
from agents.records import Spec
from agents.voting.lists import read_inputs
from engine.errors import BudgetReached, ContentFiltered, ProviderUnavailable, SmeltError
from engine.messages import FinishReason, Reply, Request, Usage

SPEC = Spec(instruction="Find the date.")
ASSIGNMENT = Assignment(number=7, count=2, target=Target("N/A"), seeds=('a "b"', "c"), temperature=0.9)


class Says:
    """A teacher that says one thing, or fails in one way."""

    def __init__(self, answer: str | SmeltError, finish_reason: FinishReason = "stop") -> None:
        self.answer, self.finish_reason = answer, finish_reason

    async def ask(self, request: Request) -> Reply:  # noqa: ARG002
        if isinstance(self.answer, SmeltError):
            raise self.answer
        return Reply(texts=(self.answer,), finish_reasons=(self.finish_reason,), usage=Usage(1, 1), model="m")


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param('["one", "two"]', id="array"),
        pytest.param(
            'Here are 2 inputs [as asked]:\n```json\n[\n  "one",\n  "two",\n]\n```\nEnjoy!', id="fenced, prose, comma"
        ),
        pytest.param('["one", "two", "thr', id="cut"),
        pytest.param('{"inputs": ["one", "two"]}', id="wrapped"),
        pytest.param('[{"input": "one", "output": "1"}, {"text": "two"}]', id="objects"),
        pytest.param('"one"\n"two"', id="a string a line"),
        pytest.param('Sure!\n1. one\n2) "two"\n', id="numbered"),
        pytest.param("- one\n* two", id="bulleted"),
        pytest.param("['one', 'two']", id="single quotes"),
        pytest.param('["one" "two"', id="no commas"),
    ],
)
def test_whole_items_are_read_from_replies_as_teachers_write_them(reply: str) -> None:
    assert read_inputs(reply).inputs == ("one", "two")


@pytest.mark.parametrize(
    "reply",
    ["", "  \n", "I'm sorry, but I can't help with that.", "[", "[[[[", '["', "[1, 2]", '[{"a": "x", "b": "y"}]'],
)
def test_what_holds_no_list_says_so(reply: str) -> None:
    listing = read_inputs(reply)

    assert listing.inputs == ()
    assert listing.problem


def test_apostrophes_do_not_end_a_single_quoted_item() -> None:
    assert read_inputs(r"['it\'s one', \"two's\"]".replace('\\"', '"')).inputs == ("it's one", "two's")


def test_raw_line_breaks_inside_strings_are_kept() -> None:
    assert read_inputs('["one\nmore"]').inputs == ("one\nmore",)


@given(st.text())
def test_reading_never_raises(text: str) -> None:
    listing = read_inputs(text)

    assert bool(listing.problem) != bool(listing.inputs)


@given(st.text(alphabet='[]{}",\\ a1\n'))
def test_reading_never_raises_on_broken_json(text: str) -> None:
    read_inputs(text)


def test_deep_nesting_does_not_break_the_reader() -> None:
    assert read_inputs('[{"a":' * 100_000).inputs == ()
    assert read_inputs("[" * 100_000).inputs == ()


@given(st.lists(st.text(min_size=1).filter(lambda text: text == text.strip()), min_size=1), st.booleans())
def test_what_json_writes_is_read_back(inputs: list[str], ascii_only: bool) -> None:
    assert read_inputs(json.dumps(inputs, ensure_ascii=ascii_only)).inputs == tuple(inputs)


@given(st.lists(st.sampled_from(["a", 'b"c', "d, e", "[f]", "é\n"]), min_size=1, max_size=5), st.data())
def test_a_cut_array_gives_its_whole_items(inputs: list[str], data: st.DataObject) -> None:
    text = json.dumps(inputs)
    cut = read_inputs(text[: data.draw(st.integers(0, len(text)))]).inputs

    assert cut == tuple(item.strip() for item in inputs[: len(cut)])


def test_the_request_says_what_the_assignment_says() -> None:
    request = build_request(SPEC, ASSIGNMENT)
    text = request.messages[0].content

    assert "<task>\nFind the date.\n</task>" in text
    assert '<inputs>\n"a \\"b\\""\n"c"\n</inputs>' in text
    assert "Write 2 new inputs" in text
    assert "Choose inputs whose right answer is: N/A" in text
    assert (request.temperature, request.tag, len(request.messages)) == (0.9, "generate", 1)


def test_a_request_may_ask_for_anything_but_one_answer_or_for_anything() -> None:
    other = Assignment(number=0, count=8, target=Target("N/A", negated=True))

    assert "Choose inputs whose right answer is not: N/A" in build_request(SPEC, other).messages[0].content
    assert "Choose" not in build_request(SPEC, Assignment(number=0, count=8)).messages[0].content
    assert build_request(SPEC, other).temperature is None


def test_room_for_the_answer_follows_the_length_of_the_inputs() -> None:
    def room(seed: str, count: int = 8) -> int:
        return build_request(SPEC, Assignment(number=0, count=count, seeds=(seed,))).max_tokens

    assert room("short") == 128 + 8 * 64
    assert room("x" * 500) == 128 + 8 * 500
    assert room("x" * 9999, count=100) == 8192


def test_seeds_are_half_anchors_half_accepted_and_the_same_for_the_same_number() -> None:
    anchors, accepted = [f"anchor {i}" for i in range(9)], [f"row {i}" for i in range(50)]

    def draw(number: int) -> tuple[str, ...]:
        return draw_seeds(anchors, accepted, count=6, seed=1, number=number)

    assert draw(3) == draw(3)
    assert len({draw(number) for number in range(50)}) == 50
    assert [sum(seed in anchors for seed in draw(number)) for number in range(5)] == [3] * 5


@given(anchors=st.integers(0, 8), accepted=st.integers(0, 8), count=st.integers(1, 8))
def test_seeds_are_as_many_as_there_are(anchors: int, accepted: int, count: int) -> None:
    pool = [f"a{i}" for i in range(anchors)], [f"b{i}" for i in range(accepted)]
    seeds = draw_seeds(*pool, count=count, seed=0, number=0)

    assert len(seeds) == len(set(seeds)) == min(count, anchors + accepted)


def test_drafts_know_where_they_come_from_and_are_no_more_than_asked_for() -> None:
    generated = asyncio.run(generate(Says('["x", "y", "z"]'), build_request(SPEC, ASSIGNMENT), ASSIGNMENT))

    assert [draft.input for draft in generated.drafts] == ["x", "y"]
    source = generated.drafts[1].provenance
    assert (source.request, source.position, source.temperature, source.target) == (7, 1, 0.9, "N/A")
    assert source.seeds == ASSIGNMENT.seeds


@pytest.mark.parametrize(
    ("teacher", "reason"),
    [
        (Says("no list here"), "unreadable"),
        (Says("", "refusal"), "refusal"),
        (Says(ContentFiltered("filtered")), "refusal"),
        (Says(ProviderUnavailable("three times 503")), "failed"),
    ],
    ids=["unreadable", "refused", "filtered", "failed"],
)
def test_a_request_that_fails_costs_itself_alone_and_says_why(teacher: Says, reason: str) -> None:
    generated = asyncio.run(generate(teacher, build_request(SPEC, ASSIGNMENT), ASSIGNMENT))

    assert generated.reason == reason
    assert generated.detail
    assert generated.error is None


def test_the_end_of_the_money_is_no_failure_of_the_request() -> None:
    generated = asyncio.run(generate(Says(BudgetReached("spent")), build_request(SPEC, ASSIGNMENT), ASSIGNMENT))

    assert isinstance(generated.error, BudgetReached)
    assert generated.reason is None


@pytest.mark.parametrize(("longest", "most"), [(10, 126), (200, 40), (5000, 7)])
def test_a_request_asks_for_no_more_than_a_reply_has_room_for(longest: int, most: int) -> None:
    assert most_inputs(("a", "x" * longest)) == most
