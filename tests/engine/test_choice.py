"""What a provider may say of itself: how many requests to have in flight, how long one may take, what it costs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest

from engine import Engine, Limits
from engine.budget import Budget
from engine.clock import SystemClock
from engine.errors import ConfigurationRefused, UserError
from engine.fakes import virtual_time
from engine.fakes.worlds import EchoWorld
from engine.messages import RawReply, Request
from engine.prices import FREE, Price
from engine.providers.choice import Model, at_once_of, batch_share_of, batches_of, price_of, timeout_of, unheeded
from engine.providers.openai import OpenAI
from engine.providers.profile import profile_of
from engine.providers.resolve import resolve
from engine.providers.simulated import Simulated

OWN, LIKE = profile_of("mine", {"batch": 0.25}), profile_of("mine", {"like": "openai"})


class Plain(Simulated):
    """Says nothing of itself."""

    def __init__(self) -> None:
        super().__init__(EchoWorld(), SystemClock())


class InProcess(Plain):
    """A model in this process: slow, free, and busy with a batch."""

    worth_in_flight = 128
    attempt_timeout_s = 3600.0
    price = FREE


class Dear(Plain):
    price = Price(input=1, output=2)


def test_what_a_provider_says_counts_where_nobody_else_says() -> None:
    assert (at_once_of(Plain()), at_once_of(InProcess())) == (None, 128)
    assert (timeout_of(Plain(), told=None), timeout_of(InProcess(), told=None)) == (120.0, 3600.0)
    assert timeout_of(InProcess(), told=9.0) == 9.0


def test_without_a_budget_a_provider_must_say_that_it_is_free() -> None:
    assert price_of(InProcess(), told=None, budget=None) is FREE
    with pytest.raises(UserError, match="no budget: give one"):
        price_of(Dear(), told=None, budget=None)
    with pytest.raises(UserError, match="no budget: give one"):
        price_of(InProcess(), told=Price(input=1, output=0), budget=None)
    assert price_of(Dear(), told=None, budget=Budget(usd=1)) == Price(input=1, output=2)


@pytest.mark.parametrize(
    ("model", "base_url", "told", "share"),
    [
        pytest.param("openai/m", None, {}, 0.5, id="OpenAI itself"),
        pytest.param("anthropic/m", None, {}, 0.5, id="Anthropic itself"),
        pytest.param("openai/m", "https://llm.example.org/v1", {}, 1, id="somebody else"),
        pytest.param("anthropic/m", "https://llm.example.org", {}, 1, id="somebody else, in the other dialect"),
        pytest.param("openai/m", "https://llm.example.org/v1", {"dialect": "openai"}, 1, id="who speaks alike"),
        pytest.param("openai/m", "https://llm.example.org/v1", {"dialect": OWN}, 0.25, id="who is known to the user"),
        pytest.param("openai/m", "https://llm.example.org/v1", {"dialect": LIKE}, 1, id="who is like OpenAI"),
        pytest.param("anthropic/m", None, {"dialect": "anthropic-2026-10-21"}, 0.5, id="Anthropic's newest version"),
    ],
)
def test_batches_are_cheaper_only_where_somebody_said_so(
    model: str, base_url: str | None, told: dict[str, Any], share: float
) -> None:
    provider = resolve(model, base_url=base_url, api_key="a-key", clock=SystemClock(), **told)

    assert batch_share_of(provider, price=Price(input=1, output=2)) == share
    assert batch_share_of(provider, price=Price(input=1, output=2, batch="0.75")) == Decimal("0.75")


def test_where_a_dialect_has_no_batches_nothing_goes_there() -> None:
    def reaches(**told: Any) -> bool:
        provider = resolve("openai/m", base_url="http://127.0.0.1:1/v1", clock=SystemClock(), **told)
        return batches_of(provider) is not None

    assert reaches()
    assert not reaches(dialect="ollama")
    assert not reaches(dialect=profile_of("mine", {"batch": False}))


@pytest.mark.parametrize(
    ("about", "line"),
    [
        pytest.param({"price": 0.25}, "price must be Price, as in", id="a number for a price"),
        pytest.param({"limits": 500}, "limits must be Limits, as in", id="a number for limits"),
        pytest.param({"attempt_timeout_s": 0}, "attempt_timeout_s must be above 0", id="no time at all"),
    ],
)
def test_what_is_said_of_a_model_is_of_its_kind(about: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        Model("openai/m", **about)
    with pytest.raises(UserError, match=line):
        Engine("openai/m", budget=Budget(usd=1), **about)


@pytest.mark.parametrize(
    ("about", "line"),
    [
        pytest.param({"hedge": "no"}, "hedge must be True or False", id="a word for no"),
        pytest.param({"hedge": 1}, "hedge must be True or False", id="a number for yes"),
        pytest.param({"seed": "x"}, "seed must be a whole number", id="a word for a seed"),
        pytest.param({"seed": 0.5}, "seed must be a whole number", id="half a seed"),
        pytest.param({"seed": True}, "seed must be a whole number", id="yes for a seed"),
    ],
)
def test_what_is_said_of_a_run_is_of_its_kind(about: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        Engine("openai/m", budget=Budget(usd=1), **about)


def test_what_is_said_of_a_model_is_said_in_one_place() -> None:
    with pytest.raises(UserError, match="and not beside it"):
        Engine(Model("openai/m"), budget=Budget(usd=1), limits=Limits(rpm=5))


# -- a bound that somebody else vouches for

ALLOWED: Final = 100


class Talker(OpenAI):
    """A server that answers with so many tokens, whatever it was asked for."""

    def __init__(self, field: str, *, takes: int) -> None:
        profile = profile_of("mine", {"output_cap": field})
        super().__init__("m", base_url="http://127.0.0.1:9/v1", clock=SystemClock(), profile=profile)
        self.takes, self.sent = takes, 0

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - it heeds neither
        self.sent += 1
        return took(self.takes)


def took(tokens: int) -> RawReply:
    usage = b'"usage": {"prompt_tokens": 9, "completion_tokens": %d}' % tokens
    choice = b'"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "yes"}}]'
    return RawReply(200, {}, b"{%s, %s}" % (choice, usage), 0.1)


def test_a_field_of_the_users_that_is_not_heeded_ends_the_run_in_a_line() -> None:
    """Nobody would know what an answer costs at most."""
    talker = Talker("max_new", takes=4000)

    async def main() -> None:
        async with Engine(talker, budget=Budget(usd=5), price=Price(input=1, output=2)) as engine:
            with pytest.raises(ConfigurationRefused, match=r"4,000 tokens .* allowed 100: it does not heed 'max_new'"):
                await engine.ask(Request.user("Is it?", max_tokens=ALLOWED))
            with pytest.raises(ConfigurationRefused, match="output_cap of the dialect 'mine'"):
                await engine.ask(Request.user("And now?", max_tokens=ALLOWED))

    virtual_time.run(main())

    assert talker.sent == 1


@pytest.mark.parametrize(
    ("field", "takes"),
    [
        pytest.param("max_new", ALLOWED, id="as many as were allowed"),
        pytest.param("max_new", ALLOWED + 20, id="counted otherwise"),
        pytest.param("max_tokens", 4000, id="a usage that cannot be true, of a field that is known"),
    ],
)
def test_a_field_that_is_heeded_or_known_is_believed(field: str, takes: int) -> None:
    assert unheeded(Talker(field, takes=takes), took(takes), allowed=ALLOWED) is None


def test_where_no_usage_is_told_a_text_that_cannot_be_so_short_tells() -> None:
    raw, fits = RawReply(200, {}, b"{}", 0.1), "x" * 256 * ALLOWED

    assert unheeded(Talker("max_new", takes=1), raw, allowed=ALLOWED, texts=[fits]) is None
    told = unheeded(Talker("max_new", takes=1), raw, allowed=ALLOWED, texts=[fits, fits])
    assert told is not None
    assert "took at least 200 tokens for an answer that was allowed 100: it does not heed 'max_new'" in told
    assert unheeded(Talker("max_tokens", takes=1), raw, allowed=ALLOWED, texts=[fits, fits]) is None


def test_a_small_usage_beside_a_text_that_is_far_longer_is_not_believed() -> None:
    """It tells of 20 tokens, and gives 40,000 letters where 100 tokens were allowed."""

    class Liar(Talker):
        async def send(self, request: Request, *, timeout_s: float) -> RawReply:
            raw = await super().send(request, timeout_s=timeout_s)
            return replace(raw, body=raw.body.replace(b"yes", b"x" * 40_000))

    async def main() -> None:
        async with Engine(Liar("max_new", takes=20), budget=Budget(usd=5), price=Price(input=1, output=2)) as engine:
            with pytest.raises(ConfigurationRefused, match=r"at least 156 tokens .* it does not heed 'max_new'"):
                await engine.ask(Request.user("Is it?", max_tokens=ALLOWED))

    virtual_time.run(main())


@pytest.mark.parametrize("body", [b"{}", b'{"usage": 7}', b'{"usage": {"completion_tokens": true}}'])
def test_where_nothing_is_told_nothing_is_found_out(body: bytes) -> None:
    assert unheeded(Talker("max_new", takes=1), RawReply(200, {}, body, 0.1), allowed=ALLOWED) is None
