"""What is there and what is not: keys, local servers, cached models, devices, packages. Looks and changes nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from agents.config import Configuration

__all__ = ["Finding", "examine", "look_for_server"]

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")

EXTRAS = (
    ("train", "torch", "training students"),
    ("local", "llguidance", "JSON schemas with --model local/NAME"),
    ("chat", "gradio", "the chat page"),
)
LOOK_S = 0.5  # for each step of an exchange
LITTLE_DISK = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for; `detail` says what it gives, or what to do."""

    what: str
    found: bool
    detail: str


def examine(configuration: Configuration | None = None) -> list[Finding]:
    """Everything worth knowing before a run, and of a configuration which model has which role. Never shows a key."""
    servers = asyncio.run(_servers())
    roles = () if configuration is None else _roles(configuration)
    around = [*_versions(), *roles, *_keys(), *_steering(), *servers, *_extras(), _teachers(), *_models()]
    return [*around, _device(), _disk()]


def _versions() -> Iterator[Finding]:
    yield Finding("smelt", True, f"{version('smelt')} on Python {platform.python_version()}")


def _roles(configuration: Configuration) -> Iterator[Finding]:
    """Each model that a configuration names, with whether it could be asked."""
    for role, order in {"teacher": configuration.order, **configuration.by_role}.items():
        for place, said in enumerate(order):
            yield _role(role if place == 0 else f"{role}, else", said)


def _role(what: str, said: Configuration) -> Finding:
    from engine.clock import SystemClock
    from engine.errors import UserError
    from engine.providers.choice import known_price
    from engine.providers.resolve import resolve

    if said.model == "auto":
        return Finding(what, True, "auto: whoever of those below can be asked")
    try:
        provider = resolve(said.model, base_url=said.endpoint, clock=SystemClock(), dialect=said.profile)
        price = known_price(provider, told=said.price)
    except UserError as error:
        return Finding(what, False, str(error))
    cost = "for nothing" if price.is_free else f"for {price.input:f} and {price.output:f} USD a million tokens"
    return Finding(what, True, f"{said.model}, {cost}: {provider.endpoint}")


def _keys() -> Iterator[Finding]:
    for name in KEYS:
        provider = name.removesuffix("_API_KEY").lower()
        found = bool(os.environ.get(name))
        detail = f"--model {provider}/NAME can be asked" if found else f"set it to ask --model {provider}/NAME"
        yield Finding(name, found, detail)


def _steering() -> Iterator[Finding]:
    """Variables that lead other programs elsewhere, and whether they lead anybody here."""
    from engine.providers.surroundings import variables_set

    for variable in variables_set(os.environ):
        detail = f"leads to {variable.leads_to}: {variable.read_by}"
        if not variable.is_usable:
            detail = "is no proxy address, so the model hub is not asked; unset it, or write http://host:port"
        yield Finding(variable.name, variable.is_usable, detail)


async def _servers() -> list[Finding]:
    import httpx

    from engine.providers.auto import SERVERS

    async with httpx.AsyncClient(timeout=LOOK_S, trust_env=False) as client:
        return list(await asyncio.gather(*(look_for_server(client, name, port) for name, port in SERVERS)))


async def look_for_server(client: httpx.AsyncClient, name: str, port: int) -> Finding:
    """Whether an OpenAI-compatible server answers on a port of this machine, and how to ask it."""
    from engine.providers.auto import models_at, url_of

    url = url_of(port)
    models = await models_at(client, port)
    if models is None:
        return Finding(f"{name} on port {port}", False, f"a server there could be asked with --base-url {url}")
    first = models[0] if models else "NAME"
    return Finding(f"{name} on port {port}", True, f"ask it with --model openai/{first} --base-url {url}")


def _teachers() -> Finding:
    from engine.providers.local.checkpoint import cached

    names = [f"local/{checkpoint.name}" for checkpoint in cached()]
    detail = f"--model {', '.join(names)}" if names else "a chat model in the hub's cache could be asked as local/NAME"
    return Finding("teachers on this machine", bool(names), detail)


def _extras() -> Iterator[Finding]:
    for extra, module, gives in EXTRAS:
        found = importlib.util.find_spec(module) is not None
        detail = f"{module} {_version(module)}: {gives}" if found else f"{gives} needs it: pip install 'smelt[{extra}]'"
        yield Finding(f"extra {extra}", found, detail)


def _version(module: str) -> str:
    try:
        return version(module)
    except PackageNotFoundError:
        return "of unknown version"


def _models() -> Iterator[Finding]:
    from agents.finding.choose import rank_models
    from engine.retrieval import load_models, model_place

    ranking = rank_models("", load_models().cards, place=lambda name: model_place(name, online=lambda: False))
    cached = [ranked.card.id for ranked in ranking.kept]
    detail = ", ".join(cached) if cached else "none to start from: the students tiny and linear need none"
    yield Finding("base models on this machine", bool(cached), detail)


def _device() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("GPU", False, "cannot tell without the train extra")
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", True, torch.cuda.get_device_name(0))
    return Finding("GPU", False, f"training runs on {os.cpu_count()} CPU cores, which is enough for tiny and linear")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    detail = f"{free / 1e9:.1f} GB free here"
    return Finding("disk space", free > LITTLE_DISK, detail if free > LITTLE_DISK else f"{detail}: make room for a run")
