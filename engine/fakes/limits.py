"""Rate limits as services count them: buckets that refill all the time, and a short window on top. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from engine.errors import UserError
from engine.fakes.checks import check_counts

__all__ = ["Charge", "Denial", "Dimension", "Gate", "Gates", "RateLimits", "Standing"]

Dimension = Literal["requests", "tokens", "input_tokens", "output_tokens"]

_MINUTE: Final = 60.0
_SPAN_S: Final = 10.0
_ALWAYS_LET_IN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What may be asked in a minute; None: as much as you like.

    RateLimits(rpm=6000)                         # and at most 100 in each second
    RateLimits(rpm=600, quantum_s=10)            # at most 100 in each ten seconds
    RateLimits(itpm=2_000_000, otpm=400_000)     # input and output counted apart, as Anthropic does
    RateLimits(ramp=2)                           # in ten seconds at most twice as many as in the ten before

    `tpm_charge`: what a request takes from `tpm` when it arrives: the prompt *and* its whole output allowance ("sum"),
    or the larger of the two ("max"). `refund`: what it did not use of that comes back once it is answered.
    `otpm_charge`: what was produced ("actual"), or the whole allowance ("reserve"). `ramp` never turns away the first
    20 of ten seconds. `per_model`: each model has these limits for itself, as at both services; else all have them
    together, which is more to a client's harm.
    """

    rpm: int | None = None
    tpm: int | None = None
    itpm: int | None = None
    otpm: int | None = None
    quantum_s: float = 1.0  # 0: only the minute counts
    tpm_charge: Literal["sum", "max"] = "sum"
    otpm_charge: Literal["actual", "reserve"] = "actual"
    refund: bool = False
    ramp: float | None = None
    per_model: bool = False

    def __post_init__(self) -> None:
        check_counts(rpm=self.rpm, tpm=self.tpm, itpm=self.itpm, otpm=self.otpm)
        if self.ramp is not None and not (1 <= self.ramp < math.inf):
            raise UserError(f"ramp must be at least 1 (got {self.ramp}); leave it out for no limit")
        if not 0 <= self.quantum_s <= _MINUTE:
            raise UserError(f"quantum_s must lie between 0 and 60 seconds (got {self.quantum_s})")

    @property
    def any(self) -> bool:
        return any(limit is not None for limit in (self.rpm, self.tpm, self.itpm, self.otpm, self.ramp))


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request counts when it arrives: its input, and all that it may put out."""

    input_tokens: int
    output_allowed: int


@dataclass(frozen=True, slots=True)
class Denial:
    """Too fast. `retry_after_s` is infinite when the request alone is above the limit.

    `is_ramp`: no limit is met, but the rise was too sharp.
    """

    dimension: Dimension
    limit: int
    used: int
    requested: int
    retry_after_s: float
    is_ramp: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """When to come back, in whole seconds."""
        return {"retry-after": str(max(1, math.ceil(self.retry_after_s)))}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one limit stands, for headers. `reset_s` is the time until it is full again."""

    dimension: Dimension
    limit: int
    remaining: int
    reset_s: float


@dataclass(slots=True)
class _Bucket:
    """Holds a minute's worth at most and refills continuously; may be overdrawn by what was counted afterwards."""

    limit: int
    level: float
    at: float

    def refill(self, now: float) -> None:
        self.level = min(self.limit, self.level + (now - self.at) * self.limit / _MINUTE)
        self.at = now

    def wait_for(self, amount: float) -> float:
        return max(0.0, amount - self.level) * _MINUTE / self.limit

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
        self._buckets = {name: _Bucket(limit, limit, 0.0) for name, limit in _told(limits).items()}
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
        self._buckets = {name: _Bucket(limit, limit, now) for name, limit in _told(limits).items()}
        for name in before.keys() & self._buckets.keys():
            before[name].refill(now)
            self._buckets[name].level = min(before[name].level, self._buckets[name].limit)

    def admit(self, charge: Charge, *, now: float, denied_counts: bool) -> Denial | None:
        """Take what the request counts, or say why not. With `denied_counts` a denied one still takes a request."""
        for bucket in self._buckets.values():
            bucket.refill(now)
        amounts = self._amounts(charge)
        denial = self._denial(amounts, now)
        if denial is None:
            self._take(amounts, now)
        elif denied_counts and "requests" in self._buckets:
            requests = self._buckets["requests"]
            requests.level = max(0.0, requests.level - 1)
        return denial

    def produced(self, charge: Charge, output_tokens: int) -> None:
        """Count output that has been produced, where that is what counts; give back what was not used, if so told."""
        if self.limits.refund and "tokens" in self._buckets:
            unused = self._token_charge(charge) - charge.input_tokens - output_tokens
            self._buckets["tokens"].level += max(0, unused)
        if "output_tokens" in self._buckets and self.limits.otpm_charge == "actual":
            self._buckets["output_tokens"].level -= output_tokens - 1  # one was taken on admission

    def tokens_charged(self, charge: Charge) -> int:
        """What a request takes from the token limit when it comes in."""
        return self._token_charge(charge) if "tokens" in self._buckets else 0

    def standings(self) -> list[Standing]:
        """Every limit as of the last request."""
        return [
            Standing(name, bucket.limit, max(0, int(bucket.level + 1e-6)), bucket.wait_for(bucket.limit))
            for name, bucket in self._buckets.items()
        ]

    def _amounts(self, charge: Charge) -> dict[Dimension, int]:
        """What must be there for a request to come in. Output counted as produced only needs the bucket not empty."""
        amounts: dict[Dimension, int] = {
            "requests": 1,
            "tokens": self._token_charge(charge),
            "input_tokens": charge.input_tokens,
            "output_tokens": charge.output_allowed if self.limits.otpm_charge == "reserve" else 1,
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
                return Denial(name, bucket.limit, used, amount, bucket.wait_for(amount))
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
        if self.limits.rpm is None or self.limits.quantum_s == 0:
            return None
        window = int(now // self.limits.quantum_s)
        allowed = max(1, int(self.limits.rpm * self.limits.quantum_s / _MINUTE))
        if window == self._window and self._in_window >= allowed:
            wait = (window + 1) * self.limits.quantum_s - now
            return Denial("requests", self.limits.rpm, self.limits.rpm, 1, wait)
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
    """The gates of all models: one and the same, unless the limits are each model's own."""

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self._gates: dict[str, Gate] = {}

    def of(self, model: str) -> Gate:
        name = model if self.limits.per_model else ""
        if name not in self._gates:
            self._gates[name] = Gate(self.limits)
        return self._gates[name]

    def change(self, limits: RateLimits, *, now: float) -> None:
        """From now on other limits hold; a model that comes anew begins with all of them."""
        self.limits = limits
        for gate in self._gates.values():
            gate.change(limits, now=now)


def _told(limits: RateLimits) -> dict[Dimension, int]:
    told: dict[Dimension, int | None] = {
        "requests": limits.rpm,
        "tokens": limits.tpm,
        "input_tokens": limits.itpm,
        "output_tokens": limits.otpm,
    }
    return {name: limit for name, limit in told.items() if limit is not None}
