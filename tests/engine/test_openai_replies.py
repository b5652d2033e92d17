"""OpenAI chat completions: what we make of whatever comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnreadableReply
from engine.messages import RawReply, Request, Usage
from engine.providers import Reading
from engine.providers.openai import read_completion
from tests.engine.openai_bodies import PLAIN, choice, reply


def read(body: object, request: Request = PLAIN) -> Reading:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_completion(request, RawReply(200, {}, content, 0.1), model="asked-for")


def test_a_good_reply_is_read() -> None:
    assert read(reply()) == Reading(("hello",), ("stop",), Usage(3, 2), "m-2026")


def test_a_byte_order_mark_before_a_good_reply_does_no_harm() -> None:
    raw = RawReply(200, {}, b"\xef\xbb\xbf" + orjson.dumps(reply()), 0.1)

    assert read_completion(PLAIN, raw, model="m").texts == ("hello",)
    with pytest.raises(UnreadableReply):
        read_completion(PLAIN, RawReply(200, {}, b"\xef\xbb\xbf{", 0.1), model="m")


def test_completions_come_in_the_order_of_their_index() -> None:
    request = Request.user("x", n=3)
    choices = [choice("c", index=2), choice("a", index=0, finish="length"), choice("b", index=1)]

    reading = read(reply(choices=choices), request)

    assert reading.texts == ("a", "b", "c")
    assert reading.finish_reasons == ("length", "stop", "stop")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "filtered"),
        ("tool_calls", "other"),
        ("function_call", "other"),
        ("abort", "other"),
    ],
)
def test_finish_reasons_speak_one_vocabulary(told: str, meant: str) -> None:
    assert read(reply(choices=[choice(finish=told)])).finish_reasons == (meant,)


@pytest.mark.parametrize(
    ("text", "finish", "meant"),
    [
        pytest.param("one two END", "stop", ("one two ", "stop"), id="left in"),
        pytest.param("one two END three STOP", "length", ("one two ", "stop"), id="never looked for"),
        pytest.param("one two", "length", ("one two", "length"), id="not met"),
    ],
)
def test_an_answer_ends_before_the_first_stop_whatever_the_server_does(
    text: str, finish: str, meant: tuple[str, str]
) -> None:
    request = Request.user("x", stop=("STOP", "END", ""))

    reading = read(reply(choices=[choice(text, finish=finish)]), request)

    assert (reading.texts[0], reading.finish_reasons[0]) == meant
    assert reading.usage == Usage(3, 2)


def test_one_completion_where_several_were_asked_for_says_the_way_out() -> None:
    with pytest.raises(UnreadableReply, match=r"3 completions were asked for, 1 came; .* must say n = false"):
        read(reply(), Request.user("x", n=3))


def test_a_refusal_is_no_answer() -> None:
    reading = read(reply(choices=[choice(None, refusal="I cannot help with that.")]))

    assert (reading.texts, reading.finish_reasons) == (("",), ("refusal",))


@pytest.mark.parametrize(("finish", "meant"), [("length", "length"), ("content_filter", "filtered")])
def test_a_cap_spent_on_reasoning_leaves_an_empty_text(finish: str, meant: str) -> None:
    reading = read(reply(choices=[choice(None, finish=finish)]))

    assert (reading.texts, reading.finish_reasons) == (("",), (meant,))


def test_a_reply_without_a_model_is_from_the_one_that_was_asked() -> None:
    assert read(reply(model=None)).model == "asked-for"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!doctype html><html><body>Bad gateway</body></html>", id="html"),
        pytest.param(orjson.dumps(reply())[:-40], id="cut"),
        pytest.param(b'{"choices": NaN}', id="NaN"),
        pytest.param(orjson.dumps(reply()).replace(b"hello", b"\\ud800"), id="lone surrogate"),
        pytest.param(orjson.dumps(reply()).replace(b"hello", b"\xff\xfe"), id="bad utf-8"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep objects"),
        pytest.param(b"1" * 5000, id="a 5000-digit integer"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"ERROR"', id="a string"),
        pytest.param(reply(error={"message": "no", "code": 502}), id="an error with a good status"),
        pytest.param(reply(choices=None), id="no choices"),
        pytest.param(reply(choices=[]), id="empty choices"),
        pytest.param(reply(choices=[choice(), choice(index=1)]), id="too many choices"),
        pytest.param(reply(choices=[choice(index=1)]), id="a gap"),
        pytest.param(reply(choices=[choice(index=False)]), id="an index that is no number"),
        pytest.param(reply(choices=["hello"]), id="a choice that is a string"),
        pytest.param(reply(choices=[choice(finish=None)]), id="no finish reason"),
        pytest.param(reply(choices=[choice(finish=0)]), id="a finish reason that is a number"),
        pytest.param(reply(choices=[choice(None)]), id="a normal end without content"),
        pytest.param(reply(choices=[choice(["hello"])]), id="content in parts"),
        pytest.param(reply(choices=[choice(12)]), id="content that is a number"),
        pytest.param(reply(choices=[{"index": 0, "finish_reason": "stop", "message": None}]), id="no message"),
    ],
)
def test_what_is_no_reply_is_unreadable(body: object) -> None:
    with pytest.raises(UnreadableReply) as caught:
        read(body)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("index", [[0, 0], [0, 2], [-1, 0], [1, None], ["0", "1"], [0.0, 1.0]])
def test_completions_that_are_not_numbered_are_unreadable(index: list[object]) -> None:
    choices = [choice(index=number) for number in index]

    with pytest.raises(UnreadableReply):
        read(reply(choices=choices), Request.user("x", n=2))


def test_a_refusal_to_read_quotes_nothing() -> None:
    """The body may echo a key, or markup: what the provider wrote stays in the journal."""
    with pytest.raises(UnreadableReply) as caught:
        read({"error": {"message": "bad key sk-secret"}})
    assert "sk-secret" not in str(caught.value)


def usage(**changes: object) -> dict[str, object]:
    return {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, **changes}


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        pytest.param(usage(), Usage(10, 5), id="plain"),
        pytest.param(usage(prompt_tokens_details=None), Usage(10, 5), id="details null"),
        pytest.param(usage(prompt_tokens_details={"cached_tokens": None}), Usage(10, 5), id="cached null"),
        pytest.param(
            usage(prompt_tokens_details={"cached_tokens": 4, "cache_write_tokens": 6}), Usage(10, 5, 4, 6), id="cache"
        ),
        pytest.param(usage(completion_tokens=20), Usage(10, 20), id="at the cap"),
        pytest.param(usage(future_tokens="?"), Usage(10, 5), id="unknown fields"),
        pytest.param(None, None, id="missing"),
        pytest.param([], None, id="a list"),
        pytest.param({}, None, id="empty"),
        pytest.param(usage(prompt_tokens=0), None, id="no input"),
        pytest.param(usage(completion_tokens=0), None, id="text for nothing"),
        pytest.param(usage(completion_tokens=21), None, id="above the cap"),
        pytest.param(usage(prompt_tokens=-1), None, id="negative"),
        pytest.param(usage(prompt_tokens="10"), None, id="a string"),
        pytest.param(usage(prompt_tokens=10.0), None, id="a float"),
        pytest.param(usage(prompt_tokens=True), None, id="a boolean"),
        pytest.param(usage(prompt_tokens_details={"cached_tokens": 11}), None, id="more cached than read"),
        pytest.param(usage(prompt_tokens_details={"cached_tokens": "4"}), None, id="cached as a string"),
        pytest.param(usage(prompt_tokens_details="none"), None, id="details as a string"),
    ],
)
def test_only_a_usage_that_can_be_true_is_believed(told: object, meant: Usage | None) -> None:
    assert read(reply(usage=told)).usage == meant


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places_in(value: object) -> list[tuple[str | int, ...]]:
    """The path to every part of a JSON value, the whole first."""
    children: Mapping[str | int, object] = {}
    if isinstance(value, dict):
        children = value
    elif isinstance(value, list):
        children = dict(enumerate(value))
    return [(), *((key, *path) for key, child in children.items() for path in places_in(child))]


def put(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = put(value[path[0]], path[1:], new)
    return changed


def survives(body: bytes, read: Callable[[bytes], Reading]) -> None:
    """Reading ends with a reading or with UnreadableReply; hypothesis reports anything else."""
    try:
        reading = read(body)
    except UnreadableReply:
        return
    assert len(reading.texts) == len(reading.finish_reasons)
    assert all(isinstance(text, str) for text in (*reading.texts, reading.model))


@given(body=st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    survives(body, read)


@given(data=st.data(), n=st.integers(1, 3))
def test_no_reply_gone_wrong_breaks_the_reader(data: st.DataObject, n: int) -> None:
    """A good reply in which up to three parts have become anything."""
    body = reply(choices=[choice(index=index) for index in range(n)])
    for _ in range(data.draw(st.integers(1, 3))):
        body = put(body, data.draw(st.sampled_from(places_in(body))), data.draw(json_values))

    survives(orjson.dumps(body), lambda content: read(content, Request.user("x", n=n)))
