"""Whom a run asks, in a line; and what in the environment somebody may expect to change that."""

from __future__ import annotations

import pytest

from engine.errors import UserError
from engine.providers.address import Address
from engine.providers.profile import profile_named
from engine.providers.surroundings import target_told, variables_set


@pytest.mark.parametrize(
    ("model", "url", "says"),
    [
        ("openai/m", None, "openai/m is asked at https://api.openai.com/v1, as OpenAI"),
        ("anthropic/m", None, "anthropic/m is asked at https://api.anthropic.com, as Anthropic"),
        ("openai/m", "http://localhost:11434/v1", "at http://localhost:11434/v1, as Ollama; one completion a request"),
        ("openai/m", "https://elsewhere.example/v1", "as an OpenAI-compatible server"),
        ("anthropic/m", "https://elsewhere.example", "as an Anthropic-compatible server"),
    ],
)
def test_a_run_says_whom_it_asks_and_what_it_takes_it_for(model: str, url: str | None, says: str) -> None:
    address = None if url is None else Address.of(url)

    assert says in (target_told(model, base_url=address, profile=None) or "")


@pytest.mark.parametrize("model", ["simulated/dates", "local/x", "sdk/azure/x"])
def test_who_needs_no_address_of_ours_is_not_told(model: str) -> None:
    assert target_told(model, base_url=None, profile=None) is None


def test_plain_http_beyond_this_machine_is_allowed_only_when_said_and_then_told() -> None:
    with pytest.raises(UserError, match="use https://, or --insecure-http if that is meant"):
        Address.of("http://llm.example.org/v1")
    address = Address.of("http://llm.example.org/v1", insecure_http=True)

    assert "(plain http: others can read it)" in (target_told("openai/m", base_url=address, profile=None) or "")
    assert "others can read" not in (target_told("openai/m", base_url=Address.of("http://[::1]:1"), profile=None) or "")


def test_what_was_said_to_stand_there_counts() -> None:
    told = target_told("openai/m", base_url=None, profile=profile_named("transformers-serve"))

    assert told is not None
    assert "as transformers serve; one completion a request; schemas are told in words" in told


def test_variables_that_lead_elsewhere_are_told_without_what_is_secret_in_them() -> None:
    environment = {
        "OPENAI_BASE_URL": "https://gateway.example:8443/v1?key=hunter2",
        "https_proxy": "http://me:hunter2@proxy.example:3128",
        "SSLKEYLOGFILE": "/home/hunter2/keys",
        "ALL_PROXY": "",
        "HTTP_PROXY": "http://[broken",
        "OTHER": "https://x.example",
    }

    told = {variable.name: str(variable) for variable in variables_set(environment)}

    assert sorted(told) == ["HTTP_PROXY", "OPENAI_BASE_URL", "SSLKEYLOGFILE", "https_proxy"]
    assert "hunter2" not in repr(told)
    assert told["OPENAI_BASE_URL"].startswith("OPENAI_BASE_URL is set to https://gateway.example:8443 (not read")
    assert "http://proxy.example:3128" in told["https_proxy"]
