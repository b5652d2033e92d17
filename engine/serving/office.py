"""From a request to a reply: what was asked goes to whoever answers, and comes back in OpenAI's shape."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from engine.desk import AT_ONCE, MOST_WAITING, Desk, TooMany
from engine.serving.answers import Answer, Answering, FromStudent
from engine.serving.calls import (
    BareInput,
    Call,
    Json,
    Refused,
    last_user_message,
    object_in,
    read_chat,
    read_completion,
)
from engine.serving.door import OPEN, Door, guarded, json_response
from engine.serving.metrics import CONTENT_TYPE, Metrics
from engine.serving.shapes import CHAT, TEXT, Shape, chunks_of, cut_at, whole_of
from engine.training import Student

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["application"]

MOST_BODY_BYTES = 1 << 20


def application(
    student: Student | Answering,
    *,
    name: str = "student",
    bare_input: BareInput = last_user_message,
    at_once: int = AT_ONCE,
    most_waiting: int = MOST_WAITING,
    door: Door = OPEN,
    metrics: Metrics | None = None,
) -> web.Application:
    """The web application: POST /v1/chat/completions and /v1/completions, GET /v1/models, /health, /ready, /metrics.

    Who answers is a student, which gets a desk of its own, or whoever stands in its place (then `name`, `at_once` and
    `most_waiting` are that one's business). Any model name is accepted, so that callers need not change theirs; replies
    carry the name of who answered. Each choice carries its `confidence`, and under `smelt` who gave it: OpenAI's
    clients pass both through. Usage counts a byte as a token. `max_tokens` does not cut: a student's answers are as
    long as those it learnt, and half a label helps nobody. An input too long for the student to read whole is answered
    with finish_reason "length" and no confidence. Probabilities are told of each token where a student writes; an
    answer of any other is one token.
    """
    from aiohttp import web

    counts = metrics or Metrics()
    if not isinstance(student, Answering):
        desk = Desk(student, at_once=at_once, most_waiting=most_waiting, on_batch=counts.batch_begun)
        answering: Answering = FromStudent(desk, name=name)
    else:
        answering = student
    office = _Office(answering, bare_input=bare_input, metrics=counts)

    async def at_work(_: web.Application) -> AsyncIterator[None]:
        async with answering.working():
            yield

    app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[guarded(door, counts)])
    app.cleanup_ctx.append(at_work)
    app.router.add_post("/v1/chat/completions", office.chat)
    app.router.add_post("/v1/completions", office.complete)
    app.router.add_get("/v1/models", office.models)
    app.router.add_get("/health", office.health)
    app.router.add_get("/ready", office.ready)
    app.router.add_get("/metrics", office.metrics)
    return app


class _Office:
    """Turns HTTP into questions to whoever answers, and answers into OpenAI's shapes."""

    def __init__(self, answering: Answering, *, bare_input: BareInput, metrics: Metrics) -> None:
        self._answering = answering
        self._bare_input = bare_input
        self._metrics = metrics
        self._since = int(time.time())

    async def chat(self, request: web.Request) -> web.StreamResponse:
        call = read_chat(object_in(await _body_of(request)), self._bare_input)
        return await self._reply(request, call, CHAT)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        call = read_completion(object_in(await _body_of(request)), self._bare_input)
        return await self._reply(request, call, TEXT)

    async def models(self, _: web.Request) -> web.StreamResponse:
        model = {"id": self._answering.name, "object": "model", "created": self._since, "owned_by": "you"}
        return json_response({"object": "list", "data": [model]})

    async def health(self, _: web.Request) -> web.StreamResponse:
        return json_response({"status": "ok", "model": self._answering.name, "family": self._answering.family})

    async def ready(self, _: web.Request) -> web.StreamResponse:
        """Whether one more request would be taken."""
        if self._answering.is_full:
            return json_response({"status": "full", "waiting": self._answering.waiting}, status=503)
        return json_response({"status": "ready", "waiting": self._answering.waiting})

    async def metrics(self, _: web.Request) -> web.StreamResponse:
        from aiohttp import web

        now = {"queue_depth": float(self._answering.waiting), **self._answering.figures()}
        return web.Response(body=self._metrics.text(now).encode(), headers={"Content-Type": CONTENT_TYPE})

    async def _answers(self, call: Call) -> list[Answer]:
        try:
            found = await self._answering.answer(call.inputs, call.sampling)
        except TooMany as error:
            raise Refused(str(error), status=503, code="overloaded") from error
        every = [answer for answers in found for answer in (answers * call.n)[: call.n]]
        for answer in every:
            self._metrics.answered(answer)
        return [replace(answer, text=cut_at(answer.text, call.stop)) for answer in every]

    async def _reply(self, request: web.Request, call: Call, shape: Shape) -> web.StreamResponse:
        answers = await self._answers(call)
        frame = {
            "id": f"{shape.prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": self._model_of(answers),
        }
        if not call.stream:
            return json_response({**frame, **whole_of(shape, call, answers)})
        return await _stream(request, [{**frame, **chunk} for chunk in chunks_of(shape, call, answers)])

    def _model_of(self, answers: Sequence[Answer]) -> str:
        """Who answered, where that is one; otherwise who was asked."""
        models = {answer.model for answer in answers}
        return models.pop() if len(models) == 1 else self._answering.name


async def _body_of(request: web.Request) -> bytes:
    """The body as it was before it was packed. Raises Refused for one that was not packed as it says."""
    from aiohttp import web

    try:
        return await request.read()
    except web.RequestPayloadError as error:
        packed = request.headers.get("Content-Encoding", "")
        raise Refused(f"the body is not what its Content-Encoding says: {packed!r:.40}") from error


async def _stream(request: web.Request, chunks: Sequence[Json]) -> web.StreamResponse:
    """Server-sent events."""
    from aiohttp import web

    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response
