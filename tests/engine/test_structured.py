"""Answers as JSON: whatever is around them is taken off, nothing is made up, and every other end is told apart."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Budget, Capabilities, Engine, Reply, Request, Usage
from engine.errors import AnswerCut, AnswerRefused, ContentFiltered, RequestFailed, SchemaMissed, UserError
from engine.fakes import virtual_time
from engine.messages import FinishReason, Message
from engine.structured import read_json, told
from tests.engine.asking import GENEROUS
from tests.engine.scripted import Scripted, reply

ANY: dict[str, object] = {}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": ["integer", "null"]}},
    "required": ["x"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param('{"x": 1}', {"x": 1}, id="as it should be"),
        pytest.param(' \n{"x": 1}\n ', {"x": 1}, id="blanks"),
        pytest.param('\ufeff{"x": 1}', {"x": 1}, id="byte order mark"),
        pytest.param('```json\n{"x": 1}\n```', {"x": 1}, id="fences"),
        pytest.param('```\n{"x": 1}```', {"x": 1}, id="fences without a name"),
        pytest.param('Here it is:\n```json\n{"x": 1}\n```\nAnything else?', {"x": 1}, id="fences within prose"),
        pytest.param('Sure! {"x": 1} Hope that helps.', {"x": 1}, id="prose around"),
        pytest.param('As [1] says, {x} is {"x": 1}.', {"x": 1}, id="other brackets before"),
        pytest.param('{"x": 1,}', {"x": 1}, id="trailing comma"),
        pytest.param('{"x": 1, \n }', {"x": 1}, id="trailing comma and blanks"),
        pytest.param("{'x': 1}", {"x": 1}, id="single quotes"),
        pytest.param("{x: 1, y: None}", {"x": 1, "y": None}, id="names without quotes, Python's nothing"),
        pytest.param('{"x": 1} {"x": 1}', {"x": 1}, id="twice the same"),
        pytest.param('{"thought": "hm"} {"x": 1}', {"x": 1}, id="only one that fits"),
        pytest.param('{"x": 1}]}', {"x": 1}, id="brackets too many"),
        pytest.param('{"x": 1, "x": 1}', {"x": 1}, id="a field said twice alike"),
    ],
)
def test_what_is_around_an_answer_is_taken_off_and_slips_of_the_pen_are_mended(text: str, value: object) -> None:
    assert read_json(text, schema=POINT) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}),
        ('{"a": "one\ntwo\tthree",}', {"a": "one\ntwo\tthree"}),
        ('{"a": "{\'not\': [touched,]}",}', {"a": "{'not': [touched,]}"}),
        ("[True, False, None, 'True']", [True, False, None, "True"]),
        ("Answer: [1, 2, 3,] and that is all [sic]", [1, 2, 3]),
        ('"a text"', "a text"),
        ("```\n7\n```", 7),
        ("1e5", 1e5),
    ],
)
def test_strings_stay_as_they_are(text: str, value: object) -> None:
    assert read_json(text, schema=ANY) == value


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        pytest.param("", SchemaMissed, "no JSON", id="nothing"),
        pytest.param("I cannot help with that.", SchemaMissed, "no JSON", id="prose"),
        pytest.param('{"x": "1"}', SchemaMissed, "at /x: '1' is not of type 'integer'", id="another type"),
        pytest.param("{}", SchemaMissed, "at its top: 'x' is a required property", id="a field is missing"),
        pytest.param('[{"x": 1}]', SchemaMissed, "is not of type 'object'", id="a list of it"),
        pytest.param('{"x": 1} or {"x": 2}', SchemaMissed, "2 different values", id="two answers"),
        pytest.param('{"x": 1, "x": 2}', SchemaMissed, "no JSON", id="a field said twice"),
        pytest.param('{"x": NaN}', SchemaMissed, "no JSON", id="not a number"),
        pytest.param('{"x": 1e999}', SchemaMissed, "no JSON", id="beyond all numbers"),
        pytest.param('{"x": "\\ud800"}', SchemaMissed, "no JSON", id="half a character"),
        pytest.param('{"x": ' + "9" * 5000 + "}", SchemaMissed, "no JSON", id="5,000 digits"),
        pytest.param('{"x": 1 "y": 2}', SchemaMissed, "no JSON", id="a comma is missing"),
        pytest.param('{"in": [{"x": 1} {"x": 2}]}', SchemaMissed, "no JSON", id="no part of what cannot be read"),
        pytest.param('{"x": 1', AnswerCut, "in the middle", id="not closed"),
        pytest.param('```json\n{"x": 1, "y', AnswerCut, "in the middle", id="ends within a name"),
        pytest.param('[{"x": 1}, {"x": 2}, {"', AnswerCut, "in the middle", id="no part of what was cut"),
    ],
)
def test_everything_else_is_told_apart(text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read_json(text, schema=POINT)


@pytest.mark.parametrize("text", ["12", "tru", "", "The answer is", '"half a te'])
def test_what_may_have_gone_on_is_cut(text: str) -> None:
    """12 may be the beginning of 123. A list that is closed is whole, whatever was to follow."""
    with pytest.raises(AnswerCut):
        read_json(text, schema=ANY, is_cut=True)
    assert read_json("[12] and furthermo", schema=ANY, is_cut=True) == [12]


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "no type"}, "the schema is no JSON schema"),
        ({"$ref": "https://elsewhere.example/schema.json"}, "refers to what is not in it"),
        ({"$ref": "#"}, "refers to itself without an end"),
    ],
)
@pytest.mark.long
def test_a_schema_that_is_none_is_the_users_to_mend_and_nothing_is_fetched(
    schema: dict[str, object], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        read_json("{}", schema=schema)


def test_what_is_told_of_a_misfit_cannot_steer_a_terminal() -> None:
    with pytest.raises(SchemaMissed) as caught:
        read_json(json.dumps({"x": "\x1b[31m\u202e" + "long " * 1000}), schema=POINT)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
CONTAINERS = st.lists(JSON, max_size=4) | st.dictionaries(st.text(), JSON, max_size=4)
PROSE = st.text(st.characters(exclude_characters="[]{}\"'`", exclude_categories=["Cs"]))


def has_a_name(value: object) -> bool:
    """Whether it is a text that can be written down, all through."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=200, deadline=None)
@given(
    value=CONTAINERS.filter(has_a_name),
    before=PROSE,
    after=PROSE,
    is_fenced=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
@pytest.mark.long
def test_any_value_comes_back_from_within_any_prose(
    value: object, before: str, after: str, is_fenced: bool, indent: int | None
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    fence = "\n```\n" if is_fenced else " "

    assert read_json(f"{before}{fence}{text}{fence}{after}", schema=ANY) == value


@settings(max_examples=200, deadline=None)
@given(value=CONTAINERS.filter(has_a_name))
@pytest.mark.long
def test_as_python_writes_it_it_is_the_same_value_or_none(value: object) -> None:
    """Python has escapes that JSON has not; those are no answer."""
    try:
        found = read_json(repr(value), schema=ANY)
    except (SchemaMissed, AnswerCut):
        assert "\\" in repr(value)
    else:
        assert found == value


@settings(max_examples=200, deadline=None)
@given(value=CONTAINERS.filter(bool).filter(has_a_name), share=st.floats(0, 1, exclude_max=True))
@pytest.mark.long
def test_no_beginning_of_an_answer_is_an_answer(value: object, share: float) -> None:
    text = json.dumps(value)

    with pytest.raises((AnswerCut, SchemaMissed)):
        read_json(text[: int(share * len(text))], schema=ANY if isinstance(value, dict) else {"type": "array"})


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("[]{}:,\"'\\ \n`1eaTrueNone\x00\ud800")) | st.text())
def test_no_text_is_too_strange_to_read(text: str) -> None:
    with suppress(RequestFailed):
        assert has_a_name(read_json(text, schema=ANY))


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, "[1," * 300_000, '["' * 300_000, "[{} " * 100_000,
     '{"x": "' + "\\" * 300_001, "'" * 300_000, " " * 1_000_000, "[[1]" * 100_000, "```\n" * 100_000],
    ids=range(11),
)  # fmt: skip
def test_reading_is_bounded_however_it_is_written(text: str) -> None:
    with pytest.raises(RequestFailed):
        read_json(text, schema=POINT)


def calls_to_read(text: str, schema: dict[str, object]) -> int:
    """How much work reading is, in calls of functions: the same on every machine."""
    counted = 0

    def count(_: FrameType, event: str, __: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    with suppress(RequestFailed):
        read_json(text, schema=schema)  # once before: packages are imported, the schema is checked
    sys.setprofile(count)
    try:
        with suppress(RequestFailed):
            read_json(text, schema=schema)
    finally:
        sys.setprofile(None)
    return counted


def objects(count: int, *, before: str = "", between: str = ",", after: str = "") -> str:
    return before + between.join(f'{{"x":{number}}}' for number in range(count)) + after


@pytest.mark.parametrize(
    ("made", "schema"),
    [
        pytest.param(lambda size: objects(size, between=""), POINT, id="different values that fit"),
        pytest.param(lambda size: '{"x":1}' * size, POINT, id="the same value"),
        pytest.param(lambda size: objects(size, between=" "), {"type": "string"}, id="values that do not fit"),
        pytest.param(lambda size: "{x" * size, POINT, id="brackets without an end"),
        pytest.param(lambda size: '{"a' * size, POINT, id="quotation marks between brackets"),
        pytest.param(lambda size: "[]" * size, POINT, id="empty lists"),
        pytest.param(
            lambda size: objects(size, before="[", after="]"), {"uniqueItems": True}, id="a list of nothing twice"
        ),
        pytest.param(
            lambda size: f"[{'1,' * size}1]", {"items": {"type": "integer"}}, id="a list of what it should be"
        ),
    ],
)
def test_the_work_of_reading_grows_with_the_text_and_no_faster(
    made: Callable[[int], str], schema: dict[str, object]
) -> None:
    assert calls_to_read(made(400), schema) < 2.5 * calls_to_read(made(200), schema) + 100


def test_of_a_large_value_the_first_misfit_is_told_and_the_rest_is_not_looked_for() -> None:
    schema: dict[str, object] = {"items": {"type": "string"}}
    wrong = f"[{'1,' * 40_000}1]"

    with pytest.raises(SchemaMissed, match="at /0: 1 is not of type 'string'"):
        read_json(wrong, schema=schema)
    assert calls_to_read(wrong, schema) < 5 * 40_000  # to count its parts; every misfit takes a hundred


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(objects(30_000, before="[", after="]"), "more than 50,000 values", id="values"),
        pytest.param('{"x":1} ' * 20_000, "more brackets than can be looked through", id="values one by one"),
        pytest.param("{x" * 30_000, "more brackets than can be looked through", id="brackets"),
        pytest.param(f"[{'1,' * 110_000}]", "more brackets than can be looked through", id="a list to mend"),
        pytest.param('Here: {"x":1}' + " " * 1_000_000 + ".", "are too many to search", id="prose"),
        pytest.param('{"a' * 1_000_000, "are too many to search", id="brackets without an end"),
    ],
)
def test_what_is_beyond_the_bounds_is_refused_even_if_a_part_would_fit(text: str, says: str) -> None:
    with pytest.raises(SchemaMissed, match=says):
        read_json(text, schema=POINT)


def test_within_the_bounds_an_answer_may_be_long() -> None:
    large = [{"x": number} for number in range(24_000)]

    assert read_json(json.dumps(large)[:-1] + ",]", schema={"items": POINT}) == large
    assert read_json(json.dumps("x" * 3_000_000), schema=ANY) == "x" * 3_000_000


@pytest.mark.parametrize(
    ("items", "is_unique"),
    [
        ("[1, 1.0]", False),
        ('[1, true, 0, false, null, "1"]', True),
        ('[{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}]', False),
        ("[[1], [true]]", True),
        ("[0, -0.0]", False),
    ],
)
def test_items_are_the_same_when_a_schema_says_so(items: str, is_unique: bool) -> None:
    schema: dict[str, object] = {"uniqueItems": True}
    if is_unique:
        assert read_json(items, schema=schema) == json.loads(items)
        return
    with pytest.raises(SchemaMissed, match="non-unique"):
        read_json(items, schema=schema)


def test_a_number_that_is_too_large_to_be_checked_does_not_fit() -> None:
    with pytest.raises(SchemaMissed, match="too large to be checked"):
        read_json("1" * 400, schema={"multipleOf": 0.1})


# -- through the engine


def answering(text: str, reason: FinishReason = "stop", *, schema: dict[str, object] | None = POINT) -> Reply:
    return Reply(texts=(text, '{"x": 2}'), finish_reasons=(reason, "stop"), usage=Usage(1, 1), model="m", schema=schema)


def test_a_reply_is_parsed_when_somebody_asks_for_it() -> None:
    both = answering('{"x": 1}')

    assert (both.parsed, both.parsed_at(1)) == ({"x": 1}, {"x": 2})


@pytest.mark.parametrize(
    ("text", "reason", "error"),
    [
        ('{"x": 1', "length", AnswerCut),
        ("", "refusal", AnswerRefused),
        ("", "filtered", ContentFiltered),
        ("no", "stop", SchemaMissed),
    ],
)
def test_a_reply_that_is_none_says_why(text: str, reason: FinishReason, error: type[Exception]) -> None:
    with pytest.raises(error):
        _ = answering(text, reason).parsed


def test_without_a_schema_there_is_nothing_to_parse_by() -> None:
    with pytest.raises(UserError, match="name what is wanted"):
        _ = answering("{}", schema=None).parsed


QUESTION = Request.user("Where?", system="Be brief.", schema=POINT, max_tokens=50)


def test_a_schema_is_told_in_words_only_where_there_is_no_field_for_it() -> None:
    async def sent(capabilities: Capabilities) -> Request:
        provider = Scripted(reply(texts=['{"x": 3,}'], usage=[5, 5]), capabilities=capabilities)
        async with Engine(provider, budget=GENEROUS) as engine:
            assert (await engine.ask(QUESTION)).parsed == {"x": 3}
        return provider.sent[0]

    assert virtual_time.run(sent(Capabilities())) == QUESTION
    in_words = virtual_time.run(sent(Capabilities(schema=False)))
    assert in_words.schema is None
    assert in_words.messages == (Message("system", "Be brief."), Message("user", f"Where?\n\n{told(POINT)}"))


def test_after_an_answer_of_its_own_the_model_is_told_in_a_new_message() -> None:
    asked = Request(messages=(Message("user", "Where?"), Message("assistant", "{")), schema=POINT)

    assert asked.with_schema_told().messages[-1] == Message("user", told(POINT))
    assert Request.user("x").with_schema_told() == Request.user("x")


def test_a_question_told_in_words_is_another_than_the_same_with_a_field() -> None:
    names = {QUESTION.identity(asked_of="m"), QUESTION.with_schema_told().identity(asked_of="m")}
    others = replace(QUESTION, schema={**POINT, "title": "another"}).with_schema_told().identity(asked_of="m")

    assert len(names | {others}) == 3


def test_an_answer_that_cannot_be_parsed_is_kept_and_read_again_for_nothing(tmp_path: Path) -> None:
    async def main() -> list[bool]:
        answer = reply(texts=["no"], usage=[5, 5])
        provider = Scripted(answer, latency_s=0.0, capabilities=Capabilities(schema=False))
        heard = []
        for _ in range(2):
            async with Engine(provider, budget=Budget(usd=1), journal=tmp_path / "journal.db") as engine:
                told_again = await engine.ask(QUESTION)
                with pytest.raises(SchemaMissed):
                    _ = told_again.parsed
                heard.append(told_again.from_journal)
        assert len(provider.sent) == 1
        return heard

    assert asyncio.run(main()) == [False, True]


def test_several_completions_in_words_are_parsed_one_by_one() -> None:
    async def main() -> list[object]:
        steps = [reply(texts=[f'{{"x": {number}}}'], usage=[5, 5]) for number in range(2)]
        provider = Scripted(*steps, capabilities=Capabilities(schema=False, n=False))
        async with Engine(provider, budget=GENEROUS) as engine:
            answer = await engine.ask(replace(QUESTION, n=2))
        return [answer.parsed_at(0), answer.parsed_at(1)]

    assert virtual_time.run(main()) == [{"x": 0}, {"x": 1}]
