"""OpenAI chat completions from the service's side: as strict with requests, and as wordy with refusals."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

from engine.fakes.dialect import Asked, Headers, Refusal, RefusalKind, is_integer, is_number, marks_in, parsed, text_of
from engine.fakes.limits import Denial, Dimension, Standing
from engine.fakes.prompt_cache import Cut, cuts_at, cuts_every
from engine.fakes.strictness import check_openai
from engine.messages import Message, Role
from engine.providers.foreign import encode
from engine.providers.shapes import Completion, chat_completion, prompt_tokens

__all__ = ["OpenAISide", "go_duration"]

_DEFAULT_MAX_TOKENS: Final = 4096

_ERRORS: Final[Mapping[RefusalKind, tuple[int, str, str | None]]] = {  # kind: status, type, code
    "invalid": (400, "invalid_request_error", None),
    "context": (400, "invalid_request_error", "context_length_exceeded"),
    "unauthorized": (401, "invalid_request_error", "invalid_api_key"),
    "not_found": (404, "invalid_request_error", None),
    "too_large": (413, "invalid_request_error", None),
    "rate": (429, "requests", "rate_limit_exceeded"),
    "ramp": (429, "rate_limit_error", "slow_down"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "server": (500, "server_error", None),
    "overloaded": (503, "service_unavailable_error", "server_is_overloaded"),
}

_ROLES: Final[Mapping[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_DECIMALS: Final[Mapping[str, tuple[float, float]]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_INTEGERS: Final[Mapping[str, tuple[float, float]]] = {
    "n": (1, 128),
    "max_tokens": (1, math.inf),
    "max_completion_tokens": (1, math.inf),
    "seed": (-(2**63), 2**63 - 1),
}
# Understood and without any effect on a world that answers from the messages alone.
_WITHOUT_EFFECT: Final = {
    "metadata", "prompt_cache_key", "prompt_cache_options", "reasoning_effort", "response_format", "safety_identifier",
    "service_tier", "store", "stream_options", "user", "verbosity",
}  # fmt: skip
# Known to the service and not offered here, unless they ask for nothing: then no answer would be an honest one.
_NOT_OFFERED: Final = {
    "audio", "function_call", "functions", "logit_bias", "logprobs", "modalities", "parallel_tool_calls", "prediction",
    "stream", "tool_choice", "tools", "top_logprobs", "web_search_options",
}  # fmt: skip
_KNOWN: Final = {"model", "messages", "stop", *_DECIMALS, *_INTEGERS, *_WITHOUT_EFFECT, *_NOT_OFFERED}

# Prompts are kept from so many tokens on. Older models do that by themselves, in steps, and bill no writing; the newer
# ones write where they are told to and, unless told otherwise, at the end.
_KEPT_FROM, _KEPT_IN_STEPS_OF = 1024, 128
_WRITES_ARE_BILLED: Final = re.compile(r"gpt-(5\.[6-9]|[6-9])")
_MOST_MARKS: Final = 4

_LIMITS: Final[Mapping[Dimension, tuple[str, str]]] = {  # what the message calls it, and the error's type
    "requests": ("requests per min (RPM)", "requests"),
    "tokens": ("tokens per min (TPM)", "tokens"),
    "input_tokens": ("input tokens per min (TPM)", "tokens"),
    "output_tokens": ("output tokens per min (TPM)", "tokens"),
    "requests_a_day": ("requests per day (RPD)", "requests"),
    "tokens_a_day": ("tokens per day (TPD)", "tokens"),
}
# What headers call it. A day's limit is told where there is no minute's, as others do who have this dialect.
_TOLD_AS: Final[Mapping[Dimension, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "requests_a_day": "requests",
    "tokens_a_day": "tokens",
}


class OpenAISide:
    """POST /v1/chat/completions as OpenAI answers it."""

    name: str = "openai"
    denied_counts: bool = True  # "unsuccessful requests contribute to your per-minute limit"

    def key(self, headers: Headers) -> str | None:
        """The key; Azure has a header of its own for it."""
        if (key := headers.get("api-key")) is not None:
            return key.strip() or None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return key.strip() or None if scheme.lower() == "bearer" else None

    def read(self, body: bytes, headers: Headers) -> Asked:  # noqa: ARG002 - the other dialect's version is a header
        fields = parsed(body, complaint="We could not parse the JSON body of your request.")
        # null and absent are the same to this service
        asked = {name: value for name, value in fields.items() if value is not None}
        _check_names(asked)
        for name, bounds in _DECIMALS.items():
            _check_number(asked, name, bounds, kind="decimal", is_kind=is_number)
        for name, bounds in _INTEGERS.items():
            _check_number(asked, name, bounds, kind="integer", is_kind=is_integer)
        check_openai(asked)
        messages = _messages(asked.get("messages"))
        return Asked(
            model=_model(asked),
            messages=messages,
            max_tokens=_max_tokens(asked),
            temperature=_float_or_none(asked.get("temperature")),
            input_tokens=prompt_tokens(messages),
            n=_int_or(asked.get("n"), 1),
            stop=_stop(asked.get("stop")),
            cuts=_cuts(asked, messages),
        )

    def write(self, asked: Asked, completions: Sequence[Completion], *, number: int, created: int) -> bytes:
        ident = f"chatcmpl-{number:029d}"
        return chat_completion(
            completions,
            ident=ident,
            created=created,
            model=asked.model,
            input_tokens=asked.input_tokens,
            cached=asked.cached.read,
            written=asked.cached.written,
        )

    def refuse(self, refusal: Refusal, *, number: int) -> tuple[int, bytes]:  # noqa: ARG002 - only the other names it
        status, kind, code = _ERRORS[refusal.kind]
        if refusal.kind == "rate":  # here the type, not the code, says which limit was met
            kind = refusal.code or kind
        else:
            code = refusal.code or code
        error = {"message": refusal.message, "type": kind, "param": refusal.field, "code": code}
        return status, encode({"error": error})

    def deny(self, denial: Denial, *, model: str) -> Refusal:
        if denial.is_ramp:
            message = "Slow down: your traffic rose too fast. Please come back to your former rate, and rise slowly."
            return Refusal("ramp", message, headers=denial.headers)
        limit, kind = _LIMITS[denial.dimension]
        where = f"for {model} in organization org-fake on {limit}: Limit {denial.limit}"
        if math.isinf(denial.retry_after_s):
            advice = "The input or output tokens must be reduced in order to run successfully."
            return Refusal("rate", f"Request too large {where}, Requested {denial.requested}. {advice}", code=kind)
        advice = f"Please try again in {go_duration(denial.retry_after_s)}."
        return Refusal(
            "rate",
            f"Rate limit reached {where}, Used {denial.used}, Requested {denial.requested}. {advice}",
            code=kind,
            headers=denial.headers,
        )

    def limit_headers(self, standings: Sequence[Standing], *, wall: float) -> dict[str, str]:  # noqa: ARG002 - spans here, not dates
        headers: dict[str, str] = {}
        for standing in standings:
            name = _TOLD_AS.get(standing.dimension)
            if name is None or f"x-ratelimit-limit-{name}" in headers:
                continue
            names = [name, "project-tokens"] if standing.is_of_key and name == "tokens" else [name]
            for each in names:
                headers[f"x-ratelimit-limit-{each}"] = str(standing.limit)
                headers[f"x-ratelimit-remaining-{each}"] = str(standing.remaining)
            reset_s = standing.reset_s
            headers[f"x-ratelimit-reset-{name}"] = (
                str(math.ceil(reset_s)) if standing.in_seconds else go_duration(reset_s)
            )
        return headers

    def request_id(self, number: int) -> str:
        return f"req_{number:032x}"

    def headers(self, number: int) -> dict[str, str]:
        return {"x-request-id": self.request_id(number)}

    def models(self, names: Sequence[str]) -> bytes:
        return encode({"object": "list", "data": [_model_object(name) for name in names]})

    def model(self, name: str) -> bytes:
        return encode(_model_object(name))


def _model_object(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "smelt"}


def go_duration(seconds: float) -> str:
    """A span as Go prints it: 12ms, 8.64s, 6m0s, 1h2m3.5s."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    opening = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{opening}{rest / 1000:g}s" if rest % 1000 else f"{opening}{rest // 1000}s"


def _check_names(asked: Mapping[str, object]) -> None:
    for name, value in asked.items():
        if name not in _KNOWN:
            raise Refusal("invalid", f"Unknown parameter: '{name}'.", field=name, code="unknown_parameter")
        if name in _NOT_OFFERED and value:
            message = f"Unsupported parameter: '{name}' is not offered by this fake provider."
            raise Refusal("invalid", message, field=name, code="unsupported_parameter")


def _check_number(
    asked: Mapping[str, object],
    name: str,
    bounds: tuple[float, float],
    *,
    kind: str,
    is_kind: Callable[[object], bool],
) -> None:
    if name not in asked:
        return
    value = asked[name]
    if not is_kind(value) or not isinstance(value, (int, float)):
        article = "an" if kind == "integer" else "a"
        message = f"Invalid type for '{name}': expected {article} {kind}, but got {_json_kind(value)} instead."
        raise Refusal("invalid", message, field=name, code="invalid_type")
    low, high = bounds
    if value < low:
        _refuse_value(
            name, f"{kind} below minimum value. Expected a value >= {low:g}", value, f"{kind}_below_min_value"
        )
    if value > high:
        _refuse_value(
            name, f"{kind} above maximum value. Expected a value <= {high:g}", value, f"{kind}_above_max_value"
        )


def _refuse_value(name: str, complaint: str, value: float, code: str) -> NoReturn:
    raise Refusal("invalid", f"Invalid '{name}': {complaint}, but got {value} instead.", field=name, code=code)


def _json_kind(value: object) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")


def _model(asked: Mapping[str, object]) -> str:
    model = asked.get("model")
    if not isinstance(model, str) or not model:
        raise Refusal("invalid", "you must provide a model parameter")
    return model


def _messages(told: object) -> tuple[Message, ...]:
    if told is None:
        message = "Missing required parameter: 'messages'."
        raise Refusal("invalid", message, field="messages", code="missing_required_parameter")
    if not isinstance(told, list):
        message = f"Invalid type for 'messages': expected an array of objects, but got {_json_kind(told)} instead."
        raise Refusal("invalid", message, field="messages", code="invalid_type")
    if not told:
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise Refusal("invalid", message, field="messages", code="empty_array")
    return tuple(_message(turn, f"messages[{place}]") for place, turn in enumerate(told))


def _message(turn: object, where: str) -> Message:
    if not isinstance(turn, dict):
        message = f"Invalid type for '{where}': expected an object, but got {_json_kind(turn)} instead."
        raise Refusal("invalid", message, field=where, code="invalid_type")
    role, text = turn.get("role"), text_of(turn.get("content"))
    if not isinstance(role, str) or role not in _ROLES:
        message = f"Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', and 'developer'."
        raise Refusal("invalid", message, field=f"{where}.role", code="invalid_value")
    if text is None:
        message = f"Invalid type for '{where}.content': expected one of a string or array of text parts."
        raise Refusal("invalid", message, field=f"{where}.content", code="invalid_type")
    return Message(_ROLES[role], text)


def _cuts(asked: Mapping[str, object], messages: Sequence[Message]) -> tuple[Cut, ...]:
    told, model = asked.get("messages"), asked.get("model")
    contents = [turn.get("content") for turn in told if isinstance(turn, dict)] if isinstance(told, list) else []
    marks = marks_in(contents, "prompt_cache_breakpoint")
    options = asked.get("prompt_cache_options")
    if not _WRITES_ARE_BILLED.match(str(model)):
        if marks or options is not None:
            message = "prompt_cache_options and prompt_cache_breakpoint are not supported with this model."
            raise Refusal("invalid", message, field="prompt_cache_options", code="unsupported_parameter")
        return cuts_every(messages, tokens=_KEPT_IN_STEPS_OF, least=_KEPT_FROM, kept_s=300.0)
    if len(marks) > _MOST_MARKS:
        raise Refusal("invalid", f"At most {_MOST_MARKS} breakpoints may be set.", field="messages")
    if not isinstance(options, dict) or options.get("mode") != "explicit":
        marks.append((len(messages) - 1, len(messages[-1].content), None))
    return cuts_at(messages, [(place, end) for place, end, _ in marks], least=_KEPT_FROM, kept_s=1800.0)


def _max_tokens(asked: Mapping[str, object]) -> int:
    if "max_tokens" in asked and "max_completion_tokens" in asked:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise Refusal("invalid", message, field="max_tokens", code="invalid_parameter_combination")
    return _int_or(asked.get("max_completion_tokens", asked.get("max_tokens")), _DEFAULT_MAX_TOKENS)


def _stop(told: object) -> tuple[str, ...]:
    if told is None:
        return ()
    sequences = [told] if isinstance(told, str) else told
    if not isinstance(sequences, list) or not all(isinstance(sequence, str) for sequence in sequences):
        message = f"Invalid type for 'stop': expected an array of strings, but got {_json_kind(told)} instead."
        raise Refusal("invalid", message, field="stop", code="invalid_type")
    if len(sequences) > 4:
        message = "Invalid 'stop': array too long. Expected an array with maximum length 4."
        raise Refusal("invalid", message, field="stop", code="array_above_max_length")
    return tuple(sequences)


def _int_or(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _float_or_none(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
