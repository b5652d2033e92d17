"""Anthropic messages from the service's side: as strict with requests, and as wordy with refusals."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from engine.fakes.dialect import Asked, Headers, Refusal, RefusalKind, is_integer, is_number, marks_in, parsed, text_of
from engine.fakes.limits import Denial, Dimension, Standing
from engine.fakes.prompt_cache import Cut, cuts_at
from engine.fakes.strictness import check_anthropic
from engine.messages import Message
from engine.providers.foreign import encode
from engine.providers.shapes import Completion, anthropic_message, prompt_tokens

__all__ = ["AnthropicSide"]

_ERRORS: Final[Mapping[RefusalKind, tuple[int, str]]] = {  # kind: status, type
    "invalid": (400, "invalid_request_error"),
    "context": (400, "invalid_request_error"),
    "unauthorized": (401, "authentication_error"),
    "not_found": (404, "not_found_error"),
    "too_large": (413, "request_too_large"),
    "rate": (429, "rate_limit_error"),
    "ramp": (429, "rate_limit_error"),
    "quota": (400, "invalid_request_error"),
    "server": (500, "api_error"),
    "overloaded": (529, "overloaded_error"),
}

_VERSIONS: Final = ("2023-01-01", "2023-06-01", "2026-10-21")
_WITHOUT_SAMPLING: Final = "2026-10-21"
_SAMPLING: Final = ("temperature", "top_p", "top_k")
# These families refuse them under every version.
_SETTLED: Final = re.compile(r"claude-(opus-4-[78]|(opus|sonnet|haiku)-[5-9]|fable|mythos)")
# What is kept of prompts, where they are marked: from how many tokens on, for whom it is not 1,024, and how long.
_KEPT_FROM: Final = (
    (re.compile(r"claude-(haiku-4-5|opus-4-[567])"), 4096),
    (re.compile(r"claude-(3-5-haiku|3-haiku)"), 2048),
    (re.compile(r"claude-(opus-[5-9]|fable|mythos)"), 512),
)
_KEPT_S: Final = 300.0
_MOST_MARKS: Final = 4
_WITHOUT_EFFECT: Final = {"inference_geo", "metadata", "output_config", "service_tier"}
# Known to the service and not offered here, unless they ask for nothing: then no answer would be an honest one.
_NOT_OFFERED: Final = {"stream", "thinking", "tool_choice", "tools"}
_KNOWN: Final = {
    "model", "messages", "max_tokens", "system", "stop_sequences", *_SAMPLING, *_WITHOUT_EFFECT, *_NOT_OFFERED,
}  # fmt: skip

_LIMITS: Final[Mapping[Dimension, str]] = {
    "requests": "requests per minute",
    "tokens": "tokens per minute",
    "input_tokens": "input tokens per minute",
    "output_tokens": "output tokens per minute",
    "requests_a_day": "requests per day",
    "tokens_a_day": "tokens per day",
}
_TOLD: Final[tuple[Dimension, ...]] = ("requests", "tokens", "input_tokens", "output_tokens")


class AnthropicSide:
    """POST /v1/messages as Anthropic answers it."""

    name: str = "anthropic"
    denied_counts: bool = False

    def key(self, headers: Headers) -> str | None:
        """The key; when both headers come, x-api-key wins."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        return headers.get("x-api-key") or (bearer.strip() or None if scheme.lower() == "bearer" else None)

    def read(self, body: bytes, headers: Headers) -> Asked:
        version = headers.get("anthropic-version")
        if version is None:
            raise Refusal("invalid", "anthropic-version: header is required")
        if version not in _VERSIONS:
            raise Refusal("invalid", f'anthropic-version: "{version}" is not a valid version')
        fields = parsed(body, complaint="The request body is not valid JSON.")
        _check_names(fields, version)
        check_anthropic(fields)
        system = _system(fields.get("system"))
        turns = _turns(told := _required(fields, "messages"))
        messages = (Message("system", system), *turns) if system else turns
        contents = [turn["content"] for turn in told] if isinstance(told, list) else []
        return Asked(
            model=_model(fields),
            messages=messages,
            max_tokens=_max_tokens(_required(fields, "max_tokens")),
            temperature=_temperature(fields.get("temperature")),
            input_tokens=prompt_tokens(messages),
            stop=_stop_sequences(fields.get("stop_sequences")),
            cuts=_cuts(_model(fields), messages, [fields["system"], *contents] if system else contents),
            cached_counts=False,
        )

    def write(self, asked: Asked, completions: Sequence[Completion], *, number: int, created: int) -> bytes:  # noqa: ARG002 - not told here
        ident = f"msg_{number:024d}"
        return anthropic_message(
            completions[0],
            ident=ident,
            model=asked.model,
            input_tokens=asked.input_tokens,
            cached=asked.cached.read,
            written=asked.cached.written,
        )

    def refuse(self, refusal: Refusal, *, number: int) -> tuple[int, bytes]:
        status, kind = _ERRORS[refusal.kind]
        error: dict[str, object] = {"type": kind, "message": refusal.message}
        if refusal.code is not None:
            error["details"] = {"error_code": refusal.code}
        return status, encode({"type": "error", "error": error, "request_id": self.request_id(number)})

    def deny(self, denial: Denial, *, model: str) -> Refusal:
        limit = f"{denial.limit:,} {_LIMITS[denial.dimension]}"
        message = f"This request would exceed your organization's rate limit of {limit} (org: fake, model: {model})."
        if denial.is_ramp:
            message = "This request would exceed your organization's acceleration limit: scale up more gradually."
            return Refusal("ramp", message, code="ramp_limit_exceeded", headers=denial.headers)
        if math.isinf(denial.retry_after_s):
            return Refusal("rate", message)
        return Refusal("rate", message, headers=denial.headers)

    def limit_headers(self, standings: Sequence[Standing], *, wall: float) -> dict[str, str]:
        headers = {}
        told = {standing.dimension: standing for standing in standings if standing.dimension in _TOLD}
        apart = [told[name] for name in ("input_tokens", "output_tokens") if name in told]
        if apart and "tokens" not in told:  # which then repeats the tightest of the others
            told["tokens"] = min(apart, key=lambda standing: standing.remaining)
        for dimension, standing in told.items():
            name = f"anthropic-ratelimit-{dimension.replace('_', '-')}"
            counts_tokens = dimension != "requests"
            headers[f"{name}-limit"] = str(standing.limit)
            headers[f"{name}-remaining"] = str(round(standing.remaining, -3 if counts_tokens else 0))
            full_at = datetime.fromtimestamp(wall + standing.reset_s, UTC)
            headers[f"{name}-reset"] = full_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return headers

    def request_id(self, number: int) -> str:
        return f"req_{number:024d}"

    def headers(self, number: int) -> dict[str, str]:
        return {"request-id": self.request_id(number), "anthropic-organization-id": "fake"}

    def models(self, names: Sequence[str]) -> bytes:
        data = [_model_object(name) for name in names]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {"first_id": None, "last_id": None}
        return encode({"data": data, "has_more": False, **ends})

    def model(self, name: str) -> bytes:
        return encode(_model_object(name))


def _model_object(name: str) -> dict[str, object]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}


def _check_names(fields: Mapping[str, object], version: str) -> None:
    for name, value in fields.items():
        if name not in _KNOWN:
            raise Refusal("invalid", f"{name}: Extra inputs are not permitted")
        if name in _NOT_OFFERED and value and value != {"type": "disabled"}:
            raise Refusal("invalid", f"{name}: not offered by this fake provider")
        if name in _SAMPLING and (version >= _WITHOUT_SAMPLING or _SETTLED.match(str(fields.get("model")))):
            raise Refusal("invalid", f"{name}: sampling parameters are not supported")


def _cuts(model: str, messages: Sequence[Message], contents: Sequence[object]) -> tuple[Cut, ...]:
    """Where the prompt is marked to be kept. Marks are checked whether or not they are long enough to count."""
    marks = marks_in(contents, "cache_control")
    for place, end, mark in marks:
        if mark not in ({"type": "ephemeral"}, {"type": "ephemeral", "ttl": "5m"}):
            raise Refusal("invalid", f"cache_control: {mark!r} is not offered by this fake provider")
        if not messages[place].content[:end].strip():
            raise Refusal("invalid", "cache_control cannot be set for empty text blocks")
    if len(marks) > _MOST_MARKS:
        found = f"A maximum of 4 blocks with cache_control may be provided. Found {len(marks)}."
        raise Refusal("invalid", found)
    least = next((tokens for family, tokens in _KEPT_FROM if family.match(model)), 1024)
    return cuts_at(messages, [(place, end) for place, end, _ in marks], least=least, kept_s=_KEPT_S)


def _required(fields: Mapping[str, object], name: str) -> object:
    if fields.get(name) is None:
        raise Refusal("invalid", f"{name}: Field required")
    return fields[name]


def _model(fields: Mapping[str, object]) -> str:
    model = _required(fields, "model")
    if not isinstance(model, str):
        raise Refusal("invalid", "model: Input should be a valid string")
    if not model:
        raise Refusal("invalid", "model: String should have at least 1 character")
    return model


def _max_tokens(told: object) -> int:
    if not is_integer(told):
        raise Refusal("invalid", "max_tokens: Input should be a valid integer")
    if told < 1:
        raise Refusal("invalid", "max_tokens: Input should be greater than or equal to 1")
    return told


def _temperature(told: object) -> float | None:
    if told is None:
        return None
    if not is_number(told):
        raise Refusal("invalid", "temperature: Input should be a valid number")
    if not 0 <= told <= 1:
        raise Refusal("invalid", "temperature: range: 0..1")
    return float(told)


def _system(told: object) -> str:
    text = "" if told is None else text_of(told)
    if text is None:
        raise Refusal("invalid", "system: Input should be a valid string or a list of text blocks")
    return text


def _turns(told: object) -> tuple[Message, ...]:
    if not isinstance(told, list):
        raise Refusal("invalid", "messages: Input should be a valid list")
    if not told:
        raise Refusal("invalid", "messages: at least one message is required")
    turns = tuple(_turn(turn, f"messages.{place}") for place, turn in enumerate(told))
    if turns[0].role != "user":
        raise Refusal("invalid", 'messages: first message must use the "user" role')
    return turns


def _turn(told: object, where: str) -> Message:
    if not isinstance(told, dict):
        raise Refusal("invalid", f"{where}: Input should be a valid dictionary")
    if extra := told.keys() - {"role", "content"}:
        raise Refusal("invalid", f"{where}.{min(extra)}: Extra inputs are not permitted")
    role, text = told.get("role"), text_of(told.get("content"))
    if text is None:
        raise Refusal("invalid", f"{where}.content: Input should be a valid string or a list of text blocks")
    if not text:
        raise Refusal("invalid", f"{where}: all messages must have non-empty content")
    if role == "user":
        return Message("user", text)
    if role == "assistant":
        return Message("assistant", text)
    raise Refusal("invalid", f"{where}.role: Input should be 'user' or 'assistant'")


def _stop_sequences(told: object) -> tuple[str, ...]:
    if told is None:
        return ()
    if not isinstance(told, list) or not all(isinstance(sequence, str) for sequence in told):
        raise Refusal("invalid", "stop_sequences: Input should be a valid list of strings")
    if not all(sequence.strip() for sequence in told):
        raise Refusal("invalid", "stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(told)
