"""The official clients through LiteLLM's proxy to our own fake: what all three make of one another. Slow."""

from __future__ import annotations

import asyncio

import pytest

from tests.peers.conftest import Started
from tests.peers.peers import KEY, Weather
from tests.peers.script import BRIEF, PLAIN, Scripted, heard

pytestmark = [pytest.mark.slow, pytest.mark.peers]


@pytest.mark.parametrize("model", ["openai-behind", "anthropic-behind"])
def test_openais_client_hears_what_the_fake_says_and_which_limits_it_has(started: Started, model: str) -> None:
    import openai

    peer = started("litellm")

    async def ask() -> tuple[object, dict[str, str]]:
        client = openai.AsyncOpenAI(base_url=peer.url, api_key=KEY, max_retries=0)
        async with peer.under(Weather.TOLD, Scripted()), client:
            turns = [{"role": "system", "content": BRIEF}, {"role": "user", "content": PLAIN}]
            raw = await client.chat.completions.with_raw_response.create(model=model, messages=turns)  # type: ignore[arg-type]
            reply = raw.parse()
            assert reply.usage is not None
            assert reply.usage.prompt_tokens > reply.usage.completion_tokens > 0
            return reply.choices[0].message.content, dict(raw.headers)

    text, headers = asyncio.run(ask())

    assert text == heard(2)
    assert headers["x-ratelimit-limit-requests"] == "6000"
    assert headers["llm_provider-x-simulated-teacher"] == "1"


def test_anthropics_client_hears_it_in_its_own_dialect(started: Started) -> None:
    import anthropic

    peer = started("litellm")

    async def ask() -> str:
        client = anthropic.AsyncAnthropic(base_url=peer.url.removesuffix("/v1"), api_key=KEY, max_retries=0)
        async with peer.under(Weather.CALM, Scripted()), client:
            reply = await client.messages.create(
                model="anthropic-behind", system=BRIEF, messages=[{"role": "user", "content": PLAIN}], max_tokens=24
            )
            assert reply.usage.output_tokens > 0
            return "".join(block.text for block in reply.content if block.type == "text")

    assert asyncio.run(ask()) == heard(2)
