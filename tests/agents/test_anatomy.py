"""An input is taken apart by its labels, and an answer is found in its context or it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.parsing.anatomy import asked_name, context_name, fields_of, plain, split_fields, stands_in

QA = ("Question", "Context")


def test_labels_that_nearly_all_inputs_have_are_their_parts() -> None:
    inputs = [f"Question: what is {i}? Context: it is {i}." for i in range(8)]
    inputs.append("Question: what? Context: Note: it is that.")

    assert fields_of([*inputs, "no labels here"]) == QA
    assert fields_of([*inputs[:3], *["no labels here"] * 3]) == ()
    assert fields_of([f"Posted: {i}" for i in range(5)]) == ()
    assert fields_of([]) == ()


def test_parts_of_other_languages_are_parts() -> None:
    assert fields_of(["Frage: wer? Kontext: niemand.", "Frage: was? Kontext: nichts."]) == ("Frage", "Kontext")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Question: who? Context: Ann.", {"Question": "who?", "Context": "Ann."}),
        ("Question: who?\nContext:\nAnn: me.\n", {"Question": "who?", "Context": "Ann: me."}),
        ("Question: who?", None),
        ("Question: Context: Ann.", None),
        ("Context: Ann. Question: who?", None),
        ("Well, Question: who? Context: Ann.", None),
        ("Question: who?Context: Ann.", None),
    ],
)
def test_an_input_has_its_parts_in_order_or_none(text: str, parts: dict[str, str] | None) -> None:
    assert split_fields(text, QA) == parts


def test_the_part_that_asks_and_the_one_to_answer_from() -> None:
    assert asked_name(QA) == "Question"
    assert context_name(QA) == "Context"
    assert context_name(("Premise", "Hypothesis")) is None


@pytest.mark.parametrize(
    ("answer", "context"),
    [
        ("Paris", "The capital is Paris."),
        ("paris.", "PARIS is the capital"),
        ("the Seine", "It lies on a Seine"),
        ("Hundred Years’ War", "a Hundred Years' War was fought"),
        ("1939–1945", "lasted 1939-1945"),
        ("Sao Paulo", "in São Paulo"),
        ("red, blue, yellow", "the colours are red, blue, and yellow"),
        ("adenine and guanine", "there are guanine (G) and adenine (A)"),
        ("東京", "日本の首都は東京です"),
        ("C++", "written in C++ by hand"),
    ],
)
def test_an_answer_stands_in_its_context(answer: str, context: str) -> None:
    assert stands_in(answer, context)


@pytest.mark.parametrize(
    ("answer", "context"),
    [
        ("Rome", "The capital of Italy."),
        ("Mars", "Marshall is a man"),
        ("eight", "an eighth"),
        ("", "anything"),
        ("...", "anything ..."),
        ("red, green", "red and blue"),
        ("大阪", "日本の首都は東京です"),
    ],
)
def test_an_answer_that_is_not_there_does_not(answer: str, context: str) -> None:
    assert not stands_in(answer, context)


@given(st.text(), st.text(), st.text())
@pytest.mark.long
def test_what_stands_between_blanks_stands_there(before: str, answer: str, after: str) -> None:
    whole = f"{before} {answer} {after}"

    if any(one.isalnum() for one in plain(answer)) and plain(answer)[0].isalnum() and plain(answer)[-1].isalnum():
        assert stands_in(answer, whole)


@given(st.text(), st.text())
def test_nothing_raises_and_parts_are_pieces(text: str, name: str) -> None:
    stands_in(text, name)
    parts = split_fields(text, (name, "Context"))

    assert parts is None or all(part in text for part in parts.values())


@given(st.lists(st.text(max_size=30)))
def test_parts_do_not_depend_on_the_order_of_the_inputs(inputs: list[str]) -> None:
    assert set(fields_of(inputs)) == set(fields_of(inputs[::-1]))
