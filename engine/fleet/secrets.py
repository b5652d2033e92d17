"""Which keys workers need: the variables that the providers of a run look at, as they are set here.

They are told in a call, and live in the memory of the workers: in no file, no log, no process list, nor in what a
cluster tells of its tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

from engine.providers import Provider
from engine.providers.profile import Profile

__all__ = ["keys_of", "lay_out"]

USUAL: Mapping[str, str] = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def keys_of(providers: Iterable[Provider], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold their keys, with what they are set to; those that are not set are left out."""
    names: dict[str, None] = {}
    for provider in providers:
        profile = getattr(provider, "profile", None)
        if isinstance(profile, Profile) and profile.key:
            names[profile.key] = None
        if (usual := USUAL.get(provider.name.partition("/")[0])) is not None:
            names[usual] = None
    return {name: environment[name] for name in names if environment.get(name, "").strip()}


def lay_out(keys: Mapping[str, str], environment: MutableMapping[str, str]) -> None:
    """Set them where a worker's providers look; a machine of a cluster may have others, which do not count here."""
    environment.update(keys)
