"""Which keys workers need: the variables that the providers of a run look at, as they are set here.

They are told in a call, and live in the memory of the workers: in no file, no log, no process list, nor in what a
cluster tells of its tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

from engine.providers import Provider
from engine.providers.profile import Profile

__all__ = ["keys_of", "lay_out"]


def keys_of(providers: Iterable[Provider], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that hold their keys, with what they are set to; those that are not set are left out."""
    profiles = (getattr(provider, "profile", None) for provider in providers)
    names = {name for profile in profiles if isinstance(profile, Profile) for name in profile.key_variables}
    return {name: environment[name] for name in sorted(names) if environment.get(name, "").strip()}


def lay_out(keys: Mapping[str, str], environment: MutableMapping[str, str]) -> None:
    """Set them where a worker's providers look; a machine of a cluster may have others, which do not count here."""
    environment.update(keys)
