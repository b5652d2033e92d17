"""Anthropic messages: what we post, and what we make of whatever comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import SystemClock
from engine.errors import RequestRejected, UnreadableReply
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import Message, RawReply, Request, Usage
from engine.providers import Capabilities, Reading
from engine.providers.anthropic import Anthropic, capabilities_under, read_message
from engine.providers.anthropic_body import body_of
from engine.providers.shapes import anthropic_message, complete

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FULL = Request(
    messages=(Message("system", "Be brief."), Message("user", "1?"), Message("assistant", "2"), Message("user", "3?")),
    max_tokens=20,
    temperature=0.7,
    stop=("\n\n", "END"),
    schema=SCHEMA,
)
PLAIN = Request.user("Say hello", max_tokens=20)


def reply(**changes: object) -> dict[str, Any]:
    """A good reply to PLAIN, with changes at the top level."""
    body = anthropic_message(complete("hello", "stop", max_tokens=20), ident="msg_1", model="m-2026", input_tokens=3)
    return {**orjson.loads(body), **changes}


def text(said: object) -> dict[str, object]:
    return {"type": "text", "text": said}


def read(body: object, request: Request = PLAIN) -> Reading:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_message(request, RawReply(200, {}, content, 0.1), model="asked-for")


# What we post


def test_a_plain_request_names_nothing_that_was_not_asked_for() -> None:
    assert body_of(PLAIN, model="m", official=False) == {
        "model": "m",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "Say hello"}],
    }


def test_a_full_request_says_everything() -> None:
    assert body_of(FULL, model="m", official=True) == {
        "model": "m",
        "max_tokens": 20,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "1?"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "3?"},
        ],
        "temperature": 0.7,
        "stop_sequences": ["\n\n", "END"],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        "service_tier": "standard_only",
    }


def test_opening_system_messages_are_joined() -> None:
    request = Request(messages=(Message("system", "a"), Message("system", "b"), Message("user", "c")))

    assert body_of(request, model="m", official=False)["system"] == "a\n\nb"


def test_a_later_system_message_is_refused_rather_than_moved() -> None:
    request = Request(messages=(Message("user", "a"), Message("system", "b"), Message("user", "c")))

    with pytest.raises(RequestRejected, match="before the first user message"):
        body_of(request, model="m", official=False)


@pytest.mark.parametrize(
    ("version", "highest"), [("2023-01-01", 1.0), ("2023-06-01", 1.0), ("2026-10-21", None), ("2027-01-01", None)]
)
def test_the_version_decides_about_the_temperature(version: str, highest: float | None) -> None:
    capabilities = Anthropic("m", version=version, clock=SystemClock()).capabilities

    assert capabilities == Capabilities(max_temperature=highest, n=False, seed=False)


@pytest.mark.parametrize(
    ("request_", "objection"),
    [
        (Request.user("x", temperature=1.5), "at most 1 here"),
        (Request.user("x", n=2), "no n"),
        (Request.user("x", seed=1), "no seed"),
    ],
)
def test_what_the_dialect_cannot_carry_is_never_sent(request_: Request, objection: str) -> None:
    async def main() -> int:
        async with FakeProvider(EchoWorld()) as fake:
            provider = Anthropic("m", base_url=fake.url, clock=SystemClock())
            with pytest.raises(RequestRejected, match=objection):
                await provider.send(request_, timeout_s=1)
            return len(fake.audit.entries)

    assert asyncio.run(main()) == 0


def test_the_endpoint_says_who_answers_and_shows_no_key() -> None:
    provider = Anthropic("claude-haiku-4-5", api_key="sk-ant-secret", clock=SystemClock())

    assert provider.name == "anthropic/claude-haiku-4-5"
    assert provider.endpoint == "https://api.anthropic.com anthropic-messages 2023-06-01 claude-haiku-4-5"
    assert "secret" not in repr(provider)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_base_url_may_end_in_v1_or_not(suffix: str) -> None:
    provider = Anthropic("m", base_url=f"https://example.org{suffix}", clock=SystemClock())

    assert provider.endpoint == "https://example.org anthropic-messages 2023-06-01 m"


# What we read


def test_a_good_reply_is_read() -> None:
    assert read(reply()) == Reading(("hello",), ("stop",), Usage(3, 2), "m-2026")


def test_text_blocks_are_joined_and_thinking_is_left_out() -> None:
    content = [{"type": "thinking", "thinking": "hm", "signature": "s"}, text("hel"), text("lo")]

    assert read(reply(content=content)).texts == ("hello",)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "other"),
        ("pause_turn", "other"),
        ("something_new", "other"),
    ],
)
def test_stop_reasons_speak_one_vocabulary(told: str, meant: str) -> None:
    assert read(reply(stop_reason=told)).finish_reasons == (meant,)


def test_a_refusal_is_no_answer() -> None:
    reading = read(reply(stop_reason="refusal", content=[text("I would rather not.")]))

    assert (reading.texts, reading.finish_reasons) == (("",), ("refusal",))


def test_an_answer_ends_before_the_first_stop_whatever_the_server_does() -> None:
    """Servers that call themselves compatible may leave it in, or never look for it."""
    request = Request.user("x", stop=("END",))

    reading = read(reply(stop_reason="max_tokens", content=[text("one two END three")]), request)

    assert (reading.texts, reading.finish_reasons) == (("one two ",), ("stop",))


def test_an_answer_may_be_empty() -> None:
    assert read(reply(content=[])).texts == ("",)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>502 Bad Gateway</html>", id="html"),
        pytest.param(orjson.dumps(reply())[:-40], id="cut"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, id="an error"),
        pytest.param(reply(stop_reason=None), id="no stop reason"),
        pytest.param(reply(content=None), id="no content"),
        pytest.param(reply(content="hello"), id="content that is a string"),
        pytest.param(reply(content=["hello"]), id="a block that is a string"),
        pytest.param(reply(content=[text(None)]), id="a text block without text"),
    ],
)
def test_what_is_no_reply_is_unreadable(body: object) -> None:
    with pytest.raises(UnreadableReply) as caught:
        read(body)
    assert "\n" not in str(caught.value)


def usage(**changes: object) -> dict[str, object]:
    return {"input_tokens": 10, "output_tokens": 5, **changes}


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        pytest.param(usage(), Usage(10, 5), id="plain"),
        pytest.param(
            usage(cache_read_input_tokens=100, cache_creation_input_tokens=7), Usage(117, 5, 100, 7), id="three sums"
        ),
        pytest.param(usage(input_tokens=0, cache_read_input_tokens=9), Usage(9, 5, 9), id="all of it cached"),
        pytest.param(usage(cache_read_input_tokens=None), Usage(10, 5), id="no cache"),
        pytest.param(usage(input_tokens=0), None, id="no input"),
        pytest.param(usage(input_tokens=None), None, id="input null"),
        pytest.param(usage(input_tokens=-10, cache_read_input_tokens=20), None, id="negative"),
        pytest.param(usage(cache_read_input_tokens="9"), None, id="a string"),
        pytest.param(usage(output_tokens=21), None, id="above the cap"),
        pytest.param(usage(output_tokens=0), None, id="text for nothing"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_only_a_usage_that_can_be_true_is_believed(told: object, meant: Usage | None) -> None:
    assert read(reply(usage=told)).usage == meant


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    changes=st.dictionaries(st.sampled_from(sorted(reply())), json_values, max_size=3),
    told=st.dictionaries(st.sampled_from(sorted(reply()["usage"])), json_values, max_size=3),
    block=st.dictionaries(st.sampled_from(["type", "text"]), json_values, max_size=2),
)
def test_no_reply_gone_wrong_breaks_the_reader(
    changes: dict[str, object], told: dict[str, object], block: dict[str, object]
) -> None:
    body = {**reply(usage=usage(**told), content=[{**text("hello"), **block}]), **changes}
    try:
        reading = read(body)
    except UnreadableReply:
        return
    assert len(reading.texts) == len(reading.finish_reasons) == 1
    assert all(isinstance(said, str) for said in (*reading.texts, reading.model))


# Oracle: the official SDK


@pytest.mark.slow
def test_our_body_is_what_the_official_sdk_sends() -> None:
    import anthropic
    import httpx2

    sent: list[httpx2.Request] = []

    def capture(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json=reply())

    http_client = httpx2.Client(transport=httpx2.MockTransport(capture))
    client = anthropic.Anthropic(api_key="sk-test", http_client=http_client, max_retries=0)
    client.messages.create(
        model="m",
        max_tokens=20,
        system="Be brief.",
        messages=[
            {"role": "user", "content": "1?"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "3?"},
        ],
        stop_sequences=["\n\n", "END"],
        service_tier="standard_only",
        output_config={"format": {"type": "json_schema", "schema": dict[str, object](SCHEMA)}},
        # This version of the SDK speaks the newest API, which knows no temperature any more.
        extra_body={"temperature": 0.7},
    )

    assert orjson.loads(sent[0].content) == body_of(FULL, model="m", official=True)
    assert str(sent[0].url) == "https://api.anthropic.com/v1/messages"
    assert capabilities_under(sent[0].headers["anthropic-version"]).max_temperature is None


@pytest.mark.slow
def test_the_fake_answers_the_official_sdk() -> None:
    async def main() -> None:
        import anthropic

        async with FakeProvider(EchoWorld()) as fake:
            base_url = fake.url.removesuffix("/v1")
            async with anthropic.AsyncAnthropic(base_url=base_url, api_key="sk-test", max_retries=0) as client:
                message = await client.messages.create(
                    model="any-name", max_tokens=20, messages=[{"role": "user", "content": "hello"}]
                )
                models = await client.models.list()
                with pytest.raises(anthropic.BadRequestError) as caught:
                    await client.messages.create(
                        model="m",
                        max_tokens=20,
                        messages=[{"role": "user", "content": "x"}],
                        extra_body={"temperature": 1.0},
                    )

        assert [block.text for block in message.content if block.type == "text"] == ["hello"]
        assert (message.model, message.stop_reason) == ("any-name", "end_turn")
        assert (message.usage.input_tokens, message.usage.output_tokens) == (2, 2)
        assert [model.id for model in models.data] == ["echo"]
        assert "temperature" in caught.value.message
        assert caught.value.request_id == "req_000000000000000000000002"  # they count from 0

    asyncio.run(main())
