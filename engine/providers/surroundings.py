"""Whom a model is asked of, in a line; and which variables of the environment steer other programs elsewhere.

Here no variable changes where a prompt goes. Some are set for other programs, and whoever set them may expect it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from engine.providers.address import Address
from engine.providers.anthropic import OFFICIAL_URL as ANTHROPIC_URL
from engine.providers.openai import OFFICIAL_URL as OPENAI_URL
from engine.providers.profile import Profile, recognised

__all__ = ["Variable", "target_told", "variables_set"]

_OFFICIAL: Final = {"openai": OPENAI_URL, "anthropic": ANTHROPIC_URL}

_CLIENTS: Final = "not read, but by the official clients behind sdk/...; use --base-url"
_PROXIES: Final = "not read when a model is asked; the model hub's client and sdk/... go through it"
_STEERING: Final[Mapping[str, str]] = {
    "OPENAI_BASE_URL": _CLIENTS,
    "OPENAI_API_BASE": "not read; use --base-url",
    "AZURE_OPENAI_ENDPOINT": _CLIENTS,
    "ANTHROPIC_BASE_URL": _CLIENTS,
    "HTTP_PROXY": _PROXIES,
    "HTTPS_PROXY": _PROXIES,
    "ALL_PROXY": _PROXIES,
    "HF_ENDPOINT": "read by the model hub's client: models and data sets come from there",
    "SSL_CERT_FILE": "read: it says whom to trust",
    "SSL_CERT_DIR": "read: it says whom to trust",
    "SSLKEYLOGFILE": "read: whoever has that file can read what is sent",
}


class Variable(NamedTuple):
    """One that is set: where it leads, without what may be secret in it, and who goes there."""

    name: str
    leads_to: str
    read_by: str
    is_usable: bool = True  # False: it names no proxy that anybody could go through

    def __str__(self) -> str:
        return f"{self.name} is set to {self.leads_to} ({self.read_by})"


def variables_set(environment: Mapping[str, str]) -> list[Variable]:
    """Those that are set, in either case, as proxies may be written."""
    names = [(name, read_by) for known, read_by in _STEERING.items() for name in (known, known.lower())]
    return [
        Variable(name, _place(value), read_by, read_by != _PROXIES or _is_proxy(value))
        for name, read_by in names
        if (value := environment.get(name))
    ]


def target_told(model: str, *, base_url: Address | None, profile: Profile | None) -> str | None:
    """Where a model is asked, and as what; None when it answers in this process or knows its address itself."""
    provider, _, _ = model.partition("/")
    if provider not in _OFFICIAL:
        return None
    address = base_url or Address.of(_OFFICIAL[provider])
    stands = profile or recognised(address, api="openai" if provider == "openai" else "anthropic")
    readable = "" if address.loopback or address.url.startswith("https") else " (plain http: others can read it)"
    return f"{model} is asked at {address}{readable}, as {stands.told()}"


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
