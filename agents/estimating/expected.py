"""What forecasts amount to: medians with 90 % intervals of dollars, seconds and rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agents.estimating.duration import Gates, seconds_each
from agents.estimating.forecast import Paths
from agents.estimating.policy import Policy
from agents.estimating.rates import Numbers

__all__ = ["COVERED", "USABLE", "Between", "Expected", "between", "expected", "rows_for"]

Flags: TypeAlias = npt.NDArray[np.bool_]

COVERED = 0.9  # of what may come, by each interval
LATE = 0.24  # what the time may be off by beside all that is known of it, as a standard deviation of its logarithm
USABLE = 0.97  # of a budget, before a run ends for want of money: in the middle
LEFT = 0.06  # of a budget, that nobody could be sent for in the end: much of a small one; exponential
OF_USE = (0.93, 1.0)  # the part of what is spent that brings rows where a budget ends a run: the rest is half done
SLOWED = (1.0, 2.0)  # as money runs out fewer are in flight, and each waits for what others were set aside


@dataclass(frozen=True, slots=True)
class Between:
    """A median, and the interval that nine in ten forecasts lie in."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a run comes to; `reaches` is the share of forecasts in which it makes all rows that are wanted."""

    rows: Between
    usd: Between
    seconds: Between
    calls: Between
    reaches: float


def between(values: Numbers) -> Between:
    """Where nine in ten of them lie, and the one in the middle."""
    low, middle, high = np.quantile(values, [(1 - COVERED) / 2, 0.5, (1 + COVERED) / 2])
    return Between(float(low), float(middle), float(high))


def expected(
    paths: Paths, policy: Policy, gates: Gates, *, cap_usd: float | None, seed: int, least_usd: float = 0.0
) -> Expected:
    """What a run of the wanted rows comes to, within a cap if there is one; it has spent `least_usd` already."""
    chance = np.random.default_rng(seed)
    at = _step_of(paths.rows, float(policy.wanted))
    reaches = at < len(paths.rows)
    at = np.where(reaches, at, np.minimum(paths.stops, len(paths.rows) - 1))
    more = _surplus(paths, at, reaches, policy, chance)
    if cap_usd is not None:
        is_short = _read(paths.usd, at) * more > cap_usd
        spent, of_use = (
            1 - np.minimum(0.5, chance.exponential(LEFT, size=len(at))),
            chance.uniform(*OF_USE, size=len(at)),
        )
        at = np.where(is_short, _step_of(paths.usd, spent * of_use * cap_usd), at)
        more, reaches = np.where(is_short, 1 / of_use, more), reaches & ~is_short
    calls = _read(paths.calls, at) * more
    slips = np.exp(LATE * chance.standard_normal(len(at)))
    if cap_usd is not None:
        slips = np.where(is_short, slips * chance.uniform(*SLOWED, size=len(at)), slips)
    seconds = slips * seconds_each(
        calls,
        _read(paths.seconds, at),
        gates,
        input_tokens=_read(paths.input_tokens, at) * more,
        output_tokens=_read(paths.output_tokens, at) * more,
    )
    return Expected(
        rows=between(np.where(reaches, policy.wanted, np.floor(_read(paths.rows, at)))),
        usd=between(np.maximum(_read(paths.usd, at) * more, least_usd)),
        seconds=between(seconds),
        calls=between(calls),
        reaches=float(np.mean(reaches)),
    )


def rows_for(paths: Paths, budgets_usd: Sequence[float]) -> list[Between]:
    """The rows that budgets bring, if as many are wanted."""
    return [between(np.floor(_read(paths.rows, _step_of(paths.usd, USABLE * usd)))) for usd in budgets_usd]


def _step_of(values: Numbers, level: float | Numbers) -> Numbers:
    """Where each forecast comes to a level, in steps and parts of one; as many steps as there are where it never does.

    Steps count from 0; a level below that of the first step lies in it.
    """
    above = values >= level
    at = np.where(above.any(axis=0), above.argmax(axis=0), len(values))
    column = np.arange(values.shape[1])
    upper = values[np.minimum(at, len(values) - 1), column]
    lower = values[np.clip(at - 1, 0, len(values) - 1), column]
    rise = upper - lower
    part = np.divide(level - lower, rise, out=np.ones_like(rise), where=rise > 0)
    return np.where((at > 0) & (at < len(values)), at - 1 + part, at.astype(float))


def _read(values: Numbers, at: Numbers) -> Numbers:
    """The values at steps and parts of one."""
    low = np.clip(np.floor(at), 0, len(values) - 1).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    part = np.clip(at - low, 0.0, 1.0)
    column = np.arange(values.shape[1])
    read: Numbers = (1 - part) * values[low, column] + part * values[high, column]
    return read


def _surplus(paths: Paths, at: Numbers, reaches: Flags, policy: Policy, chance: np.random.Generator) -> Numbers:
    """How many times as much is asked as the last row needed: what is under way when it comes is paid for too."""
    rows = np.maximum(1.0, _read(paths.rows, at))
    beyond = policy.start * chance.uniform(0.0, 1.5, size=len(at)) / rows
    return np.where(reaches, 1.0 + beyond, 1.0)
