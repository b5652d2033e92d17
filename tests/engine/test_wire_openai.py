"""OpenAI chat completions: what we post, and what we make of whatever comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, Engine, Events, Price
from engine.clock import SystemClock
from engine.errors import RequestRejected, UnreadableReply
from engine.events import Event, SimulationMet
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import Message, RawReply, Request, Usage
from engine.providers import Capabilities, Reading
from engine.providers.foreign import encode
from engine.providers.openai import OpenAI, body_of, read_completion
from engine.providers.shapes import chat_completion, complete

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "data" / "openai_openapi" / "schemas.json"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FULL = Request(
    messages=(Message("system", "Be brief."), Message("user", "1?"), Message("assistant", "2"), Message("user", "3?")),
    max_tokens=20,
    temperature=0.7,
    n=3,
    stop=("\n\n", "END"),
    seed=7,
    schema=SCHEMA,
)
PLAIN = Request.user("Say hello", max_tokens=20)


def reply(**changes: object) -> dict[str, Any]:
    """A good reply to PLAIN, with changes at the top level."""
    body = chat_completion(
        [complete("hello", "stop", max_tokens=20)], ident="chatcmpl-1", created=1, model="m-2026", input_tokens=3
    )
    return {**orjson.loads(body), **changes}


def choice(content: object = "hello", *, index: object = 0, finish: object = "stop", **message: object) -> object:
    return {"index": index, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}


def read(body: object, request: Request = PLAIN) -> Reading:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_completion(request, RawReply(200, {}, content, 0.1), model="asked-for")


# What we post


def test_a_plain_request_names_nothing_that_was_not_asked_for() -> None:
    assert body_of(PLAIN, model="m", official=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Say hello"}],
        "max_tokens": 20,
    }


def test_openai_itself_is_told_the_new_name_of_the_cap_and_the_tier_that_is_priced() -> None:
    body = body_of(PLAIN, model="m", official=True)

    assert body["max_completion_tokens"] == 20
    assert body["service_tier"] == "default"
    assert "max_tokens" not in body


def test_a_full_request_says_everything() -> None:
    body = body_of(FULL, model="m", official=False)

    assert body == {
        "model": "m",
        "messages": [{"role": message.role, "content": message.content} for message in FULL.messages],
        "max_tokens": 20,
        "temperature": 0.7,
        "n": 3,
        "seed": 7,
        "stop": ["\n\n", "END"],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        },
    }


def test_a_temperature_of_zero_is_a_temperature() -> None:
    assert body_of(Request.user("x", temperature=0), model="m", official=False)["temperature"] == 0


@given(text=st.text(st.characters()))
def test_any_text_can_be_sent(text: str) -> None:
    """Lone surrogates, NUL and all: a row's text arrives as it is, or escaped."""
    sent = json.loads(encode(body_of(Request.user(text), model="m", official=False)))

    assert sent["messages"][0]["content"] == text


def test_what_an_endpoint_cannot_do_is_never_dropped_silently() -> None:
    provider = OpenAI(
        "m", base_url="http://127.0.0.1:1", clock=SystemClock(), capabilities=Capabilities(seed=False, schema=False)
    )

    with pytest.raises(RequestRejected, match="no seed and no schema"):
        asyncio.run(provider.send(FULL, timeout_s=1))


@pytest.mark.parametrize(
    ("capabilities", "request_", "objection"),
    [
        (Capabilities(), FULL, None),
        (Capabilities(max_temperature=None), PLAIN, None),
        (Capabilities(max_temperature=None), FULL, "no temperature may be sent to this model"),
        (Capabilities(max_temperature=0.5), FULL, "the temperature must be at most 0.5 here (got 0.7)"),
        (Capabilities(n=False), FULL, "this endpoint knows no n"),
        (Capabilities(stop=False), FULL, "this endpoint knows no stop"),
    ],
)
def test_an_endpoint_objects_in_words(capabilities: Capabilities, request_: Request, objection: str | None) -> None:
    assert capabilities.objection(request_) == objection


def test_the_endpoint_says_who_answers_and_shows_no_key() -> None:
    provider = OpenAI("gpt-5.4-mini", api_key="sk-secret", clock=SystemClock())

    assert provider.name == "openai/gpt-5.4-mini"
    assert provider.endpoint == "https://api.openai.com/v1 openai-chat gpt-5.4-mini"
    assert repr(provider) == "<OpenAI https://api.openai.com/v1 openai-chat gpt-5.4-mini>"


# What we read


def test_a_good_reply_is_read() -> None:
    assert read(reply()) == Reading(("hello",), ("stop",), Usage(3, 2), "m-2026")


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
        pytest.param(b"\xef\xbb\xbf" + orjson.dumps(reply()), id="byte order mark"),
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


# Oracles: the official SDK, and the published description


@pytest.mark.slow
def test_our_body_is_what_the_official_sdk_sends() -> None:
    import httpx2
    import openai

    sent: list[httpx2.Request] = []

    def capture(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json=reply())

    http_client = httpx2.Client(transport=httpx2.MockTransport(capture))
    client = openai.OpenAI(api_key="sk-test", http_client=http_client, max_retries=0)
    client.chat.completions.create(
        model="m",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1?"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": "3?"},
        ],
        max_completion_tokens=20,
        service_tier="default",
        temperature=0.7,
        n=3,
        stop=["\n\n", "END"],
        seed=7,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": dict[str, object](SCHEMA), "strict": True},
        },
    )

    assert orjson.loads(sent[0].content) == body_of(FULL, model="m", official=True)
    assert str(sent[0].url) == "https://api.openai.com/v1/chat/completions"
    assert sent[0].headers["authorization"] == "Bearer sk-test"
    assert sent[0].headers["content-type"] == "application/json"


@pytest.mark.slow
def test_the_fake_answers_the_official_sdk() -> None:
    async def main() -> None:
        import openai

        async with (
            FakeProvider(EchoWorld()) as fake,
            openai.AsyncOpenAI(base_url=fake.url, api_key="sk-test", max_retries=0) as client,
        ):
            completion = await client.chat.completions.create(
                model="any-name", messages=[{"role": "user", "content": "hello"}], n=2
            )
            models = await client.models.list()
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(model="m", messages=[], temperature=3)

        assert [choice.message.content for choice in completion.choices] == ["hello", "hello"]
        assert completion.model == "any-name"
        assert completion.usage is not None
        assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (2, 4)
        assert [model.id for model in models.data] == ["echo"]
        assert (caught.value.code, caught.value.param) == ("decimal_above_max_value", "temperature")

    asyncio.run(main())


KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def matches(value: object, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    """Whether a value fits a schema, as far as types, required and known fields, enums and unions say."""
    if "$ref" in schema:
        return matches(value, schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    unions = [schema[union] for union in ("anyOf", "oneOf") if union in schema]
    return (
        value in schema.get("enum", (value,))
        and isinstance(value, KINDS.get(schema.get("type", ""), (object,)))
        and all(any(matches(value, option, schemas) for option in union) for union in unions)
        and all(matches(value, part, schemas) for part in schema.get("allOf", ()))
        and parts_match(value, schema, schemas)
    )


def parts_match(value: object, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> bool:
    if isinstance(value, list):
        return all(matches(item, schema.get("items", {}), schemas) for item in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        fields_fit = all(matches(part, known[name], schemas) for name, part in value.items() if name in known)
        return fields_fit and value.keys() >= set(schema.get("required", ()))
    return True


@pytest.mark.skipif(not SCHEMAS.exists(), reason="the published OpenAPI description is not beside the checkout")
def test_bodies_and_replies_fit_the_published_description() -> None:
    schemas = orjson.loads(SCHEMAS.read_bytes())["components"]["schemas"]
    requests = [
        body_of(request, model="m", official=official) for request in (PLAIN, FULL) for official in (True, False)
    ]

    assert all(matches(body, schemas["CreateChatCompletionRequest"], schemas) for body in requests)
    assert matches(reply(), schemas["CreateChatCompletionResponse"], schemas)
    assert not matches(reply(choices=[{"index": 0}]), schemas["CreateChatCompletionResponse"], schemas)


def test_a_simulated_teacher_behind_http_is_called_simulated_and_so_is_its_journaled_reply(tmp_path: Path) -> None:
    met: list[Event] = []
    events = Events()
    events.subscribe(met.append)

    async def ask_once(url: str) -> tuple[bool, bool]:
        budget, price = Budget(1), Price(input=1, output=1)
        journal = tmp_path / "journal.db"
        async with Engine(
            "openai/echo", base_url=url, budget=budget, price=price, journal=journal, events=events
        ) as engine:
            reply = await engine.ask(Request.user("hello"))
            return engine.simulated, reply.from_journal

    async def ask_twice() -> list[tuple[bool, bool]]:
        async with FakeProvider(EchoWorld()) as fake:
            return [await ask_once(fake.url), await ask_once(fake.url)]

    assert asyncio.run(ask_twice()) == [(True, False), (True, True)]
    assert sum(isinstance(event, SimulationMet) for event in met) == 2
