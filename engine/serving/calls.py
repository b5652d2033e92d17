"""What a request asks for: bodies of OpenAI's two completion endpoints, read and checked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from engine.messages import Message, Role
from engine.training.sampling import MOST_TEMPERATURE, Sampling

__all__ = ["BareInput", "Call", "Json", "Refused", "last_user_message", "object_in", "read_chat", "read_completion"]

Json = dict[str, Any]

BareInput = Callable[[Sequence[Message]], str]
"""Finds in a conversation the one text that the student shall answer."""

MOST_CHOICES: Final = 128
MOST_ANSWERS: Final = 1024  # to all inputs of a request together: whoever asks for more keeps all others waiting
MOST_TOP_LOGPROBS: Final = 20  # of a chat completion, as OpenAI has it
MOST_LOGPROBS: Final = 5  # of a completion

# Asking for one of these and not getting it would break the caller later and elsewhere.
UNSUPPORTED = ("tools", "functions", "echo", "suffix")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What both completion endpoints understand of a body.

    `sampling` is None where the best answer is wanted, `n` times. `logprobs` is how many alternatives are to be told
    beside the answer; None where no probabilities were asked for.
    """

    inputs: tuple[str, ...]
    n: int = 1
    sampling: Sampling | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    stream: bool = False
    stream_usage: bool = False


def object_in(body: bytes) -> Json:
    """The JSON object that a body is. Raises Refused for anything else, and for what a student does not do."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Refused("the body must be a JSON object")
    if asked := [name for name in UNSUPPORTED if fields.get(name)]:
        raise Refused(f"a student does not do {asked[0]!r}", param=asked[0], code="unsupported_parameter")
    return fields


def read_chat(fields: Json, bare_input: BareInput) -> Call:
    """The body of a chat completion."""
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused("'messages' must be a list of at least one message", param="messages")
    inputs = [bare_input([_message(i, message) for i, message in enumerate(messages)])]
    return _call(fields, inputs, logprobs=_chat_logprobs(fields))


def read_completion(fields: Json, bare_input: BareInput) -> Call:
    """The body of a completion, of one prompt or several."""
    prompt = fields.get("prompt")
    prompts = [text for text in (prompt if isinstance(prompt, list) else [prompt]) if isinstance(text, str)]
    if not prompts or (isinstance(prompt, list) and len(prompts) != len(prompt)):
        raise Refused("'prompt' must be a text or a list of texts", param="prompt")
    inputs = [bare_input([Message("user", text)]) for text in prompts]
    told = _number(fields, "logprobs", low=0, high=MOST_LOGPROBS, whole=True)
    return _call(fields, inputs, logprobs=None if told is None else int(told))


def _message(index: int, message: object) -> Message:
    where = f"messages[{index}]"
    fields = message if isinstance(message, dict) else {}
    role = ROLES.get(str(fields.get("role")))
    if role is None:
        raise Refused(f"{where} needs a role: {', '.join(ROLES)}", param=where)
    return Message(role, _text(fields.get("content"), where=f"{where}.content"))


def _text(content: object, *, where: str) -> str:
    """A message's content: a string, or a list of text parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(str(text) for text in texts)
    raise Refused(f"{where} must be text", param=where)


def _chat_logprobs(fields: Json) -> int | None:
    wanted = fields.get("logprobs")
    if wanted is not None and not isinstance(wanted, bool):
        raise Refused("'logprobs' must be true or false", param="logprobs")
    beside = _number(fields, "top_logprobs", low=0, high=MOST_TOP_LOGPROBS, whole=True)
    if beside is not None and not wanted:
        raise Refused("'top_logprobs' goes with 'logprobs': true", param="top_logprobs")
    return int(beside or 0) if wanted else None


def _call(fields: Json, inputs: Sequence[str], *, logprobs: int | None) -> Call:
    n = int(_number(fields, "n", low=1, high=MOST_CHOICES, whole=True) or 1)
    if n * len(inputs) > MOST_ANSWERS:
        raise Refused(f"{len(inputs):,} prompts with {n} answers each: at most {MOST_ANSWERS:,} answers a request")
    options = fields.get("stream_options")
    return Call(
        inputs=tuple(inputs),
        n=n,
        sampling=_sampling(fields, n=n),
        stop=_stops(fields.get("stop") or []),
        logprobs=logprobs,
        stream=bool(fields.get("stream")),
        stream_usage=isinstance(options, dict) and bool(options.get("include_usage")),
    )


def _sampling(fields: Json, *, n: int) -> Sampling | None:
    """How to draw the answers; None where the best is wanted.

    There are three cases: 1. a temperature of 0 asks for the best; 2. any other is what to draw at; 3. without one the
    best is the answer, as nothing is gained by drawing a single one, but several are drawn at 1, as OpenAI does.
    """
    temperature = _number(fields, "temperature", low=0, high=MOST_TEMPERATURE)
    top_p = _number(fields, "top_p", low=0, high=1)
    seed = _number(fields, "seed", whole=True)
    if temperature == 0 or top_p == 0 or (temperature is None and n == 1 and top_p in (None, 1)):
        return None
    return Sampling(
        n=n,
        temperature=1.0 if temperature is None else temperature,
        top_p=1.0 if top_p is None else top_p,
        seed=None if seed is None else int(seed),
    )


def _number(
    fields: Json, name: str, *, low: float | None = None, high: float | None = None, whole: bool = False
) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    kinds = (int,) if whole else (int, float)
    is_number = isinstance(value, kinds) and not isinstance(value, bool)
    if not is_number or (low is not None and value < low) or (high is not None and value > high):
        between = "" if low is None or high is None else f" from {low:g} to {high:g}"
        raise Refused(f"{name!r} must be a {'whole ' if whole else ''}number{between}", param=name)
    return value  # type: ignore[no-any-return]  # checked one line above


def _stops(stop: object) -> tuple[str, ...]:
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise Refused("'stop' must be a text or a list of texts", param="stop")
    return tuple(text for text in stops if text)
