"""Which request goes to which worker: small pieces, as many as each has room for, and each request to one at a time.

Pure: numbers of requests, and what workers tell of themselves. A worker says how many requests it would like to have,
which grows with what it has in flight; so the fast ones get more, and the slow ones hold nobody up. What a worker has
not begun with it may hand back, when others have nothing to do; what is with one that dies is to be dealt anew, once
somebody has looked what became of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["PIECE", "Dealer", "Piece", "Recall"]

PIECE: Final = 32
"""Requests that are dealt in one go, at most: a call costs as much as some of them."""

FIRST_ROOM: Final = 16  # of a worker that has not told
LEAST_RECALLED: Final = 2  # a single one is not worth the trouble
LONG_S: Final = 1.0  # a worker that could not begin with some of what it has for so long is slow


class Piece(NamedTuple):
    """Requests for one worker, by their numbers."""

    worker: str
    numbers: list[int]


class Recall(NamedTuple):
    """So many requests are wanted back from a worker, of those that it has not begun with."""

    worker: str
    requests: int


@dataclass(slots=True)
class _Hand:
    """What one worker has; `backlog_since` is when it last had nothing but what it had begun with."""

    room: int = FIRST_ROOM
    numbers: dict[int, None] = field(default_factory=dict)
    unbegun: int = 0
    backlog_since: float | None = None
    is_recalled: bool = False

    @property
    def free(self) -> int:
        return self.room - len(self.numbers)


class Dealer:
    """What waits, who has what. Until it ends a request waits or is with one worker, never in two places.

    With `most`, no more than so many are dealt at any time, to all together.
    """

    def __init__(self, *, most: int | None = None) -> None:
        self._most = most
        self._waiting: dict[int, None] = {}  # in order
        self._bound_for: dict[str, deque[int]] = {}  # to one worker alone, which knows the same question
        self._hands: dict[str, _Hand] = {}
        self._free: dict[str, None] = {}  # workers that have room
        self._whose: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<Dealer [{len(self._waiting)} waiting, {len(self._whose)} dealt to {len(self._hands)} workers]>"

    @property
    def waiting(self) -> int:
        """How many are with nobody."""
        return len(self._waiting) + sum(map(len, self._bound_for.values()))

    @property
    def dealt(self) -> int:
        return len(self._whose)

    @property
    def workers(self) -> Mapping[str, _Hand]:
        return self._hands

    def whose(self, number: int) -> str | None:
        """Who has a request."""
        return self._whose.get(number)

    # -- workers

    def join(self, worker: str) -> None:
        self._hands[worker] = _Hand()
        self._look_at(worker)

    def notify(self, worker: str, *, room: int, unbegun: int, now: float) -> None:
        """What a worker has told: how many requests it would like to have in all, and how many it has not begun."""
        hand = self._hands[worker]
        hand.room, hand.unbegun = room, unbegun
        if not unbegun:
            hand.backlog_since = None
        elif hand.backlog_since is None:
            hand.backlog_since = now
        hand.is_recalled = hand.is_recalled and bool(unbegun)
        self._look_at(worker)

    def bury(self, worker: str) -> list[int]:
        """It is gone. What it had, in order: to be put again, or ended by whoever knows how."""
        hand = self._hands.pop(worker)
        self._free.pop(worker, None)
        for number in hand.numbers:
            del self._whose[number]
        return [*hand.numbers, *self._bound_for.pop(worker, ())]

    # -- requests

    def put(self, number: int, *, to: str | None = None) -> None:
        """A request waits to be dealt: to whoever has room, or to one worker alone, without regard to its room."""
        if to in self._hands:
            self._bound_for.setdefault(to, deque()).append(number)
        else:
            self._waiting[number] = None

    def put_back(self, numbers: Iterable[int]) -> None:
        """Requests that were dealt once: they go before all others."""
        self._waiting = {**dict.fromkeys(numbers), **self._waiting}

    def end(self, number: int) -> None:
        """A request has ended, wherever it was."""
        worker = self._whose.pop(number, None)
        if worker is not None:
            del self._hands[worker].numbers[number]
            self._look_at(worker)
        elif self._waiting.pop(number, number) is not None:
            for bound in self._bound_for.values():
                if number in bound:
                    bound.remove(number)

    def hand_back(self, number: int) -> None:
        """A worker has parted with a request that it had not begun with: it has heard, and may be asked for more."""
        if (worker := self._whose.get(number)) is not None:
            self._hands[worker].is_recalled = False
        self.end(number)

    def deal(self) -> list[Piece]:
        """What goes to whom now."""
        pieces = [piece for worker in list(self._bound_for) if (piece := self._own(worker)) is not None]
        while self._waiting and self._free and (allowed := self._allowed()) > 0:
            worker = max(self._free, key=lambda each: self._hands[each].free)
            fair = -(-len(self._waiting) // len(self._free))
            count = min(PIECE, fair, self._hands[worker].free, allowed)
            pieces.append(Piece(worker, list(self._taken(count))))
            self._give(pieces[-1])
        return pieces

    def recalls(self, *, now: float) -> list[Recall]:
        """Whom to ask for requests back: nothing waits here, some could do more, and others have long had too much."""
        if self._waiting or not self._free:
            return []
        slow = {
            name: hand
            for name, hand in self._hands.items()
            if not hand.is_recalled and hand.backlog_since is not None and now - hand.backlog_since >= LONG_S
        }
        room = sum(self._hands[name].free for name in self._free if name not in slow)
        recalls = []
        for name, hand in sorted(slow.items(), key=lambda each: -each[1].unbegun):
            count = min(room, (hand.unbegun + 1) // 2)
            if count >= LEAST_RECALLED:
                room -= count
                hand.is_recalled = True
                recalls.append(Recall(name, count))
        return recalls

    def _allowed(self) -> int:
        return len(self._waiting) if self._most is None else self._most - len(self._whose)

    def _own(self, worker: str) -> Piece | None:
        """What is for this worker alone; the rest of the world waits for the same answers."""
        numbers = list(self._bound_for.pop(worker, ()))
        if not numbers:
            return None
        piece = Piece(worker, numbers)
        self._give(piece)
        return piece

    def _taken(self, count: int) -> Iterator[int]:
        for _ in range(count):
            number = next(iter(self._waiting))
            del self._waiting[number]
            yield number

    def _give(self, piece: Piece) -> None:
        for number in piece.numbers:
            self._whose[number] = piece.worker
            self._hands[piece.worker].numbers[number] = None
        self._look_at(piece.worker)

    def _look_at(self, worker: str) -> None:
        if self._hands[worker].free > 0:
            self._free[worker] = None
        else:
            self._free.pop(worker, None)
