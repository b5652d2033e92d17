"""Shorthand: what has a mark, what stays bytes, and that every answer comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training import Row
from engine.training.shorthand import CHARACTERS_READ, FEWEST_ROWS, Part, Shorthand, shorthand_of
from engine.training.spelling import VOCABULARY, Bytes, shorthand_in

STREETS = [Row(f"{n} {name} St", f"number = {n}; street = {name}; kind = St") for n, name in enumerate("ABCDEFGH", 11)]
WORDS = st.text("ab1 =;é\n\ud800", max_size=8)


def test_what_stands_between_copied_words_has_a_mark() -> None:
    shorthand = shorthand_of(STREETS)

    assert shorthand.texts == ("; street = ", "; kind = ", "number = ")
    marked = [part.text for part in shorthand.parts(STREETS[0]) if part.is_mark]
    assert marked == ["number = ", "; street = ", "; kind = "]
    assert [part.text for part in shorthand.parts(STREETS[0]) if not part.is_mark] == ["11", "A", "St"]


def test_an_answer_that_comes_back_as_a_whole_has_a_mark() -> None:
    rows = [Row(text, "2013-02-12") for text in ("today", "heute", "oggi", "hoy", "12 Feb")]

    assert shorthand_of(rows).parts(rows[-1]) == [Part("2013-02-12", is_mark=True)]


def test_what_comes_back_seldom_or_stands_in_its_input_has_none() -> None:
    copied = [Row(f"give {word} back", word) for word in ("one two", "one two", "one two", "one two", "three")]

    assert shorthand_of(copied) == Shorthand()
    assert shorthand_of([Row("x", "seldom")] * (FEWEST_ROWS - 1)) == Shorthand()
    assert shorthand_of([]) == Shorthand()


def test_of_more_than_there_is_room_for_those_that_save_most_stay() -> None:
    assert shorthand_of(STREETS, most=1).texts == ("; street = ",)


def test_marks_are_found_by_the_first_answers_alone_where_there_is_much_to_read() -> None:
    assert shorthand_of([Row("long", "x" * CHARACTERS_READ), *STREETS]) == Shorthand()
    assert shorthand_of([Row("long", "x" * (CHARACTERS_READ - 1000)), *STREETS]) == shorthand_of(STREETS)


def test_a_mark_is_one_number_behind_all_bytes_and_never_what_stands_in_the_input() -> None:
    codec = Bytes(Shorthand(("kind = ", "St")))

    assert codec.answer(Row("x", "kind = St")) == [VOCABULARY, VOCABULARY + 1, 1]
    assert codec.answer(Row("A St", "kind = St"))[1:] == codec.encode("St")
    assert codec.encode("kind = ") == Bytes().encode("kind = ")
    assert codec.decode([VOCABULARY, VOCABULARY + 1, VOCABULARY + 2]) == "kind = St"


@given(st.lists(st.builds(Row, WORDS, WORDS), max_size=12))
@settings(max_examples=40, deadline=None)
def test_whatever_the_rows_every_answer_comes_back(rows: list[Row]) -> None:
    """But for lone surrogates, which no bytes can hold: question marks stand for them."""
    shorthand = shorthand_of(rows * 2)
    codec = Bytes(shorthand)

    for row in rows:
        assert "".join(part.text for part in shorthand.parts(row)) == row.output
        assert codec.decode(codec.answer(row)[:-1]) == row.output.replace("\ud800", "?")


@pytest.mark.parametrize("told", ["{}", "[1]", "no JSON"])
def test_a_damaged_shorthand_is_no_shorthand(told: str, tmp_path: Path) -> None:
    assert shorthand_in(tmp_path) == Shorthand()
    (tmp_path / "shorthand.json").write_text(told)

    with pytest.raises(ValueError, match=r"texts|Expecting"):
        shorthand_in(tmp_path)


@pytest.mark.long
def test_a_shorthand_is_kept_beside_the_tokenizer(tmp_path: Path) -> None:
    shorthand = Shorthand(("a\ud800", "é = "))

    Bytes(shorthand).save(tmp_path)

    assert shorthand_in(tmp_path) == shorthand
    assert json.loads((tmp_path / "shorthand.json").read_bytes()) == list(shorthand.texts)
