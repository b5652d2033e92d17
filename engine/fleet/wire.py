"""What driver, workers and coordinator tell one another: plain tuples, small and quick to read, and nothing secret.

A message is pickled by whatever carries it, so it is made of texts, numbers and tuples of these: a class of ours would
cost ten times as much, and there are thousands of them a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeAlias

from engine import errors
from engine.errors import SmeltError
from engine.messages import Message, Reply, Request, Usage

__all__ = [
    "Account",
    "Asked",
    "Ended",
    "Failed",
    "News",
    "Order",
    "Plain",
    "packed_error",
    "packed_reply",
    "packed_request",
    "read_error",
    "read_reply",
    "read_request",
]

Plain: TypeAlias = tuple[Any, ...]
"""What a request, a reply or an error is on its way."""

_BESIDE_MESSAGES: Final = tuple(each.name for each in fields(Request) if each.name != "messages")
_VALUES: Final = attrgetter(*_BESIDE_MESSAGES)


class Account(NamedTuple):
    """What a worker has done with its money in a stage since it began, in pico-dollars.

    It still holds what it was lent less all of this; `returned` it has given back.
    """

    spent: int = 0
    assumed: int = 0
    returned: int = 0


class Asked(NamedTuple):
    """A request that a worker is to ask: its number, itself, and how much money is lent with it."""

    number: int
    request: Plain
    amount: int


class Ended(NamedTuple):
    """How a request ended: with a reply or an error. Without either it was handed back unasked."""

    number: int
    reply: Plain | None = None
    error: Plain | None = None


class Failed(NamedTuple):
    """An attempt that failed, as the event tells it."""

    tag: str
    kind: str
    delay_s: float | None
    latency_s: float
    model: str


class Order(NamedTuple):
    """What the driver wants of a worker. Orders arrive once and in their order, or the worker is lost.

    `lent` is more money by stage, beside what comes with the requests; `refused` says of which stages there is no more,
    and why. `hand_back` is how many requests that it has not begun with are wanted back, `dropped` which of them nobody
    wants any more.
    """

    asked: tuple[Asked, ...] = ()
    lent: tuple[tuple[str, int], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    hand_back: int = 0
    dropped: tuple[int, ...] = ()
    paused: bool | None = None
    drained: bool = False


class News(NamedTuple):
    """What a worker has to tell since it was asked last. Sums are since it began.

    `money` is by stage; `wants` is how much more it needs, by stage, before it can go on; `tallies` are those of each
    of its models by tag, `replies` how many each has given. `room` is how many requests it would like to have in all,
    `unbegun` how many it has not begun with.
    """

    ended: tuple[Ended, ...] = ()
    money: Mapping[str, Account] = {}
    wants: Mapping[str, int] = {}
    tallies: tuple[Mapping[str, tuple[int, ...]], ...] = ()
    replies: tuple[int, ...] = ()
    room: int = 0
    unbegun: int = 0
    in_flight: int = 0
    waiting: int = 0
    allowed: int = 0
    hedged: int = 0
    binding: str = "lack of work"
    limits: tuple[float | None, ...] = ()
    sent: Mapping[str, int] = {}
    failed: tuple[Failed, ...] = ()
    notes: tuple[str, ...] = ()
    simulated: tuple[bool, ...] = ()
    is_alone: bool = False  # the coordinator has not been heard of for so long that nothing more is sent


def packed_request(request: Request) -> Plain:
    return tuple((message.role, message.content) for message in request.messages), *_VALUES(request)


def read_request(told: Plain) -> Request:
    messages, *values = told
    beside = dict(zip(_BESIDE_MESSAGES, values, strict=True))
    return Request(messages=tuple(Message(role, content) for role, content in messages), **beside)


def packed_reply(reply: Reply) -> Plain:
    usage = reply.usage
    return (
        reply.texts,
        reply.finish_reasons,
        (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens),
        reply.model,
        reply.cost_usd,
        reply.paid_usd,
        reply.latency_s,
        reply.attempts,
        reply.from_journal,
    )


def read_reply(told: Plain) -> Reply:
    """The reply, without the schema of its request, which whoever asked knows."""
    texts, reasons, usage, model, cost_usd, paid_usd, latency_s, attempts, from_journal = told
    return Reply(
        texts=texts,
        finish_reasons=reasons,
        usage=Usage(*usage),
        model=model,
        cost_usd=cost_usd,
        paid_usd=paid_usd,
        latency_s=latency_s,
        attempts=attempts,
        from_journal=from_journal,
    )


_ERRORS: Final[Mapping[str, type[SmeltError]]] = {
    name: getattr(errors, name) for name in errors.__all__ if name != "MissingExtra"
}


def packed_error(error: SmeltError) -> Plain:
    """Its kind and its words; of a kind that only its own module knows, the next that everybody does."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS), str(error)


def read_error(told: Plain) -> SmeltError:
    kind, text = told
    return _ERRORS[kind](text)
