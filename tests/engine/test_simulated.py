"""A world as a provider: the same to every caller, in its own time, and never mistaken for a real teacher."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bounds import input_bound
from engine.clock import SystemClock
from engine.errors import RequestRejected
from engine.fakes import virtual_time
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import FinishReason, Message, RawReply, Request, Usage
from engine.prices import Price
from engine.providers import AttemptTimedOut, Provider, Reading
from engine.providers.anthropic import Anthropic
from engine.providers.openai import OpenAI
from engine.providers.shapes import complete, prompt_tokens, tokens_in
from engine.providers.simulated import Answer, Simulated


@dataclass(frozen=True)
class Oracle:
    """A toy world: says what it was asked, how hot and which sample, as the test likes."""

    finish_reason: FinishReason = "stop"
    seed: int = 3
    name: str = "oracle"
    price: Price = field(default_factory=lambda: Price(input=1, output=2))

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:
        said = f"{len(messages)} {messages[-1].content} {temperature} {max_tokens} {sample}"
        return Answer(said, self.finish_reason, latency_s=1.0 + sample)

    def truth(self, messages: Sequence[Message]) -> str | None:  # noqa: ARG002 - an oracle has no truth
        return None


def asked(provider: Provider, request: Request) -> tuple[RawReply, Reading]:
    async def main() -> tuple[RawReply, Reading]:
        raw = await provider.send(request, timeout_s=60)
        return raw, provider.read(request, raw)

    return virtual_time.run(main())


def test_a_world_answers_and_is_charged_by_its_own_count() -> None:
    _, reading = asked(Simulated(EchoWorld(), SystemClock()), Request.user("hello", system="Echo."))

    assert reading == Reading(("hello",), ("stop",), Usage(4, 2), "echo")


def test_each_completion_is_another_sample() -> None:
    _, reading = asked(Simulated(Oracle(), SystemClock()), Request.user("x", n=3, temperature=0.5, max_tokens=9))

    assert reading.texts == ("1 x 0.5 9 0", "1 x 0.5 9 1", "1 x 0.5 9 2")


def test_without_a_temperature_the_world_is_asked_at_one() -> None:
    _, reading = asked(Simulated(Oracle(), SystemClock()), Request.user("x", max_tokens=9))

    assert reading.texts == ("1 x 1.0 9 0",)


def test_the_same_request_gets_the_same_bytes() -> None:
    request = Request.user("hello", n=2)
    first, _ = asked(Simulated(Oracle(), SystemClock()), request)
    second, _ = asked(Simulated(Oracle(), SystemClock()), request)

    assert first.body == second.body


def test_it_takes_as_long_as_the_slowest_completion() -> None:
    async def main() -> tuple[float, float]:
        raw = await Simulated(Oracle(), SystemClock()).send(Request.user("x", n=3), timeout_s=60)
        return raw.latency_s, asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == (3.0, 3.0)


def test_an_answer_slower_than_the_deadline_never_comes() -> None:
    async def main() -> float:
        with pytest.raises(AttemptTimedOut) as caught:
            await Simulated(Oracle(), SystemClock()).send(Request.user("x", n=3), timeout_s=2.5)
        assert caught.value.sent
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == 2.5


def test_a_refusing_world_is_read_as_a_refusal() -> None:
    _, reading = asked(Simulated(Oracle("refusal"), SystemClock()), Request.user("x"))

    assert (reading.texts, reading.finish_reasons) == (("",), ("refusal",))


def test_a_simulated_teacher_is_called_so() -> None:
    provider = Simulated(Oracle(), SystemClock())

    assert provider.simulated
    assert provider.name == "simulated/oracle"
    assert provider.endpoint == "simulated world oracle seed 3"
    assert provider.price == Price(input=1, output=2)
    assert repr(provider) == "<Simulated oracle seed 3>"


def test_a_temperature_beyond_the_dialect_is_refused() -> None:
    provider = Simulated(Oracle(), SystemClock())
    object.__setattr__(request := Request.user("x"), "temperature", 2.5)  # as a careless caller might

    with pytest.raises(RequestRejected, match="at most 2 here"):
        asked(provider, request)


@pytest.mark.parametrize("reason", ["stop", "length", "refusal"])
def test_a_world_says_the_same_in_process_and_in_both_dialects(reason: FinishReason) -> None:
    request = Request.user("Wann? 一月 🎉", system="Say when.", temperature=0.5, max_tokens=50)
    world = Oracle(reason)

    async def over(make: type[OpenAI | Anthropic]) -> Reading:
        async with FakeProvider(world, latency_scale=0) as fake:
            provider = make("oracle", base_url=fake.url, clock=SystemClock())
            raw = await provider.send(request, timeout_s=10)
            await provider.aclose()
            return provider.read(request, raw)

    _, in_process = asked(Simulated(world, SystemClock()), request)
    assert in_process == asyncio.run(over(OpenAI)) == asyncio.run(over(Anthropic))


# Counting and cutting


@pytest.mark.parametrize(("text", "tokens"), [("", 1), ("a", 1), ("abcd", 1), ("abcde", 2), ("日本", 2), ("\ud800", 1)])
def test_a_token_is_four_bytes_rounded_up_and_at_least_one(text: str, tokens: int) -> None:
    assert tokens_in(text) == tokens


@given(text=st.text(), max_tokens=st.integers(1, 5), stop=st.lists(st.text(max_size=2), max_size=3))
def test_an_answer_ends_where_a_service_would_end_it(text: str, max_tokens: int, stop: list[str]) -> None:
    completion = complete(text, "stop", max_tokens=max_tokens, stop=stop)

    assert text.startswith(completion.text)
    assert completion.tokens <= max_tokens
    assert not any(sequence in completion.text for sequence in stop if sequence)
    assert (completion.finish_reason == "length") == (completion.stop_sequence is None and completion.text != text)


def test_the_first_stop_sequence_ends_the_answer() -> None:
    completion = complete("one two three", "stop", max_tokens=9, stop=["three", " two", ""])

    assert (completion.text, completion.stop_sequence) == ("one", " two")


@given(texts=st.lists(st.text(), min_size=1, max_size=3))
def test_the_count_stays_within_the_bound_that_budgets_reserve(texts: list[str]) -> None:
    messages = tuple(Message("user", text) for text in texts)

    assert prompt_tokens(messages) <= input_bound(Request(messages=messages))
