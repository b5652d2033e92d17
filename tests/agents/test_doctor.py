"""What is there and what is not, without ever showing a key."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json

import httpx
import pytest

from agents.cli import looking
from agents.doctor import Finding, examine, look_for_server, next_steps
from tests.agents.commands import in_this_process

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

    ask = "--model openai/llama3:8b --base-url http://127.0.0.1:11434/v1"
    assert found.what == "Ollama on port 11434"
    assert found.detail == f"ask it with {ask}; it has also qwen"
    assert found.ask == f"{ask} --price-in 0 --price-out 0"
    assert next_steps([found])[0] == f"what a run would cost: smelt estimate prompt.md {found.ask}"


def test_a_name_that_a_shell_would_take_for_more_is_quoted_and_a_long_list_is_cut() -> None:
    names = ["x; rm -rf ~", *(f"m{number}" for number in range(9))]

    detail = seen(httpx.Response(200, json={"data": [{"id": name} for name in names]})).detail

    assert detail.startswith("ask it with --model 'openai/x; rm -rf ~' --base-url")
    assert detail.endswith("it has also m0, m1, m2, m3, m4 and 4 more")


def test_where_nobody_can_be_asked_it_says_what_can_be_begun_for_nothing() -> None:
    assert "smelt init" in next_steps([seen(httpx.ConnectError("refused"))])[1]


def test_servers_that_are_not_there_share_a_line() -> None:
    ran = in_this_process("doctor")

    assert ran.code == 0
    assert ran.out.count("http://127.0.0.1:PORT/v1") <= 1
    assert {"who can be asked:", "what students can be made:", "this machine:"} <= set(ran.out.splitlines())


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


def test_the_key_of_another_service_is_found_with_the_words_to_ask_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GROQ_API_KEY", KEY)

    findings = examine()

    (found,) = [finding for finding in findings if finding.what == "GROQ_API_KEY"]
    assert found.detail == "Groq can be asked at its URL (api.groq.com): --model openai/NAME --base-url URL"
    assert found.ask in next_steps(findings)[0]
    assert KEY not in repr(findings)
    assert "TOGETHER_API_KEY" not in {finding.what for finding in findings}


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
