"""Rate limits as services count them: buckets that refill all the time, and a short window on top. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from engine.fakes.checks import check_between, check_counts

__all__ = ["Charge", "Denial", "Dimension", "Gate", "Gates", "RateLimits", "Standing"]

Dimension = Literal["requests", "tokens", "input_tokens", "output_tokens", "requests_a_day", "tokens_a_day"]

_MINUTE: Final = 60.0
_DAY: Final = 86_400.0
_AZURE_REQUESTS_A_TOKEN: Final = 6 / 1000
_OF_REQUESTS: Final[frozenset[Dimension]] = frozenset({"requests", "requests_a_day"})
_OF_TOKENS: Final[frozenset[Dimension]] = frozenset({"tokens", "tokens_a_day"})
_SPAN_S: Final = 10.0
_ALWAYS_LET_IN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What may be asked in a minute or a day; None: as much as you like.

    RateLimits(rpm=6000)                         # and at most 100 in each second
    RateLimits(rpm=600, quantum_s=10)            # at most 100 in each ten seconds
    RateLimits(itpm=2_000_000, otpm=400_000)     # input and output counted apart, as Anthropic does
    RateLimits(ramp=2)                           # in ten seconds at most twice as many as in the ten before
    RateLimits(rpm=30, rpd=14_400)               # requests a day too: whoever meets that limit waits long
    RateLimits(tpm=100_000, style="azure")       # full again at each whole minute, and at most 600 requests in it

    `tpm_charge`: what a request takes from `tpm` when it arrives: the prompt *and* its whole output allowance ("sum"),
    or the larger of the two ("max"). `refund`: what it did not use of that comes back once it is answered.
    `otpm_charge`: what was produced ("actual"), or the whole allowance ("reserve"). `ramp` never turns away the first
    20 of ten seconds. `per_model`: each model has these limits for itself, as at both services; else all have them
    together, which is more to a client's harm. `per_key`: so does each key, as projects do. Days refill all the time,
    as minutes do, unless the `style` is "azure": then requests a minute follow from the tokens, where they are not
    told, and waits are told in milliseconds as well.
    """

    rpm: int | None = None
    tpm: int | None = None
    itpm: int | None = None
    otpm: int | None = None
    rpd: int | None = None
    tpd: int | None = None
    quantum_s: float = 1.0  # 0: only the minute counts
    tpm_charge: Literal["sum", "max"] = "sum"
    otpm_charge: Literal["actual", "reserve"] = "actual"
    refund: bool = False
    ramp: float | None = None
    per_model: bool = False
    per_key: bool = False
    style: Literal["usual", "azure"] = "usual"

    def __post_init__(self) -> None:
        counts = {"rpm": self.rpm, "tpm": self.tpm, "itpm": self.itpm, "otpm": self.otpm, "rpd": self.rpd}
        check_counts(**counts, tpd=self.tpd)
        check_between(1, math.inf, ramp=self.ramp)
        check_between(0, _MINUTE, quantum_s=self.quantum_s)

    @property
    def any(self) -> bool:
        return bool(self.by_dimension()) or self.ramp is not None

    @property
    def is_azure(self) -> bool:
        return self.style == "azure"

    @property
    def requests_a_minute(self) -> int | None:
        """As told, or as it follows from the tokens."""
        if self.rpm is None and self.tpm is not None and self.is_azure:
            return max(1, round(self.tpm * _AZURE_REQUESTS_A_TOKEN))
        return self.rpm

    def by_dimension(self) -> dict[Dimension, int]:
        """The limits that there are."""
        told: dict[Dimension, int | None] = {
            "requests": self.requests_a_minute,
            "tokens": self.tpm,
            "input_tokens": self.itpm,
            "output_tokens": self.otpm,
            "requests_a_day": self.rpd,
            "tokens_a_day": self.tpd,
        }
        return {name: limit for name, limit in told.items() if limit is not None}


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request counts when it arrives: its input, and all that it may put out."""

    input_tokens: int
    output_allowed: int


@dataclass(frozen=True, slots=True)
class Denial:
    """Too fast. `retry_after_s` is infinite when the request alone is above the limit.

    `is_ramp`: no limit is met, but the rise was too sharp. `is_exact`: the wait is told in milliseconds as well.
    """

    dimension: Dimension
    limit: int
    used: int
    requested: int
    retry_after_s: float
    is_ramp: bool = False
    is_exact: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """When to come back, in whole seconds."""
        headers = {"retry-after": str(max(1, math.ceil(self.retry_after_s)))}
        return {**headers, "retry-after-ms": str(math.ceil(self.retry_after_s * 1000))} if self.is_exact else headers


@dataclass(frozen=True, slots=True)
class Standing:
    """How one limit stands, for headers. `reset_s` is the time until it is full again.

    `in_seconds`: told in whole seconds. `is_of_key`: another key has another.
    """

    dimension: Dimension
    limit: int
    remaining: int
    reset_s: float
    in_seconds: bool = False
    is_of_key: bool = False


@dataclass(slots=True)
class _Bucket:
    """Holds a period's worth at most; may be overdrawn by what was counted afterwards.

    It refills continuously, or all at once where a period begins (`at_once`).
    """

    limit: int
    level: float
    at: float
    period_s: float
    at_once: bool

    def refill(self, now: float) -> None:
        if not self.at_once:
            self.level = min(self.limit, self.level + (now - self.at) * self.limit / self.period_s)
        elif now >= self._next:
            self.level = self.limit
        self.at = now

    def wait_for(self, amount: float) -> float:
        if self.at_once:
            return 0.0 if self.fits(amount) else self._next - self.at
        return max(0.0, amount - self.level) * self.period_s / self.limit

    @property
    def _next(self) -> float:
        """When the next period begins."""
        return (self.at // self.period_s + 1) * self.period_s

    def fits(self, amount: float) -> bool:
        # Refilling adds fractions; a request that was told to wait so long must then be let in.
        return self.level >= amount - 1e-6


class Gate:
    """Lets requests through, first come first served, as long as every limit allows.

    `now` is a reading of one clock that only moves forward. Nothing is given back when a call used less than it was
    charged, unless the limits say so.
    """

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self._buckets = _full(limits, now=0.0)
        self._window = -1
        self._in_window = 0
        self._span = -1  # of ten seconds, for the ramp
        self._in_span = 0
        self._in_span_before = 0

    def __repr__(self) -> str:
        levels = ", ".join(f"{name} {bucket.level:.0f}/{bucket.limit}" for name, bucket in self._buckets.items())
        return f"<Gate [{levels or 'open'}]>"

    def change(self, limits: RateLimits, *, now: float) -> None:
        """From now on other limits hold. What is saved up stays, as far as the new limits can hold it."""
        before = self._buckets
        self.limits = limits
        self._buckets = _full(limits, now=now)
        for name in before.keys() & self._buckets.keys():
            before[name].refill(now)
            self._buckets[name].level = min(before[name].level, self._buckets[name].limit)

    def admit(self, charge: Charge, *, now: float, denied_counts: bool) -> Denial | None:
        """Take what the request counts, or say why not. With `denied_counts` a denied one still takes a request."""
        self._refill(now)
        amounts = self._amounts(charge)
        denial = self._denial(amounts, now)
        if denial is None:
            self._take(amounts, now)
        elif denied_counts:
            self._waste()
        return denial

    def waste(self, *, now: float) -> None:
        """Count a request that comes to nothing."""
        self._refill(now)
        self._waste()

    def _refill(self, now: float) -> None:
        for bucket in self._buckets.values():
            bucket.refill(now)

    def _waste(self) -> None:
        for name in _OF_REQUESTS & self._buckets.keys():
            self._buckets[name].level = max(0.0, self._buckets[name].level - 1)

    def produced(self, charge: Charge, output_tokens: int) -> None:
        """Count output that has been produced, where that is what counts; give back what was not used, if so told."""
        if self.limits.refund:
            unused = self._token_charge(charge) - charge.input_tokens - output_tokens
            for name in _OF_TOKENS & self._buckets.keys():
                self._buckets[name].level += max(0, unused)
        if "output_tokens" in self._buckets and self.limits.otpm_charge == "actual":
            self._buckets["output_tokens"].level -= output_tokens - 1  # one was taken on admission

    def tokens_charged(self, charge: Charge) -> int:
        """What a request takes from the token limit when it comes in."""
        return self._token_charge(charge) if _OF_TOKENS & self._buckets.keys() else 0

    def standings(self) -> list[Standing]:
        """Every limit as of the last request."""
        in_seconds, is_of_key = self.limits.is_azure, self.limits.per_key
        return [
            Standing(
                name,
                bucket.limit,
                max(0, int(bucket.level + 1e-6)),
                bucket.wait_for(bucket.limit),
                in_seconds,
                is_of_key,
            )
            for name, bucket in self._buckets.items()
        ]

    def _amounts(self, charge: Charge) -> dict[Dimension, int]:
        """What must be there for a request to come in. Output counted as produced only needs the bucket not empty."""
        amounts: dict[Dimension, int] = {
            "requests": 1,
            "tokens": self._token_charge(charge),
            "input_tokens": charge.input_tokens,
            "output_tokens": charge.output_allowed if self.limits.otpm_charge == "reserve" else 1,
            "requests_a_day": 1,
            "tokens_a_day": self._token_charge(charge),
        }
        return {name: amounts[name] for name in self._buckets}

    def _token_charge(self, charge: Charge) -> int:
        parts = (charge.input_tokens, charge.output_allowed)
        return sum(parts) if self.limits.tpm_charge == "sum" else max(parts)

    def _denial(self, amounts: dict[Dimension, int], now: float) -> Denial | None:
        for name, amount in amounts.items():
            bucket = self._buckets[name]
            if amount > bucket.limit:
                return Denial(name, bucket.limit, 0, amount, math.inf)
            if not bucket.fits(amount):
                used = bucket.limit - int(bucket.level)
                wait = bucket.wait_for(amount)
                return Denial(name, bucket.limit, used, amount, wait, is_exact=self.limits.is_azure)
        return self._window_denial(now) or self._ramp_denial(now)

    def _ramp_denial(self, now: float) -> Denial | None:
        if self.limits.ramp is None:
            return None
        span = int(now // _SPAN_S)
        if span != self._span:
            self._in_span_before = self._in_span if span == self._span + 1 else 0
            self._span, self._in_span = span, 0
        allowed = max(_ALWAYS_LET_IN, int(self.limits.ramp * self._in_span_before))
        if self._in_span < allowed:
            return None
        return Denial("requests", allowed, self._in_span, 1, (span + 1) * _SPAN_S - now, is_ramp=True)

    def _window_denial(self, now: float) -> Denial | None:
        rpm = self.limits.requests_a_minute
        if rpm is None or self.limits.quantum_s == 0:
            return None
        window = int(now // self.limits.quantum_s)
        allowed = max(1, int(rpm * self.limits.quantum_s / _MINUTE))
        if window == self._window and self._in_window >= allowed:
            wait = (window + 1) * self.limits.quantum_s - now
            return Denial("requests", rpm, rpm, 1, wait, is_exact=self.limits.is_azure)
        return None

    def _take(self, amounts: dict[Dimension, int], now: float) -> None:
        for name, amount in amounts.items():
            self._buckets[name].level -= amount
        self._in_span += 1
        if self.limits.quantum_s:
            window = int(now // self.limits.quantum_s)
            self._in_window = self._in_window + 1 if window == self._window else 1
            self._window = window


class Gates:
    """The gates of all models and keys: one and the same, unless the limits are each model's or each key's own."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self.any = limits.any  # asked for with every request, and slow to find out
        self._gates: dict[tuple[str, str | None], Gate] = {}

    def of(self, model: str, key: str | None = None) -> Gate:
        """The gate of a model and of a key, whatever its owner calls that."""
        name = model if self.limits.per_model else "", key if self.limits.per_key else None
        if name not in self._gates:
            self._gates[name] = Gate(self.limits)
        return self._gates[name]

    def change(self, limits: RateLimits, *, now: float) -> None:
        """From now on other limits hold; a model that comes anew begins with all of them."""
        self.limits = limits
        self.any = limits.any
        for gate in self._gates.values():
            gate.change(limits, now=now)


def _full(limits: RateLimits, *, now: float) -> dict[Dimension, _Bucket]:
    return {
        name: _Bucket(limit, limit, now, _DAY if name.endswith("_a_day") else _MINUTE, at_once=limits.is_azure)
        for name, limit in limits.by_dimension().items()
    }
