"""What names a question; and that what cannot be meant is refused where it is written, in one line, not later."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine import Message, Request, UserError
from engine.messages import as_told

HELLO = (Message("user", "hello"),)


def test_a_plain_stop_is_one_stop() -> None:
    assert Request.user("x", stop="END").stop == ("END",)  # type: ignore[arg-type]
    assert Request.user("x", stop=["a", "b"]).stop == ("a", "b")  # type: ignore[arg-type]


def test_messages_may_come_in_any_iterable() -> None:
    assert Request(messages=iter(HELLO)).messages == HELLO  # type: ignore[arg-type]


PLAIN = Request(messages=HELLO, temperature=0.0, schema={"a": 1, "b": 2})


def name(request: Request, *, asked_of: str = "m at url") -> bytes:
    return request.identity(asked_of=asked_of)


@pytest.mark.parametrize(
    "other",
    [
        {"messages": (Message("user", "hello "),)},
        {"messages": (Message("system", "hello"),)},
        {"messages": (*HELLO, Message("assistant", "hi"))},
        {"max_tokens": 1023},
        {"temperature": None},
        {"temperature": 0.1},
        {"n": 2},
        {"stop": ("END",)},
        {"seed": 0},
        {"schema": None},
        {"schema": {"a": 1, "b": 3}},
        {"sample": 1},
        {"schema": None, "choices": ("a", "b")},
    ],
    ids=str,
)
def test_whatever_shapes_the_answer_makes_another_question(other: dict[str, Any]) -> None:
    assert name(replace(PLAIN, **other)) != name(PLAIN)


def test_another_model_or_address_is_another_to_ask() -> None:
    assert name(PLAIN, asked_of="m at url") != name(PLAIN, asked_of="n at url") != name(PLAIN, asked_of="n at url/v2")


@pytest.mark.parametrize("other", [{"tag": "stage"}, {"temperature": 0}, {"schema": {"b": 2, "a": 1}}], ids=str)
def test_what_shapes_no_answer_leaves_the_question_what_it_is(other: dict[str, Any]) -> None:
    assert name(replace(PLAIN, **other)) == name(PLAIN)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"messages": "hello"}, "messages must be a list of Message (got str); for one text use Request.user(text)"),
        ({"messages": None}, "messages must be a list of Message (got NoneType)"),
        ({"messages": ["hello"]}, 'message 1 must be a Message, as in Message("user", text) (got str)'),
        ({"messages": [*HELLO, {"role": "user"}]}, "message 2 must be a Message"),
        ({"messages": []}, "at least one message"),
        ({"stop": 3}, "stop must be texts (got 3)"),
        ({"stop": ("a", b"b")}, "stop must be texts"),
        ({"n": 1.0}, "n must be a whole number (got 1.0)"),
        ({"n": True}, "n must be a whole number (got True)"),
        ({"n": 0}, "n must be at least 1 (got 0)"),
        ({"max_tokens": "5"}, "max_tokens must be a whole number (got '5')"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"sample": None}, "sample must be a whole number"),
        ({"temperature": "hot"}, "temperature must lie between 0 and 2 (got 'hot')"),
        ({"temperature": float("nan")}, "temperature must lie between 0 and 2"),
        ({"temperature": 2.1}, "temperature must lie between 0 and 2"),
        ({"schema": {"type": object()}}, "schema must be a JSON object"),
        ({"schema": ["a"]}, "schema must be a JSON object (got list)"),
        ({"schema": {"a": "\ud800"}}, "schema must be a JSON object"),
        ({"choices": ("a", 3)}, "choices must be texts"),
        ({"choices": ("a", "")}, "a choice must be a text with something in it"),
        ({"choices": ("a",), "schema": {"a": 1}}, "give one of both"),
        ({"tag": None}, "tag must be a text (got NoneType)"),
    ],
)
def test_a_field_that_cannot_be_meant_is_refused_at_once(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        Request(**({"messages": HELLO} | fields))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("choices", [(), ("yes", "no")], ids=["open", "closed"])
def test_a_request_comes_back_from_its_canonical_form_and_one_without_choices_has_the_form_of_old(
    choices: tuple[str, ...],
) -> None:
    request = Request.user("hello", max_tokens=5, stop=("END",), seed=3, sample=2)
    request = replace(request, choices=choices)
    canonical = request.canonical(asked_of="m at url")

    assert Request.from_canonical(canonical, tag="") == request
    assert as_told(canonical).get("choices", []) == list(choices)
    assert len(json.loads(canonical)) == (10 if choices else 9)


@pytest.mark.parametrize(("role", "content"), [("tool", "x"), ("user", None), ("user", b"x"), (None, "x")])
def test_a_message_is_a_known_role_and_a_text(role: Any, content: Any) -> None:
    with pytest.raises(UserError, match="a message's"):
        Message(role, content)
