"""Where a provider answers: a base URL, checked before any prompt or key travels to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from engine.errors import UserError

__all__ = ["Address", "Somewhere", "each_of"]

_PLACE = re.compile(r"(?:\[[^\[\]]+\]|[^\[\]:\\]+)(?::\d*)?")  # what urlsplit takes beyond it, nobody connects to


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL without a trailing slash, user, query or fragment, so that it may be shown anywhere.

    Plain http is for this machine alone: a prompt, and perhaps a key, would travel readable. With `insecure_http` that
    is what the user wants.
    """

    url: str
    host: str

    @classmethod
    def of(cls, text: str, *, insecure_http: bool = False) -> Address:
        """Check a base URL as a person wrote it: `Address.of("http://127.0.0.1:8000/v1/")`. Raises UserError."""
        parts = _split(text)
        # Not the text itself from here on: with a password in it, the message would tell.
        shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if parts.username is not None or parts.password is not None:
            raise UserError(f"base URL {shown}: leave out the user and password; the key has its own option")
        if parts.query or parts.fragment:
            raise UserError(f"base URL {shown}: leave out what follows '?' or '#'")
        address = cls(shown.rstrip("/"), parts.hostname or "")
        if parts.scheme == "http" and not address.loopback and not insecure_http:
            raise UserError(
                f"base URL {shown}: plain http is for this machine only, since prompt and key would travel readable; "
                "use https://, or --insecure-http if that is meant"
            )
        return address

    @property
    def loopback(self) -> bool:
        """Whether the address is on this machine, where nothing can listen in."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def within(self, domain: str) -> bool:
        """Whether the host is the domain or below it; `api.openai.com.evil.example` is neither."""
        return self.host == domain or self.host.endswith(f".{domain}")

    def __str__(self) -> str:
        return self.url


Somewhere: TypeAlias = str | Address | Sequence[str | Address]
"""A base URL, or several of servers that serve the same model."""


def each_of(given: Somewhere | None) -> tuple[str | Address, ...]:
    """Each base URL that was given: one, several, or none."""
    if isinstance(given, str | Address):
        return (given,)
    return tuple(given or ())


def _split(text: str) -> SplitResult:
    # urlsplit drops tabs and line breaks without a word, so what is checked would not be what was written.
    if not text.isprintable() or " " in text:
        raise UserError("the base URL holds spaces or control characters; write it as https://host/v1")
    try:
        parts = urlsplit(text)
        port = parts.port  # raises when it is no port
        (parts.hostname or "").encode("idna")  # raises when no name can be looked up so
    except ValueError as error:
        raise UserError(f"the base URL cannot be read ({error}); write it as https://host/v1") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError("the base URL needs a scheme and a host; write it as https://host/v1")
    if port == 0 or _PLACE.fullmatch(parts.netloc.rpartition("@")[2]) is None:
        raise UserError("the base URL names no host and port; write it as https://host/v1 or https://host:8000/v1")
    return parts
