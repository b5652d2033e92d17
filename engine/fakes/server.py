"""A provider to test against: a world behind HTTP in both dialects on one port. Thin; `service` decides.

POST /v1/chat/completions · POST /v1/messages · GET /v1/models · GET /v1/models/NAME
POST /v1/messages/count_tokens · POST /v1/responses/input_tokens
/v1/files · /v1/batches · /v1/messages/batches
GET /control/audit · GET, PATCH, PUT /control/behaviour · GET /control/mishaps · POST /control/reset
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self
from weakref import WeakSet

from engine.clock import Clock, SystemClock
from engine.errors import UserError
from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.asked_mishaps import MISHAP_HEADER
from engine.fakes.audit import Audit
from engine.fakes.batches import Jobs
from engine.fakes.behaviour import Behaviour
from engine.fakes.case import Served, Unread
from engine.fakes.control import behaviour_from, mishaps_record, record_of_behaviour
from engine.fakes.dialect import Dialect, Refusal
from engine.fakes.door import HOST, Door
from engine.fakes.openai_side import OpenAISide
from engine.fakes.paths import Paths, dialect_of
from engine.fakes.reading import body_of, call_of, request_factory
from engine.fakes.sending import reset, send
from engine.fakes.service import Moment, Service
from engine.providers.foreign import encode
from engine.providers.simulated import World

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["FakeProvider", "serve"]

_ANSWERS_AT: Final[dict[str, Dialect]] = {"/v1/chat/completions": OpenAISide(), "/v1/messages": AnthropicSide()}


class FakeProvider:
    """A world served over HTTP on this machine, as an LLM provider would.

    async with FakeProvider(EchoWorld(), Behaviour(limits=RateLimits(rpm=600))) as fake:
        engine = Engine("openai/any-name", base_url=fake.url, ...)
        ...
        assert fake.audit.high_water <= 100

    Any model name is answered to. Fields of the behaviour may also be given by name: `FakeProvider(world, seed=3)`.
    `behave` changes it while it serves, and so does whoever asks at /control/behaviour. Batches stand in `jobs`.
    `port=0` takes a free port.
    """

    def __init__(
        self,
        world: World,
        behaviour: Behaviour | None = None,
        *,
        port: int = 0,
        clock: Clock | None = None,
        **fields: Any,
    ) -> None:
        self._world = world
        self._clock = clock or SystemClock()
        self._door = Door(port, self._clock)
        # Connections on which nothing more will be answered; they look as good as any other.
        self._worn_out: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._wears_out = False  # whether there ever was one: the set itself is slow to ask
        self._start_anew(replace(behaviour or Behaviour(), **fields))

    def _start_anew(self, behaviour: Behaviour) -> None:
        self._began = self._clock.monotonic()
        self._service = Service(self._world, behaviour)
        self.jobs = Jobs(self._world, behaviour.batches, self.audit, seed=behaviour.seed)
        self._paths = Paths(self.jobs, self._service)

    def __repr__(self) -> str:
        audit = self.audit
        return f"<FakeProvider at {self.url} [Requests: {len(audit.entries)}, {audit.in_flight} in flight]>"

    @property
    def port(self) -> int:
        return self._door.port

    @property
    def url(self) -> str:
        """The base URL for clients of either dialect; Anthropic's own SDK wants it without the /v1."""
        return f"http://{HOST}:{self.port}/v1"

    @property
    def audit(self) -> Audit:
        """What was seen and billed so far."""
        return self._service.audit

    @property
    def behaviour(self) -> Behaviour:
        """What holds now."""
        return self._service.behaviour

    def behave(self, behaviour: Behaviour) -> None:
        """From now on, behave like this; what was seen and billed stays."""
        self._service.change(behaviour, now=self._moment().elapsed)
        self.jobs.behaviour = behaviour.batches

    def reset(self) -> None:
        """Forget all that was seen, billed, counted and stored; the behaviour stays."""
        self._start_anew(self.behaviour)

    async def __aenter__(self) -> Self:
        from aiohttp import web

        # A handler ends with its client, so that nobody counts as in flight who has given up.
        server = web.Server(self._handle, request_factory=request_factory, access_log=None, handler_cancellation=True)
        await self._door.open(server)
        self._began = self._clock.monotonic()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop serving; what is in flight is cut off."""
        await self._door.aclose()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/control/"):
            return await self._control(request)
        dialect = _ANSWERS_AT.get(request.path) if request.method == "POST" else None
        if self._may_break(request) and self._breaks(request, dialect):
            return reset(request)
        return await (self._call(request) if dialect is None else self._answer(request, dialect))

    async def _answer(self, request: web.BaseRequest, dialect: Dialect) -> web.StreamResponse:
        service = self._service
        body = await body_of(request)
        try:
            if body is None:
                too_large = Refusal("too_large", "Request too large")
                served = service.refuse(dialect, request.headers, too_large, self._moment(), path=request.path)
            else:
                served = service.serve(dialect, request.headers, body, self._moment(), path=request.path)
            return await self._sent(request, served)
        finally:
            service.audit.leave()

    async def _call(self, request: web.BaseRequest) -> web.StreamResponse:
        """Files, batches, models, counts, and what there is not."""
        service, paths = self._service, self._paths
        call = await call_of(request, wall=self._clock.time(), origin=f"http://{HOST}:{self.port}")
        try:
            return await self._sent(request, paths.answer(call, self._moment()))
        finally:
            service.audit.leave()

    async def _sent(self, request: web.BaseRequest, served: Served) -> web.StreamResponse:
        await self._clock.sleep(served.delay_s)
        if served.ending == "breaks_when_reused" and request.transport is not None:
            self._worn_out.add(request.transport)
            self._wears_out = True
        return await send(request, served, clock=self._clock)

    def _may_break(self, request: web.BaseRequest) -> bool:
        return self._service.judge.watches or self._wears_out or MISHAP_HEADER in request.headers

    def _breaks(self, request: web.BaseRequest, dialect: Dialect | None) -> bool:
        """Whether the connection is to break before the request is read."""
        service, now, method, path = self._service, self._moment(), request.method, request.path
        whose = dialect or dialect_of(path, request.headers)
        if request.transport in self._worn_out:
            service.lose(whose, request.headers, now, fault="breaks_when_reused", method=method, path=path)
            return True
        rule = service.met_unread(whose, request.headers, now, method=method, path=path)
        if rule is not None and isinstance(rule.mishap, Unread) and rule.mishap.closes_the_door:
            self._door.shut(float(rule.all_settings["seconds"]))
        return rule is not None

    async def _control(self, request: web.BaseRequest) -> web.Response:
        """Look at and change what holds. What cannot be meant is a line under 400."""
        body = await body_of(request) or b""
        try:
            return _json(encode(self._controlled(request, body)))
        except UserError as error:
            return _json(encode({"error": str(error)}), status=400)
        except LookupError:
            return _json(encode({"error": f"there is no {request.method} {request.path}"}), status=404)

    def _controlled(self, request: web.BaseRequest, body: bytes) -> dict[str, object]:
        match request.method, request.path.removeprefix("/control/"):
            case "GET", "audit":
                since = request.query.get("since", "0")
                return self.audit.as_record(since=int(since) if since.isdecimal() else 0)
            case "GET", "mishaps":
                return mishaps_record()
            case "GET", "behaviour":
                pass
            case "PATCH" | "PUT", "behaviour":
                self.behave(behaviour_from(body, now=self.behaviour, in_part=request.method == "PATCH"))
            case "POST", "reset":
                self.reset()
            case _:
                raise LookupError(request.path)
        return record_of_behaviour(self.behaviour)

    def _moment(self) -> Moment:
        return Moment(self._clock.monotonic() - self._began, self._clock.time())


def serve(fake: FakeProvider, *, on_ready: Callable[[FakeProvider], None]) -> None:
    """Serve until interrupted (KeyboardInterrupt passes through). `on_ready` is called once clients may come."""

    async def serving() -> None:
        async with fake:
            on_ready(fake)
            await asyncio.get_running_loop().create_future()

    asyncio.run(serving())


def _json(body: bytes, *, status: int = 200) -> web.Response:
    from aiohttp import web

    return web.Response(status=status, body=body, content_type="application/json")
