"""Who answers requests: one file a dialect, and here what all of them have in common.

A provider turns a `Request` into bytes, sends them, and reads bytes back. It knows no limit, no budget, no journal and
no retry: it is asked once and answers once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.messages import FinishReason, RawReply, Request, Usage

__all__ = ["AttemptTimedOut", "Capabilities", "ConnectionFailed", "Provider", "Reading", "TransportFailure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What may be sent to a model at an endpoint. What may not is an error when planning, never dropped silently."""

    max_temperature: float | None = 2.0  # None: no sampling parameter may be sent
    n: bool = True  # several completions a request; without it the engine sends n requests
    seed: bool = True
    stop: bool = True
    schema: bool = True  # without it the engine tells the schema in words
    most_stops: int | None = None  # None: any number
    choices: bool = False  # whether a model can be held to some texts

    def objection(self, request: Request) -> str | None:
        """What this request asks that the endpoint cannot do, in words; None when it can do all of it."""
        if request.temperature is not None and self.max_temperature is None:
            return "no temperature may be sent to this model"
        if request.temperature is not None and request.temperature > (self.max_temperature or 0):
            return f"the temperature must be at most {self.max_temperature:g} here (got {request.temperature:g})"
        if self.stop and self.most_stops is not None and len(request.stop) > self.most_stops:
            return f"at most {self.most_stops} stop sequences may be sent here (got {len(request.stop)})"
        can_all = self.n and self.seed and self.stop and self.schema and (self.choices or not request.choices)
        return None if can_all else self._missing(request)

    def shared_with(self, other: Capabilities) -> Capabilities:
        """What both can do."""
        ceilings = (self.max_temperature, other.max_temperature)
        stops = [most for most in (self.most_stops, other.most_stops) if most is not None]
        return Capabilities(
            max_temperature=None if None in ceilings else min(ceiling for ceiling in ceilings if ceiling is not None),
            n=self.n and other.n,
            seed=self.seed and other.seed,
            stop=self.stop and other.stop,
            schema=self.schema and other.schema,
            most_stops=min(stops, default=None),
            choices=self.choices and other.choices,
        )

    def _missing(self, request: Request) -> str | None:
        asked = {"n": request.n > 1, "seed": request.seed is not None, "stop": bool(request.stop)}
        asked |= {"schema": request.schema is not None, "choices": bool(request.choices)}
        missing = [name for name, is_asked in asked.items() if is_asked and not getattr(self, name)]
        return f"this endpoint knows no {' and no '.join(missing)}" if missing else None


@dataclass(frozen=True, slots=True)
class Reading:
    """A reply as the dialect says it: completions in order, why each ended, and the usage if it was told credibly."""

    texts: tuple[str, ...]
    finish_reasons: tuple[FinishReason, ...]
    usage: Usage | None
    model: str


class TransportFailure(Exception):
    """No complete HTTP reply came back. `sent` is False only when the provider surely never saw the request."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ConnectionFailed(TransportFailure):
    """The connection could not be made, or broke."""


class AttemptTimedOut(TransportFailure):
    """The attempt took longer than it was given."""


class Provider(Protocol):
    """Asked once, answers once.

    `name` is `provider/model` as on the command line. `endpoint` says who answers, and is part of a question's
    identity; it never holds a key. `simulated` providers are called so on every screen and in every report.
    """

    @property
    def name(self) -> str: ...

    @property
    def endpoint(self) -> str: ...

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def simulated(self) -> bool: ...

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        """Send and return whatever came back, whatever its status. Raises TransportFailure when nothing did."""
        ...

    def read(self, request: Request, raw: RawReply) -> Reading:
        """Read a successful reply: pure. Raises RequestFailed (UnreadableReply, ContentFiltered) when it is none."""
        ...

    async def aclose(self) -> None: ...
