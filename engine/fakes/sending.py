"""Putting an answer on the wire as it was decided: whole, slowly, in part, or not at all. It decides nothing."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engine.clock import Clock
from engine.fakes.case import Pace, Served

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["reset", "send"]

_CHUNK: Final = b" " * 2**20
_MISSING: Final = 64  # bytes that are told and never come


async def send(request: web.BaseRequest, served: Served, *, clock: Clock) -> web.StreamResponse:
    """Send it; nothing but the usual costs anything here."""
    from aiohttp import web

    if served.ending == "whole" and served.pace is None:
        return web.Response(status=served.status, headers=served.headers, body=served.body)
    return await _oddly(request, served, clock=clock)


async def _oddly(request: web.BaseRequest, served: Served, *, clock: Clock) -> web.StreamResponse:
    """Send it as no server should."""
    from aiohttp import web

    if served.ending == "hang":
        await asyncio.get_running_loop().create_future()  # until the client has had enough
    if served.ending == "reset":
        return reset(request)
    if served.ending == "breaks_when_reused":
        return web.Response(status=served.status, headers=served.headers, body=served.body)
    if served.pace is not None:
        return await _slowly(request, served, served.pace, clock=clock)
    return _by_hand(request, served, length=_LENGTHS[served.ending](len(served.body)))


_LENGTHS: Final[dict[str, Callable[[int], tuple[int, int]]]] = {  # what is told, and what comes
    "truncated": lambda length: (length, length // 2),
    "declared_longer": lambda length: (length + _MISSING, length),
    "declared_shorter": lambda length: (length // 2, length),
}


def reset(request: web.BaseRequest) -> web.Response:
    """Break the connection so that the peer sees a reset, not an orderly end; what is returned goes nowhere."""
    from aiohttp import web

    if request.transport is not None:
        peer: socket.socket = request.transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _slowly(request: web.BaseRequest, served: Served, pace: Pace, *, clock: Clock) -> web.StreamResponse:
    from aiohttp import web

    response = web.StreamResponse(status=served.status, headers=served.headers)
    response.content_length = pace.blanks + len(served.body)
    await response.prepare(request)
    await clock.sleep(pace.after_head_s)
    for start in range(0, pace.blanks, len(_CHUNK)):
        await response.write(_CHUNK[: pace.blanks - start])
    size = 1 if pace.byte_s else len(served.body)
    for start in range(0, len(served.body), size):
        await response.write(served.body[start : start + size])
        await clock.sleep(pace.byte_s)
    return response


def _by_hand(request: web.BaseRequest, served: Served, *, length: tuple[int, int]) -> web.StreamResponse:
    """A head that does not fit its body, which no library would write; the connection closes after it."""
    from aiohttp import web

    told, comes = length
    if request.transport is not None:
        headers = {**served.headers, "content-length": str(told)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request.transport.write(f"HTTP/1.1 {served.status} OK\r\n{head}\r\n".encode() + served.body[:comes])
        request.transport.close()
    return web.Response()  # goes nowhere
