"""The same questions to servers that others wrote. Slow; `make peers` installs them."""

from __future__ import annotations

import asyncio

import pytest

from engine import Message, Reply, Request
from engine.errors import AnswerCut, SchemaMissed
from tests.peers.conftest import Started
from tests.peers.peers import RATE, Peer, Weather
from tests.peers.script import BRIEF, CITY, CITY_SCHEMA, LONG, PLAIN, STOPPED, Scripted, heard

pytestmark = [pytest.mark.slow, pytest.mark.peers]


def answers(peer: Peer, *requests: Request) -> tuple[list[Reply], int]:
    """What a peer says to each, one after the other, and how many questions it counted; nothing may be left unknown."""

    async def ask() -> tuple[list[Reply], int]:
        async with peer.under(Weather.CALM, Scripted()) as asked, peer.engine() as engine:
            replies = [await engine.ask(request) for request in requests]
            statistics = engine.statistics()
            assert statistics.assumed == 0
            assert statistics.spent == sum(RATE.cost(reply.usage) for reply in replies)
            assert statistics.failures == {}
            return replies, asked()

    return asyncio.run(ask())


def test_a_question_is_answered_at_once_and_its_usage_is_what_is_paid(peer: Peer) -> None:
    (reply,), asked = answers(peer, Request.user(PLAIN, max_tokens=24))

    assert reply.text
    assert reply.finish_reasons[0] in ("stop", "length")
    assert reply.usage.input_tokens > 0
    assert 0 < reply.usage.output_tokens <= 24
    assert (reply.attempts, asked) == (1, 1)
    assert reply.model


def test_a_conversation_arrives_whole_system_message_and_examples_included(peer: Peer) -> None:
    peer.must("conversation")
    turns = [("system", BRIEF), ("user", "Peer, one?"), ("assistant", "1"), ("user", "Peer, two?")]

    (reply,), _ = answers(peer, Request(messages=tuple(Message(role, text) for role, text in turns)))  # type: ignore[arg-type]

    assert reply.text == heard(4)


def test_several_completions_come_in_one_request_or_in_as_many_as_there_are(peer: Peer) -> None:
    (reply,), asked = answers(peer, Request.user(PLAIN, n=3, temperature=1.0, max_tokens=24))

    assert len(reply.texts) == len(reply.finish_reasons) == 3
    assert asked == (1 if peer.dialect.n else 3)


def test_an_answer_that_was_cut_says_so_and_a_whole_one_does_too(peer: Peer) -> None:
    peer.must("cut")

    (cut,), _ = answers(peer, Request.user(LONG, max_tokens=4))

    assert cut.finish_reasons == ("length",)
    assert cut.usage.output_tokens <= 4


def test_an_answer_ends_before_a_stop_sequence(peer: Peer) -> None:
    """Some leave the sequence in, and some never look for it: what the reader gets is the same."""
    (whole,), _ = answers(peer, Request.user(STOPPED, max_tokens=12, temperature=0))
    stop = next(part for part in (whole.text[4:7], whole.text[:1]) if part)

    (stopped,), _ = answers(peer, Request.user(STOPPED, max_tokens=12, temperature=0, stop=(stop,)))

    assert stopped.text == whole.text.partition(stop)[0]
    assert stopped.finish_reasons == ("stop",)


def test_json_is_what_the_schema_says_wherever_the_schema_was_told(peer: Peer) -> None:
    peer.must("json")

    (reply,), _ = answers(peer, Request.user(CITY, schema=CITY_SCHEMA, max_tokens=200))

    assert reply.parsed == {"city": "Vigo", "people": 292000}


def test_json_that_is_none_is_told_apart_from_json_that_was_cut(started: Started) -> None:
    """A model of random weights is the worst of teachers, and costs one row."""
    peer = started("transformers-serve")

    (reply,), _ = answers(peer, Request.user(CITY, schema=CITY_SCHEMA, max_tokens=24))

    with pytest.raises((AnswerCut, SchemaMissed)):
        _ = reply.parsed


def test_another_dialects_model_behind_the_proxy_answers_in_ours(started: Started) -> None:
    peer = started("litellm")

    async def ask() -> Reply:
        async with peer.under(Weather.CALM, Scripted()), peer.engine(model="anthropic-behind") as engine:
            return await engine.ask(Request.user(PLAIN, system=BRIEF, max_tokens=24))

    assert asyncio.run(ask()).text == heard(2)
