"""What the fake provider saw, in its own words: the oracle for limits, budgets and payments. Keys are fingerprints."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Final

from engine.messages import Usage
from engine.prices import PICO_PER_USD, Price

__all__ = ["Audit", "Entry", "ends_of", "fingerprint"]

_LONG_KEY: Final = 16


@dataclass(slots=True)
class Entry:
    """One request, or a line of a batch. Times are seconds since the server began; `cost` is what was billed, in
    pico-dollars.

    `status` is 0 until the request is decided; `tokens_charged` is what the token limit took.
    """

    number: int
    at: float
    dialect: str
    model: str
    key: str | None  # a fingerprint, never the key
    in_flight: int  # with this one
    method: str = "POST"
    path: str = ""
    status: int = 0
    fault: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    tokens_charged: int = 0
    cost: int = 0
    batch: str | None = None  # whose line it is


@dataclass(slots=True)
class Audit:
    """Every request, in order of arrival, and the totals of the true ledger."""

    entries: list[Entry] = field(default_factory=list)
    in_flight: int = 0
    high_water: int = 0  # the most that were ever in flight
    billed: int = 0  # pico-dollars

    def arrive(self, *, at: float, dialect: str, key: str | None, method: str = "POST", path: str = "") -> Entry:
        """A request has come in. Every arrival is followed by one `leave`."""
        self.in_flight += 1
        self.high_water = max(self.high_water, self.in_flight)
        entry = Entry(len(self.entries), at, dialect, "", key, self.in_flight, method, path)
        self.entries.append(entry)
        return entry

    def enter_line(self, *, at: float, dialect: str, key: str | None, batch: str) -> Entry:
        """A line of a batch has been processed. It was never in flight."""
        entry = Entry(len(self.entries), at, dialect, "", key, 0, batch=batch)
        self.entries.append(entry)
        return entry

    def bill(self, entry: Entry, usage: Usage, *, price: Price) -> None:
        """The work was done, so it is charged, whether or not the client ever sees the answer."""
        entry.input_tokens, entry.output_tokens = usage.input_tokens, usage.output_tokens
        entry.cost = price.cost(usage)
        self.billed += entry.cost

    def leave(self) -> None:
        """A request has been answered, or its connection is gone."""
        self.in_flight -= 1

    @property
    def billed_usd(self) -> float:
        return self.billed / PICO_PER_USD

    def count(self, status: int) -> int:
        """How many requests were answered with this status."""
        return sum(entry.status == status for entry in self.entries)

    def as_record(self, *, since: int = 0) -> dict[str, object]:
        """All of it as plain data; entries from number `since` on."""
        return {
            "requests": len(self.entries),
            "in_flight": self.in_flight,
            "in_flight_high_water": self.high_water,
            "billed_pico_usd": self.billed,
            "billed_usd": self.billed_usd,
            "input_tokens": sum(entry.input_tokens for entry in self.entries),
            "output_tokens": sum(entry.output_tokens for entry in self.entries),
            "by_status": {str(status): count for status, count in Counter(e.status for e in self.entries).items()},
            "by_fault": dict(Counter(entry.fault for entry in self.entries if entry.fault)),
            "entries": [asdict(entry) for entry in self.entries[since:]],
        }


def ends_of(key: str | None) -> str:
    """A key as services show it to its owner: `sk-****************wxyz`; of a short one, nothing."""
    if key is None or len(key) < _LONG_KEY:
        return "*" * len(key or "")
    return f"{key[:3]}{'*' * (len(key) - 7)}{key[-4:]}"


def fingerprint(key: str) -> str:
    """Twelve hex digits that tell keys apart and say nothing about them."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:12]
