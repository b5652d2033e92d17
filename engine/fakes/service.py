"""What the fake provider answers, decided without a socket: a request in, a status, a body and a fate out."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from engine.fakes.audit import Audit, Entry, fingerprint
from engine.fakes.dialect import Asked, Dialect, Headers, Refusal, RefusalKind
from engine.fakes.faults import Fault, FaultRates, drawn
from engine.fakes.limits import Charge, Gate, RateLimits
from engine.fakes.prompt_cache import PromptCache
from engine.messages import SIMULATED_HEADER
from engine.providers.foreign import encode
from engine.providers.simulated import Answered, World, answered_by

__all__ = ["Behaviour", "Change", "Moment", "Served", "Service"]

Ending = Literal["whole", "reset", "truncated"]
"""How the connection ends: as it should, reset before any byte, or closed in the middle of the body."""

_REFUSALS: Final[dict[Fault, tuple[RefusalKind, str]]] = {
    "error": ("server", "Internal error"),
    "overloaded": ("overloaded", "Overloaded"),
    "too_fast": ("rate", "Slow down: too many requests right now."),
}
_ENDINGS: Final[dict[Fault | None, Ending]] = {"reset": "reset", "truncated": "truncated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different from so many seconds after the first request on; None: nothing.

    Change(after_s=20, limits=RateLimits(rpm=3000))     # the limit halves
    Change(after_s=20, faults=FaultRates(overloaded=1)), Change(after_s=80, faults=FaultRates())    # a storm
    """

    after_s: float
    limits: RateLimits | None = None
    faults: FaultRates | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How the service behaves; everything is off by default.

    Limits are told in headers unless `tells_limits` is off; then waits are not told either. `changes` come in order of
    time. `latency_s` replaces the world's own latency, `latency_scale` multiplies it. With `api_key` set, any other key
    is refused. With `context_tokens` set, prompts and allowances that pass it together are.
    """

    limits: RateLimits = field(default_factory=RateLimits)
    tells_limits: bool = True
    faults: FaultRates = field(default_factory=FaultRates)
    changes: tuple[Change, ...] = ()
    latency_s: float | None = None
    latency_scale: float = 1.0
    stall_s: float = 30.0
    api_key: str | None = None
    context_tokens: int | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, twice: seconds since the server began, and seconds since 1970."""

    elapsed: float
    wall: float


@dataclass(frozen=True, slots=True)
class Served:
    """What to send, after how many seconds, and how the connection then ends."""

    status: int
    headers: dict[str, str]
    body: bytes
    delay_s: float = 0.0
    ending: Ending = "whole"


class Service:
    """Answers for a world in any dialect, within limits and with faults, and writes down what it saw.

    What is said depends on the world and the request alone, never on the order of arrival; whether a limit or a fault
    is in the way depends on what came before.
    """

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self.world = world
        self.behaviour = behaviour
        self.audit = Audit()
        self._gate = Gate(behaviour.limits)
        self._cache = PromptCache()
        self._faults = behaviour.faults
        self._faulty = behaviour.faults.any
        self._changes = list(behaviour.changes)
        self._began: float | None = None  # when the first request came
        self._sightings: Counter[bytes] = Counter()

    def serve(self, dialect: Dialect, headers: Headers, body: bytes, moment: Moment) -> Served:
        """Decide about one request. Whoever calls must call `audit.leave` once the answer is out."""
        self._change(moment.elapsed)
        key = dialect.key(headers)
        shown_key = None if key is None else fingerprint(key)
        entry = self.audit.arrive(at=moment.elapsed, dialect=dialect.name, key=shown_key)
        try:
            served = self._answer(dialect, key, headers, body, moment, entry)
        except Refusal as refusal:
            served = self._refused(dialect, refusal, entry)
        entry.status = served.status
        if self._gate.told and self.behaviour.tells_limits:
            served.headers.update(dialect.limit_headers(self._gate.standings(), wall=moment.wall))
        return served

    def refuse(self, dialect: Dialect, refusal: Refusal, moment: Moment) -> Served:
        """Turn away what is no request for an answer (a wrong path, a body beyond all bounds), and write it down."""
        entry = self.audit.arrive(at=moment.elapsed, dialect=dialect.name, key=None)
        served = self._refused(dialect, refusal, entry)
        entry.status = served.status
        return served

    def _change(self, now: float) -> None:
        self._began = now if self._began is None else self._began
        while self._changes and self._changes[0].after_s <= now - self._began:
            change = self._changes.pop(0)
            if change.limits is not None:
                self._gate.change(change.limits, now=now)
            if change.faults is not None:
                self._faults, self._faulty = change.faults, change.faults.any

    def _answer(
        self, dialect: Dialect, key: str | None, headers: Headers, body: bytes, moment: Moment, entry: Entry
    ) -> Served:
        self._check_key(key)
        asked = dialect.read(body, headers)
        entry.model = asked.model
        self._check_context(asked)
        asked = self._cached(asked, entry, moment)
        self._admit(dialect, asked, moment, entry)
        entry.fault = fault = self._fault(body)
        if fault in _REFUSALS or fault == "error_under_200":
            return self._failed(dialect, fault, entry)
        answered = self._ask(asked)
        self._bill(asked, answered, entry)
        reply = dialect.write(asked, answered.completions, number=entry.number, created=int(moment.wall))
        delay_s = self._delay(answered, fault)
        self._keep(asked, entry, moment, delay_s=delay_s)
        return Served(
            200,
            _headers(dialect, entry),
            reply[: len(reply) // 2] if fault == "garbled" else reply,
            delay_s,
            _ENDINGS.get(fault, "whole"),
        )

    def _cached(self, asked: Asked, entry: Entry, moment: Moment) -> Asked:
        """The request with what the cache has of its prompt. Caches are of a key and a model."""
        if not asked.cuts:
            return asked
        return replace(asked, cached=self._cache.use((entry.key, asked.model), asked.cuts, now=moment.elapsed))

    def _keep(self, asked: Asked, entry: Entry, moment: Moment, *, delay_s: float) -> None:
        """What was written to the cache can be read once the answer is out."""
        now = moment.elapsed
        self._cache.keep((entry.key, asked.model), asked.cuts, now=now, answered_at=now + delay_s)

    def _ask(self, asked: Asked) -> Answered:
        return answered_by(
            self.world,
            asked.messages,
            temperature=asked.temperature,
            max_tokens=asked.max_tokens,
            n=asked.n,
            stop=asked.stop,
        )

    def _check_key(self, key: str | None) -> None:
        if self.behaviour.api_key is not None and key != self.behaviour.api_key:
            raise Refusal("unauthorized", "Incorrect API key provided." if key else "No API key was provided.")

    def _check_context(self, asked: Asked) -> None:
        window = self.behaviour.context_tokens
        needed = asked.input_tokens + asked.max_tokens
        if window is not None and needed > window:
            raise Refusal("context", f"prompt is too long: {needed} tokens > {window} maximum", field="messages")

    def _admit(self, dialect: Dialect, asked: Asked, moment: Moment, entry: Entry) -> None:
        if not self._gate.told:
            return
        charge = Charge(asked.counted_tokens, asked.n * asked.max_tokens)
        denial = self._gate.admit(charge, now=moment.elapsed, denied_counts=dialect.denied_counts)
        if denial is not None:
            raise dialect.deny(denial, model=asked.model)
        entry.tokens_charged = self._gate.tokens_charged(charge)

    def _bill(self, asked: Asked, answered: Answered, entry: Entry) -> None:
        output_tokens = sum(completion.tokens for completion in answered.completions)
        self._gate.produced(output_tokens)
        cost = self.world.price.cost(asked.usage(output_tokens))
        self.audit.bill(entry, input_tokens=asked.input_tokens, output_tokens=output_tokens, cost=cost)

    def _fault(self, body: bytes) -> Fault | None:
        if not self._faulty:
            return None
        name = hashlib.blake2b(body, digest_size=8).digest()
        self._sightings[name] += 1
        return drawn(self._faults, seed=self.behaviour.seed, body=body, sighting=self._sightings[name])

    def _delay(self, answered: Answered, fault: Fault | None) -> float:
        latency = answered.latency_s if self.behaviour.latency_s is None else self.behaviour.latency_s
        stalled = self.behaviour.stall_s if fault == "stall" else 0.0
        return latency * self.behaviour.latency_scale + stalled

    def _failed(self, dialect: Dialect, fault: Fault, entry: Entry) -> Served:
        kind, message = _REFUSALS.get(fault, _REFUSALS["error"])
        served = self._refused(dialect, Refusal(kind, message), entry)
        return Served(200, served.headers, served.body) if fault == "error_under_200" else served

    def _refused(self, dialect: Dialect, refusal: Refusal, entry: Entry) -> Served:
        status, body = dialect.refuse(refusal, number=entry.number)
        told = refusal.headers if self.behaviour.tells_limits else {}
        return Served(status, {**_headers(dialect, entry), **told}, body)

    def models(self, dialect: Dialect) -> bytes:
        """The list of models: the world's name, though any name is answered to."""
        return dialect.models([self.world.name])

    def audit_body(self, *, since: int) -> bytes:
        return encode(self.audit.as_record(since=since))


def _headers(dialect: Dialect, entry: Entry) -> dict[str, str]:
    name, value = dialect.request_id(entry.number)
    return {"content-type": "application/json", SIMULATED_HEADER: "1", name: value}
