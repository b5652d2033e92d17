"""How a run stands: counters that the core keeps, and the immutable record that everybody else reads."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final

from engine.admission import Admission
from engine.budget import Share
from engine.clock import Clock
from engine.ledger import Ledger
from engine.messages import Request, Usage
from engine.prices import PICO_PER_USD, Price
from engine.throttle import Limits

__all__ = ["Books", "Load", "ModelStatistics", "Statistics", "TagStatistics", "Tally", "WorkerStatistics", "what_binds"]


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
    cached_tokens: int = 0  # of the input, read from the provider's prompt cache

    @property
    def cost_usd(self) -> float:
        """What has gone from the budget for it, known or assumed."""
        return self.cost / PICO_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatistics:
    """What one of the models has come to in this process.

    `standing` is how it stands with those that are asked instead: `asked`, `out`, `on trial` or `gone`. `replies` came
    over the wire, and `cost`, in pico-dollars, is at its own price.
    """

    model: str
    endpoint: str
    standing: str
    replies: int
    from_journal: int
    cost: int

    @property
    def cost_usd(self) -> float:
        """What has gone from the budget for it, known or assumed."""
        return self.cost / PICO_PER_USD


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatistics:
    """What one of the workers of a fleet (`engine.fleet`) has come to.

    `standing` is `asking`, `paused`, `alone` while it hears nothing of its coordinator, or `gone`. `requests_a_minute`
    is of late; `cost` is what it has been charged, in pico-dollars.
    """

    name: str
    node: str
    standing: str
    replies: int
    in_flight: int
    waiting: int
    requests_a_minute: float
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """How an engine stands.

    `binding` says what holds the next request up: a dimension of the limits (`requests`, `tokens`, `input tokens`,
    `output tokens`, `requests per day`, `tokens per day`), `provider weather`, `concurrency`, `money`, `CPU`, `batches`
    that have not ended, a `pause`, a `slow consumer` of the outcomes, a `straggler` that those after it in order wait
    for, or `lack of work` when slots are free and nothing waits. `allowed` is how many may be in flight just now,
    beside those of `in_flight` that are out `in_batches`; `hedged` are attempts that were sent beside slow ones. Money
    is in pico-dollars (10^-12 USD); `spent` and `assumed` include what earlier processes wrote into the same journal,
    and a cap of None is no cap. `cached_tokens` of the input were read from the provider's prompt cache and
    `cache_write_tokens` written to it; `saved_by_cache` is what both came to together, and below zero where more was
    written than was ever read. `refused` is the most that a call might have cost that was not sent for want of money,
    by the stages that have a share of it, and under "" for all others. `by_model` has one for each model that may be
    asked, in order; `limits` are those of the busiest. `workers` are those of a fleet.
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
    by_model: tuple[ModelStatistics, ...] = ()
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    saved_by_cache: int = 0
    in_batches: int = 0
    workers: tuple[WorkerStatistics, ...] = ()

    @property
    def cached_share(self) -> float:
        """How much of the input was read from the provider's prompt cache, 0 to 1."""
        return self.cached_tokens / self.input_tokens if self.input_tokens else 0.0

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
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    saved_by_cache: int = 0

    def add(self, request: Request, usage: Usage, *, price: Price) -> None:
        """A reply came over the wire. Where it holds several completions, the prompt was paid once for all."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if request.n > 1:
            self.saved_by_sampling += (request.n - 1) * price.cost(replace(usage, output_tokens=0))
        if usage.cached_tokens or usage.cache_write_tokens:
            self.cached_tokens += usage.cached_tokens
            self.cache_write_tokens += usage.cache_write_tokens
            self.saved_by_cache += price.saved_by_cache(usage)

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Tally)))

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
            cached_tokens=self.cached_tokens,
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
        admissions: Sequence[Admission],
        ledger: Ledger,
        *,
        tallies: Sequence[Mapping[str, Tally]],
        by_model: tuple[ModelStatistics, ...],
        in_batches: int = 0,
        waiting: int,
        hedged: int,
        held_up_by: str | None,
    ) -> Statistics:
        """How things stand now. To be asked in the engine's own thread, whose load it looks at.

        `admissions` are the lines in front of the models, `tallies` what was counted there.
        """
        by_tag = _sums((self.tallies, *tallies))
        total = sum(by_tag.values(), Tally())
        is_full = self._load.is_full(wanted_s=wanted_s(), now=self._clock.monotonic())
        line = next(filter(None, (admission.binding for admission in admissions)), "batches" if in_batches else None)
        if any(admission.is_held for admission in admissions):  # what gathers for a batch stands in no line
            line = "pause"
        return Statistics(
            requests=total.requests,
            replies=total.replies,
            from_journal=total.from_journal,
            failed=total.failed,
            attempts=total.attempts,
            failures=dict(self.failures),
            hedged=hedged,
            input_tokens=total.input_tokens,
            output_tokens=total.output_tokens,
            in_flight=sum(admission.in_flight for admission in admissions) + in_batches,
            waiting=waiting,
            allowed=sum(admission.crowd.limit for admission in admissions),
            limits=max(admissions, key=lambda admission: admission.in_flight).pace.limits,
            binding=what_binds(money=ledger.waiting > 0, line=line, held_up_by=held_up_by, cpu=is_full),
            cap=ledger.cap,
            spent=ledger.spent,
            assumed=ledger.assumed,
            reserved=ledger.reserved,
            saved_by_journal=total.saved_by_journal,
            saved_by_sampling=total.saved_by_sampling,
            shares=ledger.shares,
            by_tag={tag: tally.frozen() for tag, tally in by_tag.items()},
            refused=ledger.refused,
            by_model=by_model,
            cached_tokens=total.cached_tokens,
            cache_write_tokens=total.cache_write_tokens,
            saved_by_cache=total.saved_by_cache,
            in_batches=in_batches,
        )


def _sums(counted: Iterable[Mapping[str, Tally]]) -> dict[str, Tally]:
    """What was counted in several places, by tag."""
    sums: dict[str, Tally] = {}
    for tallies in counted:
        for tag, tally in tallies.items():
            sums[tag] = sums.get(tag, Tally()) + tally
    return sums


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
