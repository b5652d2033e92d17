"""What the fields of a behaviour may be; each complaint is a line that names the field and the value."""

from __future__ import annotations

import math

from engine.errors import UserError

__all__ = ["check_amounts", "check_between", "check_counts", "check_shares"]


def check_counts(**counts: object) -> None:
    """Whole numbers from 1 on, or None where there is no limit."""
    for name, count in counts.items():
        if count is not None and (type(count) is not int or count < 1):
            raise UserError(f"{name} must be a whole number, at least 1 (got {count!r}); leave it out for no limit")


def check_amounts(**amounts: float | None) -> None:
    """Numbers from 0 on, seconds or dollars, or None."""
    check_between(0, math.inf, **amounts)


def check_between(low: float, high: float, **amounts: float | None) -> None:
    """Numbers from `low` to `high`, and never infinite, or None."""
    for name, amount in amounts.items():
        if amount is not None and not (low <= amount <= high and math.isfinite(amount)):
            bounds = f"at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
            raise UserError(f"{name} must be a number, {bounds} (got {amount})")


def check_shares(**shares: float) -> None:
    """Each between 0 and 1, and so their sum."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise UserError(f"the rate of {name!r} must lie between 0 and 1 (got {share})")
    # A little above one is rounding: ten times 0.1 is.
    if sum(shares.values()) > 1 + 1e-9:
        raise UserError(f"the rates of {', '.join(shares)} must not sum up to more than 1")
