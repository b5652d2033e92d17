"""Reading lists of labels: as many as there are inputs, in their order, or none at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.demo.breakage import break_array
from agents.lists import read_labels


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param('["a", "N/A"]', id="array"),
        pytest.param(' ["a " , " N/A"]\n', id="blanks"),
        pytest.param('Here you are:\n```json\n["a",\n "N/A",]\n```', id="fenced, prose, comma"),
        pytest.param('{"1": "a", "2": "N/A"}', id="numbered object"),
        pytest.param('{"labels": ["a", "N/A"]}', id="wrapped"),
        pytest.param("['a', 'N/A']", id="single quotes"),
        pytest.param('1. "a"\n2. "N/A"', id="numbered lines"),
        pytest.param('"a"\n"N/A"', id="a string a line"),
    ],
)
def test_labels_are_read_as_teachers_write_them(reply: str) -> None:
    assert read_labels(reply, count=2) == ("a", "N/A")


@pytest.mark.parametrize(
    ("reply", "labels"),
    [
        pytest.param("[1, 2.5]", ("1", "2.5"), id="numbers"),
        pytest.param("[true, null]", ("true", "null"), id="words"),
        pytest.param('["", ""]', ("", ""), id="empty"),
        pytest.param('["[1]", "{}"]', ("[1]", "{}"), id="texts that look like JSON"),
    ],
)
def test_scalars_count_as_the_texts_they_stand_for(reply: str, labels: tuple[str, ...]) -> None:
    assert read_labels(reply, count=2) == labels


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param('["a"]', id="too few"),
        pytest.param('["a", "b", "c"]', id="too many"),
        pytest.param('["a", "b', id="cut"),
        pytest.param('{"2": "a", "1": "b"}', id="numbered otherwise"),
        pytest.param('[["a"], ["b"]]', id="nested"),
        pytest.param("I'm sorry, but I can't help with that.", id="refusal"),
        pytest.param("", id="nothing"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_what_cannot_be_matched_to_the_inputs_is_no_answer(reply: str) -> None:
    assert read_labels(reply, count=2) is None


@given(st.lists(st.text(), max_size=9))
def test_an_array_of_strings_comes_back_without_its_blanks(labels: list[str]) -> None:
    assert read_labels(json.dumps(labels), count=len(labels)) == tuple(label.strip() for label in labels)


@given(st.text(), st.integers(0, 5))
def test_no_reply_makes_it_raise(reply: str, count: int) -> None:
    labels = read_labels(reply, count=count)

    assert labels is None or len(labels) == count


@given(st.lists(st.from_regex(r"[a-z][a-z ]{0,8}[a-z]", fullmatch=True), min_size=2, max_size=8), st.randoms())
def test_a_broken_array_gives_all_its_labels_or_none(labels: list[str], rng: object) -> None:
    from random import Random

    assert isinstance(rng, Random)
    read = read_labels(break_array(labels, rng), count=len(labels))

    assert read is None or read == tuple(labels)
