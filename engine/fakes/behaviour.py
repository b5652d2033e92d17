"""How the fake provider behaves: everything that can be said of it, in one frozen value. It decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.fakes.batches import BatchBehaviour
from engine.fakes.checks import check_amounts, check_counts
from engine.fakes.faults import FaultRates
from engine.fakes.limits import RateLimits
from engine.fakes.rules import Rule

__all__ = ["Behaviour", "Change"]


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

    Behaviour(limits=RateLimits(rpm=600), faults=FaultRates(error=0.05))
    Behaviour(rules=(Rule("hang", When(nth=50)), Rule("401-key", When(contains="secret"))))
    Behaviour(quota_usd=0.05, latency_s=1.0, latency_sigma=0.5)

    The first of the `rules` that holds decides about a call; where none does about a request for an answer, `faults`
    are drawn. Limits are told in headers unless `tells_limits` is off; then waits are not told either. `changes` come
    in order of time. `latency_s` replaces the world's own latency, `latency_scale` multiplies it, and `latency_sigma`
    spreads it log-normally. With `api_key` set, any other key is refused. With `context_tokens` set, prompts and
    allowances that pass it together are. Once `quota_usd` has been billed, everything is refused as an account
    without credit is. `count_rpm` limits the endpoints that count tokens, which have a limit of their own.
    """

    limits: RateLimits = field(default_factory=RateLimits)
    tells_limits: bool = True
    faults: FaultRates = field(default_factory=FaultRates)
    rules: tuple[Rule, ...] = ()
    changes: tuple[Change, ...] = ()
    latency_s: float | None = None
    latency_scale: float = 1.0
    latency_sigma: float = 0.0
    stall_s: float = 30.0
    api_key: str | None = field(default=None, repr=False)
    context_tokens: int | None = None
    quota_usd: float | None = None
    count_rpm: int | None = None
    batches: BatchBehaviour = field(default_factory=BatchBehaviour)
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(context_tokens=self.context_tokens, count_rpm=self.count_rpm)
        check_amounts(
            latency_s=self.latency_s,
            latency_scale=self.latency_scale,
            latency_sigma=self.latency_sigma,
            stall_s=self.stall_s,
            quota_usd=self.quota_usd,
        )
