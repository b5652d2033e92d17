"""Patterns that a user wrote: they mean what `re` says, and no text holds anybody up."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import SchemaMissed, UserError
from engine.patterns import check_pattern, matches, occurs
from engine.structured import read_json

PIECES = st.sampled_from(
    ["a", "b", "[ab]", "[^a]", ".", "x{e}", "a{2}", "b{1,2}", "{", "}", r"\{", "{}", r"\w", "^", "$"]
)
PATTERNS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{,2}", "{0,3}"])).map(lambda it: f"({it[0]}){it[1]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(PATTERNS, st.text("abx{e}", max_size=8))
def test_a_pattern_means_what_re_says(pattern: str, text: str) -> None:
    """Also where `regex` on its own would read something else: {e} is no "nearly", and a brace may be a brace."""
    assert matches(pattern, text) == (re.fullmatch(pattern, text) is not None)
    assert occurs(pattern, text) == (re.search(pattern, text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param("x{e}", "x{e}", id="braces that repeat nothing"),
        pytest.param(r"\N{DIGIT ONE}{3}", "111", id="a letter by its name"),
        pytest.param(r"[\[{e}]+", "[{e}", id="braces and brackets within a set"),
        pytest.param("[]a]+", "]a", id="a set that begins with its end"),
        pytest.param(r"\{e}\\{2}", r"{e}" + "\\" * 2, id="behind backslashes"),
        pytest.param("(?P<d>[0-9])(?P=d)", "44", id="what was there before"),
        pytest.param("(?=.*b)[ab]+", "aab", id="looking ahead"),
    ],
)
def test_what_is_written_is_what_is_meant(pattern: str, text: str) -> None:
    assert matches(pattern, text)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("(a+)+b", id="a repeat of a repeat"),
        pytest.param("(a|aa)*b", id="two ways to read the same"),
        pytest.param("(.*a){9}b", id="anything, nine times"),
        pytest.param(r"^(\w+\s?)+:$", id="words with or without blanks"),
    ],
)
def test_what_keeps_re_busy_for_years_is_answered_at_once(pattern: str) -> None:
    assert not matches(pattern, "a" * 200)
    assert not occurs(pattern, "a" * 200 + "!")


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("|".join(f"label {i:05}" for i in range(3000)), id="thousands of labels"),
        pytest.param(" ".join(["[a-z]+"] * 900), id="hundreds of words"),
        pytest.param("a" * 300, id="a long text"),
    ],
)
def test_what_is_long_for_a_reason_is_looked_for(pattern: str) -> None:
    assert matches(pattern, "label 02999" if "|" in pattern else "a" * 300) == ("+" not in pattern)


@pytest.mark.parametrize("pattern", ["[b||-]", "[[a-]", "[-&&b]"])
def test_a_set_that_may_mean_more_one_day_warns_nobody(pattern: str) -> None:
    assert matches(pattern, "-")


@pytest.mark.long
def test_what_takes_too_long_is_said_in_a_line() -> None:
    """This one defeats `regex` as well."""
    with pytest.raises(UserError, match=r"'\(\?:a\|a\|aa\)\+\$' takes more than 0.5 s over a text of 61 characters"):
        matches("(?:a|a|aa)+$", "a" * 60 + "b")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        pytest.param("(", "no regular expression: missing", id="half a group"),
        pytest.param(r"\p{L}+", "no regular expression: bad escape", id="what only others understand"),
        pytest.param("a{99999999999999999999}", "no regular expression", id="a number beyond all"),
        pytest.param("a{" + "9" * 5000 + "}", "no regular expression", id="a number nobody reads"),
        pytest.param("(" * 5000 + ")" * 5000, "no regular expression", id="too deep"),
        pytest.param("((a{1000}){1000}){1000}", "repeats more than can be looked for", id="repeats of repeats"),
        pytest.param("(?:ab?c){60000}", "repeats more than can be looked for", id="many repeats"),
        pytest.param("a?" * 4000 + "a" * 4000, "more than 1,000 groups and repeats", id="many that may be absent"),
        pytest.param("(?:a|)" * 1001, "more than 1,000 groups and repeats", id="many groups"),
        pytest.param("xy" * 2000, "more than 300 characters in a row", id="one long text"),
        pytest.param("(?:[x]y)" * 150, "more than 300 characters in a row", id="the same in pieces"),
    ],
)
@pytest.mark.long
def test_what_cannot_be_looked_for_is_refused_in_a_line(pattern: str, why: str) -> None:
    with pytest.raises(UserError, match=why) as caught:
        check_pattern(pattern)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


# -- within a schema


SLOW_FOR_RE = "(a+)+b"


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"additionalProperties": {"pattern": SLOW_FOR_RE}}, id="of a text"),
        pytest.param({"propertyNames": {"pattern": SLOW_FOR_RE}}, id="of names"),
        pytest.param({"patternProperties": {SLOW_FOR_RE: True}, "additionalProperties": False}, id="of fields"),
    ],
)
def test_the_patterns_of_a_schema_are_looked_for_in_bounded_time(schema: dict[str, object]) -> None:
    """Also those of names, which an answer may choose as it likes."""
    with pytest.raises(SchemaMissed, match="does not fit the schema"):
        read_json(json.dumps({"a" * 300: "a" * 300}), schema=schema)


def test_fields_by_pattern_and_all_others_are_told_apart() -> None:
    schema = {
        "properties": {"id": {"type": "string"}},
        "patternProperties": {"^x-": {"type": "integer"}, "y$": True},
        "additionalProperties": {"type": "boolean"},
    }

    assert read_json('{"id": "1", "x-a": 1, "any": [], "other": true}', schema=schema)
    with pytest.raises(SchemaMissed, match="/x-a: 'one' is not of type 'integer'"):
        read_json('{"x-a": "one"}', schema=schema)
    with pytest.raises(SchemaMissed, match="/other: 1 is not of type 'boolean'"):
        read_json('{"other": 1}', schema=schema)
    with pytest.raises(SchemaMissed, match="'other' was unexpected"):
        read_json('{"x-a": 1, "other": 1}', schema={**schema, "additionalProperties": False})
    assert read_json('["no object"]', schema=schema) == ["no object"]


def test_a_pattern_of_a_schema_that_takes_too_much_is_the_schemas_fault() -> None:
    with pytest.raises(UserError, match="repeats more than can be looked for"):
        read_json('"a"', schema={"pattern": "((a{1000}){1000}){1000}"})
    with pytest.raises(UserError, match="say additionalProperties"):
        read_json("{}", schema={"unevaluatedProperties": False, "patternProperties": {"a": True}})
