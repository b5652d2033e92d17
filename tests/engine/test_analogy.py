"""What a row's answer would be had its input been another."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.training import Row
from engine.training.analogy import likened

PHONE = Row("My number is 555-17, thanks", "555-17 == phone")
WORDS = st.from_regex(r"[a-z]{2,6}|[0-9]{1,4}", fullmatch=True)


@pytest.mark.parametrize(
    ("row", "asked", "answer"),
    [
        (PHONE, "My number is (31) 8, thanks", "(31) 8 == phone"),
        (Row("it weighs 5 kg", "5 kilogram"), "it weighs 12 kg", "12 kilogram"),
        (Row("due on 14. Oktober", "14. oktober"), "due on 3. Mai", "3. mai"),
        (Row("ask Ann", "ANN"), "ask Bob", "BOB"),
        (Row("ask Ann", "Ann"), "ask BOB", "BOB"),
        (Row("ask ann", "Ann"), "ask bob", "Bob"),
        (
            Row("222 7th Street, Ohio", "number = 222; street = 7th Street; state = Ohio"),
            "30 Main Road, Utah",
            "number = 30; street = Main Road; state = Utah",
        ),
        (Row("from 1 to 11", "1..11"), "from 2 to 33", "2..33"),
        (Row("a.b (c)", "a.b (c)"), r"a.b (\g<0>)", r"a.b (\g<0>)"),
        (Row("٣ كتب", "٣"), "٧ كتب", "٧"),
    ],
)
def test_what_stands_in_the_place_of_what_an_answer_took_is_put_in(row: Row, asked: str, answer: str) -> None:
    assert likened(row, asked) == answer


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        (PHONE, PHONE.input),
        (PHONE, ""),
        (PHONE, "My number is, thanks"),  # nothing stands there
        (PHONE, "My number is 8, thanks " + "and so on " * 100),  # too long to be compared
        (Row("is it red?", "yes"), "is it blue?"),  # it took nothing
        (Row("5 of 9 left", "5/9"), "7 left"),  # the 9 has nothing in its place
    ],
)
def test_where_nothing_tells_what_the_answer_would_be_there_is_none(row: Row, asked: str) -> None:
    assert likened(row, asked) is None


@given(st.lists(WORDS, min_size=1, max_size=3, unique=True), st.lists(WORDS, min_size=1, max_size=3))
def test_a_stretch_between_the_same_words_is_exchanged_whole(own: list[str], other: list[str]) -> None:
    mine, theirs = " ".join(own).upper(), " ".join(other).upper()
    assume(not set(own) & set(other))

    assert likened(Row(f"<< {mine} >>", f"[{mine}]"), f"<< {theirs} >>") == f"[{theirs}]"


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_of_any_texts_it_makes_one_or_none(read: str, answer: str, asked: str) -> None:
    told = likened(Row(read, answer), asked)

    assert told != answer
    for word in re.findall(r"[^\W\d_]+|\d+", told or ""):
        assert word not in read or word.lower() in asked.lower()
