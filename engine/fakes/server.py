"""A provider to test against: a world behind HTTP in both dialects on one port. Thin; `service` decides.

POST /v1/chat/completions · POST /v1/messages · GET /v1/models · GET /control/audit
/v1/files · /v1/batches · /v1/messages/batches
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs

from engine.clock import Clock, SystemClock
from engine.errors import UserError
from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.audit import Audit
from engine.fakes.batch_paths import LARGEST_BODY, BatchPaths, Call, Upload, is_batch_path
from engine.fakes.batches import BatchBehaviour, Jobs
from engine.fakes.dialect import Dialect, Refusal
from engine.fakes.faults import FaultRates
from engine.fakes.limits import RateLimits
from engine.fakes.openai_side import OpenAISide
from engine.fakes.service import Behaviour, Change, Moment, Served, Service
from engine.providers.simulated import World

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["FakeProvider", "serve"]

_HOST: Final = "127.0.0.1"
_LARGEST_REQUEST: Final = 32 * 2**20  # the smaller of what the two services take
_BACKLOG: Final = 4096  # a thousand clients may connect at once

_OPENAI: Final = OpenAISide()
_ANTHROPIC: Final = AnthropicSide()
_DIALECT_AT: Final[dict[str, Dialect]] = {"/v1/chat/completions": _OPENAI, "/v1/messages": _ANTHROPIC}


class FakeProvider:
    """A world served over HTTP on this machine, as an LLM provider would.

    async with FakeProvider(EchoWorld(), rpm=600) as fake:
        engine = Engine("openai/any-name", base_url=fake.url, ...)
        ...
        assert fake.audit.high_water <= 100

    Any model name is answered to. `error_rate` is the share of 500s; `faults` holds the other faults' shares; `limits`
    the finer points of counting; with `tells_limits=False` no header speaks of them. `changes` are for limits and
    weather that come and go. `batches` says how batches go, which stand in `jobs`. `port=0` takes a free port.
    """

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        rpm: int | None = None,
        tpm: int | None = None,
        limits: RateLimits | None = None,
        tells_limits: bool = True,
        error_rate: float = 0.0,
        faults: FaultRates | None = None,
        changes: Sequence[Change] = (),
        latency_s: float | None = None,
        latency_scale: float = 1.0,
        stall_s: float = 30.0,
        api_key: str | None = None,
        context_tokens: int | None = None,
        batches: BatchBehaviour | None = None,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        behaviour = Behaviour(
            limits=_limits(limits, rpm=rpm, tpm=tpm),
            tells_limits=tells_limits,
            faults=_faults(faults, error_rate=error_rate),
            changes=tuple(changes),
            latency_s=latency_s,
            latency_scale=latency_scale,
            stall_s=stall_s,
            api_key=api_key,
            context_tokens=context_tokens,
            seed=seed,
        )
        self.port = port
        self._service = Service(world, behaviour)
        self.jobs = Jobs(world, batches or BatchBehaviour(), self._service.audit, seed=seed)
        self._batch_paths = BatchPaths(self.jobs, api_key=api_key)
        self._clock = clock or SystemClock()
        self._began = 0.0
        self._runner: web.ServerRunner | None = None

    def __repr__(self) -> str:
        audit = self.audit
        return f"<FakeProvider at {self.url} [Requests: {len(audit.entries)}, {audit.in_flight} in flight]>"

    @property
    def url(self) -> str:
        """The base URL for clients of either dialect; Anthropic's own SDK wants it without the /v1."""
        return f"http://{_HOST}:{self.port}/v1"

    @property
    def audit(self) -> Audit:
        """What was seen and billed so far."""
        return self._service.audit

    async def __aenter__(self) -> Self:
        from aiohttp import web

        server = web.Server(self._handle, request_factory=_request, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        self._began = self._clock.monotonic()
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, self.port, backlog=_BACKLOG)
        try:
            await site.start()
        except OSError as error:
            await self.aclose()
            raise UserError(f"port {self.port} cannot be served on ({error.strerror}); choose another") from error
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop serving; what is in flight is cut off."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if is_batch_path(request.path):
            return await self._batch_call(request)
        if request.method == "POST":
            return await self._post(request)
        return self._get(request)

    async def _batch_call(self, request: web.BaseRequest) -> web.StreamResponse:
        is_form = request.content_type == "multipart/form-data"
        call = Call(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=request.headers,
            upload=await _upload(request) if is_form else None,
            body=b"" if is_form else await _body(request) or b"",
            now=self._clock.time(),
            origin=f"http://{_HOST}:{self.port}",
        )
        reply = self._batch_paths.answer(call)
        return await _sent(request, Served(reply.status, reply.headers, reply.body, ending=reply.ending))

    async def _post(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await _body(request)
        dialect = _DIALECT_AT.get(request.path)
        try:
            if dialect is None or body is None:
                served = self._turned_away(request, too_large=body is None)
            else:
                served = self._service.serve(dialect, request.headers, body, self._moment())
            await self._clock.sleep(served.delay_s)
            return await _sent(request, served)
        finally:
            self.audit.leave()

    def _turned_away(self, request: web.BaseRequest, *, too_large: bool) -> Served:
        what = f"Invalid URL ({request.method} {request.path})"
        refusal = Refusal("too_large", "Request too large") if too_large else Refusal("not_found", what)
        return self._service.refuse(_dialect_of(request), refusal, self._moment())

    def _get(self, request: web.BaseRequest) -> web.Response:
        from aiohttp import web

        if request.path == "/v1/models":
            return web.Response(body=self._service.models(_dialect_of(request)), content_type="application/json")
        if request.path == "/control/audit":
            since = parse_qs(request.query_string).get("since", ["0"])[0]
            body = self._service.audit_body(since=int(since) if since.isdecimal() else 0)
            return web.Response(body=body, content_type="application/json")
        served = self._turned_away(request, too_large=False)
        self.audit.leave()
        return web.Response(status=served.status, headers=served.headers, body=served.body)

    def _moment(self) -> Moment:
        return Moment(self._clock.monotonic() - self._began, self._clock.time())


def serve(fake: FakeProvider, *, on_ready: Callable[[FakeProvider], None]) -> None:
    """Serve until interrupted (KeyboardInterrupt passes through). `on_ready` is called once clients may come."""

    async def serving() -> None:
        async with fake:
            on_ready(fake)
            await asyncio.get_running_loop().create_future()

    asyncio.run(serving())


def _limits(limits: RateLimits | None, *, rpm: int | None, tpm: int | None) -> RateLimits:
    if limits is None:
        return RateLimits(rpm=rpm, tpm=tpm)
    if rpm is not None or tpm is not None:
        raise UserError("give the limits either as rpm and tpm or as limits=RateLimits(...), not both")
    return limits


def _faults(faults: FaultRates | None, *, error_rate: float) -> FaultRates:
    if faults is None:
        return FaultRates(error=error_rate)
    if error_rate:
        raise UserError("give the share of 500s either as error_rate or as faults=FaultRates(error=...), not both")
    return faults


def _dialect_of(request: web.BaseRequest) -> Dialect:
    return _ANTHROPIC if "anthropic-version" in request.headers else _OPENAI


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """aiohttp's own factory, with our bound on the body."""
    from aiohttp import web

    loop = asyncio.get_running_loop()
    most = LARGEST_BODY if is_batch_path(message.path) else _LARGEST_REQUEST
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)


async def _upload(request: web.BaseRequest) -> Upload:
    """What a form with a file holds."""
    from aiohttp import BodyPartReader

    name, purpose, content = "", "", b""
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file":
            name, content = part.filename or "", bytes(await part.read())
        elif isinstance(part, BodyPartReader) and part.name == "purpose":
            purpose = await part.text()
    return Upload(name, purpose, content)


async def _body(request: web.BaseRequest) -> bytes | None:
    """The body, or None when it is too large."""
    from aiohttp import web

    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


async def _sent(request: web.BaseRequest, served: Served) -> web.StreamResponse:
    from aiohttp import web

    if served.ending == "reset":
        _reset(request)
        return web.Response()  # goes nowhere
    if served.ending == "truncated":
        return await _half_sent(request, served)
    return web.Response(status=served.status, headers=served.headers, body=served.body)


def _reset(request: web.BaseRequest) -> None:
    """Break the connection so that the peer sees a reset, not an orderly end."""
    transport = request.transport
    if transport is None:
        return
    peer: socket.socket = transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _half_sent(request: web.BaseRequest, served: Served) -> web.StreamResponse:
    from aiohttp import web

    response = web.StreamResponse(status=served.status, headers=served.headers)
    response.content_length = len(served.body)
    await response.prepare(request)
    await response.write(served.body[: len(served.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
