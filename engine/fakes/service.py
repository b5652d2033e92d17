"""What the fake provider answers, decided without a socket: a request in, a status, a body and a fate out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from engine.fakes.asked_mishaps import mishap_asked_for, unread_mishap_asked_for
from engine.fakes.audit import Audit, Entry, ends_of, fingerprint
from engine.fakes.behaviour import Behaviour
from engine.fakes.call import Call
from engine.fakes.case import Case, Refused, Served, Spoilt
from engine.fakes.chance import Sightings, chance
from engine.fakes.connection_faults import log_normal
from engine.fakes.dialect import Asked, Dialect, Headers, Refusal, answer_to
from engine.fakes.faults import Fault, drawn, rule_for
from engine.fakes.limits import Charge, Gates, RateLimits
from engine.fakes.prompt_cache import PromptCache
from engine.fakes.rules import Judge, Rule, Seen
from engine.messages import SIMULATED_HEADER
from engine.prices import PICO_PER_USD
from engine.providers.simulated import Answered, World

__all__ = ["Moment", "Service"]

_BROKE: Final = "You exceeded your current quota: your credit balance is too low. Please go to plans and billing."
_FREE: Final = Charge(0, 0)


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, twice: seconds since the server began, and seconds since 1970."""

    elapsed: float
    wall: float


@dataclass(slots=True)
class _Visit:
    """A request while it is decided about."""

    dialect: Dialect
    headers: Headers
    body: bytes
    moment: Moment
    entry: Entry


class Service:
    """Answers for a world in any dialect, within limits and with faults, and writes down what it saw.

    What is said depends on the world and the request alone, never on the order of arrival; whether a limit or a fault
    is in the way depends on what came before. Whoever asks must call `audit.leave` once what was served is out.
    """

    def __init__(self, world: World, behaviour: Behaviour) -> None:
        self.world = world
        self.audit = Audit()
        self._gates = Gates(behaviour.limits)
        self._count_gates = Gates(_count_limits(behaviour))
        self._cache = PromptCache()
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
        self._count_gates.change(_count_limits(behaviour), now=now)
        self._behave(behaviour)

    # -- what comes in

    def serve(self, dialect: Dialect, headers: Headers, body: bytes, moment: Moment, *, path: str = "") -> Served:
        """Decide about a request for an answer."""
        self._change(moment.elapsed)
        visit = self._arrived(dialect, headers, body, moment, path=path)
        try:
            served = self._answer(visit)
        except Refusal as refusal:
            served = self._refused(visit, refusal, self._headers(visit))
        visit.entry.status = served.status
        return served

    def attend(self, dialect: Dialect, call: Call, moment: Moment, *, work: Callable[[], bytes]) -> Served:
        """A call that asks for no answer: the key is looked at and rules are kept; what is said is `work`'s to know."""
        visit = self._arrived(dialect, call.headers, call.content, moment, path=call.path, method=call.method)
        headers = named(dialect, visit.entry.number)
        try:
            self._check_key(visit)
            served = self._attended(visit, call, lambda: Served(200, headers, work()))
        except Refusal as refusal:
            served = self._refused(visit, refusal, headers)
        visit.entry.status = served.status
        return served

    def refuse(self, dialect: Dialect, headers: Headers, refusal: Refusal, moment: Moment, *, path: str = "") -> Served:
        """Turn away what could not be read, and write it down."""
        visit = self._arrived(dialect, headers, b"", moment, path=path)
        served = self._refused(visit, refusal, named(dialect, visit.entry.number))
        visit.entry.status = served.status
        return served

    def met_unread(self, dialect: Dialect, headers: Headers, moment: Moment, *, method: str, path: str) -> Rule | None:
        """The rule by which the connection breaks before the request is read; then that is written down."""
        seen = Seen(method=method, path=path, dialect=dialect.name)
        rule = unread_mishap_asked_for(headers) or self.judge.met_unread(seen, elapsed=moment.elapsed)
        if rule is not None:
            self.lose(dialect, headers, moment, fault=rule.do, method=method, path=path)
        return rule

    def lose(self, dialect: Dialect, headers: Headers, moment: Moment, *, fault: str, method: str, path: str) -> None:
        """Write down a request whose connection broke before it was read; it has left already."""
        visit = self._arrived(dialect, headers, b"", moment, path=path, method=method)
        visit.entry.fault = fault
        self.audit.leave()

    def _arrived(
        self, dialect: Dialect, headers: Headers, body: bytes, moment: Moment, *, path: str, method: str = "POST"
    ) -> _Visit:
        key = dialect.key(headers)
        shown_key = None if key is None else fingerprint(key)
        entry = self.audit.arrive(at=moment.elapsed, dialect=dialect.name, key=shown_key, method=method, path=path)
        return _Visit(dialect, headers, body, moment, entry)

    def _change(self, now: float) -> None:
        self._began = now if self._began is None else self._began
        while self._changes and self._changes[0].after_s <= now - self._began:
            change = self._changes.pop(0)
            if change.limits is not None:
                self._gates.change(change.limits, now=now)
            if change.faults is not None:
                self._faults, self._faulty = change.faults, change.faults.any

    # -- answers

    def _answer(self, visit: _Visit) -> Served:
        self._check_key(visit)
        asked = self._read(visit)
        self.check_quota()
        asked = self._cached(asked, visit)
        self._admit(asked, visit)
        rule = self._rule(visit, lambda: _seen(asked, visit))
        fault = None if rule is not None else self._fault(visit.body)
        if fault is not None:
            rule = rule_for(fault, dialect=visit.dialect.name, stall_s=self.behaviour.stall_s)
        if rule is None:
            return self._worked(asked, visit)
        case = self._case(visit, rule, self._headers(visit), asked)
        return self._met(rule, case, lambda: self._worked(asked, visit), visit.entry, name=fault)

    def _read(self, visit: _Visit) -> Asked:
        """The request, if it is one; where the service says so, one that is none counts as well."""
        try:
            asked = visit.dialect.read(visit.body, visit.headers)
            visit.entry.model = asked.model
            self._check_context(asked)
        except Refusal:
            if visit.dialect.denied_counts:
                self._gates.of(visit.entry.model, visit.entry.key).waste(now=visit.moment.elapsed)
            raise
        return asked

    def _worked(self, asked: Asked, visit: _Visit) -> Served:
        """A good answer: the work is done, and billed."""
        answered = answer_to(asked, self.world)
        entry = visit.entry
        self._gates.of(entry.model, entry.key).produced(_charge(asked), answered.output_tokens)
        self.audit.bill(entry, asked.usage(answered.output_tokens), price=self.world.price)
        created = int(visit.moment.wall)
        reply = visit.dialect.write(asked, answered.completions, number=entry.number, created=created)
        delay_s = self._delay(answered, visit.body)
        self._keep(asked, visit, delay_s=delay_s)
        return Served(200, self._headers(visit), reply, delay_s)

    def _cached(self, asked: Asked, visit: _Visit) -> Asked:
        """The request with what the cache has of its prompt. Caches are of a key and a model."""
        if not asked.cuts:
            return asked
        cached = self._cache.use((visit.entry.key, asked.model), asked.cuts, now=visit.moment.elapsed)
        return replace(asked, cached=cached)

    def _keep(self, asked: Asked, visit: _Visit, *, delay_s: float) -> None:
        """What was written to the cache can be read once the answer is out."""
        now = visit.moment.elapsed
        self._cache.keep((visit.entry.key, asked.model), asked.cuts, now=now, answered_at=now + delay_s)

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

    # -- rules

    def _attended(self, visit: _Visit, call: Call, work: Callable[[], Served]) -> Served:
        def seen() -> Seen:
            texts = (visit.body.decode("utf-8", "replace"),)
            return Seen(
                method=call.method, path=call.path, dialect=visit.dialect.name, body=visit.body, texts=texts,
                model=call.model, answers=False,
            )  # fmt: skip

        rule = self._rule(visit, seen, answers=False)
        if rule is None:
            return work()
        return self._met(rule, self._case(visit, rule, named(visit.dialect, visit.entry.number)), work, visit.entry)

    def _rule(self, visit: _Visit, seen: Callable[[], Seen], *, answers: bool = True) -> Rule | None:
        """What the request asks to meet itself, else the rule that holds for it."""
        asked_for = mishap_asked_for(visit.headers, answers=answers)
        if asked_for is not None or not self.judge.decides:
            return asked_for
        return self.judge.met(seen(), elapsed=visit.moment.elapsed)

    def _case(self, visit: _Visit, rule: Rule, headers: Headers, asked: Asked | None = None) -> Case:
        return Case(
            dialect=visit.dialect,
            model="any" if asked is None else asked.model,
            body=visit.body,
            output_allowed=0 if asked is None else asked.n * asked.max_tokens,
            number=visit.entry.number,
            key=ends_of(visit.dialect.key(visit.headers)),
            headers=headers,
            wall=visit.moment.wall,
            settings=rule.all_settings,
        )

    def _met(
        self, rule: Rule, case: Case, work: Callable[[], Served], entry: Entry, *, name: str | None = None
    ) -> Served:
        """What comes of a request that meets a rule; in the audit it has the rule's name, or another."""
        mishap = rule.mishap
        if isinstance(mishap, Refused):
            served = mishap.say(case)
        elif isinstance(mishap, Spoilt):
            served = mishap.spoil(case, work())
        else:
            raise AssertionError("unreachable: what happens before a request is read has happened")
        entry.fault = name or (None if rule.do == "answer" else rule.do)
        changed = {**served.headers, **rule.headers} if rule.headers else served.headers
        return replace(served, headers={header: text for header, text in changed.items() if text is not None})

    # -- refusals and limits

    def _check_key(self, visit: _Visit) -> None:
        """Refuse any key but ours, if there is one."""
        if self.behaviour.api_key is None:
            return
        if (key := visit.dialect.key(visit.headers)) != self.behaviour.api_key:
            said = f"Incorrect API key provided: {ends_of(key)}." if key else "No API key was provided."
            raise Refusal("unauthorized", said)

    def _check_context(self, asked: Asked) -> None:
        window = self.behaviour.context_tokens
        needed = asked.input_tokens + asked.max_tokens
        if window is not None and needed > window:
            raise Refusal("context", f"prompt is too long: {needed} tokens > {window} maximum", field="messages")

    def check_quota(self) -> None:
        """Refuse once the money is used up; the request that used it up was answered."""
        if self._quota is not None and self.audit.billed >= self._quota:
            raise Refusal("quota", _BROKE)

    def admit_count(self, dialect: Dialect, headers: Headers, moment: Moment) -> None:
        """Let a count in, or refuse it: counts are free and have a limit of their own."""
        key = dialect.key(headers)
        gate = self._count_gates.of("", None if key is None else fingerprint(key))
        denial = gate.admit(_FREE, now=moment.elapsed, denied_counts=dialect.denied_counts)
        if denial is not None:
            raise dialect.deny(denial, model="any")

    def _admit(self, asked: Asked, visit: _Visit) -> None:
        if not self._gates.any:
            return
        charge = _charge(asked)
        gate = self._gates.of(asked.model, visit.entry.key)
        denial = gate.admit(charge, now=visit.moment.elapsed, denied_counts=visit.dialect.denied_counts)
        if denial is not None:
            raise visit.dialect.deny(denial, model=asked.model)
        visit.entry.tokens_charged = gate.tokens_charged(charge)

    def _refused(self, visit: _Visit, refusal: Refusal, headers: Headers) -> Served:
        """No."""
        status, body = visit.dialect.refuse(refusal, number=visit.entry.number)
        return Served(status, {**headers, **(refusal.headers if self.behaviour.tells_limits else {})}, body)

    def _headers(self, visit: _Visit) -> dict[str, str]:
        """What stands at the head of an answer: who is asked, and how the limits stand."""
        entry = visit.entry
        headers = named(visit.dialect, entry.number)
        if self._gates.any and self.behaviour.tells_limits:
            standings = self._gates.of(entry.model, entry.key).standings()
            headers.update(visit.dialect.limit_headers(standings, wall=visit.moment.wall))
        return headers


def _count_limits(behaviour: Behaviour) -> RateLimits:
    return RateLimits(rpm=behaviour.count_rpm, per_key=behaviour.limits.per_key)


def _charge(asked: Asked) -> Charge:
    return Charge(asked.counted_tokens, asked.n * asked.max_tokens)


def _seen(asked: Asked, visit: _Visit) -> Seen:
    texts = [message.content for message in asked.messages]
    dialect, path = visit.dialect.name, visit.entry.path
    return Seen(path=path, dialect=dialect, body=visit.body, texts=texts, model=asked.model)


def named(dialect: Dialect, number: int) -> dict[str, str]:
    """The headers of any reply: its number, and that no model has given it."""
    return {"content-type": "application/json", SIMULATED_HEADER: "1", **dialect.headers(number)}
