"""Who can be asked from here, when nobody was named: keys in the environment, servers on this machine, cached models.

It looks and sends no prompt. What costs money is only chosen when there is a budget.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.errors import UserError
from engine.prices import FREE, Price
from engine.providers.local.checkpoint import Checkpoint, cached

if TYPE_CHECKING:
    import httpx

__all__ = ["SERVERS", "Found", "Server", "Settled", "auto", "choose", "look_around", "models_at", "settled"]

# What is taken for the key that is set: a small, current model of each provider.
KEYS: Final = (("OPENAI_API_KEY", "openai/gpt-5.4-mini"), ("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"))

# The port that each local server takes by default.
SERVERS: Final = (("Ollama", 11434), ("vLLM", 8000), ("LM Studio", 1234), ("llama.cpp", 8080), ("SGLang", 30000))

STUDENTS_OWNER: Final = "you"
"""Who owns a model that `engine.serving` lists."""

# Whoever listens on a port of this machine may be anybody: to send them a key is not for us to choose.
_SENT_TO_SERVERS: Final = "OPENAI_API_KEY"

_NO_TEACHERS: Final = ("embed", "rerank", "whisper", "tts")  # servers list these beside what can be asked
_LOOK_S: Final = 0.5  # for each step of an exchange
_LONGEST_LOOK_S: Final = 2.0
_LONGEST_LIST: Final = 2**22  # bytes; a router lists some hundred models in half a megabyte
_SHARE_OF_MEMORY: Final = 0.25  # of the machine's, for weights that may come to take twice as much as they do on disk


class Server(NamedTuple):
    """A server on this machine, and the models that it lists."""

    name: str
    port: int
    models: tuple[str, ...]

    @property
    def url(self) -> str:
        return url_of(self.port)


@dataclass(frozen=True, slots=True)
class Found:
    """Whom to ask: `Engine(found.model, base_url=found.base_url, price=found.price)`, and why, in a line.

    `price` is zero for a server on this machine; None leaves it to the provider or the price table.
    """

    model: str
    why: str
    base_url: str | None = None
    price: Price | None = None

    @property
    def told(self) -> str:
        return f"{self.model}, because {self.why}"


class Settled(NamedTuple):
    """Who is asked, where and at which price; `note` says in a line why, where that was found out."""

    model: str
    base_url: str | None
    price: Price | None
    note: str


def settled(
    *, has_place: bool, price: Price | None, has_budget: bool, look: Callable[[bool], Found] | None = None
) -> Settled:
    """Whoever can be asked from here. A price that was given stays; whoever has a place in mind must name a model."""
    if has_place:
        raise UserError("'auto' finds out where to ask: name the model that is there, as in openai/NAME")
    found = (look or auto)(has_budget)
    return Settled(found.model, found.base_url, found.price if price is None else price, found.told)


def auto(has_budget: bool) -> Found:
    """The first that there is: a provider with a key, a server on this machine, the largest cached model that fits.

    Without a budget keys are passed over, and a server that would be sent one is only named. Raises UserError, with
    what there is to do, when nobody can be asked.
    """
    keys = [name for name, _ in KEYS if os.environ.get(name, "").strip()]
    if keys and has_budget:  # nothing else would be taken, so nothing else is looked for
        return choose(keys=keys, servers=(), models=(), has_budget=True)
    models = fitting(cached()) if _can_run_models() else []
    with ThreadPoolExecutor(1) as thread:  # whoever asks may be in a loop of their own
        servers = thread.submit(lambda: asyncio.run(look_around())).result()
    return choose(keys=keys, servers=servers, models=models, has_budget=has_budget)


def choose(*, keys: Sequence[str], servers: Sequence[Server], models: Sequence[Checkpoint], has_budget: bool) -> Found:
    """Pure: the first of the first kind. `keys` are the names of variables that are set."""
    if keys and has_budget:
        return Found(dict(KEYS)[keys[0]], f"{keys[0]} is set")
    unspent = f" ({keys[0]} is set, but nothing is spent without a budget)" if keys else ""
    answering = [(server, model) for server in servers if (model := _teacher_of(server)) is not None]
    if answering and _SENT_TO_SERVERS not in keys:
        server, name = answering[0]
        why = f"{server.name} on port {server.port} answers and has it{unspent}"
        return Found(f"openai/{name}", why, base_url=server.url, price=FREE)
    if models:
        return Found(f"local/{models[0].name}", f"it is in the hub's cache on this machine, and fits{unspent}")
    if keys:
        ways = [f"--model openai/{name} --base-url {server.url}, which is sent the key" for server, name in answering]
        beside = f", or ask {answering[0][0].name} on this machine: {ways[0]}" if ways else ""
        raise UserError(f"{keys[0]} is set, but nothing is spent without a budget: give one with --budget USD{beside}")
    names = " or ".join(name for name, _ in KEYS)
    raise UserError(
        f"no teacher: set {names}, or name one with --model (simulated/dates needs no key; a local server: "
        "--model openai/NAME --base-url http://localhost:PORT/v1 --price-in 0 --price-out 0; a model in this process: "
        "local/NAME_OR_PATH)"
    )


def _teacher_of(server: Server) -> str | None:
    """The first of its models that writes texts."""
    return next((name for name in server.models if not any(word in name.lower() for word in _NO_TEACHERS)), None)


async def look_around() -> list[Server]:
    """The servers on this machine that answer on their usual ports."""
    import httpx

    async with httpx.AsyncClient(timeout=_LOOK_S, trust_env=False) as client:
        found = await asyncio.gather(*(models_at(client, port) for _, port in SERVERS))
    return [
        Server(name, port, models) for (name, port), models in zip(SERVERS, found, strict=True) if models is not None
    ]


async def models_at(client: httpx.AsyncClient, port: int) -> tuple[str, ...] | None:
    """The models that an OpenAI-compatible server on a port of this machine lists; None when there is none."""
    import httpx

    try:
        async with asyncio.timeout(_LONGEST_LOOK_S):
            async with client.stream("GET", f"{url_of(port)}/models") as answer:
                body = await _read(answer)
        listed = json.loads(body)["data"]
        # A student that somebody serves is nobody to learn from.
        return tuple(str(model["id"]) for model in listed if model.get("owned_by") != STUDENTS_OWNER)
    except (
        httpx.HTTPError,
        TimeoutError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ):  # whatever else is there
        return None


async def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > _LONGEST_LIST:
            raise ValueError("no list of models is that long")
    return bytes(body)


def url_of(port: int) -> str:
    """The base URL of a server on this machine."""
    return f"http://127.0.0.1:{port}/v1"


def fitting(models: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Those that this machine has the memory for."""
    room = _SHARE_OF_MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return [model for model in models if model.size <= room]


def _can_run_models() -> bool:
    return all(importlib.util.find_spec(package) for package in ("torch", "transformers"))
