"""What goes to a model and what comes back: the nouns that every other file speaks in.

Nothing here knows a provider, a price or a clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import orjson

from engine.errors import AnswerRefused, ContentFiltered, RequestFailed, SmeltError, UserError
from engine.structured import read_json, told

__all__ = [
    "SIMULATED_HEADER",
    "FinishReason",
    "Message",
    "Outcome",
    "RawReply",
    "Reply",
    "Request",
    "Role",
    "Usage",
    "as_told",
    "asked_of",
]

Role = Literal["system", "user", "assistant"]

FinishReason = Literal["stop", "length", "filtered", "refusal", "other"]
"""Why a completion ended, in one vocabulary for all dialects; "length" means it was cut."""


_CANONICAL = ("asked_of", "messages", "max_tokens", "temperature", "n", "stop", "seed", "schema", "sample", "choices")

_MOST_BITS = 63  # of the whole numbers in a request, as nearly everybody stores them

_ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. Raises UserError when it is not a known role and a text."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise UserError(f"a message's role must be one of {', '.join(_ROLES)} (got {self.role!r})")
        if not isinstance(self.content, str):
            raise UserError(f"a message's content must be a text (got {_kind(self.content)})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model.

    `tag` names the stage for statistics and sub-budgets and does not shape the reply. `sample` does: asking the same
    question with another `sample` is asking again on purpose; with the same one, the journal answers. A `stop` that is
    a plain text is one stop. `stable` is how many characters of its texts, from the first on, many requests of the
    kind begin with: where a provider keeps beginnings of prompts for less when asked to, it is asked to keep these.
    `choices` are the texts of which the answer is to be one, where whoever is asked can hold its model to them.

    Raises UserError when a field cannot mean anything (no messages, n < 1, a schema that is not JSON, ...).
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
    choices: tuple[str, ...] = ()
    stable: int = field(default=0, compare=False)  # says how to send it, and nothing of what is asked

    def __post_init__(self) -> None:
        if (messages := _messages(self.messages)) is not self.messages:
            object.__setattr__(self, "messages", messages)
        if (stop := _texts("stop", self.stop)) is not self.stop:
            object.__setattr__(self, "stop", stop)
        if self.choices:
            object.__setattr__(self, "choices", _choices(self.choices, schema=self.schema))
        _check_whole("max_tokens", self.max_tokens, least=1)
        _check_whole("n", self.n, least=1)
        _check_whole("sample", self.sample)
        if self.stable != 0:
            _check_whole("stable", self.stable, least=0)
        if self.seed is not None:
            _check_whole("seed", self.seed)
        if self.temperature is not None:
            _check_temperature(self.temperature)
        if self.schema is not None:
            _check_schema(self.schema)
        if not isinstance(self.tag, str):
            raise UserError(f"tag must be a text (got {_kind(self.tag)})")

    @property
    def flaw(self) -> str | None:
        """Why no provider can be sent this, although each field is in order; None when nothing is wrong."""
        for position, message in enumerate(self.messages, start=1):
            if not _is_writable(message.content):
                return f"message {position} ({message.role}) holds half a surrogate pair, which is no character"
        if not all(map(_is_writable, self.stop)):
            return "a stop holds half a surrogate pair"
        return None if all(map(_is_writable, self.choices)) else "a choice holds half a surrogate pair"

    def with_schema_told(self) -> Request:
        """The same question where an endpoint has no field for a schema: the last message tells it in words."""
        if self.schema is None:
            return self
        *before, last = self.messages
        words = told(self.schema)
        closing = [Message("user", f"{last.content}\n\n{words}")]
        if last.role != "user":
            closing = [last, Message("user", words)]
        return replace(self, messages=(*before, *closing), schema=None)

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
        choices: tuple[str, ...] = (),
        stable: int = 0,
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
            choices=choices,
            stable=stable,
        )

    def canonical(self, *, asked_of: str) -> bytes:
        """Everything that shapes the reply, and nothing that does not, as JSON; `as_told` reads it.

        `asked_of` names the model and the endpoint. Two requests with the same canonical form are the same question,
        so the answer to one is the answer to the other.
        """
        shape = (
            asked_of,
            [(message.role, message.content) for message in self.messages],
            self.max_tokens,
            None if self.temperature is None else float(self.temperature),  # 0 and 0.0 are one
            self.n,
            self.stop,
            self.seed,
            self.schema,
            self.sample,
            *([self.choices] if self.choices else ()),
        )
        try:
            return orjson.dumps(shape, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # a lone surrogate in a row: it is data, and data must have a name too
            return json.dumps(shape, sort_keys=True).encode()

    @classmethod
    def from_canonical(cls, canonical: bytes, *, tag: str) -> Request:
        """The request whose canonical form this is. Raises ValueError when it is none."""
        told = dict(zip(_CANONICAL, _canonical_values(canonical), strict=True))
        told.pop("asked_of")
        messages = [Message(role, content) for role, content in told.pop("messages")]
        stop, choices = tuple(told.pop("stop")), tuple(told.pop("choices"))
        return cls(messages=tuple(messages), tag=tag, stop=stop, choices=choices, **told)

    def identity(self, *, asked_of: str) -> bytes:
        """The 32 bytes that name the question: the SHA-256 of its canonical form."""
        return hashlib.sha256(self.canonical(asked_of=asked_of)).digest()


def as_told(canonical: bytes) -> dict[str, object]:
    """A canonical request under the names of its fields; those that say nothing are left out.

    Raises ValueError for what is no canonical request.
    """
    told = dict(zip(_CANONICAL, _canonical_values(canonical), strict=True))
    told["messages"] = [{"role": role, "content": content} for role, content in told["messages"]]
    return {name: value for name, value in told.items() if value not in (None, [])}


def asked_of(canonical: bytes) -> str:
    """The model and the endpoint that a canonical request was put to. Raises ValueError for what is none."""
    return str(_canonical_values(canonical)[0])


def _canonical_values(canonical: bytes) -> list[Any]:
    values = json.loads(canonical)
    if isinstance(values, list) and len(values) == len(_CANONICAL) - 1:
        values.append([])  # choices stand there only where there are some: questions without have their name of old
    if not isinstance(values, list) or len(values) != len(_CANONICAL):
        raise ValueError("this is not a request in its canonical form")
    return values


def _messages(given: object) -> tuple[Message, ...]:
    messages = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    if messages is None:
        raise UserError(f"messages must be a list of Message (got {_kind(given)}); for one text use Request.user(text)")
    for position, message in enumerate(messages, start=1):
        if not isinstance(message, Message):
            raise UserError(f'message {position} must be a Message, as in Message("user", text) (got {_kind(message)})')
    if not messages:
        raise UserError("a request needs at least one message (got none)")
    return messages


def _texts(name: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    texts = tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(text, str) for text in texts):
        raise UserError(f"{name} must be texts (got {given!r})")
    return texts


def _choices(given: object, *, schema: object) -> tuple[str, ...]:
    choices = _texts("choices", given)
    if "" in choices:
        raise UserError("a choice must be a text with something in it (got '')")
    if schema is not None:
        raise UserError("an answer is one of its choices or fits a schema: give one of both")
    return choices


def _check_whole(name: str, value: object, *, least: int | None = None) -> None:
    if type(value) is not int:
        raise UserError(f"{name} must be a whole number (got {value!r})")
    if value.bit_length() > _MOST_BITS:  # not shown: Python refuses to write out what is very long
        raise UserError(f"{name} must be a whole number of at most {_MOST_BITS} bits (got {value.bit_length()})")
    if least is not None and value < least:
        raise UserError(f"{name} must be at least {least} (got {value})")


def _check_temperature(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise UserError(f"temperature must lie between 0 and 2 (got {value!r})")


def _check_schema(schema: object) -> None:
    try:
        encoded = orjson.dumps(schema)
    except TypeError as error:
        raise UserError(f"schema must be a JSON object ({error})") from None
    if not encoded.startswith(b"{"):
        raise UserError(f"schema must be a JSON object (got {_kind(schema)})")


def _is_writable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    return type(value).__name__


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
    the journal answered. `paid_usd` is what the answer was charged when it came: the same whoever gives it, and when.
    `attempts` counts the sends.
    """

    texts: tuple[str, ...]
    finish_reasons: tuple[FinishReason, ...]
    usage: Usage
    model: str
    cost_usd: float = 0.0
    paid_usd: float = 0.0
    latency_s: float = 0.0
    attempts: int = 1
    from_journal: bool = False
    schema: Mapping[str, object] | None = field(default=None, hash=False, repr=False)  # of the request

    @property
    def text(self) -> str:
        """The first (and usually only) completion."""
        return self.texts[0]

    @property
    def parsed(self) -> object:
        """What the first completion says, as JSON that fits the request's schema.

        Raises AnswerCut, AnswerRefused, ContentFiltered or SchemaMissed; the reply is paid for and kept all the same.
        """
        return self.parsed_at(0)

    def parsed_at(self, index: int) -> object:
        """The same for one of several completions."""
        if self.schema is None:
            raise UserError("there is nothing to parse by: name what is wanted, as in Request.user(text, schema=...)")
        reason = self.finish_reasons[index]
        if reason == "refusal":
            raise AnswerRefused("the model refused to answer")
        if reason == "filtered":
            raise ContentFiltered("a content filter cut the answer off")
        return read_json(self.texts[index], schema=self.schema, is_cut=reason == "length")


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
