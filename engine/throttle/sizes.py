"""How many tokens a request of a kind will take, learnt from its kind's past."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from engine.throttle.limits import Demand

__all__ = ["Sizes"]


@dataclass(slots=True)
class Habits:
    """What requests of one kind have needed so far."""

    input_share: float = 1 / 3  # tokens per token of the bound, which counts bytes; English is nearer 1/4
    outputs: deque[int] = field(default_factory=lambda: deque(maxlen=256))
    seen: int = 0
    likely_output: float | None = None  # per completion


class Sizes:
    """How many tokens a request of a kind will take.

    Output: the 95th percentile of the last 256 replies, once 30 are known; the full allowance before that.
    """

    def __init__(self) -> None:
        self._habits: dict[str, Habits] = {}

    def demand(self, tag: str, *, input_bound: int, max_tokens: int, n: int) -> Demand:
        habits = self._habits.get(tag) or Habits()
        likely_input = math.ceil(input_bound * habits.input_share)
        likely = max_tokens if habits.likely_output is None else min(max_tokens, habits.likely_output)
        return Demand(1, likely_input + max_tokens * n, likely_input, likely * n)

    def notify(self, tag: str, *, input_bound: int, input_tokens: int, output_tokens: int, n: int) -> None:
        """A reply of this kind took so many tokens, over all its completions."""
        habits = self._habits.setdefault(tag, Habits())
        habits.input_share += 0.1 * (min(1.0, input_tokens / max(1, input_bound)) - habits.input_share)
        habits.outputs.append(math.ceil(output_tokens / n))
        habits.seen += 1
        # Sorting at every reply would cost more than the answer moves in sixteen.
        if habits.seen >= 30 and (habits.likely_output is None or habits.seen % 16 == 0):
            habits.likely_output = sorted(habits.outputs)[math.ceil(0.95 * len(habits.outputs)) - 1]
