"""What more money would bring, told from what the money so far has brought. It knows no screen and asks nobody."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from statistics import NormalDist, mean, stdev

from engine.budget import Budget, Share
from engine.errors import BudgetReached
from engine.evaluation import COVERAGE
from engine.ledger import reached
from engine.prices import PICO_PER_USD
from engine.statistics import Statistics

__all__ = ["OutOfMoney", "Outlook", "out_of_money", "outlook_of", "under"]

ROW_STAGES = ("generate", "annotate", "judge")

# A request asks for several inputs and its answer is labelled whole, however few rows are missing.
FEWEST_ROWS = 16

# As many calls as dear as the one that was refused, where no row has told yet what one costs.
CALLS_UNTIL_ROWS = 16

MOST_CAP = 10**6 * PICO_PER_USD  # no budget is larger


@dataclass(frozen=True, slots=True)
class Outlook:
    """About so many rows for so many USD more, with a 95 % interval of the rows; `budget` is the whole cap then.

    `rows` is 0 where no number of rows can be told. `because` says which part of the budget makes it that much.
    """

    usd: str
    rows: int
    low: int
    high: int
    budget: str
    because: str = ""

    def told(self) -> str:
        """As a sentence."""
        because = f", {self.because}" if self.because else ""
        if not self.rows:
            return f"it takes about {self.usd} USD more to go on{because}."
        reach = f"{self.low:,} to {self.high:,}" if self.high > self.low else "no interval: too few requests"
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{self.usd} USD more would bring about {rows} ({reach}), at the yield so far{because}."


class OutOfMoney(BudgetReached):
    """The money ended a run early; `outlook` says what more of it would bring, where that can be told."""

    def __init__(self, message: str, outlook: Outlook | None = None) -> None:
        super().__init__(message)
        self.outlook = outlook


def out_of_money(
    error: BudgetReached, figures: Statistics, *, accepted: int = 0, wanted: int = 0, yields: Sequence[int] = ()
) -> OutOfMoney:
    """The error as the ledger stands in the end: while calls were in flight, the first refusal knew less."""
    if not _is_short(figures):
        return OutOfMoney(str(error))
    stage, amount = max(figures.refused.items(), key=lambda item: item[1])
    now = reached(
        amount, stage, cap=figures.cap or 0, spent=figures.spent, assumed=figures.assumed, shares=figures.shares
    )
    return OutOfMoney(str(now), outlook_of(figures, accepted=accepted, wanted=wanted, yields=yields))


def _is_short(figures: Statistics) -> bool:
    """Whether it is the cap that keeps a call from being sent: a run that is read again has less than its own."""
    return figures.cap is not None and bool(figures.refused) and _least_cap(figures, figures.refused) > figures.cap


def under(figures: Statistics, budget: Budget | None) -> Statistics:
    """The same figures under another cap with its shares: under that of the run, where it is read again for nothing."""
    if budget is None:
        return replace(figures, cap=None, shares={})
    shares = budget.shares({name: share.charged for name, share in figures.shares.items()})
    over = {name: replace(share, is_over=figures.shares[name].is_over) for name, share in shares.items()}
    return replace(figures, cap=budget.cap, shares=over)


def outlook_of(figures: Statistics, *, accepted: int, wanted: int, yields: Sequence[int]) -> Outlook | None:
    """What the rows that are missing would cost; None when the cap is not what keeps a call from being sent.

    `yields` are the rows that each request for inputs brought: how they differ gives the interval. Money that is out
    for inputs without a label yet counts as spent, although a resumed run has it back; so this errs on the dear side.
    """
    cap = figures.cap
    if cap is None or not _is_short(figures):
        return None
    more = _needs(figures, accepted=accepted, missing=max(0, wanted - accepted))
    least = max(_least_cap(figures, more), _least_cap(figures, figures.refused))
    usd = _rounded_up(Decimal(least - cap) / PICO_PER_USD)
    rows = _rounded(wanted - accepted) if accepted and wanted > accepted else 0
    error = _relative_error(yields)
    low, high = (rows, rows) if error is None else (math.floor(rows * (1 - error)), math.ceil(rows * (1 + error)))
    return Outlook(
        usd=_plain(usd),
        rows=rows,
        low=max(0, min(_rounded(low), rows)),
        high=max(_rounded(high), rows),
        budget=_plain(_rounded_up(Decimal(cap) / PICO_PER_USD + usd, digits=3)),
        because=_because(figures, more),
    )


def _needs(figures: Statistics, *, accepted: int, missing: int) -> dict[str, int]:
    """What stages need beyond what they were charged, by stage: what rows have cost, and room for the dearest call."""
    dearest = max(figures.refused.values())
    if not accepted:
        return dict.fromkeys((*figures.refused, *_row_stages(figures)), CALLS_UNTIL_ROWS * dearest)
    charged, rows = figures.spent + figures.assumed, max(missing, FEWEST_ROWS)
    costs = {stage: _cost(figures, stage) for stage in _row_stages(figures)}
    whole = max(1, sum(costs.values()))
    needs = {stage: -(-charged * rows * cost // (accepted * whole)) for stage, cost in costs.items()}
    return {stage: need + dearest for stage, need in needs.items()}


def _row_stages(figures: Statistics) -> list[str]:
    """What a row passes through: no judge where none was asked."""
    return [stage for stage in ROW_STAGES if stage != "judge" or stage in figures.by_tag]


def _cost(figures: Statistics, stage: str) -> int:
    tag = figures.by_tag.get(stage)
    return 0 if tag is None else tag.cost + tag.saved


def _least_cap(figures: Statistics, more: Mapping[str, int]) -> int:
    """The least cap under which the stages may take so much more, with every share as large a part of it as now."""
    low, high = 0, MOST_CAP
    while low < high:
        cap = (low + high) // 2
        low, high = (low, cap) if _suffices(cap, figures, more) else (cap + 1, high)
    return low


def _suffices(cap: int, figures: Statistics, more: Mapping[str, int]) -> bool:
    now = max(1, figures.cap or 0)
    shares = {name: _scaled(share, cap, now) for name, share in figures.shares.items()}
    within = all(
        share.at_most is None or share.charged + more.get(name, 0) <= share.at_most for name, share in shares.items()
    )
    named = sum(max(more.get(name, 0), share.kept_always) for name, share in shares.items())
    others = sum(amount for stage, amount in more.items() if stage not in shares)
    return within and figures.spent + figures.assumed + named + others <= cap


def _scaled(share: Share, cap: int, now: int) -> Share:
    at_most = None if share.at_most is None else share.at_most * cap // now
    return replace(share, at_most=at_most, kept=share.kept * cap // now)


def _because(figures: Statistics, more: Mapping[str, int]) -> str:
    """Whose part of the budget it is that binds, if one does."""
    free = replace(figures, shares={})
    if _least_cap(figures, more) == _least_cap(free, more):
        return ""
    for name, share in figures.shares.items():
        alone = replace(figures, shares={name: share})
        if _least_cap(alone, more) > _least_cap(free, more):
            limit = share.kept if share.at_most is None else share.at_most
            part = f"{Decimal(100 * limit) / (figures.cap or 1):.3g}% of the budget"
            return f"since {part} is kept for {name!r}" if share.at_most is None else f"since {name!r} has {part}"
    return "since parts of the budget are kept for stages"


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
