"""One worker as the driver knows it: what it is to be told next, and what it has told. Nothing here waits."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Final

from engine.fleet.links import Link
from engine.fleet.stakes import Stake
from engine.fleet.wire import Asked, News, Order
from engine.statistics import WorkerStatistics

__all__ = ["Hand"]

RATE_OVER_S: Final = 10.0


class Hand:
    """A worker's link, its next order and its last news. `due` is set while there is something to order."""

    def __init__(self, name: str, link: Link, *, journal: Path, number: int) -> None:
        self.name = name
        self.link = link
        self.journal = journal
        self.number = number
        self.stake = Stake(journal.parent)
        self.news = News()
        self.due = asyncio.Event()
        self.is_gone = False
        self.left: list[int] = []  # what it had when it was gone
        self.taken_in = asyncio.Event()  # its journal is part of the run's, or nobody can read it
        self.lending: set[str] = set()  # stages that more money is being found for
        self._asked: list[Asked] = []
        self._lent: list[tuple[str, int]] = []
        self._refused: list[tuple[str, str]] = []
        self._dropped: list[int] = []
        self._hand_back = 0
        self._paused: bool | None = None
        self._drained = False
        self._course: deque[tuple[float, int]] = deque()  # replies so far, of the last seconds

    def __repr__(self) -> str:
        return f"<Hand {self.name} on {self.link.node} [{'gone' if self.is_gone else self.news.binding}]>"

    # -- what it is to be told

    def ask(self, asked: Asked) -> None:
        self._asked.append(asked)
        self.due.set()

    def lend(self, stage: str, amount: int) -> None:
        self._lent.append((stage, amount))
        self.due.set()

    def refuse(self, stage: str, why: str) -> None:
        self._refused.append((stage, why))
        self.due.set()

    def recall(self, count: int) -> None:
        self._hand_back += count
        self.due.set()

    def drop(self, number: int) -> None:
        self._dropped.append(number)
        self.due.set()

    def pause(self, *, is_paused: bool) -> None:
        self._paused = is_paused
        self.due.set()

    def drain(self) -> None:
        self._drained = True
        self.due.set()

    def order(self) -> Order:
        """All of it, once."""
        order = Order(
            asked=tuple(self._asked),
            lent=tuple(self._lent),
            refused=tuple(self._refused),
            hand_back=self._hand_back,
            dropped=tuple(self._dropped),
            paused=self._paused,
            drained=self._drained,
        )
        self._asked, self._lent, self._refused, self._dropped = [], [], [], []
        self._hand_back, self._paused, self._drained = 0, None, False
        self.due.clear()
        return order

    # -- what it has told

    @property
    def replies(self) -> int:
        return sum(self.news.replies)

    def hear(self, news: News, *, now: float) -> None:
        self.news = news
        self._course.append((now, self.replies))
        while now - self._course[0][0] > RATE_OVER_S:
            self._course.popleft()

    def requests_a_minute(self) -> float:
        """How many replies came of late."""
        (first_at, first), (last_at, last) = self._course[0], self._course[-1]
        return 60.0 * (last - first) / (last_at - first_at) if last_at > first_at else 0.0

    def statistics(self, *, cost: int) -> WorkerStatistics:
        news = self.news
        is_asking = "paused" if news.binding == "pause" and not news.is_alone else "asking"
        return WorkerStatistics(
            name=self.name,
            node=self.link.node,
            standing="gone" if self.is_gone else "alone" if news.is_alone else is_asking,
            replies=self.replies,
            in_flight=0 if self.is_gone else news.in_flight,
            waiting=0 if self.is_gone else news.waiting + news.unbegun,
            requests_a_minute=0.0 if self.is_gone or not self._course else self.requests_a_minute(),
            cost=cost,
        )
