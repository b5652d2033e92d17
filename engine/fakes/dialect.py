"""What the two dialects of the fake provider have in common: a request once read, a refusal, and field checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeGuard

import orjson

from engine.fakes.limits import Denial, Standing
from engine.fakes.prompt_cache import NOT_CACHED, Cached, Cut
from engine.messages import Message, Usage
from engine.providers.shapes import Completion
from engine.providers.simulated import Answered, World, answered_by

__all__ = [
    "Asked",
    "Dialect",
    "Headers",
    "Refusal",
    "RefusalKind",
    "answer_to",
    "is_integer",
    "is_number",
    "marks_in",
    "parsed",
    "text_of",
]

Headers = Mapping[str, str]

RefusalKind = Literal[
    "invalid", "context", "unauthorized", "not_found", "too_large", "rate", "ramp", "quota", "server", "overloaded"
]
"""Why a request is refused; each dialect has its own status, type and code for it."""


class Refusal(Exception):
    """The service says no. `field` is the parameter at fault, `code` the dialect's own word where it has one."""

    def __init__(
        self,
        kind: RefusalKind,
        message: str,
        *,
        field: str | None = None,
        code: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(message)
        self.kind: RefusalKind = kind
        self.message = message
        self.field = field
        self.code = code
        self.headers: Headers = headers or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the service understands it."""

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None
    input_tokens: int
    n: int = 1
    stop: tuple[str, ...] = field(default=())
    cuts: tuple[Cut, ...] = ()  # where its prompt may be cut for the cache, the shortest first
    cached: Cached = NOT_CACHED
    cached_counts: bool = True  # whether what is read from the cache counts against the limits

    @property
    def counted_tokens(self) -> int:
        """The input that counts against the limits."""
        return self.input_tokens if self.cached_counts else self.input_tokens - self.cached.read

    def usage(self, output_tokens: int) -> Usage:
        """What is billed for it, with an output of so many tokens."""
        return Usage(self.input_tokens, output_tokens, self.cached.read, self.cached.written)


def answer_to(asked: Asked, world: World) -> Answered:
    """What a world says to a request."""
    return answered_by(
        world,
        asked.messages,
        temperature=asked.temperature,
        max_tokens=asked.max_tokens,
        n=asked.n,
        stop=asked.stop,
    )


class Dialect(Protocol):
    """How one service reads requests and writes replies, refusals and rate-limit headers. Pure."""

    @property
    def name(self) -> str: ...

    @property
    def denied_counts(self) -> bool:
        """Whether a request that met a limit still counts against the requests a minute."""
        ...

    def key(self, headers: Headers) -> str | None: ...

    def read(self, body: bytes, headers: Headers) -> Asked:
        """Raises Refusal for whatever the real service would refuse."""
        ...

    def write(self, asked: Asked, completions: Sequence[Completion], *, number: int, created: int) -> bytes: ...

    def refuse(self, refusal: Refusal, *, number: int) -> tuple[int, bytes]:
        """The status and the body that say no."""
        ...

    def deny(self, denial: Denial, *, model: str) -> Refusal: ...

    def limit_headers(self, standings: Sequence[Standing], *, wall: float) -> dict[str, str]: ...

    def request_id(self, number: int) -> str:
        """The name of this request."""
        ...

    def headers(self, number: int) -> dict[str, str]:
        """What stands at the head of any reply: which request it is to, and whose account was asked."""
        ...

    def models(self, names: Sequence[str]) -> bytes: ...

    def model(self, name: str) -> bytes: ...


def parsed(body: bytes, *, complaint: str) -> dict[str, object]:
    """The body as an object; refuses what is none."""
    try:
        read: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refusal("invalid", complaint) from None
    if not isinstance(read, dict):
        raise Refusal("invalid", complaint)
    return read


def is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def text_of(content: object) -> str | None:
    """A message's content as text: a string, or text parts joined; None when it is anything else."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content]
    known = [text for text in texts if isinstance(text, str)]
    return "".join(known) if len(known) == len(texts) else None


def marks_in(contents: Sequence[object], name: str) -> list[tuple[int, int, object]]:
    """The text parts that bear this mark: the place of their message, where in its text they end, what they say."""
    marks: list[tuple[int, int, object]] = []
    for place, content in enumerate(contents):
        end = 0
        for part in content if isinstance(content, list) else ():
            end += len(part["text"])
            if part.get(name) is not None:
                marks.append((place, end, part[name]))
    return marks
