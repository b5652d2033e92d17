"""Prompts that begin the same: what is marked and sent, what a hit costs, and that both ledgers say so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, Engine, Limits, Message, Price, Request, Statistics
from engine.clock import SystemClock
from engine.dashboard.words import savings_told
from engine.fakes import virtual_time
from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.dialect import Asked, Refusal
from engine.fakes.limits import RateLimits
from engine.fakes.openai_side import OpenAISide
from engine.fakes.prompt_cache import Cached, Cut, PromptCache, cuts_at, cuts_every
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import RawReply, Usage
from engine.providers import Reading
from engine.providers.anthropic_body import body_under as anthropic_body
from engine.providers.choice import cached_counts_of
from engine.providers.marks import marked
from engine.providers.openai_body import body_under as openai_body
from engine.providers.profile import Profile, profile_named, profile_of, profiles
from engine.providers.resolve import resolve
from tests.engine.asking import Given, now

MARK = {"cache_control": {"type": "ephemeral"}}
BREAKPOINT = {"prompt_cache_breakpoint": {"mode": "explicit"}}
RULES = "Keep to the rules of the house. " * 200  # 6,400 characters, 1,600 tokens of the fake's
PRICE = Price(input=3, output=15, cached_input="0.3", cache_write="3.75")
OFFICIAL = {"anthropic-version": "2023-06-01"}


def request(text: str = "hello", *, stable: int = len(RULES), rules: str = RULES) -> Request:
    return Request.user(text, system=rules, max_tokens=20, stable=stable)


def block(text: str, **says: object) -> dict[str, object]:
    return {"type": "text", "text": text, **says}


def anthropic(model: str) -> Profile:
    return profiles()["anthropic"].for_model(model)


def openai(model: str) -> Profile:
    return profiles()["openai"].for_model(model)


# -- what is said


@given(st.lists(st.text(max_size=12), max_size=4), st.integers(1, 60))
def test_marked_texts_say_the_same_and_no_block_is_blank(texts: list[str], stable: int) -> None:
    contents = marked(texts, stable=stable, says=MARK)

    blocks = [part for content in contents if isinstance(content, list) for part in content]
    assert [c if isinstance(c, str) else "".join(str(b["text"]) for b in c) for c in contents] == texts
    assert all(str(part["text"]).strip() for part in blocks)
    assert sum("cache_control" in part for part in blocks) <= 1


def test_the_mark_stands_where_the_stable_beginning_ends() -> None:
    assert marked(["abc", "defg"], stable=3, says=MARK) == [[block("abc", **MARK)], "defg"]
    assert marked(["abc", "defg"], stable=5, says=MARK) == ["abc", [block("de", **MARK), block("fg")]]
    assert marked(["abc", "defg"], stable=99, says=MARK) == ["abc", "defg"]


def test_a_request_to_anthropic_says_where_its_stable_beginning_ends() -> None:
    profile = anthropic("claude-sonnet-4-5")

    in_system = anthropic_body(profile, request(), model="m")
    in_turn = anthropic_body(profile, Request.user(RULES + "now", stable=len(RULES)), model="m")

    assert in_system["system"] == [block(RULES, **MARK)]
    assert in_system["messages"] == [{"role": "user", "content": "hello"}]
    assert in_turn["messages"] == [{"role": "user", "content": [block(RULES, **MARK), block("now")]}]
    assert "system" not in in_turn


def test_what_no_model_would_keep_is_not_marked() -> None:
    assert anthropic_body(anthropic("claude-sonnet-4-5"), request(stable=0), model="m")["system"] == RULES
    assert anthropic_body(anthropic("claude-sonnet-4-5"), request(rules="Be brief.", stable=9), model="m")["system"]
    assert anthropic("claude-opus-5").marks(request(stable=600))
    assert not anthropic("claude-sonnet-4-5").marks(request(stable=600))
    assert not anthropic("claude-haiku-4-5").marks(request(stable=4000))


def test_openai_is_told_where_it_would_bill_what_it_writes_unasked_and_elsewhere_nothing() -> None:
    new = openai_body(openai("gpt-5.6-mini"), request(), model="m")
    old = openai_body(openai("gpt-5.4-mini"), request(), model="m")
    other = openai_body(profile_named("vllm"), request(), model="m")

    said: Any = new["messages"]
    assert new["prompt_cache_options"] == {"mode": "explicit"}
    assert said[0] == {"role": "system", "content": [block(RULES, **BREAKPOINT)]}
    assert old == openai_body(openai("gpt-5.4-mini"), request(stable=0), model="m")
    assert other == openai_body(profile_named("vllm"), request(stable=0), model="m")


def test_a_dialect_of_ones_own_may_mark_as_it_likes() -> None:
    mine = profile_of("mine", {"cache_mark": {"keep": True}, "cache_from": 3})

    body: Any = openai_body(mine, Request.user("abcdef", stable=3), model="m")

    assert body["messages"][0]["content"] == [block("abc", keep=True), block("def")]


def test_a_mark_changes_nothing_of_what_is_asked() -> None:
    marked_one, plain = request(), request(stable=0)

    assert marked_one.identity(asked_of="x") == plain.identity(asked_of="x")
    assert marked_one == plain == Request.from_canonical(plain.canonical(asked_of="x"), tag="")
    assert marked_one.with_schema_told().stable == replace(marked_one, max_tokens=1).stable == len(RULES)
    assert openai("gpt-5.6-mini").peculiarity == openai("gpt-5.4-mini").peculiarity == ""


# -- the fake


ME, YOU = ("me", "m"), ("you", "m")


def cut(tokens: int, *, name: bytes = b"a", kept_s: float = 300, is_billed: bool = True) -> Cut:
    return Cut(tokens, name + bytes([tokens % 256]), kept_s, is_billed)


def test_what_is_being_written_cannot_be_read_yet() -> None:
    cache = PromptCache()
    cuts = [cut(2000)]

    assert cache.use(ME, cuts, now=0) == Cached(0, 2000)
    cache.keep(ME, cuts, now=0, answered_at=5)
    assert cache.use(ME, cuts, now=4) == Cached(0, 2000)
    assert cache.use(ME, cuts, now=5) == Cached(2000, 0)
    assert cache.use(YOU, cuts, now=5) == Cached(0, 2000)


def test_what_is_read_lives_on_and_what_is_not_is_gone() -> None:
    cache = PromptCache()
    cuts = [cut(2000)]
    cache.keep(ME, cuts, now=0, answered_at=1)
    cache.keep(ME, cuts, now=290, answered_at=291)

    assert cache.use(ME, cuts, now=589) == Cached(2000, 0)
    assert cache.use(ME, cuts, now=591) == Cached(0, 2000)


def test_the_longest_beginning_is_read_and_the_rest_written() -> None:
    cache = PromptCache()
    cache.keep(ME, [cut(1000)], now=0, answered_at=0)

    assert cache.use(ME, [cut(1000), cut(1500)], now=1) == Cached(1000, 500)
    assert cache.use(ME, [cut(1000), cut(1500, is_billed=False)], now=1) == Cached(1000, 0)


@given(st.lists(st.text("ab", max_size=9000), min_size=1, max_size=3), st.text("ab", max_size=40))
def test_beginnings_in_steps_are_the_same_exactly_as_far_as_texts_are(texts: list[str], more: str) -> None:
    messages = [Message("user", text) for text in texts]
    longer = [*messages, Message("user", more)]

    shorter_cuts = cuts_every(messages, tokens=128, least=1024, kept_s=1)
    cuts = cuts_every(longer, tokens=128, least=1024, kept_s=1)
    assert cuts[: len(shorter_cuts)] == shorter_cuts
    assert [each.tokens for each in cuts] == [1024 + 128 * at for at in range(len(cuts))]


def test_what_is_too_short_is_no_cut() -> None:
    messages = [Message("system", "x" * 400), Message("user", "y")]

    assert cuts_at(messages, [(0, 400)], least=101, kept_s=1) == ()
    assert [each.tokens for each in cuts_at(messages, [(0, 400), (0, 200)], least=50, kept_s=1)] == [100, 50]


def read_by(side: AnthropicSide | OpenAISide, body: dict[str, object], model: str) -> Asked:
    return side.read(orjson.dumps({**body, "model": model}), OFFICIAL)


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("claude-opus-5", 600), ("claude-sonnet-4-5", 1100), ("claude-haiku-4-5-20251001", 4200)],
)
def test_the_fake_keeps_what_is_marked_and_long_enough_for_the_model(model: str, tokens: int) -> None:
    profile = anthropic(model)

    def cuts(count: int) -> list[int]:
        asked = request(rules="word" * count, stable=4 * count)
        body = anthropic_body(profile, asked, model=model)
        return [each.tokens for each in read_by(AnthropicSide(), body, model).cuts]

    assert cuts(tokens) == [tokens]
    assert cuts(tokens - 200) == []


@pytest.mark.parametrize(
    "system",
    [
        pytest.param([block("a", **MARK)] * 5, id="five marks"),
        pytest.param([block(" ", **MARK)], id="on nothing"),
        pytest.param([block("a", cache_control={"type": "persistent"})], id="of another kind"),
    ],
)
def test_the_fake_refuses_marks_that_anthropic_would(system: list[object]) -> None:
    body = {"max_tokens": 5, "messages": [{"role": "user", "content": "x"}], "system": system}

    with pytest.raises(Refusal, match="cache_control"):
        read_by(AnthropicSide(), body, "claude-sonnet-4-5")


def test_openai_of_before_reads_in_steps_and_bills_no_writing() -> None:
    body = openai_body(openai("gpt-5.4-mini"), request(), model="m")

    cuts = read_by(OpenAISide(), body, "gpt-5.4-mini").cuts

    assert [each.tokens for each in cuts] == [1024, 1152, 1280, 1408, 1536]
    assert not any(each.is_billed for each in cuts)


def test_openai_of_late_writes_every_prompt_unless_it_is_told_what_to_keep() -> None:
    new, told = "gpt-5.6-mini", openai("gpt-5.6-mini")
    untold = replace(told, send={}, cache_mark={})

    def tokens(profile: Profile) -> list[int]:
        cuts = read_by(OpenAISide(), openai_body(profile, request(), model=new), new).cuts
        return [each.tokens for each in cuts]

    assert tokens(told) == [1600]
    assert tokens(untold) == [1602]
    with pytest.raises(Refusal, match="not supported"):
        read_by(OpenAISide(), openai_body(told, request(), model="gpt-5.4"), "gpt-5.4")


# -- both ledgers


def ask(
    model: str,
    *,
    count: int,
    limits: RateLimits | None = None,
    stable: int = len(RULES),
    dialect: str | Profile | None = None,
) -> tuple[Statistics, int]:
    """So many questions over HTTP, one after the other; our figures, and what the provider billed."""

    async def main() -> tuple[Statistics, int]:
        async with FakeProvider(EchoWorld(price=PRICE), limits=limits or RateLimits()) as fake:
            settings: dict[str, Any] = {"base_url": fake.url, "budget": Budget(usd=5), "price": PRICE}
            async with Engine(model, api_key="key", concurrency=1, dialect=dialect, **settings) as engine:
                async for outcome in engine.map(request(f"row {i}", stable=stable) for i in range(count)):
                    outcome.unwrap()
                return engine.statistics(), fake.audit.billed

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("model", "dialect", "hits", "written"),
    [
        pytest.param("anthropic/claude-sonnet-4-5", None, 1600, 1600, id="Anthropic, where marked"),
        pytest.param("openai/gpt-5.4-mini", None, 1536, 0, id="OpenAI of before, in steps"),
        pytest.param("openai/gpt-5.6", "openai", 1600, 1600, id="OpenAI of late, where marked"),
    ],
)
def test_both_ledgers_agree_on_what_came_from_the_cache(
    model: str, dialect: str | None, hits: int, written: int
) -> None:
    figures, billed = ask(model, count=6, dialect=dialect)

    assert figures.spent == billed
    assert figures.assumed == 0
    assert figures.cached_tokens == figures.by_tag[""].cached_tokens == 5 * hits
    assert figures.cache_write_tokens == written
    assert figures.saved_by_cache == 5 * hits * 2_700_000 - written * 750_000
    assert figures.cached_share == 5 * hits / figures.input_tokens
    assert f"by the prompt cache ({figures.cached_share:.0%}".removesuffix("%") in savings_told(figures)


def test_openai_of_late_is_dearer_where_it_keeps_what_it_likes() -> None:
    as_it_likes = replace(openai("gpt-5.6"), name="as it likes", send={}, cache_mark={}, models={})
    _, told = ask("openai/gpt-5.6", count=20, dialect="openai")

    figures, untold = ask("openai/gpt-5.6", count=20, dialect=as_it_likes)

    assert figures.spent == untold > 4 * told
    assert figures.cached_tokens == 0
    assert figures.saved_by_cache < 0
    assert savings_told(figures) == ""


def test_without_marks_anthropic_keeps_nothing_and_the_bill_says_what_marks_save() -> None:
    with_marks, billed = ask("anthropic/claude-sonnet-4-5", count=20)
    without, billed_without = ask("anthropic/claude-sonnet-4-5", count=20, stable=0)

    assert without.cached_tokens == without.saved_by_cache == 0
    assert billed_without - billed == with_marks.saved_by_cache > 0
    assert billed < 0.25 * billed_without


def test_what_anthropic_reads_from_its_cache_does_not_use_up_the_input_of_a_minute() -> None:
    # 1,602 tokens each: 30 of them are nearly five minutes of this limit, or with hits a third of one.
    figures, _ = ask("anthropic/claude-sonnet-4-5", count=30, limits=RateLimits(itpm=10_000))

    assert figures.attempts == figures.replies == 30
    assert figures.limits.input_tpm == 10_000


def test_what_counts_against_limits_is_the_profiles_to_say() -> None:
    def counts(model: str) -> bool:
        provider = resolve(model, base_url="http://127.0.0.1:1/v1", clock=SystemClock())
        return cached_counts_of(provider)

    assert not counts("anthropic/claude-sonnet-4-5")
    assert counts("anthropic/claude-3-5-haiku-20241022")
    assert counts("openai/gpt-5.4-mini")
    assert cached_counts_of(Given())  # type: ignore[arg-type] # all of a provider but how it answers


class Caching(Given):
    """Nine tenths of every prompt come from its cache."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002
        await asyncio.sleep(0.1)
        return RawReply(200, {}, b"yes", 0.1)

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002
        return Reading(("yes",), ("stop",), Usage(1000, 5, 900), "m")


def minutes_for(profile: Profile) -> float:
    """How long 400 requests of 1,000 tokens take under a limit of 20,000 a minute."""

    async def main() -> float:
        began = now()
        async with Engine(Caching(profile), budget=Budget(usd=100), limits=Limits(input_tpm=20_000)) as engine:
            async for outcome in engine.map(request(f"row {i}", rules="x" * 800) for i in range(400)):
                outcome.unwrap()
        return (now() - began) / 60

    return virtual_time.run(main())


def test_the_pace_is_that_of_the_tokens_that_count() -> None:
    assert 18 < minutes_for(profiles()["plain"]) < 22
    assert 1.5 < minutes_for(anthropic("claude-sonnet-4-5")) < 2.5
