"""Whom a model is asked of, in a line; and which variables of the environment steer other programs elsewhere.

Here no variable changes where a prompt goes. Some are set for other programs, and whoever set them may expect it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from engine.providers.address import Address
from engine.providers.anthropic import OFFICIAL_URL as ANTHROPIC_URL
from engine.providers.openai import OFFICIAL_URL as OPENAI_URL
from engine.providers.profile import Profile, recognised

__all__ = ["Variable", "key_variables", "target_told", "variables_set"]

_OFFICIAL: Final = {"openai": OPENAI_URL, "anthropic": ANTHROPIC_URL}

_CLIENTS: Final = "not read, but by the official clients behind sdk/...; use --base-url"
_PROXIES: Final = "not read when a model is asked; the model hub's client and sdk/... go through it"
_NO_PROXY: Final = "is no proxy address, so the model hub is not asked; unset it, or write http://host:port"
_UNREADABLE: Final = "cannot be read, so every server is refused for its certificate; unset it, or name what is there"
_CERTIFICATES: Final = "read: servers that the certificates there vouch for are trusted, and no others"
_STEERING: Final[Mapping[str, str]] = {
    "OPENAI_BASE_URL": _CLIENTS,
    "OPENAI_API_BASE": "not read; use --base-url",
    "AZURE_OPENAI_ENDPOINT": _CLIENTS,
    "ANTHROPIC_BASE_URL": _CLIENTS,
    "HTTP_PROXY": _PROXIES,
    "HTTPS_PROXY": _PROXIES,
    "ALL_PROXY": _PROXIES,
    "HF_ENDPOINT": "read by the model hub's client: models and data sets come from there",
    "SSL_CERT_FILE": _CERTIFICATES,
    "SSL_CERT_DIR": _CERTIFICATES,
    "SSLKEYLOGFILE": "read: whoever has that file can read what is sent; unset it unless that is meant",
}


class Variable(NamedTuple):
    """One that is set: where it leads, without what may be secret in it, who goes there, and what is wrong with it."""

    name: str
    leads_to: str
    read_by: str
    problem: str = ""  # with the way out

    @property
    def surprises(self) -> bool:
        """Whether it does another thing here than whoever set it may expect."""
        return bool(self.problem) or self.read_by != _CERTIFICATES

    def __str__(self) -> str:
        return f"{self.name} is set to {self.leads_to} ({self.problem or self.read_by})"


def variables_set(environment: Mapping[str, str]) -> list[Variable]:
    """Those that are set; proxies may be written in either case."""
    names = [
        (name, read_by)
        for known, read_by in _STEERING.items()
        for name in ((known, known.lower()) if read_by == _PROXIES else (known,))
    ]
    return [_variable(name, value, read_by) for name, read_by in names if (value := environment.get(name))]


def _variable(name: str, value: str, read_by: str) -> Variable:
    if read_by == _CERTIFICATES:
        problem = "" if any(os.access(place, os.R_OK) for place in value.split(os.pathsep)) else _UNREADABLE
        return Variable(name, value, read_by, problem)
    return Variable(name, _place(value), read_by, _NO_PROXY if read_by == _PROXIES and not _is_proxy(value) else "")


def target_told(model: str, *, base_urls: Sequence[Address], profile: Profile | None) -> str | None:
    """Where a model is asked, and as what; None when it answers in this process or knows its address itself."""
    provider, _, _ = model.partition("/")
    if provider not in _OFFICIAL:
        return None
    addresses = base_urls or [Address.of(_OFFICIAL[provider])]
    stands = profile or _standing(provider, addresses[0])
    told = " and ".join(f"{address}{_readable(address)}" for address in addresses)
    which = f" (whichever of the {len(addresses)} is least loaded)" if len(addresses) > 1 else ""
    return f"{model} is asked at {told}{which}, as {stands.told()}"


def key_variables(model: str, *, base_urls: Sequence[Address], profile: Profile | None) -> tuple[str, ...]:
    """Where its key is looked for, in this order; nowhere for one that has none, or a client of its own."""
    provider, _, _ = model.partition("/")
    if provider not in _OFFICIAL:
        return ()
    stands = profile or _standing(provider, base_urls[0] if base_urls else Address.of(_OFFICIAL[provider]))
    return stands.key_variables


def _standing(provider: str, address: Address) -> Profile:
    return recognised(address, api="openai" if provider == "openai" else "anthropic")


def _readable(address: Address) -> str:
    is_safe = address.loopback or address.url.startswith("https")
    return "" if is_safe else " (plain http: others can read it)"


def _is_proxy(value: str) -> bool:
    """Whether the model hub's client could go through it."""
    import httpx

    try:
        httpx.Client(proxy=value if "://" in value else f"http://{value}", trust_env=False).close()
    except (ValueError, httpx.InvalidURL, ImportError):  # no address, no kind of proxy, or nothing installed for it
        return False
    return True


def _place(value: str) -> str:
    """A URL without its user and password; of anything else only that it is there."""
    try:
        parts = urlsplit(value)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "something"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.scheme and parts.hostname else "something"
