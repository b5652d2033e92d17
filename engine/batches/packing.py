"""Which requests leave together in one batch, and when: files of legal size, in order of arrival. It knows no clock."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from engine.providers.batches import FileLimits

__all__ = ["Packing"]

HOLD_S: Final = 60.0  # when a queue was full although nothing of ours is in it; twice as long each time, up to
LONGEST_HOLD_S: Final = 3600.0


class _Waiting(NamedTuple):
    bytes: int
    since: float


class Packing:
    """Gathers requests into files.

        packing.add(ticket, size=len(line), now=clock.monotonic())
        tickets = packing.take(now=clock.monotonic())       # None: not yet; ask again at packing.due

    A file leaves when it is full; else when nobody has come for `quiet_s`, or the oldest has waited for `patience_s`. A
    line's break counts as a byte. What was refused because the provider's queue was full makes files half as large, and
    holds them back until a batch of ours ends; each that ends makes them a quarter larger again.
    """

    def __init__(self, limits: FileLimits, *, quiet_s: float, patience_s: float) -> None:
        self._limits = limits
        self._quiet_s = quiet_s
        self._patience_s = patience_s
        self._most_lines = limits.lines
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()  # by ticket, in order of arrival
        self._bytes = 0
        self._last_came = 0.0
        self._held_until = 0.0
        self._hold_s = HOLD_S

    def __len__(self) -> int:
        return len(self._waiting)

    def __repr__(self) -> str:
        return f"<Packing [{len(self)} waiting, files of up to {self._most_lines} lines]>"

    def fits(self, size: int) -> bool:
        """Whether any file could hold a line of so many bytes."""
        return size + 1 <= self._limits.bytes

    def add(self, ticket: int, *, size: int, now: float) -> None:
        self._waiting[ticket] = _Waiting(size + 1, now)
        self._bytes += size + 1
        self._last_came = now

    def remove(self, ticket: int) -> bool:
        """It waits no more; False if it did not."""
        waiting = self._waiting.pop(ticket, None)
        self._bytes -= 0 if waiting is None else waiting.bytes
        return waiting is not None

    @property
    def due(self) -> float | None:
        """When the next file should leave if nobody comes; None while nothing waits."""
        if not self._waiting:
            return None
        oldest = next(iter(self._waiting.values()))
        leaves_at = (
            oldest.since if self._is_full else min(self._last_came + self._quiet_s, oldest.since + self._patience_s)
        )
        return max(leaves_at, self._held_until)

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= self._most_lines or self._bytes >= self._limits.bytes

    def take(self, *, now: float) -> list[int] | None:
        """The tickets of the file that should leave now, if any should; they wait no more."""
        due = self.due
        if due is None or now < due:
            return None
        tickets: list[int] = []
        size = 0
        for ticket, waiting in self._waiting.items():
            size += waiting.bytes
            if len(tickets) == self._most_lines or size > self._limits.bytes:
                break
            tickets.append(ticket)
        for ticket in tickets:
            self.remove(ticket)
        return tickets

    def notify_queue_full(self, *, lines: int, others: int, now: float) -> None:
        """A file of so many lines was refused: the provider's queue is full, with so many others of ours in it."""
        if others:  # the next of them to end makes room
            self._held_until = float("inf")
            return
        self._most_lines = max(1, lines // 2)
        self._held_until = now + self._hold_s
        self._hold_s = min(LONGEST_HOLD_S, 2 * self._hold_s)

    def notify_end(self) -> None:
        """A batch of ours has ended, and left room in the queue."""
        self._held_until = 0.0
        self._hold_s = HOLD_S
        self._most_lines = min(self._limits.lines, self._most_lines + -(-self._most_lines // 4))
