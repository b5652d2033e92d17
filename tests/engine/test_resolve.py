"""From `provider/name` to the provider, or to one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.errors import UnknownPrice, UserError
from engine.fakes.worlds import EchoWorld
from engine.prices import FREE, lookup
from engine.providers import Provider
from engine.providers.choice import known_price
from engine.providers.resolve import resolve
from engine.providers.simulated import Simulated


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer's own environment holds, no test sees it."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def installed_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package that offers a world, installed as pip would leave it."""
    metadata = tmp_path / "other_worlds-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other-worlds\nVersion: 1.0\n", encoding="utf-8")
    offered = "[smelt.worlds]\nmirror-world = engine.fakes.worlds:EchoWorld\n"
    (metadata / "entry_points.txt").write_text(offered, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


def resolved(model: str, *, base_url: str | None = None, api_key: str | None = None, seed: int = 0) -> Provider:
    return resolve(model, base_url=base_url, api_key=api_key, clock=SystemClock(), seed=seed)


@pytest.mark.parametrize(
    ("model", "base_url", "endpoint"),
    [
        ("openai/gpt-5.4-mini", None, "https://api.openai.com/v1 openai-chat gpt-5.4-mini"),
        ("openai/org/model", "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1 openai-chat org/model"),
        ("anthropic/c", None, "https://api.anthropic.com anthropic-messages 2023-06-01 c"),
        ("anthropic/c", "http://localhost:1/v1", "http://localhost:1 anthropic-messages 2023-06-01 c"),
    ],
)
def test_a_model_is_a_provider_and_a_name(model: str, base_url: str | None, endpoint: str) -> None:
    provider = resolved(model, base_url=base_url, api_key="sk-test")

    assert (provider.name, provider.endpoint) == (model, endpoint)
    assert not provider.simulated


@pytest.mark.usefixtures("installed_worlds")
def test_a_world_comes_from_whichever_package_offers_it() -> None:
    provider = resolved("simulated/mirror-world", seed=7)

    assert isinstance(provider, Simulated)
    assert provider.world == EchoWorld(seed=7)
    assert provider.simulated


@pytest.mark.usefixtures("installed_worlds")
def test_an_unknown_world_is_met_with_those_there_are() -> None:
    with pytest.raises(
        UserError, match=r"no simulated world 'mirror-word'; did you mean 'mirror-world'\? \(there are:"
    ):
        resolved("simulated/mirror-word")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("gpt-5.4-mini", "write it as provider/name"),
        ("openai/", "write it as provider/name"),
        ("/x", "no provider ''"),
        ("", "write it as provider/name"),
        (
            "opnai/x",
            r"no provider 'opnai'; did you mean 'openai'\? \(there are: openai, anthropic, local, sdk, simulated\)",
        ),
        ("auto", "an Engine, or the command line, finds out whom to ask"),
        ("zzz/x", r"no provider 'zzz' \(there are: openai, anthropic, local, sdk, simulated\)"),
        ("openai/x", "needs a key: set OPENAI_API_KEY"),
        ("anthropic/x", "needs a key: set ANTHROPIC_API_KEY"),
    ],
)
def test_what_cannot_be_meant_is_one_line(model: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        resolved(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["openai/x", "anthropic/x"])
def test_plain_http_is_for_this_machine_only(model: str) -> None:
    with pytest.raises(UserError, match="plain http is for this machine only"):
        resolved(model, base_url="http://example.org/v1", api_key="sk-test")


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000/v1", "https://llm.example.org/v1"])
def test_only_the_official_hosts_insist_on_a_key(base_url: str) -> None:
    assert resolved("openai/x", base_url=base_url).name == "openai/x"


def test_the_official_host_insists_when_written_out_too() -> None:
    with pytest.raises(UserError, match="needs a key"):
        resolved("openai/x", base_url="https://eu.api.openai.com/v1")


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_the_key_comes_from_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "sk-from-environment")
    provider = resolved(f"{variable.split('_', maxsplit=1)[0].lower()}/x")

    assert "sk-from-environment" not in repr(provider) + provider.endpoint + provider.name


def test_a_broken_key_in_the_environment_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-broken key")

    with pytest.raises(UserError, match="OPENAI_API_KEY holds no usable key") as caught:
        resolved("openai/x")
    assert "broken" not in str(caught.value)


def test_no_variable_changes_where_a_prompt_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example.org")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://elsewhere.example.org")

    assert resolved("openai/x", api_key="sk-1").endpoint.startswith("https://api.openai.com/v1 ")
    assert resolved("anthropic/x", api_key="sk-1").endpoint.startswith("https://api.anthropic.com ")


def test_a_simulated_teacher_has_no_base_url() -> None:
    with pytest.raises(UserError, match="answers in this process"):
        resolved("simulated/anything", base_url="http://127.0.0.1:1")


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"])
def test_list_prices_are_those_of_the_official_hosts_and_of_nobody_else(model: str) -> None:
    official = resolved(model, api_key="sk-test")
    other = resolved(model, base_url="http://127.0.0.1:8000/v1", api_key="sk-test")

    assert known_price(official, told=None) == lookup(model)
    assert known_price(other, told=FREE) == FREE
    with pytest.raises(UnknownPrice, match=f"no price is known for '{model}' at http://127.0.0.1:8000"):
        known_price(other, told=None)
