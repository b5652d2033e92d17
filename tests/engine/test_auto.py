"""Who is asked when nobody was named: an order, a reason, and never money without a budget."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from engine.errors import UserError
from engine.prices import FREE
from engine.providers.auto import SERVERS, Found, Server, choose, fitting, models_at
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


def test_a_model_larger_than_the_memory_is_passed_over() -> None:
    assert fitting([model("a/huge", size=10**18), model("a/small")]) == [model("a/small")]
