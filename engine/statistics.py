"""How a run stands: counters that the core keeps, and the immutable record that everybody else reads."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from engine.admission import Admission
from engine.budget import Share
from engine.clock import Clock
from engine.ledger import Ledger
from engine.messages import Request, Usage
from engine.prices import PICO_PER_USD, Price
from engine.throttle import Limits

__all__ = ["Books", "Load", "Statistics", "TagStatistics", "Tally", "what_binds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagStatistics:
    """What one stage (one `Request.tag`) has come to. `cost`, in pico-dollars, includes what is only assumed.

    What the journal answered would have cost `saved`, had it been asked again.
    """

    requests: int
    replies: int
    from_journal: int
    failed: int
    attempts: int
    input_tokens: int
    output_tokens: int
    cost: int
    saved: int

    @property
    def cost_usd(self) -> float:
        """What has gone from the budget for it, known or assumed."""
        return self.cost / PICO_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How an engine stands.

    `binding` says what holds the next request up: a dimension of the limits (`requests`, `tokens`, `input tokens`,
    `output tokens`, `requests per day`, `tokens per day`), `provider weather`, `concurrency`, `money`, `CPU`, `batches`
    that have not ended, a `slow consumer` of the outcomes, a `straggler` that those after it in order wait for, or
    `lack of work` when slots are free and nothing waits. `allowed` is how many may be in flight just now; `hedged` are
    attempts that were sent beside slow ones. Money is in pico-dollars (10^-12 USD); `spent` and `assumed` include what
    earlier processes wrote into the same journal, and a cap of None is no cap. `refused` is the most that a call might
    have cost that was not sent for want of money, by the stages that have a share of it, and under "" for all others.
    """

    requests: int
    replies: int
    from_journal: int
    failed: int
    attempts: int
    failures: Mapping[str, int]  # kind of a failed attempt: how many
    hedged: int
    input_tokens: int
    output_tokens: int
    in_flight: int
    waiting: int
    allowed: int
    limits: Limits
    binding: str
    cap: int | None
    spent: int
    assumed: int
    reserved: int
    saved_by_journal: int
    saved_by_sampling: int
    shares: Mapping[str, Share]
    by_tag: Mapping[str, TagStatistics]
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def cost_usd(self) -> float:
        """What has gone from the budget, known or assumed."""
        return (self.spent + self.assumed) / PICO_PER_USD


@dataclass(slots=True)
class Tally:
    """The counters of one tag. `cost` and what was saved in pico-dollars."""

    requests: int = 0
    replies: int = 0
    from_journal: int = 0
    failed: int = 0
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    saved_by_journal: int = 0
    saved_by_sampling: int = 0

    def add(self, request: Request, usage: Usage, *, price: Price) -> None:
        """A reply came over the wire. Where it holds several completions, the prompt was paid once for all."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if request.n > 1:
            self.saved_by_sampling += (request.n - 1) * price.cost(replace(usage, output_tokens=0))

    def frozen(self) -> TagStatistics:
        return TagStatistics(
            requests=self.requests,
            replies=self.replies,
            from_journal=self.from_journal,
            failed=self.failed,
            attempts=self.attempts,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost=self.cost,
            saved=self.saved_by_journal,
        )


class Books:
    """The counters of one engine."""

    def __init__(self, *, clock: Clock) -> None:
        self.tallies: dict[str, Tally] = {}
        self.failures: Counter[str] = Counter()
        self._clock = clock
        self._load = Load(wanted_s(), clock.monotonic())

    def tally(self, tag: str) -> Tally:
        return self.tallies.get(tag) or self.tallies.setdefault(tag, Tally())

    def statistics(
        self,
        admission: Admission,
        ledger: Ledger,
        *,
        in_batches: int = 0,
        waiting: int,
        hedged: int,
        held_up_by: str | None,
    ) -> Statistics:
        """How things stand now. To be asked in the engine's own thread, whose load it looks at."""
        every = self.tallies.values()
        is_full = self._load.is_full(wanted_s=wanted_s(), now=self._clock.monotonic())
        line = admission.binding or ("batches" if in_batches else None)
        return Statistics(
            requests=sum(tally.requests for tally in every),
            replies=sum(tally.replies for tally in every),
            from_journal=sum(tally.from_journal for tally in every),
            failed=sum(tally.failed for tally in every),
            attempts=sum(tally.attempts for tally in every),
            failures=dict(self.failures),
            hedged=hedged,
            input_tokens=sum(tally.input_tokens for tally in every),
            output_tokens=sum(tally.output_tokens for tally in every),
            in_flight=admission.in_flight + in_batches,
            waiting=waiting,
            allowed=admission.crowd.limit,
            limits=admission.pace.limits,
            binding=what_binds(money=ledger.waiting > 0, line=line, held_up_by=held_up_by, cpu=is_full),
            cap=ledger.cap,
            spent=ledger.spent,
            assumed=ledger.assumed,
            reserved=ledger.reserved,
            saved_by_journal=sum(tally.saved_by_journal for tally in every),
            saved_by_sampling=sum(tally.saved_by_sampling for tally in every),
            shares=ledger.shares,
            by_tag={tag: tally.frozen() for tag, tally in self.tallies.items()},
            refused=ledger.refused,
        )


BUSY: Final = 0.85
SHORTEST_LOOK_S: Final = 0.1
IMPOSSIBLE: Final = 1.2  # seconds of one thread in a second: then the clock is not the machine's, as in tests
SCHEDULED: Final = Path("/proc/thread-self/schedstat")  # nanoseconds run, nanoseconds waited, turns


@dataclass(slots=True)
class Load:
    """How much of the time the engine's thread wanted the processor, between one look and the next.

    It costs nothing but the looks.
    """

    wanted_s: float
    now: float
    share: float = 0.0

    def is_full(self, *, wanted_s: float, now: float) -> bool:
        """Whether there was hardly a moment without work; seconds so far, of the thread and of the clock."""
        elapsed = now - self.now
        if elapsed >= SHORTEST_LOOK_S:
            share = (wanted_s - self.wanted_s) / elapsed
            self.share = share if share <= IMPOSSIBLE else 0.0
            self.wanted_s, self.now = wanted_s, now
        return self.share >= BUSY


def wanted_s() -> float:
    """For how many seconds this thread has run, or wanted to while other programs did.

    Only Linux tells of the latter. Elsewhere an engine on a crowded machine may seem to have time to spare.
    """
    try:
        with SCHEDULED.open(encoding="ascii") as file:
            waited = int(file.read().split()[1]) / 1e9
    except OSError:
        waited = 0.0
    return time.thread_time() + waited


def what_binds(*, money: bool, line: str | None, held_up_by: str | None, cpu: bool) -> str:
    """What holds the next request up, of all that may.

    `line` is what the head of the line waits for; `held_up_by` says why nothing more is pulled. A processor that is
    full keeps slots taken and the iterable from being read, so it is named before these; it does not use up a limit.
    """
    if money:
        return "money"
    if line is not None and line != "concurrency":
        return line
    if held_up_by == "slow consumer":
        return held_up_by
    if cpu:
        return "CPU"
    return line or held_up_by or "lack of work"
