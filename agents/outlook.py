"""What more money would bring, told from what the money so far has brought. It knows no ledger and no screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from statistics import NormalDist, mean, stdev

from engine.evaluation import COVERAGE
from engine.prices import PICO_PER_USD

__all__ = ["Outlook", "outlook_of"]


@dataclass(frozen=True, slots=True)
class Outlook:
    """About so many rows for so many USD more, with a 95 % interval of the rows; `budget` is the whole cap then."""

    usd: str
    rows: int
    low: int
    high: int
    budget: str

    def told(self) -> str:
        """As a sentence."""
        reach = f"{self.low:,} to {self.high:,}" if self.high > self.low else "no interval: too few requests"
        return f"{self.usd} USD more would bring about {self.rows:,} rows ({reach}), at the yield so far."


def outlook_of(*, cap: int, charged: int, accepted: int, wanted: int, yields: Sequence[int]) -> Outlook | None:
    """What the rows that are missing would cost; None when nothing is missing or nothing tells. Pico-dollars.

    `yields` are the rows that each request for inputs brought: how they differ gives the interval. Money that is out
    for inputs without a label yet counts as spent, although a resumed run has it back; so this errs on the dear side.
    """
    missing = wanted - accepted
    if missing <= 0 or not accepted or not charged:
        return None
    more = _rounded_up(Decimal(-(-charged * missing // accepted)) / PICO_PER_USD)
    error = _relative_error(yields)
    rows = _rounded(missing)
    low, high = (rows, rows) if error is None else (_rounded(missing * (1 - error)), _rounded(missing * (1 + error)))
    return Outlook(
        usd=_plain(more),
        rows=rows,
        low=max(0, min(low, rows)),
        high=max(high, rows),
        budget=_plain(_rounded_up(Decimal(cap) / PICO_PER_USD + more, digits=3)),
    )


def _relative_error(yields: Sequence[int]) -> float | None:
    """How far off the mean yield may be, as a part of it; None when too few are known."""
    if len(yields) < 2 or not any(yields):
        return None
    reach = NormalDist().inv_cdf((1 + COVERAGE) / 2)
    return reach * stdev(yields) / math.sqrt(len(yields)) / mean(yields)


def _rounded_up(usd: Decimal, *, digits: int = 2) -> Decimal:
    """To so many digits that count, at least to the cent where there are dollars; never down."""
    place = min(usd.adjusted() - digits + 1, -2)
    return usd.quantize(Decimal((0, (1,), place)), rounding=ROUND_CEILING)


def _plain(usd: Decimal) -> str:
    """As people write it: cents at least, and no zeros after them."""
    dollars, _, parts = f"{usd:f}".partition(".")
    return f"{dollars}.{parts[:2]}{parts[2:].rstrip('0')}"


def _rounded(rows: float) -> int:
    """To two digits that count: more would claim to know more."""
    return int(round(rows, 1 - math.floor(math.log10(rows)))) if rows >= 100 else max(0, round(rows))
