"""A student behind the OpenAI API, so that it takes an LLM's place by changing one URL.

Knows HTTP and a student. What a prompt looks like, and how to find the bare input in a conversation, is told by the
caller as a function.

What is not covered: keys and TLS (it listens on loopback unless told otherwise), tools, images, log probabilities.
Sampling parameters change nothing, because a student answers alike every time.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from engine.desk import AT_ONCE, MOST_WAITING, Desk, TooMany
from engine.errors import UserError
from engine.messages import Message, Role
from engine.training import Prediction, Student

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["BareInput", "application", "last_user_message", "serve"]

logger = logging.getLogger("engine.serving")

Json = dict[str, Any]

BareInput = Callable[[Sequence[Message]], str]
"""Finds in a conversation the one text that the student shall answer."""

MOST_BODY_BYTES = 1 << 20
MOST_CHOICES = 128
GRACE_SECONDS = 10.0

# Asking for one of these and not getting it would break the caller later and elsewhere.
UNSUPPORTED = ("tools", "functions", "logprobs", "top_logprobs", "echo", "suffix")

ROLES: Mapping[str, Role] = {"developer": "system", "system": "system", "user": "user", "assistant": "assistant"}


def last_user_message(messages: Sequence[Message]) -> str:
    """The newest user message, whole; the whole conversation's last message if there is none."""
    return next((message.content for message in reversed(messages) if message.role == "user"), messages[-1].content)


class Refused(Exception):  # a fact about the request, not an error of ours
    """A request that gets an error of OpenAI's shape instead of an answer."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Call:
    """What both completion endpoints understand of a body."""

    inputs: tuple[str, ...]
    n: int
    stop: tuple[str, ...]
    stream: bool
    stream_usage: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer as it goes out."""

    text: str
    confidence: float
    finish_reason: str = "stop"


def application(
    student: Student,
    *,
    name: str = "student",
    bare_input: BareInput = last_user_message,
    at_once: int = AT_ONCE,
    most_waiting: int = MOST_WAITING,
) -> web.Application:
    """The web application: POST /v1/chat/completions and /v1/completions, GET /v1/models and /health.

    Any model name is accepted, so that callers need not change theirs; replies carry `name`. Each choice carries the
    student's `confidence`, which OpenAI's clients pass through. Usage counts a byte as a token. `max_tokens` does not
    cut: a student's answers are as long as those it learnt, and half a label helps nobody. An input too long for the
    student to read whole is answered with finish_reason "length" and no confidence.
    """
    from aiohttp import web

    desk = Desk(student, at_once=at_once, most_waiting=most_waiting)
    office = _Office(student=student, desk=desk, name=name, bare_input=bare_input)

    async def desk_open(_: web.Application) -> AsyncIterator[None]:
        work = asyncio.create_task(desk.work())
        yield
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[_errors_of_their_shape()])
    app.cleanup_ctx.append(desk_open)
    app.router.add_post("/v1/chat/completions", office.chat)
    app.router.add_post("/v1/completions", office.complete)
    app.router.add_get("/v1/models", office.models)
    app.router.add_get("/health", office.health)
    return app


async def serve(
    app: web.Application,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    on_ready: Callable[[str], None] = lambda _: None,
    until: Awaitable[object] | None = None,
) -> None:
    """Serve until `until` is done (None: for ever) or the task is cancelled, then finish what has been asked already.

    `on_ready` is told the address, such as http://127.0.0.1:8000; port 0 takes any free one. UserError when the
    address cannot be had.
    """
    from aiohttp import web

    # Begun at once: a coroutine that is never awaited, because there was no address to be had, is a warning.
    ending = asyncio.ensure_future(until if until is not None else asyncio.Event().wait())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_SECONDS)
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
        await runner.cleanup()


def _why_not(error: Exception) -> str:
    """Why an address cannot be had, and the way out: another port, unless it is the host that is wrong."""
    number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if number == errno.EADDRNOTAVAIL or (number is None and not isinstance(error, OverflowError)):
        return "(no such address on this machine): choose another host, such as 127.0.0.1"
    return f"({os.strerror(number) if number else error}): choose another port"


class _Office:
    """Turns HTTP into questions to the desk, and answers into OpenAI's shapes."""

    def __init__(self, *, student: Student, desk: Desk, name: str, bare_input: BareInput) -> None:
        self._student = student
        self._desk = desk
        self._name = name
        self._bare_input = bare_input
        self._since = int(time.time())

    async def chat(self, request: web.Request) -> web.StreamResponse:
        call = _read_chat(await _json_of(request), self._bare_input)
        [choice] = await self._choices(call)
        return await self._reply(request, call, [choice] * call.n, chat=True)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        call = _read_completion(await _json_of(request), self._bare_input)
        choices = [choice for choice in await self._choices(call) for _ in range(call.n)]
        return await self._reply(request, call, choices, chat=False)

    async def models(self, _: web.Request) -> web.StreamResponse:
        model = {"id": self._name, "object": "model", "created": self._since, "owned_by": "you"}
        return _answer({"object": "list", "data": [model]})

    async def health(self, _: web.Request) -> web.StreamResponse:
        return _answer({"status": "ok", "model": self._name, "family": self._student.family})

    async def _choices(self, call: Call) -> list[Choice]:
        try:
            predictions = await self._desk.answer(call.inputs)
        except TooMany as error:
            raise Refused(str(error), status=503, code="overloaded") from error
        return [_until_stop(prediction, call.stop) for prediction in predictions]

    async def _reply(
        self, request: web.Request, call: Call, choices: Sequence[Choice], *, chat: bool
    ) -> web.StreamResponse:
        shape = CHAT if chat else TEXT
        frame = {"id": f"{shape.prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": self._name}
        usage = _usage(call.inputs, choices)
        if not call.stream:
            whole = [shape.choice(i, choice) for i, choice in enumerate(choices)]
            return _answer({**frame, "object": shape.kind, "choices": whole, "usage": usage})
        chunks: list[Json] = [
            {"choices": [part]} for i, choice in enumerate(choices) for part in shape.parts(i, choice)
        ]
        if call.stream_usage:
            chunks.append({"choices": [], "usage": usage})
        return await _stream(request, [{**frame, "object": shape.chunk_kind, **chunk} for chunk in chunks])


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of the two endpoints writes its replies."""

    prefix: str
    kind: str
    chunk_kind: str
    choice: Callable[[int, Choice], Json]
    parts: Callable[[int, Choice], list[Json]]  # a choice as a stream tells it


def _end(choice: Choice) -> Json:
    return {"finish_reason": choice.finish_reason, "confidence": choice.confidence}


def _chat_choice(index: int, choice: Choice) -> Json:
    return {"index": index, "message": {"role": "assistant", "content": choice.text, "refusal": None}, **_end(choice)}


def _chat_parts(index: int, choice: Choice) -> list[Json]:
    opening = {"index": index, "delta": {"role": "assistant", "content": choice.text}, "finish_reason": None}
    return [opening, {"index": index, "delta": {}, **_end(choice)}]


def _text_choice(index: int, choice: Choice) -> Json:
    return {"index": index, "text": choice.text, **_end(choice)}


CHAT = Shape("chatcmpl", "chat.completion", "chat.completion.chunk", _chat_choice, _chat_parts)
TEXT = Shape("cmpl", "text_completion", "text_completion", _text_choice, lambda i, choice: [_text_choice(i, choice)])


def _until_stop(prediction: Prediction, stop: Sequence[str]) -> Choice:
    """The answer up to the first stop text in it."""
    places = [at for text in stop if (at := prediction.output.find(text)) >= 0]
    reason = "length" if prediction.cut else "stop"
    return Choice(prediction.output[: min(places, default=None)], prediction.confidence, reason)


def _usage(inputs: Sequence[str], choices: Sequence[Choice]) -> Json:
    read = sum(len(text.encode()) for text in inputs)
    written = sum(len(choice.text.encode()) for choice in choices)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


async def _json_of(request: web.Request) -> Json:
    body = await request.read()
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Refused("the body must be a JSON object")
    if asked := [name for name in UNSUPPORTED if fields.get(name)]:
        raise Refused(f"a student does not do {asked[0]!r}", param=asked[0], code="unsupported_parameter")
    return fields


def _read_chat(fields: Json, bare_input: BareInput) -> Call:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("'messages' must be a list of at least one message", param="messages")
    return _read_call(fields, [bare_input([_read_message(i, message) for i, message in enumerate(messages)])])


def _read_message(index: int, message: object) -> Message:
    where = f"messages[{index}]"
    fields = message if isinstance(message, dict) else {}
    role = ROLES.get(str(fields.get("role")))
    if role is None:
        raise Refused(f"{where} needs a role: {', '.join(ROLES)}", param=where)
    return Message(role, _text_of(fields.get("content"), where=f"{where}.content"))


def _text_of(content: object, *, where: str) -> str:
    """A message's content: a string, or a list of text parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    raise Refused(f"{where} must be text", param=where)


def _read_completion(fields: Json, bare_input: BareInput) -> Call:
    prompt = fields.get("prompt")
    prompts = [text for text in (prompt if isinstance(prompt, list) else [prompt]) if isinstance(text, str)]
    if not prompts or (isinstance(prompt, list) and len(prompts) != len(prompt)):
        raise Refused("'prompt' must be a text or a list of texts", param="prompt")
    return _read_call(fields, [bare_input([Message("user", text)]) for text in prompts])


def _read_call(fields: Json, inputs: Sequence[str]) -> Call:
    n = fields.get("n")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MOST_CHOICES):
        raise Refused(f"'n' must be a number from 1 to {MOST_CHOICES}", param="n")
    stop = fields.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise Refused("'stop' must be a text or a list of texts", param="stop")
    options = fields.get("stream_options")
    return Call(
        inputs=tuple(inputs),
        n=n or 1,
        stop=tuple(text for text in stops if text),
        stream=bool(fields.get("stream")),
        stream_usage=isinstance(options, dict) and bool(options.get("include_usage")),
    )


def _answer(fields: Json, *, status: int = 200) -> web.Response:
    from aiohttp import web

    return web.Response(body=orjson.dumps(fields), status=status, content_type="application/json")


async def _stream(request: web.Request, chunks: Sequence[Json]) -> web.StreamResponse:
    """Server-sent events. A student has its answer whole at once, so a choice's text comes in one piece."""
    from aiohttp import web

    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(b"data: " + orjson.dumps(chunk) + b"\n\n")
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _errors_of_their_shape() -> Any:
    """Every failure as OpenAI writes it, so that its clients raise what their callers expect."""
    from aiohttp import web

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
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

    return middleware


def _error(message: str, *, status: int, param: str | None = None, code: str | None = None) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return _answer({"error": {"message": message, "type": kind, "param": param, "code": code}}, status=status)
