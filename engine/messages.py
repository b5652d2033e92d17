"""What goes to a model and what comes back: the nouns that every other file speaks in.

Nothing here knows a provider, a price or a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

from engine.errors import RequestFailed, SmeltError, UserError

__all__ = ["SIMULATED_HEADER", "FinishReason", "Message", "Outcome", "RawReply", "Reply", "Request", "Role", "Usage"]

Role = Literal["system", "user", "assistant"]

FinishReason = Literal["stop", "length", "filtered", "refusal", "other"]
"""Why a completion ended, in one vocabulary for all dialects; "length" means it was cut."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model.

    `tag` names the stage for statistics and sub-budgets and does not shape the reply. `sample` does: asking the same
    question with another `sample` is asking again on purpose; with the same one, the journal answers.

    Raises UserError when a field cannot mean anything (no messages, n < 1, ...).
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float | None = None  # None: whatever the provider does by default
    n: int = 1
    stop: tuple[str, ...] = ()
    seed: int | None = None
    schema: Mapping[str, object] | None = field(default=None, hash=False)  # JSON schema of the wanted answer
    tag: str = ""
    sample: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", tuple(self.messages))
        object.__setattr__(self, "stop", tuple(self.stop))
        if not self.messages:
            raise UserError("a request needs at least one message (got none)")
        if self.max_tokens < 1:
            raise UserError(f"max_tokens must be at least 1 (got {self.max_tokens})")
        if self.n < 1:
            raise UserError(f"n must be at least 1 (got {self.n})")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise UserError(f"temperature must lie between 0 and 2 (got {self.temperature})")

    @classmethod
    def user(
        cls,
        text: str,
        *,
        system: str | None = None,
        max_tokens: int = 1024,
        temperature: float | None = None,
        n: int = 1,
        stop: tuple[str, ...] = (),
        seed: int | None = None,
        schema: Mapping[str, object] | None = None,
        tag: str = "",
        sample: int = 0,
    ) -> Request:
        """A single user message, with an optional system message before it: `Request.user("Say hello")`."""
        opening = (Message("system", system),) if system is not None else ()
        return cls(
            messages=(*opening, Message("user", text)),
            max_tokens=max_tokens,
            temperature=temperature,
            n=n,
            stop=stop,
            seed=seed,
            schema=schema,
            tag=tag,
            sample=sample,
        )

    def identity(self, *, asked_of: str) -> bytes:
        """32 bytes that name everything which shapes the reply, and nothing that does not.

        `asked_of` names the model and the endpoint. Two requests of equal identity are the same question, so the
        answer to one is the answer to the other.
        """
        shape = (
            asked_of,
            [(message.role, message.content) for message in self.messages],
            self.max_tokens,
            self.temperature,
            self.n,
            self.stop,
            self.seed,
            self.schema,
            self.sample,
        )
        # surrogatepass: a lone surrogate in a row is data, and data must have a name too.
        try:
            canonical = orjson.dumps(shape, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            canonical = repr(shape).encode("utf-8", "surrogatepass")
        return hashlib.sha256(canonical).digest()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call took, in tokens, as the provider counts them.

    `input_tokens` is the whole input; `cached_tokens` (read from a prompt cache) and `cache_write_tokens` are parts
    of it. `output_tokens` includes reasoning.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0


SIMULATED_HEADER = "x-simulated-teacher"
"""Set by a simulated teacher behind HTTP, so that nobody takes its answers for a model's."""


@dataclass(frozen=True, slots=True)
class RawReply:
    """What came over the wire, unread. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency_s: float

    @property
    def simulated(self) -> bool:
        return SIMULATED_HEADER in self.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a request.

    `texts` has one entry a completion, in order. `cost_usd` is what this call was charged to the budget; it is 0 when
    the journal answered. `attempts` counts the sends.
    """

    texts: tuple[str, ...]
    finish_reasons: tuple[FinishReason, ...]
    usage: Usage
    model: str
    cost_usd: float = 0.0
    latency_s: float = 0.0
    attempts: int = 1
    from_journal: bool = False

    @property
    def text(self) -> str:
        """The first (and usually only) completion."""
        return self.texts[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: with a reply or with an error, never both, never neither."""

    request: Request
    reply: Reply | None = None
    error: SmeltError | None = None

    def unwrap(self) -> Reply:
        """The reply; raises the error if there is none."""
        if self.reply is not None:
            return self.reply
        raise self.error or RequestFailed("the request ended without a reply")
