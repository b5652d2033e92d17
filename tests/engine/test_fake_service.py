"""What the fake provider answers and refuses: as strict as the real ones, in their words."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.fakes.dialect import Dialect
from engine.fakes.service import Moment
from tests.engine.fake_requests import ANTHROPIC, OPENAI, VERSION, ask, service

MISSING = "missing_required_parameter"
SCHEMA: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
PREFILLED = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "So"}]


def named(name: str) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": {"type": "object"}}}


def test_the_answer_does_not_depend_on_what_was_asked_before() -> None:
    fresh, busy = service(), service()
    for number in range(5):
        ask(busy, messages=[{"role": "user", "content": f"other {number}"}])

    first, later = orjson.loads(ask(fresh).body), orjson.loads(ask(busy).body)

    assert first["choices"] == later["choices"]
    assert first["usage"] == later["usage"]
    assert first["id"] != later["id"]


def test_any_model_name_is_answered_to_and_echoed() -> None:
    assert orjson.loads(ask(service(), model="gpt-anything").body)["model"] == "gpt-anything"


def test_parts_and_the_developer_role_are_understood() -> None:
    messages = [
        {"role": "developer", "content": "Echo."},
        {"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]},
    ]
    body = orjson.loads(ask(service(), messages=messages, n=2, stop="l").body)

    assert [choice["message"]["content"] for choice in body["choices"]] == ["he", "he"]
    assert body["usage"]["prompt_tokens"] == 4


def test_an_answer_is_cut_at_the_cap() -> None:
    messages = [{"role": "user", "content": "x" * 100}]

    assert orjson.loads(ask(service(), messages=messages, max_tokens=5).body)["choices"][0]["finish_reason"] == "length"
    assert orjson.loads(ask(service(), ANTHROPIC, messages=messages, max_tokens=5).body)["stop_reason"] == "max_tokens"


def test_a_stop_sequence_is_named_in_messages() -> None:
    body = orjson.loads(ask(service(), ANTHROPIC, stop_sequences=["l"], system="Echo.").body)

    assert (body["stop_reason"], body["stop_sequence"], body["content"][0]["text"]) == ("stop_sequence", "l", "he")


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"frobnicate": 1}, "frobnicate", "unknown_parameter"),
        ({"tools": [{}]}, "tools", "unsupported_parameter"),
        ({"stream": True}, "stream", "unsupported_parameter"),
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": 1.5}, "n", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", "invalid_parameter_combination"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": "hello"}, "messages", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": ["hello"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content", "invalid_type"),
        ({"stop": list("abcde")}, "stop", "array_above_max_length"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"model": ""}, None, None),
        ({"stream_options": {"include_usage": True}}, "stream_options", None),
        ({"reasoning_effort": "hard"}, "reasoning_effort", "invalid_value"),
        ({"service_tier": "gold"}, "service_tier", "invalid_value"),
        ({"metadata": {"a": 1}}, "metadata", None),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata", None),
        ({"response_format": "json"}, "response_format.type", "invalid_value"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
        ({"response_format": SCHEMA | {"json_schema": {}}}, "response_format.json_schema.name", MISSING),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", MISSING),
        ({"response_format": SCHEMA | {"json_schema": {"name": "a"}}}, "response_format.json_schema.schema", MISSING),
        ({"response_format": named("a b")}, "response_format.json_schema.name", "invalid_value"),
        ({"model": "o3-mini", "max_tokens": 5}, "max_tokens", "unsupported_parameter"),
        ({"model": "gpt-5-mini", "temperature": 0.7}, "temperature", "unsupported_value"),
        ({"model": "gpt-5", "top_p": 0.5}, "top_p", "unsupported_value"),
        ({"model": "o1", "presence_penalty": 1}, "presence_penalty", "unsupported_parameter"),
        ({"model": "o4-mini", "stop": "x"}, "stop", "unsupported_parameter"),
    ],
)
def test_openai_refuses_what_it_does_not_know(changes: dict[str, Any], param: str | None, code: str | None) -> None:
    served = ask(service(), **changes)
    error = orjson.loads(served.body)["error"]

    assert (served.status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]


@pytest.mark.parametrize(
    ("dialect", "changes"),
    [
        (OPENAI, {"model": "gpt-5-mini", "temperature": 1, "max_completion_tokens": 5, "reasoning_effort": "low"}),
        (OPENAI, {"model": "o1", "stop": "x"}),
        (OPENAI, {"model": "gpt-5.4-mini", "temperature": 0.3, "max_tokens": 5, "stop": "x"}),
        (OPENAI, {"response_format": SCHEMA, "metadata": {"a": "b"}, "service_tier": "flex"}),
        (OPENAI, {"response_format": {"type": "json_object"}}),
        (ANTHROPIC, {"messages": PREFILLED, "model": "claude-haiku-4-5"}),
        (ANTHROPIC, {"metadata": {"user_id": "x"}, "service_tier": "auto", "top_p": 0.5, "top_k": 5}),
        (ANTHROPIC, {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}}}),
    ],
)
def test_what_the_services_take_is_taken(dialect: Dialect, changes: dict[str, Any]) -> None:
    assert ask(service(), dialect, **changes).status == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"n": 2}, "n: Extra inputs are not permitted"),
        ({"seed": 2}, "seed: Extra inputs are not permitted"),
        ({"stream": True}, "stream: not offered"),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"model": None}, "model: Field required"),
        ({"model": 1}, "model: Input should be a valid string"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role: Input should be"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 'messages: first message must use the "user" role'),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "messages.0.name: Extra inputs"),
        ({"system": 1}, "system: Input should be"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({"stop_sequences": [" "]}, "stop_sequences: each stop sequence must contain non-whitespace"),
        ({"service_tier": "priority"}, "service_tier: Input should be 'auto' or 'standard_only'"),
        ({"metadata": "me"}, "metadata: Input should be a valid dictionary"),
        ({"metadata": {"name": "me"}}, "metadata.name: Extra inputs are not permitted"),
        ({"output_config": "json"}, "output_config: Input should be a valid dictionary"),
        ({"output_config": {"form": {}}}, "output_config.form: Extra inputs are not permitted"),
        ({"output_config": {"effort": "none"}}, "output_config.effort: Input should be 'low'"),
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format: Input should be"),
        ({"top_p": 2}, "top_p: range: 0..1"),
        ({"top_k": 0.5}, "top_k: Input should be a valid integer"),
        ({"messages": PREFILLED, "model": "claude-sonnet-4-6"}, "messages: this model does not support assistant"),
        ({"messages": [*PREFILLED[:1], {"role": "assistant", "content": "So "}]}, "messages: final assistant content"),
    ],
)
def test_anthropic_refuses_what_it_does_not_know(changes: dict[str, Any], message: str) -> None:
    served = ask(service(), ANTHROPIC, **changes)
    body = orjson.loads(served.body)

    assert (served.status, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert body["error"]["message"].startswith(message)
    assert body["request_id"] == served.headers["request-id"]


@pytest.mark.parametrize(
    ("headers", "changes", "message"),
    [
        ({}, {}, "anthropic-version: header is required"),
        ({"anthropic-version": "2020-01-01"}, {}, 'anthropic-version: "2020-01-01" is not a valid version'),
        ({"anthropic-version": "2026-10-21"}, {"temperature": 1.0}, "temperature: sampling parameters"),
    ],
)
def test_the_anthropic_version_is_checked(headers: dict[str, str], changes: dict[str, Any], message: str) -> None:
    served = ask(service(), ANTHROPIC, headers=headers, **changes)

    assert served.status == 400
    assert message in orjson.loads(served.body)["error"]["message"]


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": NaN}', b"\xff", b"[" * 9999])
def test_what_is_no_json_is_refused(dialect: Dialect, body: bytes) -> None:
    assert service().serve(dialect, VERSION, body, Moment(0, 0)).status == 400


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@settings(deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(["model", "messages", "max_tokens", "temperature", "n", "stop", "stop_sequences", "system"]),
        st.none()
        | st.booleans()
        | st.integers(-9, 9)
        | st.text(max_size=2)
        | st.lists(st.text(max_size=2), max_size=2),
    )
)
def test_no_request_breaks_the_service(dialect: Dialect, changes: dict[str, Any]) -> None:
    assert ask(service(), dialect, **changes).status in {200, 400}


@pytest.mark.parametrize(
    ("dialect", "headers", "status"),
    [
        pytest.param(OPENAI, {}, 401, id="none"),
        pytest.param(OPENAI, {"authorization": "Bearer wrong"}, 401, id="wrong"),
        pytest.param(OPENAI, {"authorization": "Bearer right"}, 200, id="right"),
        pytest.param(ANTHROPIC, {"x-api-key": "right", **VERSION}, 200, id="x-api-key"),
        pytest.param(ANTHROPIC, {"authorization": "Bearer right", **VERSION}, 200, id="bearer"),
        pytest.param(
            ANTHROPIC, {"authorization": "Bearer right", "x-api-key": "no", **VERSION}, 401, id="x-api-key wins"
        ),
    ],
)
def test_a_key_is_asked_for_when_one_is_set(dialect: Dialect, headers: dict[str, str], status: int) -> None:
    served = ask(service(api_key="right"), dialect, headers=headers)

    assert served.status == status
    assert b"wrong" not in served.body


def test_a_request_beyond_the_context_is_refused() -> None:
    target = service(context_tokens=21)

    openai = ask(target, max_tokens=20)
    anthropic = ask(target, ANTHROPIC, max_tokens=20)

    assert orjson.loads(openai.body)["error"]["code"] == "context_length_exceeded"
    assert orjson.loads(anthropic.body)["error"]["message"] == "prompt is too long: 22 tokens > 21 maximum"
    assert ask(target, max_tokens=19).status == 200
