"""How many tokens a request of a kind will take, learnt from its kind's past."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from engine.throttle.limits import Demand

__all__ = ["Sizes"]

REPLIES_REMEMBERED: Final = 256
REPLIES_NEEDED: Final = 30


@dataclass(slots=True)
class Habits:
    """What requests of one kind have needed so far."""

    input_share: float = 1 / 3  # tokens per token of the bound, which counts bytes; English is nearer 1/4
    outputs: deque[int] = field(default_factory=lambda: deque(maxlen=REPLIES_REMEMBERED))  # per completion
    sum_of_outputs: int = 0

    def likely_output(self, max_tokens: int) -> float:
        if len(self.outputs) < REPLIES_NEEDED:
            return max_tokens
        return min(max_tokens, self.sum_of_outputs / len(self.outputs))

    def add(self, output: int) -> None:
        if len(self.outputs) == REPLIES_REMEMBERED:
            self.sum_of_outputs -= self.outputs[0]
        self.outputs.append(output)
        self.sum_of_outputs += output


class Sizes:
    """How many tokens a request of a kind will take.

    Output: the mean of the last 256 replies, once 30 are known; the full allowance before that. Not more than the
    mean, because it is settled anyway, and what is reserved too much while replies are under way is lost at the start
    of every run.
    """

    def __init__(self) -> None:
        self._habits: dict[str, Habits] = {}

    def demand(self, tag: str, *, input_bound: int, max_tokens: int, n: int) -> Demand:
        habits = self._habits.get(tag) or Habits()
        likely_input = math.ceil(input_bound * habits.input_share)
        return Demand(1, likely_input + max_tokens * n, likely_input, habits.likely_output(max_tokens) * n)

    def notify(self, tag: str, *, input_bound: int, input_tokens: int, output_tokens: int, n: int) -> None:
        """A reply of this kind took so many tokens, over all its completions."""
        habits = self._habits.setdefault(tag, Habits())
        habits.input_share += 0.1 * (min(1.0, input_tokens / max(1, input_bound)) - habits.input_share)
        habits.add(math.ceil(output_tokens / n))
