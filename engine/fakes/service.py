"""What the fake provider answers, decided without a socket: a request in, a status, a body and a fate out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from engine.fakes.audit import Audit, Entry, fingerprint
from engine.fakes.behaviour import Behaviour
from engine.fakes.case import Case, Ending, Refused, Served, Spoilt
from engine.fakes.chance import Sightings, chance
from engine.fakes.connection_faults import log_normal
from engine.fakes.counting import Counts
from engine.fakes.dialect import Asked, Dialect, Headers, Refusal, RefusalKind, answer_to
from engine.fakes.faults import Fault, drawn
from engine.fakes.limits import Charge, Gate, Gates, RateLimits
from engine.fakes.prompt_cache import PromptCache
from engine.fakes.rules import Judge, Rule
from engine.messages import SIMULATED_HEADER
from engine.prices import PICO_PER_USD
from engine.providers.simulated import Answered, World

__all__ = ["Moment", "Service", "named"]

_REFUSALS: Final[Mapping[Fault, tuple[RefusalKind, str]]] = {
    "error": ("server", "Internal error"),
    "overloaded": ("overloaded", "Overloaded"),
    "too_fast": ("rate", "Slow down: too many requests right now."),
}
_BROKE: Final = "You exceeded your current quota: your credit balance is too low. Please go to plans and billing."
_ENDINGS: Final[Mapping[Fault | None, Ending]] = {"reset": "reset", "truncated": "truncated"}


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, twice: seconds since the server began, and seconds since 1970."""

    elapsed: float
    wall: float


class Service:
    """Answers for a world in any dialect, within limits and with faults, and writes down what it saw.

    What is said depends on the world and the request alone, never on the order of arrival; whether a limit or a fault
    is in the way depends on what came before.
    """

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self.world = world
        self.audit = Audit()
        self._gates = Gates(behaviour.limits)
        self._cache = PromptCache()
        self._count_gate = Gate(RateLimits(rpm=behaviour.count_rpm))
        self._sightings = Sightings()
        self._behave(behaviour)

    def _behave(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.judge = Judge(behaviour.rules, seed=behaviour.seed)
        self._quota = None if behaviour.quota_usd is None else round(behaviour.quota_usd * PICO_PER_USD)
        self._faults = behaviour.faults
        self._faulty = behaviour.faults.any
        self._changes = list(behaviour.changes)
        self._began: float | None = None  # when the first request came

    def change(self, behaviour: Behaviour, *, now: float) -> None:
        """Behave like this from now on. What was billed stays so; times of rules and changes begin anew."""
        self._gates.change(behaviour.limits, now=now)
        self._count_gate.change(RateLimits(rpm=behaviour.count_rpm), now=now)
        self._behave(behaviour)

    def serve(self, dialect: Dialect, headers: Headers, body: bytes, moment: Moment, *, path: str = "") -> Served:
        """Decide about one request. Whoever calls must call `audit.leave` once the answer is out."""
        self._change(moment.elapsed)
        key = dialect.key(headers)
        entry = self._arrived(dialect, key, moment, path)
        try:
            served = self._answer(dialect, key, headers, body, moment, entry)
        except Refusal as refusal:
            served = self._refused(dialect, refusal, entry, moment)
        entry.status = served.status
        return served

    def count(self, counts: Counts, headers: Headers, body: bytes, moment: Moment, *, path: str) -> Served:
        """How many tokens a request would have: free, and with a limit of its own."""
        dialect = counts.dialect
        key = dialect.key(headers)
        entry = self._arrived(dialect, key, moment, path)
        try:
            self.check_key(key)
            counted = counts.answer(body, headers)
            denial = self._count_gate.admit(Charge(0, 0), now=moment.elapsed, denied_counts=dialect.denied_counts)
            if denial is not None:
                raise dialect.deny(denial, model="any")
            served = Served(200, named(dialect, entry.number), counted)
        except Refusal as refusal:
            served = self._refused(dialect, refusal, entry, None)
        entry.status = served.status
        return served

    def refuse(self, dialect: Dialect, headers: Headers, refusal: Refusal, moment: Moment, *, path: str = "") -> Served:
        """Turn away what is no request for an answer (a wrong path, a body beyond all bounds), and write it down."""
        entry = self._arrived(dialect, dialect.key(headers), moment, path)
        served = self._refused(dialect, refusal, entry, None)
        entry.status = served.status
        return served

    def lose(self, dialect: Dialect, headers: Headers, moment: Moment, *, fault: str, path: str) -> None:
        """Write down a request whose connection broke before it was read; it has left already."""
        entry = self._arrived(dialect, dialect.key(headers), moment, path)
        entry.fault = fault
        self.audit.leave()

    def _arrived(self, dialect: Dialect, key: str | None, moment: Moment, path: str) -> Entry:
        shown_key = None if key is None else fingerprint(key)
        return self.audit.arrive(at=moment.elapsed, dialect=dialect.name, key=shown_key, path=path)

    def _change(self, now: float) -> None:
        self._began = now if self._began is None else self._began
        while self._changes and self._changes[0].after_s <= now - self._began:
            change = self._changes.pop(0)
            if change.limits is not None:
                self._gates.change(change.limits, now=now)
            if change.faults is not None:
                self._faults, self._faulty = change.faults, change.faults.any

    def _answer(
        self, dialect: Dialect, key: str | None, headers: Headers, body: bytes, moment: Moment, entry: Entry
    ) -> Served:
        self.check_key(key)
        asked = dialect.read(body, headers)
        entry.model = asked.model
        self._check_context(asked)
        self.check_quota()
        asked = self._cached(asked, entry, moment)
        self._admit(dialect, asked, moment, entry)
        if self.judge.decides and (rule := self._rule(dialect, asked, body, moment)) is not None:
            return self._met(rule, dialect, asked, body, moment, entry)
        entry.fault = fault = self._fault(body)
        if fault is not None and (fault in _REFUSALS or fault == "error_under_200"):
            return self._failed(dialect, fault, entry, moment)
        served = self._worked(dialect, asked, body, moment, entry)
        return served if fault is None else self._spoilt(fault, served)

    def _rule(self, dialect: Dialect, asked: Asked, body: bytes, moment: Moment) -> Rule | None:
        texts = [message.content for message in asked.messages]
        return self.judge.met(body, texts=texts, model=asked.model, dialect=dialect.name, elapsed=moment.elapsed)

    def _met(self, rule: Rule, dialect: Dialect, asked: Asked, body: bytes, moment: Moment, entry: Entry) -> Served:
        """What comes of a request that meets a rule."""
        mishap = rule.mishap
        entry.fault = None if rule.do == "answer" else rule.do
        case = Case(dialect, asked, entry.number, self._headers(dialect, entry, moment), moment.wall, rule.all_settings)
        if isinstance(mishap, Refused):
            served = mishap.say(case)
        elif isinstance(mishap, Spoilt):
            served = mishap.spoil(case, self._worked(dialect, asked, body, moment, entry))
        else:
            raise AssertionError("unreachable: what happens before a request is read has happened")
        changed = {**served.headers, **rule.headers} if rule.headers else served.headers
        return replace(served, headers={name: text for name, text in changed.items() if text is not None})

    def _worked(self, dialect: Dialect, asked: Asked, body: bytes, moment: Moment, entry: Entry) -> Served:
        """A good answer: the work is done, and billed."""
        answered = answer_to(asked, self.world)
        self._gates.of(asked.model).produced(_charge(asked), answered.output_tokens)
        self.audit.bill(entry, asked.usage(answered.output_tokens), price=self.world.price)
        reply = dialect.write(asked, answered.completions, number=entry.number, created=int(moment.wall))
        delay_s = self._delay(answered, body)
        self._keep(asked, entry, moment, delay_s=delay_s)
        return Served(200, self._headers(dialect, entry, moment), reply, delay_s)

    def _cached(self, asked: Asked, entry: Entry, moment: Moment) -> Asked:
        """The request with what the cache has of its prompt. Caches are of a key and a model."""
        if not asked.cuts:
            return asked
        return replace(asked, cached=self._cache.use((entry.key, asked.model), asked.cuts, now=moment.elapsed))

    def _keep(self, asked: Asked, entry: Entry, moment: Moment, *, delay_s: float) -> None:
        """What was written to the cache can be read once the answer is out."""
        now = moment.elapsed
        self._cache.keep((entry.key, asked.model), asked.cuts, now=now, answered_at=now + delay_s)

    def _spoilt(self, fault: Fault, served: Served) -> Served:
        return replace(
            served,
            body=served.body[: len(served.body) // 2] if fault == "garbled" else served.body,
            delay_s=served.delay_s + (self.behaviour.stall_s if fault == "stall" else 0.0),
            ending=_ENDINGS.get(fault, "whole"),
        )

    def check_key(self, key: str | None) -> None:
        """Refuse any key but ours, if there is one."""
        if self.behaviour.api_key is not None and key != self.behaviour.api_key:
            raise Refusal("unauthorized", "Incorrect API key provided." if key else "No API key was provided.")

    def _check_context(self, asked: Asked) -> None:
        window = self.behaviour.context_tokens
        needed = asked.input_tokens + asked.max_tokens
        if window is not None and needed > window:
            raise Refusal("context", f"prompt is too long: {needed} tokens > {window} maximum", field="messages")

    def check_quota(self) -> None:
        """Refuse once the money is used up; the request that used it up was answered."""
        if self._quota is not None and self.audit.billed >= self._quota:
            raise Refusal("quota", _BROKE)

    def _admit(self, dialect: Dialect, asked: Asked, moment: Moment, entry: Entry) -> None:
        if not self._gates.limits.any:
            return
        charge = _charge(asked)
        gate = self._gates.of(asked.model)
        denial = gate.admit(charge, now=moment.elapsed, denied_counts=dialect.denied_counts)
        if denial is not None:
            raise dialect.deny(denial, model=asked.model)
        entry.tokens_charged = gate.tokens_charged(charge)

    def _fault(self, body: bytes) -> Fault | None:
        if not self._faulty:
            return None
        return drawn(self._faults, seed=self.behaviour.seed, body=body, sighting=self._sightings.count(body))

    def _delay(self, answered: Answered, body: bytes) -> float:
        behaviour = self.behaviour
        latency = answered.latency_s if behaviour.latency_s is None else behaviour.latency_s
        if behaviour.latency_sigma:
            draw = f"{behaviour.seed}/{chance(body, 'latency')}"
            latency = log_normal(latency, sigma=behaviour.latency_sigma, draw=draw)
        return latency * behaviour.latency_scale

    def _failed(self, dialect: Dialect, fault: Fault, entry: Entry, moment: Moment) -> Served:
        kind, message = _REFUSALS.get(fault, _REFUSALS["error"])
        served = self._refused(dialect, Refusal(kind, message), entry, moment)
        return Served(200, served.headers, served.body) if fault == "error_under_200" else served

    def _refused(self, dialect: Dialect, refusal: Refusal, entry: Entry, moment: Moment | None) -> Served:
        """No. Limits are told with it, unless it has nothing to do with them."""
        status, body = dialect.refuse(refusal, number=entry.number)
        headers = named(dialect, entry.number) if moment is None else self._headers(dialect, entry, moment)
        return Served(status, {**headers, **(refusal.headers if self.behaviour.tells_limits else {})}, body)

    def _headers(self, dialect: Dialect, entry: Entry, moment: Moment) -> dict[str, str]:
        """What stands at the head of a reply: who is asked, and how the limits stand."""
        headers = named(dialect, entry.number)
        if self._gates.limits.any and self.behaviour.tells_limits:
            standings = self._gates.of(entry.model).standings()
            headers.update(dialect.limit_headers(standings, wall=moment.wall))
        return headers

    def models(self, dialect: Dialect) -> bytes:
        """The list of models: the world's name, though any name is answered to."""
        return dialect.models([self.world.name])


def _charge(asked: Asked) -> Charge:
    return Charge(asked.counted_tokens, asked.n * asked.max_tokens)


def named(dialect: Dialect, number: int) -> dict[str, str]:
    """The headers of any reply: its number, and that no model has given it."""
    name, value = dialect.request_id(number)
    return {"content-type": "application/json", SIMULATED_HEADER: "1", name: value}
