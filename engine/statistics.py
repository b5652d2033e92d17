"""How a run stands: counters that the core keeps, and the immutable record that everybody else reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.prices import PICO_PER_USD
from engine.throttle import Limits

__all__ = ["Statistics", "TagStatistics", "Tally", "summed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagStatistics:
    """What one stage (one `Request.tag`) has come to. `cost_usd` includes what is only assumed."""

    requests: int
    replies: int
    from_journal: int
    failed: int
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How an engine stands.

    `binding` says what holds the next request up: a dimension of the limits (`requests`, `tokens`, `input tokens`,
    `output tokens`), `concurrency`, `provider weather`, `money`, or None when nothing waits. `allowed` is how many may
    be in flight just now. Money is in pico-dollars (10^-12 USD); `spent` and `assumed` include what earlier processes
    wrote into the same journal, and a cap of None is no cap.
    """

    requests: int
    replies: int
    from_journal: int
    failed: int
    attempts: int
    failures: Mapping[str, int]  # kind of a failed attempt: how many
    input_tokens: int
    output_tokens: int
    in_flight: int
    waiting: int
    allowed: int
    limits: Limits
    binding: str | None
    cap: int | None
    spent: int
    assumed: int
    reserved: int
    by_tag: Mapping[str, TagStatistics]

    @property
    def cost_usd(self) -> float:
        """What has gone from the budget, known or assumed."""
        return (self.spent + self.assumed) / PICO_PER_USD


@dataclass(slots=True)
class Tally:
    """The counters of one tag. `cost` in pico-dollars."""

    requests: int = 0
    replies: int = 0
    from_journal: int = 0
    failed: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0

    def frozen(self) -> TagStatistics:
        return TagStatistics(
            requests=self.requests,
            replies=self.replies,
            from_journal=self.from_journal,
            failed=self.failed,
            attempts=self.attempts,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=self.cost / PICO_PER_USD,
        )


def summed(
    tallies: Mapping[str, Tally],
    *,
    failures: Mapping[str, int],
    in_flight: int,
    waiting: int,
    allowed: int,
    limits: Limits,
    binding: str | None,
    cap: int | None,
    spent: int,
    assumed: int,
    reserved: int,
) -> Statistics:
    """The record of all tags together. Money in pico-dollars."""
    every = tallies.values()
    return Statistics(
        requests=sum(tally.requests for tally in every),
        replies=sum(tally.replies for tally in every),
        from_journal=sum(tally.from_journal for tally in every),
        failed=sum(tally.failed for tally in every),
        attempts=sum(tally.attempts for tally in every),
        failures=failures,
        input_tokens=sum(tally.input_tokens for tally in every),
        output_tokens=sum(tally.output_tokens for tally in every),
        in_flight=in_flight,
        waiting=waiting,
        allowed=allowed,
        limits=limits,
        binding=binding,
        cap=cap,
        spent=spent,
        assumed=assumed,
        reserved=reserved,
        by_tag={tag: tally.frozen() for tag, tally in tallies.items()},
    )
