"""Replies as the services write them: what the readers in this folder read, built from texts.

The simulated provider and the fake server both answer with these, so a world says the same in this process and over
HTTP. Tokens are an estimate, four bytes of UTF-8 each, at least one a text: right on average for English, and
everywhere the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.messages import FinishReason, Message
from engine.providers.foreign import encode

__all__ = ["Completion", "anthropic_message", "chat_completion", "complete", "prompt_tokens", "tokens_in"]

_BYTES_A_TOKEN: Final = 4

_OPENAI_FINISH: Final[Mapping[FinishReason, str]] = {
    "stop": "stop",
    "length": "length",
    "filtered": "content_filter",
    "refusal": "stop",
    "other": "tool_calls",
}
_ANTHROPIC_FINISH: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "filtered": "refusal",
    "refusal": "refusal",
    "other": "pause_turn",
}


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, cut to what was allowed, and what it counts."""

    text: str
    finish_reason: FinishReason
    tokens: int
    stop_sequence: str | None = None  # the one that ended it


def tokens_in(text: str) -> int:
    """An estimate: bytes of UTF-8 over four, rounded up, at least 1."""
    return max(1, -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_A_TOKEN))


def prompt_tokens(messages: Sequence[Message]) -> int:
    """What the messages count as input: their texts, and nothing for roles."""
    return sum(tokens_in(message.content) for message in messages)


def complete(text: str, finish_reason: FinishReason, *, max_tokens: int, stop: Sequence[str] = ()) -> Completion:
    """End a text where a service would: before the first stop sequence, then at the cap (finish reason "length")."""
    met = [(place, sequence) for sequence in stop if sequence and (place := text.find(sequence)) >= 0]
    ended_by = min(met)[1] if met else None
    if ended_by is not None:
        text, finish_reason = text[: min(met)[0]], "stop"
    if tokens_in(text) > max_tokens:
        kept = text.encode("utf-8", "surrogatepass")[: max_tokens * _BYTES_A_TOKEN]
        return Completion(kept.decode("utf-8", "ignore"), "length", max_tokens)
    return Completion(text, finish_reason, tokens_in(text), ended_by)


def chat_completion(
    completions: Sequence[Completion],
    *,
    ident: str,
    created: int,
    model: str,
    input_tokens: int,
    cached: int = 0,
    written: int = 0,
) -> bytes:
    """An OpenAI chat completion. `system_fingerprint` is absent, as it is from models that do not tell theirs."""
    output_tokens = sum(completion.tokens for completion in completions)
    return encode(
        {
            "id": ident,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [_choice(index, completion) for index, completion in enumerate(completions)],
            "usage": {
                "prompt_tokens": input_tokens,
                "completion_tokens": output_tokens,
                "total_tokens": input_tokens + output_tokens,
                "prompt_tokens_details": {
                    "cached_tokens": cached,
                    **({"cache_write_tokens": written} if written else {}),
                    "audio_tokens": 0,
                },
                "completion_tokens_details": {
                    "reasoning_tokens": 0,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            },
            "service_tier": "default",
        }
    )


def _choice(index: int, completion: Completion) -> dict[str, object]:
    refused = completion.finish_reason == "refusal"
    return {
        "index": index,
        "message": {
            "role": "assistant",
            "content": None if refused else completion.text,
            "refusal": completion.text if refused else None,
            "annotations": [],
        },
        "logprobs": None,
        "finish_reason": _OPENAI_FINISH[completion.finish_reason],
    }


def anthropic_message(
    completion: Completion, *, ident: str, model: str, input_tokens: int, cached: int = 0, written: int = 0
) -> bytes:
    """An Anthropic message. An empty text is an empty list of blocks, as there; so are the three parts of the input."""
    stopped = completion.stop_sequence is not None and completion.finish_reason == "stop"
    return encode(
        {
            "id": ident,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": completion.text}] if completion.text else [],
            "stop_reason": "stop_sequence" if stopped else _ANTHROPIC_FINISH[completion.finish_reason],
            "stop_sequence": completion.stop_sequence,
            "usage": {
                "input_tokens": input_tokens - cached - written,
                "cache_creation_input_tokens": written,
                "cache_read_input_tokens": cached,
                "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
                "output_tokens": completion.tokens,
                "service_tier": "standard",
            },
        }
    )
