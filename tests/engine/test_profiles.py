"""What is known of services and servers: recognised where they stand, asked as they want it, and told in one line."""

from __future__ import annotations

import re
from datetime import date, time
from pathlib import Path

import pytest

from engine import Engine, Price, Request
from engine.clock import SystemClock
from engine.errors import AuthenticationRefused, QuotaExhausted, UserError
from engine.fakes import virtual_time
from engine.headers import limit_hints, retry_after_s
from engine.messages import RawReply
from engine.providers.address import Address
from engine.providers.anthropic import Anthropic
from engine.providers.openai import OpenAI
from engine.providers.openai_body import body_under
from engine.providers.profile import Profile, known_at, profile_named, profile_of, profiles, recognised
from engine.providers.resolve import resolve
from engine.throttle import Demand, Pace
from engine.verdict import Kind, classify
from tests.engine.scripted import Scripted, reply

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "any-server.md"
NEEDED = {
    "anthropic", "azure", "gemini", "groq", "litellm", "llama-cpp", "lm-studio", "ollama", "openai", "openrouter",
    "plain", "sglang", "together", "transformers-serve", "vllm",
}  # fmt: skip
SCHEMA = {"type": "object"}
KEY = "sk-very-secret-0123456789"


def asked_at(url: str, model: str = "m", **how: object) -> OpenAI:
    return OpenAI(model, base_url=url, api_key=KEY, clock=SystemClock(), **how)  # type: ignore[arg-type]


def test_the_usual_services_and_servers_are_known() -> None:
    assert set(profiles()) >= NEEDED


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://me.openai.azure.com", "azure"),
        ("https://me.openai.azure.com/openai/v1", "azure-v1"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.together.xyz/v1", "together"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("http://127.0.0.1:4000", "litellm"),
        ("http://localhost:8000/v1", "vllm"),
        ("http://127.0.0.1:30000/v1", "sglang"),
        ("http://[::1]:8080/v1", "llama-cpp"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://localhost:1234/v1", "lm-studio"),
        ("https://api.groq.com.evil.example/v1", "plain"),
        ("https://notopenrouter.ai/api/v1", "plain"),
        ("https://elsewhere.example:11434/v1", "plain"),
        ("http://127.0.0.1:5555/v1", "plain"),
    ],
)
def test_a_dialect_is_recognised_by_its_address_and_by_nothing_alike(url: str, name: str) -> None:
    assert recognised(Address.of(url)).name == name
    assert asked_at(url).profile.name == name


def test_what_speaks_anthropics_dialect_elsewhere_is_no_openai_server() -> None:
    there = Anthropic("m", base_url="http://localhost:11434", clock=SystemClock())

    assert there.profile.name == "anthropic-plain"
    assert recognised(Address.of("https://api.anthropic.com"), api="anthropic").name == "anthropic"


@pytest.mark.parametrize("profile", profiles().values(), ids=list(profiles()))
def test_every_dialect_sends_what_it_allows_and_objects_to_the_rest(profile: Profile) -> None:
    """Whatever a profile calls possible finds its way into the body, under a name of the profile's."""
    what = profile.capabilities
    request = Request.user(
        "x",
        max_tokens=7,
        temperature=profile.temperature,
        n=2 if what.n else 1,
        seed=1 if what.seed else None,
        stop=("a",) if what.stop else (),
        schema=SCHEMA if what.schema else None,
    )

    assert what.objection(request) is None
    assert what.n or what.objection(Request.user("x", n=2)) is not None
    assert what.seed or what.objection(Request.user("x", seed=1)) is not None
    assert profile.temperature is not None or what.objection(Request.user("x", temperature=0.0)) is not None
    if profile.api == "openai":
        body = body_under(profile, request, model="m")
        assert body[profile.output_cap] == 7
        assert ("seed" in body, "n" in body, "response_format" in body) == (what.seed, what.n, what.schema)


def test_azure_has_the_deployment_in_its_path_and_a_header_of_its_own_for_the_key() -> None:
    old, new = asked_at("https://me.openai.azure.com", "gpt/5"), asked_at("https://me.openai.azure.com/openai/v1")

    path = "/openai/deployments/gpt%2F5/chat/completions?api-version=2024-10-21"
    assert old._wire.url == f"https://me.openai.azure.com{path}"
    assert new._wire.url == "https://me.openai.azure.com/openai/v1/chat/completions"
    for azure in (old, new):
        assert azure._wire._headers["api-key"] == KEY
        assert "authorization" not in azure._wire._headers
    assert KEY not in repr(old) + old.endpoint


@pytest.mark.parametrize(
    ("url", "model", "temperature"),
    [
        ("https://api.openai.com/v1", "gpt-5.4-mini", 2.0),
        ("https://api.openai.com/v1", "gpt-5-mini", None),
        ("https://api.openai.com/v1", "o3-mini-2025-01-31", None),
        ("http://localhost:8000/v1", "o3-mini", 2.0),
    ],
)
def test_models_differ_where_their_service_says_so(url: str, model: str, temperature: float | None) -> None:
    assert asked_at(url, model).capabilities.max_temperature == temperature


@pytest.mark.parametrize(
    ("model", "how", "version", "temperature"),
    [
        ("claude-haiku-4-5", {}, "2023-06-01", 1.0),
        ("claude-sonnet-5", {}, "2023-06-01", None),
        ("claude-haiku-4-5", {"version": "2026-10-21"}, "2026-10-21", None),
        ("claude-haiku-4-5", {"profile": profile_named("anthropic-2026-10-21")}, "2026-10-21", None),
    ],
)
def test_anthropics_version_can_be_chosen_and_decides_about_temperatures(
    model: str, how: dict[str, object], version: str, temperature: float | None
) -> None:
    provider = Anthropic(model, clock=SystemClock(), **how)  # type: ignore[arg-type]

    assert provider._wire._headers["anthropic-version"] == version
    assert provider.capabilities.max_temperature == temperature
    assert version in provider.endpoint


def test_the_most_exact_place_counts_and_users_tables_have_places_too() -> None:
    mine = {"mine": profile_of("mine", {"like": "vllm", "at": ["llm.example.org", ":9000"]})}

    assert known_at(Address.of("http://127.0.0.1:9000/v1"), mine, api="openai") == mine["mine"]
    assert known_at(Address.of("https://llm.example.org"), mine, api="openai") == mine["mine"]
    assert known_at(Address.of("https://llm.example.org"), mine, api="anthropic") is None
    assert profile_named("mine", own=mine).title == "vLLM"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"temprature": 1}, "unknown field 'temprature'; did you mean 'temperature'?"),
        (
            {"temperature": 3},
            "temperature must be the highest that may be sent, from 0 to 2, or false",
        ),
        ({"temperature": True}, "temperature must be the highest"),
        ({"n": 1}, "n must be true or false (got 1)"),
        ({"stop": -1}, "stop must be a whole number, 0 for none, at most 1,000,000 (got -1)"),
        ({"stop": 10**29}, "stop must be a whole number, 0 for none, at most 1,000,000"),
        ({"stop": True}, "stop must be a whole number"),
        ({"schema": "xml"}, "schema must be one of json_schema, output_config, prompt (got 'xml')"),
        ({"auth": "basic"}, "auth must be one of bearer"),
        ({"path": "chat"}, "path must be what follows the base URL"),
        ({"at": "x"}, "at must be a list of hosts and ports"),
        ({"at": ["https://x"]}, "at must be a list of hosts and ports"),
        ({"at": [":http"]}, "at must be a list of hosts and ports"),
        ({"at": [":0"]}, "at must be a list of hosts and ports"),
        ({"at": [":99999999999999999999999"]}, "at must be a list of hosts and ports"),
        ({"send": {"messages": []}}, "send must be a table of what else is sent; Smelt itself says messages"),
        ({"send": {"x": date(2020, 1, 1)}}, "send must be a table of what JSON can say"),
        ({"send": {"x": [{"y": float("nan")}]}}, "send must be a table of what JSON can say"),
        ({"send": {"x": float("inf")}}, "send must be a table of what JSON can say"),
        ({"cache_mark": {"x": time(12)}}, "cache_mark must be a table of what JSON can say"),
        ({"limits": {"requests": "hour"}}, "limits must be a table as in"),
        ({"errors": {"busy": "wait"}}, "errors must be a table of codes, and each means auth, config"),
        ({"headers": {"x": 1}}, "headers must be a table of names"),
        ({"models": {"a*": {"path": "/x"}}}, "models must be tables by pattern"),
        ({"models": {"a*": {"n": "no"}}}, "n must be true or false"),
        ({"like": "vlm"}, "like names no dialect (got 'vlm'"),
        ({"like": ["vllm"]}, "like names no dialect (got ['vllm']"),
        ({"like": {"a": 1}}, "like names no dialect (got {'a': 1}"),
        ("vllm", "dialects.mine must be a table, as in [dialects.mine]"),
    ],
)
def test_a_field_that_cannot_be_meant_is_told_in_one_line(table: object, says: str) -> None:
    with pytest.raises(UserError) as caught:
        profile_of("mine", table)

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


CAPS = ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"]
OURS = ["model", "messages", "n", "temperature", "seed", "stop", "stop_sequences", "system", "stream", "tools"]


@pytest.mark.parametrize("name", [*CAPS, *OURS, "response_format", "output_config"])
@pytest.mark.parametrize("of_models", [False, True])
def test_what_was_counted_when_money_was_set_aside_is_not_a_dialect_s_to_say(name: str, of_models: bool) -> None:
    """A longer answer than was reserved for would pass the cap."""
    table: dict[str, object] = {"send": {name: 4000}}

    with pytest.raises(UserError, match=f"Smelt itself says {name}"):
        profile_of("ours", {"models": {"*": table}} if of_models else table)
    with pytest.raises(UserError, match=f"dialects.ours: .*Smelt itself says {name}"):
        Profile(name="ours", send={name: 4000}).for_model("m")


@pytest.mark.parametrize("name", ["", " ", "max tokens", 'a"b', *OURS])
def test_what_bounds_the_answer_is_a_field_of_its_own(name: str) -> None:
    with pytest.raises(UserError, match='output_cap must be the field that bounds the answer, as in "max_tokens"'):
        profile_of("ours", {"output_cap": name})


def test_what_bounds_the_answer_is_not_said_twice() -> None:
    for table in (
        {"output_cap": "max_new", "send": {"max_new": 9}},
        {"output_cap": "max_new", "models": {"a*": {"send": {"max_new": 9}}}},
        {"send": {"max_new": 9}, "models": {"a*": {"output_cap": "max_new"}}},
    ):
        with pytest.raises(UserError, match="send must not say max_new, which is the output_cap"):
            profile_of("ours", table)


def test_a_name_that_is_nearly_right_is_asked_back() -> None:
    with pytest.raises(UserError, match="no dialect 'olama'; did you mean 'ollama'"):
        profile_named("olama")
    with pytest.raises(UserError, match="'anthropic' is one of anthropic/NAME"):
        resolve("openai/m", clock=SystemClock(), dialect="anthropic")


def test_a_dialect_goes_with_a_name_and_not_with_a_provider_at_hand() -> None:
    with pytest.raises(UserError, match="dialect belong to a model given by name"):
        Engine(Scripted(), price=Price(input=0, output=0), dialect="vllm")


def pace_after(profile: Profile, said: dict[str, str]) -> Pace:
    """What is known of limits after one answer with these headers."""
    pace = Pace()
    pace.learn(profile.understood(RawReply(200, said, b"{}", 0.1)).headers, sent_at=0.0, now=1.0, wall=0.0)
    return pace


@pytest.mark.parametrize("remaining", [14_400, 14_399, 9_000], ids=["none used", "one used", "a third used"])
@pytest.mark.parametrize("reset", ["", "0s", "6s", "2m59.56s"])
def test_groq_s_requests_are_a_day_s_and_its_tokens_a_minute_s_whatever_the_numbers_look_like(
    remaining: int, reset: str
) -> None:
    said = {
        "x-ratelimit-limit-requests": "14400",
        "x-ratelimit-remaining-requests": str(remaining),
        "x-ratelimit-reset-requests": reset,
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "5990",
        "x-ratelimit-reset-tokens": "0.1s",
    }

    limits = pace_after(profile_named("groq"), said).limits

    assert (limits.rpd, limits.rpm, limits.tpm) == (14_400, None, 6_000)


def test_a_day_s_limit_that_is_used_up_holds_the_next_request_back() -> None:
    said = {"x-ratelimit-limit-requests": "1000", "x-ratelimit-remaining-requests": "0"}

    pace = pace_after(profile_named("groq"), said)

    assert pace.ready_at(Demand(1, 10, 5, 5), now=1.0) > 60


def test_limits_of_a_second_are_learnt_as_what_they_are_in_a_minute() -> None:
    mine = profile_of("mine", {"limits": {"requests": "second", "tokens": "minute"}})

    limits = pace_after(mine, {"x-ratelimit-limit-requests": "10", "x-ratelimit-limit-tokens": "6000"}).limits

    assert (limits.rpm, limits.tpm) == (600, 6_000)


def test_headers_under_names_of_their_own_are_read_and_better_ones_are_not_written_over() -> None:
    own = {"llm_provider-x-ratelimit-limit-requests": "600", "llm_provider-x-ratelimit-limit-tokens": "9"}
    raw = RawReply(200, {**own, "x-ratelimit-limit-tokens": "1000"}, b"{}", 0.1)

    hints = limit_hints(profile_named("litellm").understood(raw).headers, now=0.0)

    assert {(hint.dimension, hint.limit) for hint in hints} == {("requests", 600.0), ("tokens", 1000.0)}
    assert profile_named("plain").understood(raw) is raw


def test_what_a_proxy_passes_on_under_names_of_its_own_is_heard() -> None:
    """How long to wait, limits that it has no name for, and above all that nobody real answers."""
    anthropic = {"limit": "40000", "remaining": "39000", "reset": "2026-11-20T20:27:24Z"}
    tokens = {f"llm_provider-anthropic-ratelimit-output-tokens-{what}": text for what, text in anthropic.items()}
    own = {"llm_provider-retry-after": "7", "llm_provider-x-simulated-teacher": "1", **tokens}

    understood = profile_named("litellm").understood(RawReply(429, own, b"{}", 0.1))

    assert understood.simulated
    assert retry_after_s(understood.headers, now=0.0) == 7.0
    assert [hint.dimension for hint in limit_hints(understood.headers, now=0.0)] == ["output tokens"]


@pytest.mark.parametrize(
    ("dialect", "status", "body", "kind"),
    [
        ("litellm", 400, b'{"error": {"message": "x", "type": "no_db_connection", "code": "400"}}', Kind.AUTH),
        ("groq", 498, b'{"error": {"message": "x", "type": "capacity_exceeded"}}', Kind.OVERLOAD),
    ],
)
def test_errors_of_its_own_have_their_meaning(dialect: str, status: int, body: bytes, kind: Kind) -> None:
    verdict = classify(RawReply(status, {}, body, 0.1), own=profile_named(dialect).errors)

    assert verdict is not None
    assert verdict.kind is kind


@pytest.mark.long
def test_an_engine_heeds_the_words_of_its_provider() -> None:
    class Peculiar(Scripted):
        errors = profile_of("mine", {"errors": {"OUT_OF_COINS": "quota", "418": "auth"}}).errors

    async def end(status: int, error: dict[str, str]) -> Exception:
        provider = Peculiar(reply(status=status, error=error))
        async with Engine(provider, price=Price(input=0, output=0)) as engine:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller says which
                await engine.ask(Request.user("x"))
        return caught.value

    assert isinstance(virtual_time.run(end(400, {"code": "out_of_coins", "message": "x"})), QuotaExhausted)
    assert isinstance(virtual_time.run(end(418, {"message": "x"})), AuthenticationRefused)


def test_what_a_user_has_every_request_say_is_part_of_the_question() -> None:
    mine = profile_of("mine", {"like": "vllm", "send": {"top_k": 5}})
    plain, peculiar = asked_at("http://127.0.0.1:8000/v1"), asked_at("http://127.0.0.1:8000/v1", profile=mine)

    assert plain.endpoint == "http://127.0.0.1:8000/v1 openai-chat m"
    assert peculiar.endpoint == 'http://127.0.0.1:8000/v1 openai-chat m {"top_k": 5}'
    assert body_under(mine, Request.user("x"), model="m")["top_k"] == 5


def test_the_key_of_the_service_comes_before_that_of_the_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    def sent_to(url: str) -> str:
        provider = resolve("openai/m", base_url=url, clock=SystemClock())
        assert isinstance(provider, OpenAI)
        return provider._wire._headers["authorization"]

    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-0001")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-groq-0001")

    assert sent_to("https://api.groq.com/openai/v1") == "Bearer gsk-groq-0001"
    assert sent_to("https://api.together.xyz/v1") == "Bearer sk-openai-0001"


def test_the_guide_has_every_dialect_and_where_it_is_recognised() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]*) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE))

    assert list(rows)[1:] == list(profiles())  # the first one is the heading
    for name, profile in profiles().items():
        assert all(place.removeprefix(":") in rows[name] for place in profile.at)
