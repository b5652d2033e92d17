"""What a tuned teacher learns: the requests that it will be asked, with right answers that the readers can read."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.making.generate import Assignment, build_request
from agents.making.plan import Target
from agents.records import Pair, Spec
from agents.teaching.requests import (
    DEMONSTRATIONS,
    annotating,
    annotating_together,
    generating,
    in_turn,
    spec_for,
    told,
)
from agents.voting.ballots import Voting, vote_requests
from agents.voting.lists import read_inputs, read_labels

LABELS = ("card", "cash", "none of these")
SPEC = Spec(
    instruction="Route the message.",
    demonstrations=tuple(Pair(f"demonstration {number}", LABELS[number % 3]) for number in range(10)),
    kind="classification",
    labels=LABELS,
    form="label",
)
ROWS = tuple(Pair(f"message {number}", LABELS[number % 3]) for number in range(20))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)
PAIRS = st.lists(st.builds(Pair, TEXTS, TEXTS), min_size=2, max_size=12, unique_by=lambda pair: pair.input)


def test_an_input_is_asked_about_in_the_very_words_of_a_run() -> None:
    learnt = annotating(SPEC, ROWS, seed=3)

    asked = vote_requests(SPEC, ROWS[0].input, Voting(votes=3, seed=3))

    assert [each.request for each in learnt[:3]] == list(asked)
    assert {each.answer for each in learnt[:3]} == {ROWS[0].output}
    assert len(learnt) == 3 * len(ROWS)


def test_inputs_are_asked_for_in_the_very_words_of_a_run() -> None:
    learnt = generating(SPEC, ROWS, seed=3)

    for each in learnt:
        inputs = read_inputs(each.answer).inputs
        outputs = {row.output for row in ROWS if row.input in inputs}
        words = [
            build_request(SPEC, Assignment(number=0, count=len(inputs), target=target)).messages[0].content
            for target in (None, *map(Target, outputs))
        ]
        ending = each.request.messages[0].content.rpartition("</inputs>")[2]
        assert ending in {text.rpartition("</inputs>")[2] for text in words}


def test_a_row_is_never_shown_beside_itself() -> None:
    """Else the answer could be copied, and copying is what would be learnt."""
    known = replace(SPEC, demonstrations=ROWS[:8])

    for each in (*annotating(known, ROWS, seed=0), *annotating_together(known, ROWS, seed=0)):
        *shown, asked = each.request.messages
        inputs = {row.input for row in ROWS if f'"{row.input}"' in asked.content or row.input == asked.content}
        before = " ".join(message.content for message in shown)
        assert inputs
        assert not any(before.endswith(text) or f"{text} " in before or f'"{text}"' in before for text in inputs)


def test_what_is_answered_with_is_not_shown_as_an_example() -> None:
    for each in generating(SPEC, ROWS, seed=1):
        inputs = read_inputs(each.answer).inputs
        shown = each.request.messages[0].content.partition("<inputs>")[2].partition("</inputs>")[0]
        assert inputs
        assert not any(f'"{text}"' in shown for text in inputs)
        assert f"Write {len(inputs)} new inputs" in each.request.messages[0].content


def test_every_label_is_asked_for_and_now_and_then_none() -> None:
    prompts = [each.request.messages[0].content for each in generating(SPEC, ROWS, seed=1)]

    targets = Counter(
        next((label for label in LABELS if f"right answer is: {label}" in text), None) for text in prompts
    )

    assert set(targets) == {*LABELS, None}
    assert targets[None] == len(ROWS) // 4


@settings(max_examples=30)
@given(PAIRS, st.integers(0, 5))
def test_the_readers_read_what_is_answered(rows: list[Pair], seed: int) -> None:
    """Whatever stands in a row, the answer that is learnt comes back from the reader of such answers as it was."""
    spec = Spec(instruction="Do it.", demonstrations=(Pair("a", "b"),))
    by_input = {row.input.strip() for row in rows}

    for each in annotating_together(spec, rows, seed=seed):
        asked = each.request.messages[-1].content
        count = asked.count("\n") + 1
        labels = read_labels(each.answer, count=count)
        assert len(labels) == count
        assert set(labels.values()) <= {row.output for row in rows}
    for each in generating(spec, rows, seed=seed):
        assert set(read_inputs(each.answer).inputs) <= by_input


def test_two_rows_of_one_input_count_as_the_first() -> None:
    rows = [Pair("a", "card"), Pair("b", "cash"), Pair("a", "cash")]

    learnt = told(SPEC, rows, seed=0)

    alone = {(each.request.messages[-1].content, each.answer) for each in learnt}
    assert ("a", "card") in alone
    assert ("a", "cash") not in alone


def test_one_row_teaches_to_answer_it_and_to_write_it() -> None:
    learnt = told(SPEC, ROWS[:1], seed=0)

    assert Counter(each.answer for each in learnt) == {ROWS[0].output: 3, f'["{ROWS[0].input}"]': 1}


def test_rows_alone_say_what_the_task_is() -> None:
    spec = spec_for(None, ROWS, known=5)

    assert set(spec.labels) == set(LABELS)
    assert "card" in spec.instruction
    assert spec.demonstrations == ROWS[:5]


def test_outputs_that_hardly_repeat_are_no_labels() -> None:
    spec = spec_for(None, [Pair(f"in {number}", f"out {number}") for number in range(20)], known=20)

    assert spec.kind == "text"
    assert len(spec.demonstrations) == DEMONSTRATIONS


def test_a_prompt_keeps_its_examples_and_gets_rows_only_where_it_has_none() -> None:
    assert spec_for(SPEC, ROWS, known=20).demonstrations == SPEC.demonstrations
    assert spec_for(replace(SPEC, demonstrations=()), ROWS, known=4).demonstrations == ROWS[:4]


@given(st.integers(), st.integers(3, 20))
def test_every_beginning_of_the_rows_has_the_labels_alike(seed: int, known: int) -> None:
    rows = list(ROWS)
    random.Random(seed).shuffle(rows)

    first = in_turn(rows, seed=seed, by_output=True)[:known]

    counts = Counter(row.output for row in first)
    assert max(counts.values()) - min(counts[label] for label in LABELS) <= 1


@pytest.mark.parametrize("by_output", [True, False])
def test_the_order_keeps_every_row(by_output: bool) -> None:
    assert sorted(map(str, in_turn(ROWS, seed=1, by_output=by_output))) == sorted(map(str, ROWS))
