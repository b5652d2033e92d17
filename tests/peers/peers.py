"""Servers that others wrote, each as these tests use it: where it is, what it can do, and what it says it was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pytest

from engine import Budget, Engine, Price
from engine.fakes.checkpoints import TEMPLATE, save_causal
from engine.fakes.faults import FaultRates
from engine.fakes.limits import RateLimits
from engine.fakes.server import FakeProvider
from engine.providers.profile import Profile, profile_named, profile_of
from engine.providers.simulated import World
from tests.peers.processes import HOME, asked, free_port, is_installed, serving
from tests.peers.script import fixtures

__all__ = [
    "ANTHROPIC",
    "KEY",
    "PEERS",
    "RATE",
    "Limited",
    "Peer",
    "Weather",
    "in_anthropics_dialect",
    "missing",
    "mocklimit",
]

KEY: Final = "sk-peer-0123456789abcdef"
BEHIND_KEY: Final = "sk-behind-0123456789abcdef"
RATE: Final = Price(input=1, output=2)

AIMOCK: Final = HOME / "aimock" / "node_modules" / "@copilotkit" / "aimock"


class Weather(Enum):
    """What a peer is told to do to those who ask."""

    CALM = "answers"
    STORM = "fails now and then"
    RUSH = "turns away now and then, as too fast"
    NARROW = "reads ten tokens"
    TOLD = "tells of limits"


Count = Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """`cannot` says which scenarios have no sense here, and why. `under` sets the weather, for as long as it is held,
    and gives what tells how many questions have come since; `world` answers, where something is behind the peer."""

    name: str
    url: str
    model: str
    dialect: Profile
    under: Callable[[Weather, World], AbstractAsyncContextManager[Count]]
    api: str = "openai"
    key: str | None = None
    cannot: Mapping[str, str] = field(default_factory=dict)
    rows: int = 200  # as many as are asked where many are

    def must(self, scenario: str) -> None:
        """Skip the test where its scenario has no sense here."""
        if reason := self.cannot.get(scenario):
            pytest.skip(f"{self.name}: {reason}")

    def engine(self, **how: Any) -> Engine:
        usual = {"api_key": self.key, "dialect": self.dialect, "price": RATE, "budget": Budget(usd=100), "seed": 0}
        return Engine(f"{self.api}/{how.pop('model', self.model)}", base_url=self.url, **{**usual, **how})


# -- aimock: says what it was told to say, or hands on what it was told nothing about

# It throws dice without a seed: six failures of one row in a row are as good as impossible, and so is none in all.
CHAOS: Final = {"dropRate": 0.05, "malformedRate": 0.02, "disconnectRate": 0.02}


@contextmanager
def aimock(folder: Path) -> Iterator[Peer]:
    port, behind = free_port(), free_port()
    root = f"http://127.0.0.1:{port}"
    script = folder / "fixtures.json"
    script.write_text(json.dumps(fixtures()), encoding="utf-8")
    command = ("node", AIMOCK / "dist" / "cli.js", "--port", port, "--fixtures", script, "--journal-max", 0,
               "--proxy-only", "--provider-openai", f"http://127.0.0.1:{behind}", "--log-level", "warn")  # fmt: skip

    def questions() -> int:
        paths = ("/v1/chat/completions", "/v1/messages")
        return sum(len(asked(f"{root}/__aimock/journal?path={path}", key=KEY)) for path in paths)

    @asynccontextmanager
    async def under(weather: Weather, world: World) -> AsyncIterator[Count]:
        asked(f"{root}/__aimock/chaos", key=KEY, body=CHAOS if weather is Weather.STORM else {})
        before = questions()
        async with FakeProvider(world, port=behind, api_key=BEHIND_KEY, latency_scale=0.0):
            yield lambda: questions() - before
        asked(f"{root}/__aimock/chaos", key=KEY, method="DELETE")

    with serving(
        command,
        ready=f"{root}/health",
        log=folder / "log",
        environment={"AIMOCK_API_KEYS": KEY, "AIMOCK_PROVIDER_OPENAI_KEY": BEHIND_KEY},
    ):
        # It gives one completion, whatever is asked: known of no address, so a user says it in the configuration.
        yield Peer(
            name="aimock", url=f"{root}/v1", model="any", key=KEY, under=under,
            dialect=profile_of("aimock", {"like": "plain", "n": False}),
            cannot={"rush": "its refusals tell of 60 a minute, which we would keep to for minutes"},
        )  # fmt: skip


# -- mocklimit: counts, and says always the same


COMPLETION: Final[Mapping[str, Any]] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "mock",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"city": "Vigo", "people": 292000}'},
            "finish_reason": "stop",
        }
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A policy of mocklimit's: its algorithm, its limits, in which dress it tells them."""

    strategy: str
    limits: tuple[Mapping[str, Any], ...]
    format: Mapping[str, Any] = field(default_factory=dict)
    errors: str = "openai"
    path: str = "/chat/completions"
    usage: tuple[str, str] = ("prompt_tokens", "completion_tokens")
    answer: Mapping[str, Any] = field(default_factory=lambda: COMPLETION)
    api: str = "openai"


def _always(value: object) -> dict[str, Any]:
    """The schema that only this value fits; of a choice it takes the first."""
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: _always(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"type": "array", "items": _always(value[0])}
    return {"enum": [value]}


MESSAGE: Final[Mapping[str, Any]] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "mock",
    "content": [{"type": "text", "text": "It is 42."}],
    "stop_reason": "end_turn",
}
FREE: Final = Limited(
    strategy="fixed_window", limits=({"dimension": "requests", "limit": 10**6, "window_seconds": 60},)
)


@contextmanager
def mocklimit(folder: Path, policy: Limited = FREE) -> Iterator[Peer]:
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    spec, limits = folder / "spec.json", folder / "limits.json"
    content = {"application/json": {"schema": _always(dict(policy.answer))}}
    operation = {"responses": {"200": {"description": "", "content": content}}}
    spec.write_text(json.dumps({"servers": [{"url": "/v1"}], "paths": {policy.path: {"post": operation}}}))
    limits.write_text(json.dumps(_limits(policy)))
    program = HOME / "mocklimit" / "bin" / "mocklimit"
    command = (program, "serve", "--spec", spec, "--rate-config", limits, "--port", port)

    def questions() -> int:
        return sum(key["total_requests"] for at in asked(f"{root}/mocklimit/stats").values() for key in at.values())

    @asynccontextmanager
    async def under(weather: Weather, world: World) -> AsyncIterator[Count]:  # noqa: ARG001 - it knows one weather
        before = questions()
        yield lambda: questions() - before

    kin = "plain" if policy.api == "openai" else "anthropic-plain"
    with serving(command, ready=f"{root}/mocklimit/stats", log=folder / "log"):
        yield Peer(
            name="mocklimit", url=f"{root}/v1", model="mock", key=KEY, under=under,
            dialect=profile_of("mocklimit", {"like": kin, "n": False}),
            api=policy.api,
            cannot={
                "key": "it takes any key", "model": "it takes any model", "long": "it reads anything",
                "storm": "it never fails", "rush": "it has limits of its own",
                "cut": "it says always the same", "conversation": "it does not listen",
            },
        )  # fmt: skip


def _limits(policy: Limited) -> dict[str, Any]:
    nothing, one = {"strategy": "fixed", "value": 0}, {"strategy": "fixed", "value": 1}
    told, said = policy.usage
    resources = {
        "requests": {"input": one, "output": nothing},
        # What it counts it also tells as usage, under the same names.
        told: {"input": {"strategy": "characters_div_4"}, "output": nothing},
        said: {"input": nothing, "output": {"strategy": "random", "range": [5, 20], "cap_field": "max_tokens"}},
    }
    rules = {"strategy": policy.strategy, "limits": [dict(each) for each in policy.limits], "scope": "api_key"}
    dress = {"format": dict(policy.format), "error_template": {"provider": policy.errors}}
    return {
        "policies": {"all": {**rules, **dress}},
        "endpoints": {policy.path: {"methods": ["POST"], "policy": "all", "resources": resources}},
    }


# -- LiteLLM's proxy, with our own fake behind it

BEHIND: Final[Mapping[Weather, Mapping[str, Any]]] = {
    Weather.CALM: {},
    Weather.STORM: {"faults": FaultRates(error=0.08, overloaded=0.02, reset=0.04, garbled=0.02, error_under_200=0.02)},
    Weather.RUSH: {"faults": FaultRates(too_fast=0.02)},
    Weather.NARROW: {"context_tokens": 10},
    Weather.TOLD: {"limits": RateLimits(rpm=6000, tpm=600_000)},
}


@contextmanager
def litellm(folder: Path) -> Iterator[Peer]:
    port, behind = free_port(), free_port()
    root = f"http://127.0.0.1:{port}"
    config = folder / "config.json"
    config.write_text(json.dumps(_proxied(behind)), encoding="utf-8")
    command = (HOME / "litellm" / "bin" / "litellm", "--config", config, "--host", "127.0.0.1", "--port", port)
    alone = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True", "DO_NOT_TRACK": "1"}

    @asynccontextmanager
    async def under(weather: Weather, world: World) -> AsyncIterator[Count]:
        async with FakeProvider(world, port=behind, api_key=BEHIND_KEY, latency_scale=0.0, **BEHIND[weather]) as fake:
            yield lambda: len(fake.audit.entries)

    with serving(command, ready=f"{root}/health/liveliness", log=folder / "log", environment=alone):
        yield Peer(
            name="litellm", url=f"{root}/v1", model="openai-behind", key=KEY, under=under,
            dialect=profile_named("litellm"),
        )  # fmt: skip


def _proxied(port: int) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}"
    models = {
        "openai-behind": {"model": "openai/any", "api_base": f"{url}/v1", "api_key": BEHIND_KEY},
        "anthropic-behind": {"model": "anthropic/any", "api_base": url, "api_key": BEHIND_KEY},
    }
    return {
        "model_list": [{"model_name": name, "litellm_params": params} for name, params in models.items()],
        "general_settings": {"master_key": KEY},
        # Both would hide what came: the retrying is ours.
        "litellm_settings": {"num_retries": 0},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }


# -- transformers serve, with a tiny model of random weights


@contextmanager
def transformers_serve(folder: Path) -> Iterator[Peer]:
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    model = save_causal(folder / "tiny", template=TEMPLATE, do_sample=True)
    command = (HOME / "transformers" / "bin" / "transformers", "serve", model, "--port", port, "--device", "cpu")
    log = folder / "log"

    def questions() -> int:
        return log.read_text(errors="replace").count('"POST /v1/chat/completions')

    @asynccontextmanager
    async def under(weather: Weather, world: World) -> AsyncIterator[Count]:  # noqa: ARG001 - it is what it is
        before = questions()
        yield lambda: questions() - before

    with serving(command, ready=f"{root}/health", log=log, environment={"HF_HUB_OFFLINE": "1"}):
        yield Peer(
            name="transformers-serve", url=f"{root}/v1", model=str(model), under=under,
            dialect=profile_named("transformers-serve"), rows=20,
            cannot={
                "key": "it takes any key", "long": "it reads on beyond what its model was made for",
                "storm": "it fails for no request of ours", "rush": "it has no limits",
                "json": "a model of random weights writes none",
                "conversation": "a model of random weights does not listen",
            },
        )  # fmt: skip


PEERS: Final[Mapping[str, Callable[[Path], Any]]] = {
    "aimock": aimock,
    "mocklimit": mocklimit,
    "litellm": litellm,
    "transformers-serve": transformers_serve,
}


ANTHROPIC: Final[Mapping[str, tuple[str, str]]] = {
    "aimock, messages": ("aimock", "any"),
    "litellm, messages": ("litellm", "anthropic-behind"),
}
"""Those that speak Anthropic's dialect too: which peer, asked for which model."""


def in_anthropics_dialect(peer: Peer, *, model: str) -> Peer:
    return replace(peer, api="anthropic", model=model, dialect=profile_named("anthropic-plain"))


def missing(name: str) -> str | None:
    """Why a peer cannot be started here, and the way out; None when it can."""
    if name == "aimock":
        is_here = (AIMOCK / "package.json").exists()
    else:
        package = {"transformers-serve": "transformers"}.get(name, name)
        is_here = is_installed(package, environment=HOME / package)
    return None if is_here else f"{name} is not installed in {HOME}: make peers"
