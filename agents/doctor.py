"""What is there and what is not: keys, local servers, cached models, devices, packages. Looks and changes nothing."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from agents.config import Configuration

__all__ = ["Finding", "examine", "look_for_server", "next_steps"]

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")

# What each brings, by the module that shows that it is there; and all that must be there for it.
EXTRAS = (
    ("train", ("torch", "transformers", "sklearn", "peft", "datasets"), "training students"),
    ("local", ("torch", "transformers", "llguidance"), "a model in this process as the teacher"),
    ("chat", ("gradio",), "the chat page"),
    ("onnx", ("onnx", "onnxruntime", "onnxscript"), "students that run without Smelt and torch"),
)
LOOK_S = 0.5  # for each step of an exchange
LITTLE_DISK = 2_000_000_000
CARDS = ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")  # where drivers of graphics cards show themselves on Linux
MOST_NAMED = 5  # models of a server or of a cache, in one line

TEACHERS, STUDENTS, MACHINE = "who can be asked", "what students can be made", "this machine"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for; `detail` says what it gives, or what to do and what that would give.

    `group` is the heading that it stands under; `ask` is how whoever was found is asked, as options of a command.
    """

    what: str
    found: bool
    detail: str
    group: str = MACHINE
    ask: str = ""


def examine(configuration: Configuration | None = None) -> list[Finding]:
    """Everything worth knowing before a run, and of a configuration which model has which role. Never shows a key."""
    roles = [] if configuration is None else list(_roles(configuration))
    return [*roles, *asyncio.run(_around())]


async def _around() -> list[Finding]:
    """All that does not depend on a configuration; what has to be waited for is waited for together."""
    servers, teachers, bases, device = await asyncio.gather(
        _servers(), asyncio.to_thread(_teachers), asyncio.to_thread(_models), asyncio.to_thread(_device)
    )
    machine = [*_versions(), *_steering(), device, _memory(), _disk()]
    return [*_keys(), *servers, teachers, *_extras(), bases, *machine]


def next_steps(findings: Sequence[Finding]) -> list[str]:
    """The commands to go on with: whoever can be asked is named, a simulated teacher where nobody can."""
    asked = next((each for each in findings if each.found and each.ask), None)
    if asked is None:
        return [
            "nobody can be asked yet: set a key, start a server, or begin with a simulated teacher, for nothing:",
            "  smelt init && smelt run prompt.md --config smelt.toml",
        ]
    budget = "" if asked.ask.endswith(" 0") or "local/" in asked.ask else " --budget 5"
    return [
        f"what a run would cost: smelt estimate prompt.md {asked.ask}{budget}",
        "a prompt to begin with: smelt init",
    ]


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
        return Finding(what, True, "auto: whoever of those below can be asked", TEACHERS)
    try:
        provider = resolve(said.model, base_url=said.endpoints or None, clock=SystemClock(), dialect=said.profile)
        price = known_price(provider, told=said.price)
    except UserError as error:
        return Finding(what, False, str(error), TEACHERS)
    cost = "for nothing" if price.is_free else f"for {price.input:f} and {price.output:f} USD a million tokens"
    return Finding(what, True, f"{said.model}, {cost}: {provider.endpoint}", TEACHERS)


def _keys() -> Iterator[Finding]:
    from engine.providers.auto import KEYS as EXAMPLES

    models = dict(EXAMPLES)
    for name in KEYS:
        provider = name.removesuffix("_API_KEY").lower()
        found = bool(os.environ.get(name))
        detail = f"--model {provider}/NAME can be asked" if found else f"set it to ask --model {provider}/NAME"
        yield Finding(name, found, detail, TEACHERS, f"--model {models[name]}")
    yield from _keys_elsewhere()


def _keys_elsewhere() -> Iterator[Finding]:
    """Keys of other services, where they are set: who has none of them need not hear of all that there are."""
    from engine.providers.profile import profiles

    told = set(KEYS)
    for service in profiles().values():
        name = service.key
        if name not in told and service.at and os.environ.get(name):
            told.add(name)
            at = service.at[0]  # a port of this machine, or what the address of the service has in it
            place, where = (f"http://127.0.0.1{at}/v1", "") if at.startswith(":") else ("URL", f" at its URL ({at})")
            ask = f"--model {service.api}/NAME --base-url {place}"
            yield Finding(name, True, f"{service.title} can be asked{where}: {ask}", TEACHERS, ask)


def _steering() -> Iterator[Finding]:
    """Variables that lead other programs elsewhere, and whether they lead anybody here."""
    from engine.providers.surroundings import variables_set

    for variable in variables_set(os.environ):
        detail = variable.problem or f"leads to {variable.leads_to}: {variable.read_by}"
        yield Finding(variable.name, not variable.problem, detail)


async def _servers() -> list[Finding]:
    import httpx

    from engine.providers.auto import SERVERS

    async with httpx.AsyncClient(timeout=LOOK_S, trust_env=False) as client:
        return list(await asyncio.gather(*(look_for_server(client, name, port) for name, port in SERVERS)))


async def look_for_server(client: httpx.AsyncClient, name: str, port: int) -> Finding:
    """Whether an OpenAI-compatible server answers on a port of this machine, and how to ask it."""
    from engine.providers.auto import models_at, url_of

    what, url = f"{name} on port {port}", url_of(port)
    models = await models_at(client, port)
    if models is None:
        return Finding(what, False, f"a server there could be asked with --base-url {url}", TEACHERS)
    first = quote(f"openai/{models[0]}") if models else "openai/NAME"
    ask = f"--model {first} --base-url {url}"
    others = f"; it has also {_named(models[1:])}" if len(models) > 1 else "" if models else ": it lists no model yet"
    free = "--price-in 0 --price-out 0"
    return Finding(what, True, f"ask it with {ask}{others}", TEACHERS, f"{ask} {free}" if models else "")


def _named(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _teachers() -> Finding:
    from engine.providers.local.checkpoint import cached

    what, names = "models in the hub's cache", [f"local/{checkpoint.name}" for checkpoint in cached()]
    if not names:
        return Finding(what, False, "a chat model there could be asked in this process, as local/NAME", TEACHERS)
    return Finding(what, True, f"--model {_named(names)}", TEACHERS, f"--model {quote(names[0])}")


def _extras() -> Iterator[Finding]:
    for extra, modules, gives in EXTRAS:
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        there = ", ".join(f"{module} {_version(module)}" for module in modules if module not in missing)
        detail = f"{gives}: {there}" if not missing else f"{gives} needs it: pip install 'smelt[{extra}]'"
        yield Finding(f"extra {extra}", not missing, detail, STUDENTS if extra != "local" else TEACHERS)


def _version(module: str) -> str:
    try:
        return version("scikit-learn" if module == "sklearn" else module)
    except PackageNotFoundError:
        return "of unknown version"


def _models() -> Finding:
    from agents.finding.choose import rank_models
    from engine.retrieval import load_models, model_place

    ranking = rank_models("", load_models().cards, place=lambda name: model_place(name, online=lambda: False))
    cached = [ranked.card.id for ranked in ranking.kept]
    if not cached:
        detail = "none to tune: tiny and linear need none; hf download google/flan-t5-small would bring one"
        return Finding("base models on this machine", False, detail, STUDENTS)
    return Finding("base models on this machine", True, _named(cached), STUDENTS)


def _device() -> Finding:
    cores = f"training runs on {os.cpu_count()} CPU cores, which is enough for tiny and linear"
    if importlib.util.find_spec("torch") is None:
        return Finding("GPU", False, "cannot tell without the train extra")
    if sys.platform == "linux" and not any(map(os.path.exists, CARDS)):
        return Finding("GPU", False, cores)  # torch takes seconds to say the same
    import torch

    if torch.cuda.is_available():
        return Finding("GPU", True, f"{torch.cuda.get_device_name(0)}: larger students in minutes")
    if torch.backends.mps.is_available():
        return Finding("GPU", True, "of this Mac (mps)")
    return Finding("GPU", False, f"torch {torch.__version__} finds none it can use; {cores}")


def _memory() -> Finding:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Finding("memory", True, f"{whole / 1e9:.1f} GB; a model as local/NAME may take a quarter of it")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free
    detail = f"{free / 1e9:.1f} GB free here"
    return Finding("disk space", free > LITTLE_DISK, detail if free > LITTLE_DISK else f"{detail}: make room for a run")
