"""Right in value: numbers, dates, sets of labels and JSON, however they are written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluation.matching import (
    Leeway,
    Moment,
    fields_right,
    labels_shared,
    moment_of,
    number_of,
    same_json,
    same_labels,
    same_moment,
    same_number,
)

NONE = Leeway()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1.234.567", 1234567),
        ("1 234", 1234),
        ("1'234", 1234),
        ("1,234", 1234),
        ("1,5", 1.5),
        ("1.234", 1.234),
        ("−7", -7),
        ("+.5", 0.5),
        ("3/4", 0.75),
        ("12 %", 0.12),
        ("1e3", 1000),
        ("٣", 3),
        ("1/0", None),
        ("five", None),
        ("", None),
        ("nan", None),
        ("1e999", None),
        ("1.2.3", None),
        ("2024-03-05", None),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, value: float | None) -> None:
    assert number_of(text) == value


def test_numbers_are_compared_by_value_and_everything_else_by_its_words() -> None:
    assert same_number("1,000.0", "1000", NONE)
    assert not same_number("1000.1", "1000", NONE)
    assert same_number("1050", "1000", Leeway(share=0.05))
    assert not same_number("1051", "1000", Leeway(share=0.05))
    assert same_number(" N/A ", "N/A", NONE)
    assert not same_number("0", "N/A", NONE)
    assert not same_number("0.001", "0", Leeway(share=0.5)), "a share of nothing is nothing"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2024-03-05", Moment("day", 738950), id="year first"),
        pytest.param("2024/3/5", Moment("day", 738950), id="without noughts"),
        pytest.param("05.03.2024", Moment("day", 738950), id="day first"),
        pytest.param("12/25/2024", Moment("day", 739245), id="no such month"),
        pytest.param("2024-03-05 12:00", Moment("day", 738950.5), id="with a time"),
        pytest.param("2024-03-05T14:00:00+02:00", Moment("instant", 738950.5), id="with a zone"),
        pytest.param("2024-05", Moment("month", 24293), id="month"),
        pytest.param("1997", Moment("year", 1997), id="year"),
        pytest.param("06:00", Moment("time", 0.25), id="time"),
        pytest.param("2024-02-30", None, id="no such day"),
        pytest.param("2024-13", None, id="no thirteenth month"),
        pytest.param("N/A", None, id="none"),
        pytest.param("12", None, id="a number"),
    ],
)
def test_a_date_is_read_from_its_digits(text: str, moment: Moment | None) -> None:
    assert moment_of(text) == moment


def test_the_month_comes_first_where_that_is_said() -> None:
    assert moment_of("03/05/2024", month_first=True) == moment_of("2024-03-05")


def test_dates_are_compared_by_day_and_those_that_are_none_by_their_words() -> None:
    assert same_moment("5.3.2024", "2024-03-05", NONE)
    assert not same_moment("2024-03-06", "2024-03-05", NONE)
    assert same_moment("2024-03-06", "2024-03-05", Leeway(days=1))
    assert not same_moment("2024-03", "2024-03-01", Leeway(days=31)), "a month is no day"
    assert not same_moment("1997", "1998", Leeway(days=1000)), "a year has no leeway in days"
    assert same_moment("N/A", "N/A", NONE)


def test_labels_are_a_set_however_they_are_joined() -> None:
    assert same_labels("b; a", "a, b", NONE)
    assert not same_labels("a", "a, b", NONE)
    assert same_labels('["b", "a, c"]', '[ "a, c","b" ]', NONE), "a JSON list has marks of its own"
    assert labels_shared("a, b", "b; c", NONE) == 0.5
    assert labels_shared("", "", NONE) == 1
    assert labels_shared("a", "", NONE) == 0


def test_json_is_compared_as_a_value() -> None:
    assert same_json('{"a": 1, "b": [2]}', '{"b":[2],"a":1.0}', NONE)
    assert not same_json("1", "true", NONE)
    assert not same_json("[1, 2]", "[2, 1]", NONE)
    assert not same_json("{}", "[]", NONE)
    assert same_json("N/A", " N/A", NONE), "what is no JSON is compared by its words"


@pytest.mark.parametrize(
    ("given_text", "wanted", "share"),
    [
        pytest.param('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5, id="one of two"),
        pytest.param('{"a": 1}', '{"a": 1, "b": 3}', 0.5, id="one is missing"),
        pytest.param('{"a": 1, "b": 2}', '{"a": 1}', 0.5, id="one is invented"),
        pytest.param('{"a": {"b": [1, 2]}}', '{"a": {"b": [1, 3]}}', 0.5, id="deep inside"),
        pytest.param("broken", '{"a": 1}', 0.0, id="no JSON"),
        pytest.param("{}", "{}", 1.0, id="nothing to find"),
    ],
)
def test_the_share_of_fields_that_are_right_counts_what_is_missing_and_what_is_invented(
    given_text: str, wanted: str, share: float
) -> None:
    assert fields_right(given_text, wanted, NONE) == share


@settings(max_examples=25, deadline=None)
@given(JSON, JSON)
def test_all_fields_are_right_exactly_where_the_values_are_the_same(one: object, other: object) -> None:
    first, second = json.dumps(one), json.dumps(other)

    assert (fields_right(first, second, NONE) == 1.0) == bool(same_json(first, second, NONE))
    assert fields_right(first, second, NONE) == fields_right(second, first, NONE)
    assert fields_right(first, first, NONE) == 1
