"""Sending: one address, one aiohttp session, one deadline an attempt. It knows no dialect and judges no status."""

from __future__ import annotations

import io
import os
import socket
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from engine.clock import Clock
from engine.errors import UserError
from engine.messages import RawReply
from engine.providers import AttemptTimedOut, ConnectionFailed, TransportFailure
from engine.providers.address import Address
from engine.providers.secrecy import Secrecy
from engine.scope import Deadlines

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.connector import AddrInfoType
    from yarl import URL

__all__ = ["LARGEST_BODY", "Wire", "checked_key"]

LARGEST_BODY: Final = 32 * 2**20
"""Bytes of a reply after decompression. The longest honest reply is a hundredth of it; a gzip bomb is not."""

_LARGEST_HEADER: Final = 16 * 2**10
_CONNECT_S: Final = 15.0

# A server that closes an idle connection just as we write to it leaves us not knowing whether the request was read,
# so whether it was paid. Common servers keep idle connections for 5 s (uvicorn) or longer: we let go before they do.
_KEEP_ALIVE_S: Final = 4.0

# From here on aiohttp wants a stream instead of bytes, and warns.
_LARGE_REQUEST: Final = 2**20

# asyncio asks a socket for 256 KiB at a time. Memory of that size comes from the system, page by page, and goes back to
# it each time: 14 µs a reply. What is a quarter as large is at hand.
_READ_AT_ONCE: Final = 2**16


class Wire:
    """Posts bodies to one URL and brings back whatever came, whatever its status.

    Redirects are returned, never followed: they would carry the prompt and the key elsewhere. The number of
    connections is not limited here; whoever calls decides how many are in flight. Proxy variables of the environment
    are not read. A reply that quotes the `key` comes back without it, so that it stands in no message, no journal and
    no file.
    """

    def __init__(
        self, address: Address, path: str, *, headers: Mapping[str, str], clock: Clock, key: str | None = None
    ) -> None:
        self.url = f"{address}{path}"
        self._headers = {"content-type": "application/json", "user-agent": "smelt", **headers}
        self._secrecy = Secrecy(key)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._target: URL | None = None  # read once: from a text, aiohttp would read it for every request
        self._deadlines = Deadlines()

    def __repr__(self) -> str:
        return f"<Wire to {self.url}>"

    async def post(self, body: bytes, *, timeout_s: float) -> RawReply:
        """Send once; raises TransportFailure when no complete reply came within `timeout_s` seconds in all."""
        failure: TransportFailure
        try:
            with self._deadlines.within(timeout_s):
                return await self._exchange(body)
        except TimeoutError as error:
            failure = self._timed_out(error, timeout_s=timeout_s)
        except _network_errors() as error:
            failure = self._broken(error)
        # Outside of the handler on purpose: aiohttp's errors hold the request's headers, so the key, and must not
        # ride along as the cause of ours.
        raise failure

    async def aclose(self) -> None:
        """Close every connection. The wire opens anew if it is used again."""
        session, self._session = self._session, None
        self._deadlines.close()
        if session is not None:
            await session.close()

    async def _exchange(self, body: bytes) -> RawReply:
        started = self._clock.monotonic()
        session, target = self._opened()
        data = io.BytesIO(body) if len(body) > _LARGE_REQUEST else body
        async with session.post(target, data=data, allow_redirects=False) as response:
            content = await _bounded(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            raw = RawReply(response.status, headers, content, self._clock.monotonic() - started)
            return self._secrecy.conceal(raw)

    def _opened(self) -> tuple[aiohttp.ClientSession, URL]:
        if self._session is not None and self._target is not None:
            return self._session, self._target
        import aiohttp
        from yarl import URL

        self._target = URL(self.url)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S, socket_factory=_socket),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            max_line_size=_LARGEST_HEADER,
            max_field_size=_LARGEST_HEADER,
        )
        return self._session, self._target

    def _timed_out(self, error: TimeoutError, *, timeout_s: float) -> TransportFailure:
        import aiohttp

        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return ConnectionFailed(f"{self.url}: no connection within {_CONNECT_S:g} s", sent=False)
        return AttemptTimedOut(f"{self.url}: no complete reply within {timeout_s:g} s")

    def _broken(self, error: BaseException) -> TransportFailure:
        import aiohttp

        # Only what the operating system says is repeated: other messages may quote the peer, who may quote the key.
        if isinstance(error, aiohttp.ClientConnectorError):
            return ConnectionFailed(f"{self.url}: cannot connect ({_reason(error.os_error)})", sent=False)
        return ConnectionFailed(f"{self.url}: the connection broke ({type(error).__name__})")


class _Socket(socket.socket):
    def recv(self, most: int, flags: int = 0, /) -> bytes:
        return super().recv(min(most, _READ_AT_ONCE), flags)


def _socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = address
    return _Socket(family, kind, protocol)


def _reason(error: OSError) -> str:
    """In the system's words: asyncio's own hold the address as Python writes it, a resolver's numbers are negative."""
    if not isinstance(error, ssl.SSLError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


def checked_key(key: str, *, source: str) -> str:
    """The key as it may stand in a header; UserError, which does not repeat it, when it cannot be one."""
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(f"{source} holds no usable key: a key is one word of printable ASCII characters")
    return key


def _network_errors() -> tuple[type[BaseException], ...]:
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    return aiohttp.ClientError, HttpProcessingError, OSError


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while not response.content.at_eof():  # known without waiting once more: most replies come in one piece
        chunk = await response.content.readany()
        size += len(chunk)
        if size > LARGEST_BODY:
            response.close()
            raise TransportFailure(f"the reply is longer than {LARGEST_BODY >> 20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)
