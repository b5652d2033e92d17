"""Who may ask and from where; errors as OpenAI writes them; listening, and an end that loses nobody."""

from __future__ import annotations

import asyncio
import errno
import hmac
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson

from engine.errors import UserError
from engine.serving.calls import Json, Refused
from engine.serving.metrics import Metrics

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["GRACE_SECONDS", "OPEN", "Door", "check_door", "guarded", "is_loopback", "json_response", "serve"]

logger = logging.getLogger("engine.serving")

GRACE_SECONDS: Final = 30.0  # for what has been asked already, once it is to end

ANYBODY: Final = frozenset({"/health", "/ready"})  # whoever watches over processes has no key

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in: everybody, or whoever shows the key as a bearer token."""

    key: str | None = field(default=None, repr=False)

    def refusal(self, *, path: str, authorization: str, origin: str | None) -> Refused | None:
        """Why a request is turned away; None when it is let in.

        There are two cases: 1. with a key whoever does not show it, but for the health of the server; 2. without one
        whatever a page of another site has a browser send: such a page must not spend this machine's time or money.
        """
        if self.key is not None:
            if path in ANYBODY or self._is_shown(authorization):
                return None
            return Refused("the key is missing or wrong: send it as a bearer token", status=401, code="invalid_api_key")
        if origin is not None and not is_loopback(urlsplit(origin).hostname or ""):
            return Refused("pages of other sites may not ask here without a key", status=403, code="foreign_origin")
        return None

    def _is_shown(self, authorization: str) -> bool:
        scheme, _, shown = authorization.partition(" ")
        told = shown.strip().encode("utf-8", "surrogateescape")
        # Compared in constant time, so that nobody learns a key letter by letter.
        return hmac.compare_digest(told, (self.key or "").encode()) and scheme.lower() == "bearer"


OPEN: Final = Door()


def check_door(door: Door, *, host: str) -> None:
    """Raise UserError when everybody on the network would be let in without having been meant to be."""
    if door.key is None and not is_loopback(host):
        raise UserError(
            f"listening on {host} lets everybody who reaches this machine ask, without a key: put one into an "
            "environment variable and name that with --key, or say --no-key if that is meant"
        )
    if door.key is not None and (
        not door.key.isascii() or not door.key.isprintable() or " " in door.key or not door.key
    ):
        raise UserError("the key must be plain ASCII without blanks, as it travels in a header")


def is_loopback(host: str) -> bool:
    """Whether only this machine itself is meant."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def json_response(fields: Json, *, status: int = 200) -> web.Response:
    from aiohttp import web

    return web.Response(body=orjson.dumps(fields), status=status, content_type="application/json")


def guarded(door: Door, metrics: Metrics) -> Any:
    """The middleware: whoever is let in is answered, every failure in OpenAI's words, and all of it is counted."""
    from aiohttp import web

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        response = await _answered(request, handler, door)
        route = request.match_info.route.resource
        path = "other" if route is None else route.canonical
        metrics.request_done(path=path, status=response.status, seconds=time.monotonic() - began)
        return response

    return middleware


async def _answered(request: web.Request, handler: Handler, door: Door) -> web.StreamResponse:
    from aiohttp import web

    try:
        refused = door.refusal(
            path=request.path,
            authorization=request.headers.get("Authorization", ""),
            origin=request.headers.get("Origin"),
        )
        if refused is not None:
            raise refused
        return await handler(request)
    except Refused as refused:
        return _error(str(refused), status=refused.status, param=refused.param, code=refused.code)
    except UserError as error:  # the caller's conversation, in the eyes of whoever looks for the input in it
        return _error(str(error), status=400, param="messages")
    except web.HTTPException as error:
        return _error(f"{error.reason}: {request.method} {request.path}", status=error.status)
    except Exception:  # A bug, or a student's failure: the caller gets an answer, the log gets the story.
        logger.exception("a request to %s failed", request.path)
        return _error("the student failed on this request", status=500)


def _error(message: str, *, status: int, param: str | None = None, code: str | None = None) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return json_response({"error": {"message": message, "type": kind, "param": param, "code": code}}, status=status)


async def serve(
    app: web.Application,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_ready: Callable[[str], None] = lambda _: None,
    until: Awaitable[object] | None = None,
    grace_s: float = GRACE_SECONDS,
) -> None:
    """Serve until `until` is done (None: for ever) or the task is cancelled, then finish what has been asked already.

    From then on nobody new is let in, and what was asked has `grace_s` seconds to end. `on_ready` is told the address,
    such as http://127.0.0.1:8000; port 0 takes any free one. UserError when the address cannot be had.
    """
    from aiohttp import web

    # Begun at once: a coroutine that is never awaited, because there was no address to be had, is a warning.
    ending = asyncio.ensure_future(until if until is not None else asyncio.Event().wait())
    # Whoever hangs up wants no answer: what still waits for the student in that one's name is taken off the queue.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=grace_s, handler_cancellation=True)
    try:
        await runner.setup()
        try:
            # An empty host would be every address of this machine, which nobody asked for.
            await web.TCPSite(runner, host or " ", port).start()
        except (OSError, OverflowError, UnicodeError) as error:
            raise UserError(f"cannot listen on {host}:{port} {_why_not(error)}") from error
        on_ready(f"http://{host}:{runner.addresses[0][1]}")
        await ending
    finally:
        ending.cancel()
        try:
            await runner.cleanup()
        except asyncio.CancelledError:  # told once more: nobody is waited for, and what is open is closed
            await app.cleanup()
            raise


def _why_not(error: Exception) -> str:
    """Why an address cannot be had, and the way out: another port, unless it is the host that is wrong."""
    number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if number == errno.EADDRNOTAVAIL or (number is None and not isinstance(error, OverflowError)):
        return "(no such address on this machine): choose another host, such as 127.0.0.1"
    return f"({os.strerror(number) if number else error}): choose another port"
