"""The endpoints that count tokens: free, quick, and as strict as those that answer. Pure.

POST /v1/messages/count_tokens (Anthropic) · POST /v1/responses/input_tokens (OpenAI)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.dialect import Asked, Dialect, Headers, Refusal, parsed
from engine.fakes.openai_side import OpenAISide
from engine.providers.foreign import encode

__all__ = ["COUNTERS", "Counts"]

_ENOUGH: Final = 16  # tokens of an answer that is never given; the dialects insist on a number
_NO_PART: Final = ("max_tokens", "stop_sequences", "temperature", "top_p", "top_k", "stream", "metadata")
_ITEMS: Final = frozenset({
    "conversation", "input", "instructions", "model", "parallel_tool_calls", "previous_response_id", "reasoning",
    "text", "tool_choice", "tools", "truncation",
})  # fmt: skip


class Counts(NamedTuple):
    """One of the endpoints: whose, how a body is read, and how a number of tokens is told."""

    dialect: Dialect
    read: Callable[[bytes, Headers], Asked]
    write: Callable[[int], bytes]


def _anthropic(body: bytes, headers: Headers) -> Asked:
    told = parsed(body, complaint="The request body is not valid JSON.")
    for name in _NO_PART:
        if name in told:
            raise Refusal("invalid", f"{name}: Extra inputs are not permitted")
    return AnthropicSide().read(encode({**told, "max_tokens": _ENOUGH}), headers)


def _openai(body: bytes, headers: Headers) -> Asked:
    told = parsed(body, complaint="We could not parse the JSON body of your request.")
    for name, value in told.items():
        if name not in _ITEMS:
            raise Refusal("invalid", f"Unknown parameter: '{name}'.", field=name, code="unknown_parameter")
        if value and name in {"conversation", "previous_response_id", "tools"}:
            message = f"Unsupported parameter: '{name}' is not offered by this fake provider."
            raise Refusal("invalid", message, field=name, code="unsupported_parameter")
    chat = {"model": told.get("model"), "messages": _messages(told)}
    return OpenAISide().read(encode(chat), headers)


def _messages(told: Mapping[str, object]) -> list[object]:
    """Instructions and input as messages of a chat: the same texts, so the same tokens."""
    given, instructions = told.get("input"), told.get("instructions")
    turns = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(turns, list) or not turns:
        message = "Missing required parameter: 'input'."
        raise Refusal("invalid", message, field="input", code="missing_required_parameter")
    return [*([{"role": "developer", "content": instructions}] if instructions else []), *map(_turn, turns)]


def _turn(item: object) -> object:
    """An input item as a message: the texts of this API are called input_text and output_text."""
    if not isinstance(item, dict) or item.get("type", "message") != "message":
        raise Refusal("invalid", "Invalid value for 'input': only messages are counted here.", field="input")
    content = item.get("content")
    if isinstance(content, list):
        content = [
            {**part, "type": "text"}
            if isinstance(part, dict) and part.get("type") in {"input_text", "output_text"}
            else part
            for part in content
        ]
    return {"role": item.get("role"), "content": content}


COUNTERS: Final[Mapping[str, Counts]] = {
    "/v1/messages/count_tokens": Counts(AnthropicSide(), _anthropic, lambda tokens: encode({"input_tokens": tokens})),
    "/v1/responses/input_tokens": Counts(
        OpenAISide(), _openai, lambda tokens: encode({"object": "response.input_tokens", "input_tokens": tokens})
    ),
}
