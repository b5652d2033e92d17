"""What a reply looks like: answers in the shapes of OpenAI's two completion endpoints. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.serving.answers import Answer
from engine.serving.calls import Call, Json

__all__ = ["CHAT", "TEXT", "Shape", "chunks_of", "cut_at", "usage_of", "whole_of"]

LEAST_LOGPROB: Final = -9999.0  # as OpenAI writes what JSON has no number for


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of the two endpoints writes its replies. `logprobs` gets the answer and how many alternatives to tell."""

    prefix: str
    kind: str
    chunk_kind: str
    choice: Callable[[int, Answer, Json | None], Json]
    parts: Callable[[int, Answer, Json | None], list[Json]]  # a choice as a stream tells it
    logprobs: Callable[[Answer, int], Json]


def whole_of(shape: Shape, call: Call, answers: Sequence[Answer]) -> Json:
    """What is particular to a reply that comes in one piece."""
    choices = [shape.choice(i, answer, _logprobs(shape, call, answer)) for i, answer in enumerate(answers)]
    return {"object": shape.kind, "choices": choices, "usage": usage_of(call.inputs, answers)}


def chunks_of(shape: Shape, call: Call, answers: Sequence[Answer]) -> list[Json]:
    """The same as a stream tells it. An answer is there whole at once, so its text comes in one piece."""
    chunks: list[Json] = [
        {"choices": [part]}
        for i, answer in enumerate(answers)
        for part in shape.parts(i, answer, _logprobs(shape, call, answer))
    ]
    if call.stream_usage:
        chunks.append({"choices": [], "usage": usage_of(call.inputs, answers)})
    return [{"object": shape.chunk_kind, **chunk} for chunk in chunks]


def cut_at(text: str, stops: Sequence[str]) -> str:
    """The text up to the first of the stops in it."""
    places = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(places, default=None)]


def usage_of(inputs: Sequence[str], answers: Sequence[Answer]) -> Json:
    """A byte counts as a token."""
    read = sum(_size(text) for text in inputs)
    written = sum(_size(answer.text) for answer in answers)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _end(answer: Answer) -> Json:
    told = {"by": answer.by, **({"unsure": answer.unsure} if answer.unsure else {}), **answer.more}
    return {"finish_reason": "length" if answer.cut else "stop", "confidence": answer.confidence, "smelt": told}


def _chat_choice(index: int, answer: Answer, logprobs: Json | None) -> Json:
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    return {"index": index, "message": message, "logprobs": logprobs, **_end(answer)}


def _chat_parts(index: int, answer: Answer, logprobs: Json | None) -> list[Json]:
    delta = {"role": "assistant", "content": answer.text}
    opening = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
    return [opening, {"index": index, "delta": {}, **_end(answer)}]


def _text_choice(index: int, answer: Answer, logprobs: Json | None) -> Json:
    return {"index": index, "text": answer.text, "logprobs": logprobs, **_end(answer)}


# -- how likely an answer is: token by token where it was written so, otherwise the whole of it as a single token


def _logprobs(shape: Shape, call: Call, answer: Answer) -> Json | None:
    if call.logprobs is None or answer.confidence is None:
        return None
    return shape.logprobs(answer, call.logprobs)


def _pieces(answer: Answer) -> list[tuple[bytes, float]]:
    """What the answer was written in, as far as it is told: where a stop has cut it, the last token is cut too.

    None where nobody wrote it token by token, or where what was written reads otherwise.
    """
    left = answer.text.encode("utf-8", "replace")
    pieces: list[tuple[bytes, float]] = []
    for piece, logarithm in answer.spelt.pieces() if answer.spelt else ():
        if not left:
            break
        pieces.append((piece[: len(left)], logarithm))
        if not left.startswith(pieces[-1][0]):
            return []
        left = left[len(piece) :]
    return [] if left else pieces


def _chat_logprobs(answer: Answer, beside: int) -> Json:
    if pieces := _pieces(answer):
        tokens = [{**_piece(piece, max(logarithm, LEAST_LOGPROB)), "top_logprobs": []} for piece, logarithm in pieces]
        return {"content": tokens, "refusal": None}
    told = _token(answer.text, answer.confidence or 0.0)
    top = [_token(text, share) for text, share in _ranked(answer)[:beside]]
    return {"content": [{**told, "top_logprobs": top}], "refusal": None}


def _text_logprobs(answer: Answer, beside: int) -> Json:
    if pieces := _pieces(answer):
        read = [b"".join(piece for piece, _ in pieces[:place]) for place in range(len(pieces))]
        return {
            "tokens": [_shown(piece) for piece, _ in pieces],
            "token_logprobs": [max(logarithm, LEAST_LOGPROB) for _, logarithm in pieces],
            "top_logprobs": None,
            "text_offset": [len(before.decode("utf-8", "ignore")) for before in read],
        }
    top = {text: _log(share) for text, share in _ranked(answer)[:beside]}
    return {
        "tokens": [answer.text],
        "token_logprobs": [_log(answer.confidence or 0.0)],
        "top_logprobs": [top] if beside else None,
        "text_offset": [0],
    }


def _ranked(answer: Answer) -> Sequence[tuple[str, float]]:
    return answer.alternatives or ((answer.text, answer.confidence or 0.0),)


def _token(text: str, share: float) -> Json:
    return _piece(text.encode("utf-8", "replace"), _log(share))


def _piece(piece: bytes, logarithm: float) -> Json:
    return {"token": _shown(piece), "logprob": logarithm, "bytes": list(piece)}


def _shown(piece: bytes) -> str:
    """A token may be a part of a character: its bytes tell what they are."""
    return piece.decode("utf-8", "replace")


def _log(share: float) -> float:
    return math.log(share) if share > 0 else LEAST_LOGPROB


CHAT = Shape("chatcmpl", "chat.completion", "chat.completion.chunk", _chat_choice, _chat_parts, _chat_logprobs)
TEXT = Shape(
    "cmpl", "text_completion", "text_completion", _text_choice, lambda *told: [_text_choice(*told)], _text_logprobs
)
