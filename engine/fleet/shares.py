"""Who may use how much of an account's limits: parts that are divided by demand, lent for a few seconds at a time.

Pure: reports with their times come in, loans go out. Whatever is lost, late or dead, the parts that are in use never
come to more than the whole. A worker goes on with its old part until it has said that it has the new one, so what is
taken from it is lent to others only then; and who has said nothing for long has stopped by itself. So the books may be
lost, too: for as long as a loan lasts nobody is lent more than it says it has, and after that all of them are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["LENT_S", "REPORT_S", "Loan", "Shares", "is_news", "wanted_by", "water_level"]

REPORT_S: Final = 0.5
"""Between two reports of a worker that has something new to say, where there are few."""

REPORTS_A_SECOND: Final = 500.0  # of all workers together: more would keep the coordinator busy for nothing
SOON: Final = 0.2  # of the usual time, after which a worker reports whose part is about to change
CALM: Final = 4.0  # of the usual time, after which a worker reports that has nothing new to say
LENT_FOR: Final = 9  # of the usual times; a report may be late, or lost
LENT_S: Final = LENT_FOR * REPORT_S
"""How long a loan lasts at least."""

LEVEL_S: Final = 0.05  # so long the same level holds: finding it takes a look at everybody
GROWTH: Final = 2.0  # between two reports of a worker that could use more
SPARE: Final = 1.02  # of what it uses, for one that could not
LEAST_WANTED: Final = 0.02
EXPECTED_S: Final = 10.0  # so long, those who are to come have their part
KEPT: Final = 0.004  # of its part; so little less is not asked back, since to move it costs as much
NEWS: Final = 0.1  # of what a worker could use; so much more or less is worth a report


class Loan(NamedTuple):
    """What a worker may use from now on: a part of each account, for so long; and when it is to report again.

    Sooner if it has something new to say, which it looks after every `look_s`.
    """

    parts: tuple[float, ...]
    for_s: float
    again_s: float
    look_s: float


@dataclass(slots=True)
class _Worker:
    """`held` is the most of each account that it may be using, `wanted` what it could use."""

    held: list[float]
    wanted: list[float]
    until: float

    def is_short(self, account: int) -> bool:
        """Whether it could use more than it has."""
        return self.wanted[account] > self.held[account]


class Shares:
    """The loans of some accounts, each of them a whole of 1.

    `is_new` says that nobody can hold anything that is not written here.
    """

    def __init__(self, accounts: int, *, now: float, is_new: bool) -> None:
        self._accounts = accounts
        self._workers: dict[str, _Worker] = {}
        self._held = [0.0] * accounts  # by all together
        self._began = -math.inf if is_new else now
        self._levels: list[_Level] = [_Level(1.0, 0.0, is_for_all=True)] * accounts
        self._levelled_at = -math.inf
        self._expires_at = math.inf  # the first may do so
        self._expected, self._expected_until = 0, -math.inf

    def __repr__(self) -> str:
        held = ", ".join(f"{each:.3f}" for each in self._held)
        return f"<Shares [{len(self._workers)} workers hold {held}]>"

    @property
    def held(self) -> tuple[float, ...]:
        """What all of them together may be using; never more than 1."""
        return tuple(self._held)

    def report(self, name: str, *, holding: Sequence[float], wanted: Sequence[float], now: float) -> Loan:
        """A worker uses at most `holding`, and could use `wanted`: what it may use from now on."""
        self._forget_the_silent(now)
        worker = self._workers.get(name)
        if worker is None:
            worker = self._workers[name] = _Worker([0.0] * self._accounts, [0.0] * self._accounts, now)
            self._levelled_at = -math.inf
        for account in range(self._accounts):
            self._set_held(worker, account, self._believed(worker, account, holding[account], now=now))
            worker.wanted[account] = min(1.0, max(0.0, wanted[account]))
        self._find_levels(now)
        parts = tuple(self._lend(worker, account, now=now) for account in range(self._accounts))
        usual_s = max(REPORT_S, len(self._workers) / REPORTS_A_SECOND)
        worker.until = now + LENT_FOR * usual_s
        self._expires_at = min(self._expires_at, worker.until)
        is_settled = all(self._is_settled(worker, account, part) for account, part in enumerate(parts))
        return Loan(parts, LENT_FOR * usual_s, (CALM if is_settled else SOON) * usual_s, usual_s)

    def expect(self, workers: int, *, now: float) -> None:
        """So many workers there will be soon: those who are there leave their parts to those who are not yet."""
        self._expected, self._expected_until = workers, now + EXPECTED_S
        self._levelled_at = -math.inf

    def leave(self, name: str) -> None:
        """A worker uses nothing any more: it has said so, or is dead."""
        if (worker := self._workers.pop(name, None)) is not None:
            for account in range(self._accounts):
                self._set_held(worker, account, 0.0)
            self._levelled_at = -math.inf

    @property
    def _all_known_at(self) -> float:
        """When the last loan of former books has run out: of many workers they last longer, and most are known soon."""
        return self._began + max(LENT_S, (LENT_FOR + 1) * len(self._workers) / REPORTS_A_SECOND)

    def _believed(self, worker: _Worker, account: int, holding: float, *, now: float) -> float:
        """What it says it holds; of one that these books do not know, no more than may have been lent to it."""
        known = worker.held[account]
        if holding <= known:
            return max(0.0, holding)
        room = max(0.0, 1.0 - self._held[account])
        return min(holding, known + room) if now < self._all_known_at else known

    def _set_held(self, worker: _Worker, account: int, held: float) -> None:
        self._held[account] = max(0.0, self._held[account] + held - worker.held[account])
        worker.held[account] = held

    def _lend(self, worker: _Worker, account: int, *, now: float) -> float:
        """Its part from now on; what it is to have less counts as its own until it has said so."""
        held, level = worker.held[account], self._levels[account]
        beside = level.beside if level.is_for_all or worker.is_short(account) else 0.0
        meant = min(worker.wanted[account], level.most) + beside
        if meant <= held:
            return held if held - meant < KEPT * held else meant
        if now < self._all_known_at:
            return held
        more = min(meant - held, max(0.0, 1.0 - self._held[account]))
        self._set_held(worker, account, held + more)
        return held + more

    def _is_settled(self, worker: _Worker, account: int, part: float) -> bool:
        """Whether nobody waits for this worker to say that it has less, nor it for another one's part."""
        level = self._levels[account]
        is_giving = part < worker.held[account]
        is_waiting = part < (1.0 - KEPT) * min(worker.wanted[account], level.most)
        return not (is_giving or is_waiting)

    def _find_levels(self, now: float) -> None:
        if now < self._levelled_at + LEVEL_S:
            return
        self._levelled_at = now
        for account in range(self._accounts):
            wanted = [worker.wanted[account] for worker in self._workers.values()]
            if now < self._expected_until:
                wanted += [1.0] * (self._expected - len(wanted))
            most = water_level(wanted)
            left = max(0.0, 1.0 - sum(min(each, most) for each in wanted))
            short = sum(worker.is_short(account) for worker in self._workers.values())
            self._levels[account] = _Level(most, left / max(1, short or len(wanted)), is_for_all=not short)

    def _forget_the_silent(self, now: float) -> None:
        if now < self._expires_at:
            return
        for name in [name for name, worker in self._workers.items() if worker.until <= now]:
            self.leave(name)
        self._expires_at = min((worker.until for worker in self._workers.values()), default=math.inf)
        if not self._workers:  # sums of parts are a little off
            self._held = [0.0] * self._accounts


class _Level(NamedTuple):
    """The most that anybody gets of what it wants; what is there beside that, for each who wants more or for all."""

    most: float
    beside: float
    is_for_all: bool


def wanted_by(*, part: float, use: float, is_short: bool) -> float:
    """What a worker asks for that has this part of a limit and uses so much of the whole.

    Where requests wait for the limit it is more than it has, else what it uses: what nobody uses is lost for all.
    """
    if is_short:
        return min(1.0, max(LEAST_WANTED, GROWTH * part))
    return min(1.0, SPARE * use)


def is_news(wanted: Sequence[float], *, told: Sequence[float]) -> bool:
    """Whether what a worker could use is worth a report, after it has told so much."""
    return any(abs(now - before) > NEWS * before for now, before in zip(wanted, told, strict=True))


def water_level(wanted: Sequence[float]) -> float:
    """The most that each may have of what it wants so that all of them together have no more than 1.

    Nobody who wants less than that goes short, and all others get the same.
    """
    left, rest = 1.0, len(wanted)
    for each in sorted(wanted):
        if each * rest > left:
            return left / rest
        left -= each
        rest -= 1
    return 1.0
