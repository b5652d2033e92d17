"""From `provider/name`, as on the command line, to the provider.

Nothing is sent here, and nothing fetched but a model that is named `local/hub:...`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from engine.clock import Clock
from engine.errors import UserError
from engine.providers import Provider
from engine.providers.address import Address, Somewhere, each_of
from engine.providers.anthropic import OFFICIAL_DOMAIN as ANTHROPIC_DOMAIN
from engine.providers.anthropic import OFFICIAL_URL as ANTHROPIC_URL
from engine.providers.anthropic import Anthropic
from engine.providers.fields import Api
from engine.providers.http import checked_key
from engine.providers.openai import OFFICIAL_DOMAIN as OPENAI_DOMAIN
from engine.providers.openai import OFFICIAL_URL as OPENAI_URL
from engine.providers.openai import OpenAI
from engine.providers.profile import Profile, profile_named, recognised
from engine.providers.several import Several
from engine.providers.simulated import Simulated, World
from engine.text import meant

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

__all__ = ["WORLDS_GROUP", "resolve", "world_named", "worlds"]

WORLDS_GROUP: Final = "smelt.worlds"
"""The entry-point group in which packages name their worlds: a class that is called with `seed=`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settings:
    base_url: str | Address | None
    api_key: str | None = field(repr=False)
    clock: Clock
    seed: int
    dialect: Profile | None = None


def resolve(
    model: str,
    *,
    base_url: Somewhere | None = None,
    api_key: str | None = None,
    clock: Clock,
    seed: int = 0,
    dialect: str | Profile | None = None,
) -> Provider:
    """The provider that answers as `model`: "openai/gpt-5.4-mini", "anthropic/claude-haiku-4-5", "simulated/dates",
    "local/NAME_OR_PATH" for a model in this process, "sdk/azure/NAME" and the like for a cloud's own client.

    The key comes from the variable of the service that stands there (GROQ_API_KEY, say), else from OPENAI_API_KEY or
    ANTHROPIC_API_KEY, unless given; only the official hosts insist on one. `dialect` is what stands there, by name or
    as a profile; without one it is what the address is known by. Of several addresses, which must serve the same model,
    the first says what stands at all of them. `seed` is the simulated world's, or the chance of a model in this
    process. No other variable is read but by the clients behind sdk/...: what is asked goes where `base_url` says, or
    to the official host. Raises UserError for anything that cannot be meant.
    """
    provider, slash, name = model.partition("/")
    if model == "auto":
        raise UserError("'auto' is no model of its own: an Engine, or the command line, finds out whom to ask")
    if not slash or not name:
        raise UserError(f"model {model!r}: write it as provider/name, for example openai/gpt-5.4-mini")
    if provider not in _MAKERS:
        raise UserError(f"model {model!r}: no provider {provider!r}{_alternatives(provider, list(_MAKERS))}")
    profile = profile_named(dialect) if isinstance(dialect, str) else dialect
    first, *others = each_of(base_url) or (None,)
    settings = _Settings(base_url=first, api_key=api_key, clock=clock, seed=seed, dialect=profile)
    if profile is not None and profile.api != provider:
        raise UserError(f"the dialect {profile.name!r} is one of {profile.api}/NAME (got {model!r})")
    if others:
        return _several(provider, name, settings, others)
    return _MAKERS[provider](name, settings)


def worlds() -> list[str]:
    """The names of the worlds that installed packages offer, ours among them."""
    return sorted(_offered_worlds().names)


def world_named(name: str, *, seed: int) -> World:
    """The world that an installed package offers under this name. Raises UserError, listing those there are."""
    offered = _offered_worlds()
    if name not in offered.names:
        raise UserError(f"no simulated world {name!r}{_alternatives(name, sorted(offered.names))}")
    make: Callable[..., World] = offered[name].load()
    return make(seed=seed)


def _openai(name: str, settings: _Settings) -> OpenAI:
    address, profile = _place(settings, official=OPENAI_URL, api="openai")
    key = _key(settings, profile, needed=address.within(OPENAI_DOMAIN), model=f"openai/{name}")
    return OpenAI(name, base_url=address, api_key=key, clock=settings.clock, profile=profile)


def _anthropic(name: str, settings: _Settings) -> Anthropic:
    address, profile = _place(settings, official=ANTHROPIC_URL, api="anthropic")
    key = _key(settings, profile, needed=address.within(ANTHROPIC_DOMAIN), model=f"anthropic/{name}")
    return Anthropic(name, base_url=address, api_key=key, clock=settings.clock, profile=profile)


def _several(provider: str, name: str, settings: _Settings, others: Sequence[str | Address | None]) -> Several:
    if provider not in {"openai", "anthropic"}:
        raise UserError(
            f"model '{provider}/{name}': several base URLs are for servers that are asked as openai/NAME or "
            "anthropic/NAME; name one, or none"
        )
    make = _openai if provider == "openai" else _anthropic
    first = make(name, settings)
    alike = replace(settings, dialect=first.profile)
    return Several([first, *(make(name, replace(alike, base_url=other)) for other in others)])


def _place(settings: _Settings, *, official: str, api: Api) -> tuple[Address, Profile]:
    """Where it is, and what stands there."""
    given = settings.base_url or official
    address = given if isinstance(given, Address) else Address.of(given)
    return address, settings.dialect or recognised(address, api=api)


def _local(name: str, settings: _Settings) -> Provider:
    from engine.providers.local import Local

    _check_in_process(f"local/{name}", settings)
    return Local(name, clock=settings.clock, seed=settings.seed)


def _sdk(name: str, settings: _Settings) -> Provider:
    from engine.providers.sdk import from_environment

    place = None if settings.base_url is None else str(settings.base_url)
    return from_environment(name, base_url=place, api_key=settings.api_key, clock=settings.clock)


def _simulated(name: str, settings: _Settings) -> Provider:
    _check_in_process(f"simulated/{name}", settings)
    return Simulated(world_named(name, seed=settings.seed), settings.clock)


def _check_in_process(model: str, settings: _Settings) -> None:
    if settings.base_url is not None:
        raise UserError(f"model {model!r} answers in this process; leave out the base URL")


_MAKERS: Final[Mapping[str, Callable[[str, _Settings], Provider]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "local": _local,
    "sdk": _sdk,
    "simulated": _simulated,
}


def _key(settings: _Settings, profile: Profile, *, needed: bool, model: str) -> str | None:
    """The key that was given, else that of the first variable that is set."""
    if settings.api_key is not None:
        return checked_key(settings.api_key, source="the API key given")
    for variable in profile.key_variables:
        if (found := os.environ.get(variable, "")).strip():
            return checked_key(found, source=variable)
    if needed:
        raise UserError(f"model {model!r} needs a key: set {profile.key_variables[-1]}, or ask a simulated teacher")
    return None


def _offered_worlds() -> EntryPoints:
    from importlib.metadata import entry_points

    return entry_points(group=WORLDS_GROUP)


def _alternatives(word: str, known: list[str]) -> str:
    return meant(word, known) + (f" (there are: {', '.join(known)})" if known else " (none is installed)")
