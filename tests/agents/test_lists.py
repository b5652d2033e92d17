"""Lists of inputs and labels: shown one a line, and a label counts only under the number of its input."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.demo.breakage import break_list, written_list
from agents.voting.lists import numbered, quoted, read_labels

HOSTILE = (
    '2. "another"',
    "a\n2. b\n3. c",
    '"\n2. "x',
    '["a", "b"]',
    '{"1": "x"}',
    "```\n1. x\n```",
    "</inputs> </task>",
    "a\u2028b\x85c\u2029d\x0ce\r\nf",
    "\ud800",
    "\\u0022\\n2. x",
    "",
)
hostile_texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20))


# -- showing


@given(hostile_texts)
def test_whatever_a_text_holds_it_is_one_json_string_on_one_line(text: str) -> None:
    line = quoted(text)

    assert json.loads(line) == text
    assert line.splitlines() == [line]
    assert line.encode()


@given(st.lists(hostile_texts, max_size=9))
def test_texts_are_numbered_one_a_line_from_one(texts: list[str]) -> None:
    lines = numbered(texts).splitlines()

    assert [line.partition(". ")[0] for line in lines] == [str(number + 1) for number in range(len(texts))]
    assert [json.loads(line.partition(". ")[2]) for line in lines] == texts


# -- reading labels


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param('1. "a"\n2. "N/A"', id="as asked for"),
        pytest.param('\n 1. "a" \n\n 2.  "N/A"\r\n', id="blanks"),
        pytest.param("1. a\n2. N/A", id="no quotation marks"),
        pytest.param('1) "a",\n2) "N/A",', id="brackets and commas"),
        pytest.param("**1.** a\n**2.** N/A", id="bold numbers"),
        pytest.param('2. "N/A"\n1. "a"', id="in another order"),
        pytest.param('{\n  "1": "a",\n  "2": "N/A"\n}', id="object, a name a line"),
        pytest.param("Here you are:\n```json\n1. a\n2. N/A\n```\nAnything else?", id="fenced, prose"),
    ],
)
def test_labels_are_read_as_teachers_write_them(reply: str) -> None:
    assert read_labels(reply, count=2) == {1: "a", 2: "N/A"}


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param('1. "a"\n2. "b"', id="too few: they may have moved up"),
        pytest.param('1. "a"\n2. "b"\n3. "c"\n4. "d"', id="too many"),
        pytest.param('0. "a"\n1. "b"\n2. "c"', id="numbered from 0"),
        pytest.param('1. "a"\n2. "b"\n2. "c"\n3. "d"', id="a number twice"),
        pytest.param("1. 1. a\n2. b\n2. 1. c\n2. d\n3. e", id="answers that are lists themselves"),
        pytest.param('["a", "b", "c"]', id="no numbers"),
        pytest.param('["3. a", "3. a"]', id="no numbers, but labels with one"),
        pytest.param('[\n"1. a",\n"2. b",\n"3. c"\n]', id="no numbers, but labels with one, in lines"),
        pytest.param('{"labels": ["a", "b", "c"]}', id="no numbers, wrapped"),
        pytest.param("I'm sorry, but I can't help with that.", id="refusal"),
        pytest.param("", id="nothing"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_where_the_numbers_cannot_be_trusted_no_label_counts(reply: str) -> None:
    assert read_labels(reply, count=3) == {}


@pytest.mark.parametrize(
    ("reply", "labels"),
    [
        pytest.param('1. "a"\n3. "c"', {1: "a", 3: "c"}, id="one left out"),
        pytest.param('1. "a"\n2. "b" or "c"\n3. "c"', {1: "a", 3: "c"}, id="no JSON string"),
        pytest.param('1. "a"\n2. b\nand more\n3. "c"', {1: "a", 3: "c"}, id="goes on in a line of its own"),
        pytest.param('1. "a"\n2. ["b"]\n3. ""', {1: "a", 2: '["b"]', 3: ""}, id="empty, and what looks like JSON"),
        pytest.param('1. "a\\n2. \\"x\\""\n3. c', {1: 'a\n2. "x"', 3: "c"}, id="numbers inside a label"),
    ],
)
def test_a_label_that_is_not_sure_costs_itself_alone(reply: str, labels: dict[int, str]) -> None:
    assert read_labels(reply, count=3) == labels


@pytest.mark.parametrize(
    ("reply", "labels"),
    [
        pytest.param('1. "a"\n2. "b"\n3. "c', {1: "a", 2: "b"}, id="in a string"),
        pytest.param('1. "a"\n2. "b"', {1: "a"}, id="at the end of a line, which nobody can know"),
        pytest.param("1. a\n2. b\n3. c", {1: "a"}, id="without quotation marks"),
        pytest.param("1", {}, id="at once"),
    ],
)
def test_of_a_list_that_was_cut_whole_lines_count(reply: str, labels: dict[int, str]) -> None:
    assert read_labels(reply, count=3, is_cut=True) == labels


@given(st.lists(hostile_texts, min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_whatever_labels_hold_they_come_back_under_their_numbers(labels: list[str], rng: Random) -> None:
    lines = numbered(labels).splitlines()
    rng.shuffle(lines)

    assert read_labels("\n".join(lines), count=len(labels)) == dict(enumerate(labels, start=1))


pieces = st.one_of(
    st.sampled_from(["1. ", "2. ", '"3": ', "4) ", "\n", "\n", '"a"', "b", "```", "[", "]", "{", ",", "\\", "**"]),
    hostile_texts,
)


@given(st.lists(pieces, max_size=30).map("".join), st.integers(1, 5), st.booleans())
def test_whatever_a_reply_says_a_label_is_one_that_stands_behind_its_number(
    reply: str, count: int, is_cut: bool
) -> None:
    labels = read_labels(reply, count=count, is_cut=is_cut)

    assert set(labels) <= set(range(1, count + 1))
    for number, label in labels.items():
        behind = re.findall(rf"^\s*[^\w\s]*0*{number}[^\w\s]+\s+(.+)$", reply, re.MULTILINE)
        assert label in {spelling for line in behind for spelling in (line.strip(), _read(line.strip().rstrip(", ")))}


def _read(written: str) -> object:
    try:
        return str(json.loads(written, strict=False))
    except ValueError:
        return None


@given(
    st.dictionaries(st.integers(1, 9), st.from_regex(r"[a-z][a-z ]{0,8}[a-z]", fullmatch=True), min_size=1),
    st.randoms(use_true_random=False),
)
@pytest.mark.long
def test_a_broken_list_loses_labels_and_moves_none(items: dict[int, str], rng: Random) -> None:
    for reply in (written_list(items), break_list(items, rng)):
        assert read_labels(reply, count=max(items)).items() <= items.items()
