"""OpenAI chat completions: what we post, beside what the official client posts and the published description."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, Engine, Events, Price
from engine.clock import SystemClock
from engine.errors import RequestRejected
from engine.events import Event, SimulationMet
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import Message, Request
from engine.providers import Capabilities
from engine.providers.foreign import encode
from engine.providers.openai import OpenAI
from engine.providers.openai_body import body_of
from tests.engine.openai_bodies import PLAIN

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
