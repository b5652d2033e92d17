"""Limits that count some seconds, though headers tell them under the name of a minute's (Azure: so many in ten).

Only what headers say of one limit, over time; nothing is let in here.
"""

from __future__ import annotations

from typing import Final

from engine.headers import LimitHint
from engine.throttle.limits import MINUTE_S

__all__ = ["ROUNDED_S", "Windows"]

ROUNDED_S: Final = 1.0  # most services round waits up to whole seconds
LEAST_S, LONGEST_S = 1.0, 31.0  # of a minute more than that is left soon after one end has passed
SOONER: Final = 2.0  # times


class Windows:
    """Which limits are such, and of how many seconds."""

    def __init__(self) -> None:
        self._are_of_seconds: dict[str, bool] = {}  # by dimension
        self._first_end: dict[str, float] = {}  # when it was to be whole again, as first told
        self._longest_left_s: dict[str, float] = {}

    def count_seconds(self, hint: LimitHint, *, now: float) -> bool:
        """Whether this limit counts some seconds.

        What was used of a minute's takes its share of a minute to come back, or until the minute ends. Where it is back
        far sooner, and never was far from it, the number is no limit a minute, and to keep to it would be a standstill.
        Who begins in the last seconds of a minute sees the same until it ends: so one end must have passed.
        """
        name = hint.dimension
        if hint.reset_s is None or hint.remaining is None:
            return self._are_of_seconds.get(name, False)
        if hint.reset_s > LONGEST_S:
            self._are_of_seconds[name] = False
        else:
            self._longest_left_s[name] = max(self._longest_left_s.get(name, LEAST_S), hint.reset_s)
        refill_s = (hint.limit - hint.remaining) / hint.limit * MINUTE_S
        ends_at = self._first_end.setdefault(name, now + hint.reset_s)
        if now > ends_at and refill_s > SOONER * (hint.reset_s + ROUNDED_S):
            self._are_of_seconds.setdefault(name, True)
        return self._are_of_seconds.get(name, False)

    def period_s(self, hint: LimitHint) -> float:
        """How many: as many as were ever left of one."""
        return self._longest_left_s.get(hint.dimension, LEAST_S)
