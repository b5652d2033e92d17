"""What a token costs, told from what calls were charged. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.estimating.heard import Answered

__all__ = ["Tariff", "tariff_of"]


class Tariff(NamedTuple):
    """USD for a token of input and of output."""

    input: float
    output: float

    def usd(self, *, input_tokens: float, output_tokens: float) -> float:
        return self.input * input_tokens + self.output * output_tokens


def tariff_of(calls: Sequence[Answered]) -> Tariff:
    """The two prices that the calls were charged by, as nearly as two prices can say it.

    A price list is met exactly; where a cache makes some input cheaper, it is what input came to on the average.
    """
    if not any(call.usd for call in calls):
        return Tariff(0.0, 0.0)
    tokens = np.array([[call.input_tokens, call.output_tokens] for call in calls], dtype=float)
    paid = np.array([call.usd for call in calls])
    (first, second), *_ = np.linalg.lstsq(tokens, paid, rcond=None)
    if first >= 0 and second >= 0 and np.linalg.matrix_rank(tokens) == 2:
        return Tariff(float(first), float(second))
    each = float(paid.sum() / tokens.sum())  # calls that are all alike do not tell the two apart
    return Tariff(each, each)
