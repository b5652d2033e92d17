"""Who is asked when nobody was named: an order, a reason, and never money without a budget."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine import Budget, Engine, Event, Events
from engine.errors import UserError
from engine.events import Noted
from engine.fakes import virtual_time
from engine.fakes.behaviour import Behaviour
from engine.fakes.mishaps import FAMILIES, MISHAPS
from engine.fakes.rules import Rule
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.prices import FREE, Price
from engine.providers.auto import SERVERS, Found, Server, auto, choose, fitting, models_at, settled
from engine.providers.local.checkpoint import Checkpoint

KEY, OTHER = "OPENAI_API_KEY", "ANTHROPIC_API_KEY"
OLLAMA = Server("Ollama", 11434, ("llama3:8b", "qwen"))


def model(name: str, *, size: int = 1) -> Checkpoint:
    return Checkpoint(name, Path(name), "causal", "0" * 16, size, is_chat=True)


def chosen(
    *, keys: tuple[str, ...] = (), servers: tuple[Server, ...] = (), models: tuple[Checkpoint, ...] = (), budget: bool
) -> Found:
    return choose(keys=keys, servers=servers, models=models, has_budget=budget)


def test_with_a_budget_a_key_comes_first() -> None:
    found = chosen(keys=(KEY, OTHER), servers=(OLLAMA,), models=(model("a/b"),), budget=True)

    assert found == Found("openai/gpt-5.4-mini", "OPENAI_API_KEY is set")
    assert chosen(keys=(OTHER,), budget=True).model.startswith("anthropic/")


def test_without_a_budget_a_key_is_passed_over_and_that_is_said() -> None:
    found = chosen(keys=(OTHER,), servers=(OLLAMA,), models=(model("a/b"),), budget=False)

    assert (found.model, found.base_url, found.price) == ("openai/llama3:8b", "http://127.0.0.1:11434/v1", FREE)
    assert "Ollama on port 11434" in found.why
    assert "ANTHROPIC_API_KEY is set, but nothing is spent without a budget" in found.why


def test_a_key_is_sent_to_no_server_that_nobody_named() -> None:
    """Anybody may listen on a port."""
    with pytest.raises(UserError, match="or ask Ollama on this machine: --model openai/llama3:8b --base-url"):
        chosen(keys=(KEY,), servers=(OLLAMA,), budget=False)

    assert chosen(keys=(KEY,), servers=(OLLAMA,), models=(model("a/b"),), budget=False).model == "local/a/b"


def test_without_a_server_the_first_cached_model_is_taken() -> None:
    found = chosen(models=(model("a/b"), model("c/d")), budget=False)

    assert (found.model, found.base_url) == ("local/a/b", None)
    assert "cache" in found.why


def test_a_server_that_only_embeds_is_no_teacher() -> None:
    embedder = Server("vLLM", 8000, ("nomic-embed-text", "bge-reranker"))

    assert chosen(servers=(embedder, OLLAMA), budget=True).base_url == OLLAMA.url


def test_a_key_alone_needs_a_budget() -> None:
    with pytest.raises(UserError, match="OPENAI_API_KEY is set, but nothing is spent without a budget"):
        chosen(keys=(KEY,), budget=False)


def test_with_nobody_there_every_way_out_is_named() -> None:
    with pytest.raises(UserError, match="no teacher: set OPENAI_API_KEY or ANTHROPIC_API_KEY") as caught:
        chosen(budget=True)

    assert all(way in str(caught.value) for way in ("simulated/dates", "--base-url", "local/NAME_OR_PATH"))
    assert "\n" not in str(caught.value)


def test_the_usual_ports_are_looked_at() -> None:
    assert dict(SERVERS) == {"Ollama": 11434, "vLLM": 8000, "LM Studio": 1234, "llama.cpp": 8080, "SGLang": 30000}


def test_a_student_that_somebody_serves_is_no_teacher() -> None:
    listed = {"data": [{"id": "student", "owned_by": "you"}, {"id": "qwen", "owned_by": "library"}]}

    async def main() -> tuple[str, ...] | None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=listed))
        async with httpx.AsyncClient(transport=transport) as client:
            return await models_at(client, 8000)

    assert asyncio.run(main()) == ("qwen",)


def test_whatever_a_server_does_when_its_models_are_looked_for_the_look_ends() -> None:
    """It lists its models, or counts as not there; nothing is raised, and nobody waits for longer than two seconds."""
    names = [name for name, mishap in MISHAPS.items() if not (mishap.needs_answer or name in FAMILIES["errors"])]

    async def main() -> dict[str, tuple[str, ...] | None]:
        loop, found = asyncio.get_running_loop(), {}
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; a client's own takes a while to make
        async with FakeProvider(EchoWorld()) as fake:
            for name in [*names, "200-error", "502-empty", "503-overloaded"]:
                small = {"megabytes": 8} if "megabytes" in MISHAPS[name].settings else {}
                fake.behave(Behaviour(rules=(Rule(name, settings=small),)))
                began = loop.time()
                async with httpx.AsyncClient(timeout=0.5, trust_env=False, verify=plain) as client:
                    found[name] = await models_at(client, fake.port)
                assert loop.time() - began <= 2.1
                await asyncio.sleep(2.0)  # a door that was shut opens again
        return found

    found = virtual_time.run(main())
    assert [found[name] for name in ("answer", "headers_absent", "html", "huge_body", "hang")] == [("echo",)] * 2 + [
        None, None, None,
    ]  # fmt: skip
    assert set(found.values()) == {("echo",), None}


def test_a_model_larger_than_the_memory_is_passed_over() -> None:
    assert fitting([model("a/huge", size=10**18), model("a/small")]) == [model("a/small")]


# -- in an engine


def looked(budgets: list[bool]) -> Callable[[bool], Found]:
    def look(has_budget: bool) -> Found:
        budgets.append(has_budget)
        return Found("openai/llama3", "it is there", base_url="http://127.0.0.1:9/v1", price=FREE)

    return look


def test_whoever_is_found_is_asked_there_and_at_its_price_unless_one_was_given() -> None:
    budgets: list[bool] = []
    told = Price(input=1, output=2)

    found = settled(has_place=False, price=None, has_budget=False, look=looked(budgets))
    priced = settled(has_place=False, price=told, has_budget=True, look=looked(budgets))

    assert found == ("openai/llama3", "http://127.0.0.1:9/v1", FREE, "openai/llama3, because it is there")
    assert priced.price == told
    assert budgets == [False, True]


@pytest.mark.parametrize("place", [{"base_url": "http://127.0.0.1:9/v1"}, {"api_key": "a-key"}, {"dialect": "vllm"}])
def test_auto_takes_no_place(place: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="name the model that is there"):
        Engine("auto", budget=Budget(usd=1), **place)


def test_an_engine_finds_out_whom_to_ask_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "sk-nobody-s-at-all")
    heard: list[Event] = []

    async def main() -> str:
        events = Events()
        events.subscribe(heard.append)
        async with Engine("auto", budget=Budget(usd=1), events=events) as engine:
            return engine.model

    assert asyncio.run(main()) == "openai/gpt-5.4-mini"
    assert Noted(f"auto: openai/gpt-5.4-mini, because {KEY} is set") in heard
    assert not any("nobody-s" in str(event) for event in heard)


def test_servers_are_looked_for_from_within_a_loop_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody listens, or somebody does: either way it ends, and nothing is spent without a budget."""
    for name in (KEY, OTHER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))

    async def main() -> Found | None:
        try:
            return auto(False)
        except UserError:
            return None

    found = asyncio.run(main())
    assert found is None or found.price == FREE or found.model.startswith("local/")
