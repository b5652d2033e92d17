"""Whom a run asks, in a line; and what in the environment somebody may expect to change that."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import UserError
from engine.providers.address import Address
from engine.providers.profile import profile_named
from engine.providers.surroundings import key_variables, target_told, variables_set


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
    addresses = [] if url is None else [Address.of(url)]

    assert says in (target_told(model, base_urls=addresses, profile=None) or "")


@pytest.mark.parametrize("model", ["simulated/dates", "local/x", "sdk/azure/x"])
def test_who_needs_no_address_of_ours_is_not_told(model: str) -> None:
    assert target_told(model, base_urls=[], profile=None) is None


def test_plain_http_beyond_this_machine_is_allowed_only_when_said_and_then_told() -> None:
    with pytest.raises(UserError, match="use https://, or --insecure-http if that is meant"):
        Address.of("http://llm.example.org/v1")
    address = Address.of("http://llm.example.org/v1", insecure_http=True)

    assert "(plain http: others can read it)" in (target_told("openai/m", base_urls=[address], profile=None) or "")
    here = Address.of("http://[::1]:1")
    assert "others can read" not in (target_told("openai/m", base_urls=[here], profile=None) or "")


def test_of_several_addresses_each_is_told_and_the_first_says_what_stands_there() -> None:
    addresses = [Address.of("http://localhost:8000/v1"), Address.of("http://localhost:9999/v1")]

    assert target_told("openai/m", base_urls=addresses, profile=None) == (
        "openai/m is asked at http://localhost:8000/v1 and http://localhost:9999/v1 (whichever of the 2 is least "
        "loaded), as vLLM"
    )


def test_what_was_said_to_stand_there_counts() -> None:
    told = target_told("openai/m", base_urls=[], profile=profile_named("transformers-serve"))

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


def test_certificates_are_told_with_what_they_mean_and_with_the_way_out_where_there_are_none(tmp_path: Path) -> None:
    there, gone = tmp_path, tmp_path / "gone.pem"

    found = variables_set({"SSL_CERT_DIR": f"{gone}:{there}", "SSL_CERT_FILE": str(gone), "ssl_cert_file": str(gone)})

    assert [(each.name, bool(each.problem)) for each in found] == [("SSL_CERT_FILE", True), ("SSL_CERT_DIR", False)]
    assert str(found[0]).endswith("every server is refused for its certificate; unset it, or name what is there)")
    assert str(found[1]).endswith("(read: servers that the certificates there vouch for are trusted, and no others)")


@pytest.mark.parametrize(
    ("model", "url", "variables"),
    [
        pytest.param("openai/m", None, ("OPENAI_API_KEY",), id="the service"),
        pytest.param("openai/m", "https://api.groq.com/openai/v1", ("GROQ_API_KEY", "OPENAI_API_KEY"), id="another"),
        pytest.param("anthropic/m", None, ("ANTHROPIC_API_KEY",), id="anthropic"),
        pytest.param("local/m", None, (), id="in this process"),
    ],
)
def test_where_a_key_is_looked_for(model: str, url: str | None, variables: tuple[str, ...]) -> None:
    assert key_variables(model, base_urls=[Address.of(url)] if url else [], profile=None) == variables


def test_what_does_as_it_says_need_not_be_told_at_the_beginning_of_a_run(tmp_path: Path) -> None:
    found = variables_set({"SSL_CERT_DIR": str(tmp_path), "SSL_CERT_FILE": str(tmp_path / "gone"), "ALL_PROXY": "x:1"})

    assert {each.name: each.surprises for each in found} == {
        "ALL_PROXY": True, "SSL_CERT_FILE": True, "SSL_CERT_DIR": False,
    }  # fmt: skip
