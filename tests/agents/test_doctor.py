"""What is there and what is not, without ever showing a key."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json

import httpx
import pytest

from agents.cli import looking
from agents.doctor import Finding, examine, look_for_server

KEY = "sk-proj-of-mine"


def seen(answer: httpx.Response | Exception) -> Finding:
    """What the doctor makes of a local server that answers so."""

    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def look() -> Finding:
        async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
            return await look_for_server(client, "Ollama", 11434)

    return asyncio.run(look())


def test_a_local_server_is_found_with_the_words_to_ask_it() -> None:
    found = seen(httpx.Response(200, json={"data": [{"id": "llama3:8b"}, {"id": "qwen"}]}))

    assert found == Finding(
        "Ollama on port 11434", True, "ask it with --model openai/llama3:8b --base-url http://127.0.0.1:11434/v1"
    )


def test_a_server_without_a_model_is_a_server_still() -> None:
    assert "--model openai/NAME" in seen(httpx.Response(200, json={"data": []})).detail


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.ConnectError("refused"), id="nobody there"),
        pytest.param(httpx.ReadTimeout("slow"), id="no answer"),
        pytest.param(httpx.Response(404), id="no such page"),
        pytest.param(httpx.Response(200, text="<html>"), id="a page"),
        pytest.param(httpx.Response(200, content=b"\xff\xfe"), id="bytes"),
        pytest.param(httpx.Response(200, json=[1, 2]), id="a list"),
        pytest.param(httpx.Response(200, json={"data": None}), id="no data"),
        pytest.param(httpx.Response(200, json={"data": ["llama"]}), id="bare names"),
        pytest.param(httpx.Response(200, json={"data": [{"name": "llama"}]}), id="no id"),
        pytest.param(httpx.Response(200, content=b"[" * 100_000), id="a deep nest"),
    ],
)
def test_whatever_else_listens_there_is_no_server_of_ours(answer: httpx.Response | Exception) -> None:
    found = seen(answer)

    assert not found.found
    assert "--base-url http://127.0.0.1:11434/v1" in found.detail


@pytest.mark.parametrize("proxy", ["http://user:hidden@[::1", "socks9://user:hidden@127.0.0.1:1"])
def test_a_proxy_that_is_none_is_told_without_its_password(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")

    findings = {finding.what: finding for finding in examine()}

    assert findings["HTTP_PROXY"].found
    assert not findings["HTTPS_PROXY"].found
    assert "is no proxy address" in findings["HTTPS_PROXY"].detail
    assert "hidden" not in repr(findings)


def test_everything_worth_knowing_is_said_and_no_key_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    findings = {finding.what: finding for finding in examine()}

    assert findings["OPENAI_API_KEY"].found
    assert not findings["ANTHROPIC_API_KEY"].found
    assert {"smelt", "extra train", "extra chat", "GPU", "disk space", "base models on this machine"} <= set(findings)
    assert all(finding.detail for finding in findings.values())
    assert KEY not in repr(findings)


def test_as_json_it_is_one_object() -> None:
    stream = io.BytesIO()

    with contextlib.redirect_stdout(io.TextIOWrapper(stream, write_through=True)):
        looking.doctor(json=True)
        said = stream.getvalue().decode()

    assert said.count("\n") == 1
    assert json.loads(said)["smelt"]["found"] is True


def test_variables_that_lead_other_programs_elsewhere_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"https://me:{KEY}@gateway.example/v1")

    (finding,) = [finding for finding in examine() if finding.what == "OPENAI_BASE_URL"]

    assert finding.detail.startswith("leads to https://gateway.example: not read")
