"""Claim: one coordinator divides the limits of an account among 1,000 workers, uses 97 % of them, and is hardly busy.

Where all the work moves to other workers every ten seconds it is 94 %.

No network, no processes, a virtual clock: the policy that the coordinator runs, and for each worker the pace that its
engine runs. Reports and answers take some milliseconds each way. The regimes: all have work; a tenth has work and it is
others every ten seconds; one in a hundred dies each minute without a word, and others join.

The share is what left of what the limit allowed, after the first ten seconds. `most` is the most that left in any
minute: above 1 the provider would have refused some. Load is what the policy took of one processor, and with what a
call to a Ray actor takes (`CALL_US`, as `bench_ray` finds it) of it. Beside it the plainest way: to each its part, for
ever.
"""

from __future__ import annotations

import heapq
import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from engine.fleet.shares import Loan, Shares, is_news, wanted_by
from engine.throttle import Demand, Limits, Pace

Regime = Literal["all", "a tenth", "deaths"]
REGIMES: tuple[Regime, ...] = ("all", "a tenth", "deaths")

WORKERS = (10, 100, 1000)
RPM = 120_000
SECONDS, WARM_S = 90.0, 10.0
ONE_WAY_S = (0.002, 0.02)
MOVES_EVERY_S = 10.0
DIE_A_MINUTE = 0.01
JOINS_AFTER_S = 5.0
SOONEST_S = 0.1  # between two reports of a worker that has become idle, or has nothing and wants something
CALL_US = 1350.0
LEAST_SHARE = {"all": 0.97, "a tenth": 0.94, "deaths": 0.97}
MOST_LOAD = 0.3
ONE = Demand(1, 0, 0, 0)

Kind = Literal["report", "apply", "send", "die", "join", "move"]


@dataclass(slots=True, eq=False)
class Worker:
    """Sends whatever it may, while it has work and a part of the limit."""

    number: int
    is_busy: bool
    pace: Pace = field(default_factory=lambda: Pace(Limits(rpm=RPM)))
    part: float = 0.0
    until: float = 0.0
    is_dead: bool = False
    sends_at: float = math.inf
    looks_at: float = 0.0
    reports_at: float = 0.0  # at the latest
    look_s: float = 0.0
    told: float = math.inf


class Account:
    """A fleet and its limit, on a virtual clock."""

    def __init__(self, workers: int, regime: Regime, *, is_even: bool, seed: int = 0) -> None:
        self._chance = Random(seed)
        self._regime = regime
        self._even = 1.0 / workers if is_even else None
        self._shares = Shares(1, now=0.0, is_new=True)
        self._shares.expect(workers, now=0.0)
        self._events: list[tuple[float, int, Kind, Worker | None, Loan | None, float]] = []
        self._order = 0
        self._workers: list[Worker] = []
        self.left: list[float] = []
        self.reports = 0
        self.cpu_s = 0.0
        for _ in range(workers):
            self._join(0.0)
        self._at(MOVES_EVERY_S, "move")
        if regime == "deaths":
            self._at(self._next_death(0.0), "die")

    def run(self) -> None:
        while self._events and self._events[0][0] < SECONDS:
            now, _, kind, worker, loan, asked_at = heapq.heappop(self._events)
            if worker is None:
                self._change(kind, now)
            elif worker.is_dead:
                continue
            elif kind == "report":
                if now >= worker.looks_at:  # else it was put off, or done sooner
                    self._look(worker, now)
            elif kind == "apply" and loan is not None:
                self._apply(worker, loan, now, asked_at)
            else:
                self._send(worker, now)

    def _at(
        self, moment: float, kind: Kind, worker: Worker | None = None, loan: Loan | None = None, asked_at: float = 0.0
    ) -> None:
        self._order += 1
        heapq.heappush(self._events, (moment, self._order, kind, worker, loan, asked_at))

    def _change(self, kind: Kind, now: float) -> None:
        alive = [worker for worker in self._workers if not worker.is_dead]
        if kind == "die":
            self._chance.choice(alive).is_dead = True
            self._at(now + JOINS_AFTER_S, "join")
            self._at(self._next_death(now), "die")
        elif kind == "join":
            self._join(now)
        else:
            for worker in alive if self._regime == "a tenth" else ():
                was_busy, worker.is_busy = worker.is_busy, self._chance.random() < 0.1
                self._go_on(worker, now)
                has_turned = (was_busy and not worker.is_busy) or (worker.is_busy and worker.part <= 0.0)
                if has_turned and self._even is None:
                    self._report_at(now + SOONEST_S * self._chance.random(), worker)
            if not any(worker.is_busy for worker in alive):
                alive[0].is_busy = True
                if self._even is None:
                    self._report_at(now, alive[0])
                self._go_on(alive[0], now)
            self._at(now + MOVES_EVERY_S, "move")

    def _next_death(self, now: float) -> float:
        return now + self._chance.expovariate(DIE_A_MINUTE * len(self._workers) / 60.0)

    def _join(self, now: float) -> None:
        is_busy = self._regime != "a tenth" or self._chance.random() < 0.1
        worker = Worker(len(self._workers), is_busy)
        self._workers.append(worker)
        if self._even is not None:
            worker.part, worker.until = self._even, 2 * SECONDS
            worker.pace.take_part(self._even, now=now)
            self._go_on(worker, now)
        else:
            self._report_at(now + SOONEST_S * self._chance.random(), worker)

    def _report_at(self, moment: float, worker: Worker) -> None:
        worker.reports_at = moment
        self._look_at(moment, worker)

    def _look_at(self, moment: float, worker: Worker) -> None:
        worker.looks_at = moment
        self._at(moment, "report", worker)

    def _look(self, worker: Worker, now: float) -> None:
        """Report if that is due, or there is something new to say."""
        part = worker.part if now < worker.until else 0.0
        is_short = worker.is_busy and (part <= 0.0 or worker.pace.ready_at(ONE, now=now) > now)
        wanted = 0.0
        if worker.is_busy:
            wanted = wanted_by(part=part, use=worker.pace.use(now=now), is_short=is_short)
        if now >= worker.reports_at or is_news((wanted,), told=(worker.told,)):
            self._report(worker, part, wanted, now)
        else:
            self._look_at(min(worker.reports_at, now + worker.look_s), worker)

    def _report(self, worker: Worker, part: float, wanted: float, now: float) -> None:
        heard = now + self._chance.uniform(*ONE_WAY_S)
        began = time.thread_time()
        loan = self._shares.report(str(worker.number), holding=(part,), wanted=(wanted,), now=heard)
        self.cpu_s += time.thread_time() - began
        self.reports += 1
        self._at(heard + self._chance.uniform(*ONE_WAY_S), "apply", worker, loan, now)
        worker.told, worker.look_s, worker.reports_at = wanted, loan.look_s, now + loan.again_s
        self._look_at(now + min(loan.look_s, loan.again_s), worker)

    def _apply(self, worker: Worker, loan: Loan, now: float, asked_at: float) -> None:
        worker.part, worker.until = min(1.0, loan.parts[0]), asked_at + loan.for_s
        if worker.part > 0.0:
            worker.pace.take_part(worker.part, now=now)
            self._go_on(worker, now)

    def _go_on(self, worker: Worker, now: float) -> None:
        if worker.is_busy and worker.part > 0.0:
            moment = max(now, worker.pace.ready_at(ONE, now=now))
            if moment < worker.sends_at:
                worker.sends_at = moment
                self._at(moment, "send", worker)

    def _send(self, worker: Worker, now: float) -> None:
        """What was to leave now may have been put off: its part may have become less meanwhile."""
        if now < worker.sends_at:  # it has left sooner
            return
        worker.sends_at = math.inf
        if now < worker.until and worker.is_busy and worker.pace.ready_at(ONE, now=now) <= now + 1e-9:
            worker.pace.take(ONE, now=now)
            self.left.append(now)
        if now < worker.until:
            self._go_on(worker, now)


@dataclass(frozen=True, slots=True)
class Found:
    regime: Regime
    workers: int
    way: Literal["by demand", "evenly"]
    share: float
    most_in_a_minute: float
    reports_a_second: float
    us_a_report: float
    load: float
    load_with_calls: float


def found(workers: int, regime: Regime, *, is_even: bool) -> Found:
    account = Account(workers, regime, is_even=is_even)
    account.run()
    left = [moment for moment in account.left if moment >= WARM_S]
    reports = account.reports / SECONDS
    us = 1e6 * account.cpu_s / max(1, account.reports)
    return Found(
        regime=regime,
        workers=workers,
        way="evenly" if is_even else "by demand",
        share=len(left) / (RPM / 60.0 * (SECONDS - WARM_S)),
        most_in_a_minute=most_within(account.left, 60.0) / RPM,
        reports_a_second=reports,
        us_a_report=us,
        load=reports * us / 1e6,
        load_with_calls=reports * (us + CALL_US) / 1e6,
    )


def most_within(moments: list[float], seconds: float) -> int:
    most = start = 0
    for end, moment in enumerate(moments):
        while moments[start] < moment - seconds:
            start += 1
        most = max(most, end - start + 1)
    return most


def all_of(counts: tuple[int, ...]) -> Iterator[Found]:
    for regime in REGIMES:
        for workers in counts:
            for is_even in (False, True):
                one = found(workers, regime, is_even=is_even)
                print(told(one), flush=True)
                yield one


def told(one: Found) -> str:
    coordinated = f"{one.reports_a_second:6.1f} reports/s of {one.us_a_report:5.1f} us: {one.load:.4f} of a processor"
    return (
        f"{one.regime:8} {one.workers:5} {one.way:10} share {one.share:.3f}  most {one.most_in_a_minute:.3f}  "
        f"{coordinated}, {one.load_with_calls:.3f} with calls"
    )


def main() -> None:
    counts = tuple(map(int, sys.argv[1:])) or WORKERS
    results = list(all_of(counts))
    ours = [one for one in results if one.way == "by demand"]
    holds = all(
        one.share >= LEAST_SHARE[one.regime] and one.most_in_a_minute <= 1.0 and one.load_with_calls <= MOST_LOAD
        for one in ours
    )
    print("the claim holds" if holds else "the claim does not hold")
    figures = [{name: getattr(one, name) for name in Found.__slots__} for one in results]
    print(json.dumps({"benchmark": "sim_scale", "rpm": RPM, "holds": holds, "results": figures}))


if __name__ == "__main__":
    main()
