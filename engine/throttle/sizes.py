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
USUAL: Final = 0.99

# Until more is known: tokens per unit of the bound, which counts bytes (English is nearer 1/4), as of so many bytes.
INPUT_SHARE_AT_FIRST: Final = 1 / 3
BYTES_AT_FIRST: Final = 2_000
FORGOTTEN: Final = 1 / 64  # of what is known of inputs, with each reply


@dataclass(slots=True)
class Habits:
    """What requests of one kind have needed so far.

    The inputs' share of their bounds is one of sums. A mean of shares would be right for no mixture of short and long
    prompts: what a request adds around its prompt makes short ones look lighter, and a limit would be overrun.
    """

    input_tokens: float = INPUT_SHARE_AT_FIRST * BYTES_AT_FIRST  # fading, as is their bound
    input_bound: float = BYTES_AT_FIRST
    outputs: deque[int] = field(default_factory=lambda: deque(maxlen=REPLIES_REMEMBERED))  # per completion
    sum_of_outputs: int = 0

    def likely_output(self, max_tokens: int) -> float:
        if len(self.outputs) < REPLIES_NEEDED:
            return max_tokens
        return min(max_tokens, self.sum_of_outputs / len(self.outputs))

    def usual_output(self) -> int | None:
        known = sorted(self.outputs)
        return None if len(known) < REPLIES_NEEDED else known[math.ceil(USUAL * len(known)) - 1]

    def likely_input(self, bound: int) -> int:
        return math.ceil(bound * self.input_tokens / self.input_bound)

    def add_input(self, tokens: int, *, bound: int) -> None:
        self.input_tokens += min(tokens, bound) - FORGOTTEN * self.input_tokens
        self.input_bound += bound - FORGOTTEN * self.input_bound

    def add_output(self, output: int) -> None:
        if len(self.outputs) == REPLIES_REMEMBERED:
            self.sum_of_outputs -= self.outputs[0]
        self.outputs.append(output)
        self.sum_of_outputs += output


class Sizes:
    """How many tokens a request of a kind will take.

    Output: the mean of the last 256 replies, once 30 are known; the full allowance before that. Not more than the
    mean, because it is settled anyway, and what is reserved too much while replies are under way is lost at the start
    of every run: with replies of 10 to 200 tokens that take 5 s, reserving what 95 of 100 need used 0.91 of a limit in
    the first minute, the mean 0.98, and no refusal came of either.
    """

    def __init__(self) -> None:
        self._habits: dict[str, Habits] = {}

    def demand(self, tag: str, *, input_bound: int, max_tokens: int, n: int) -> Demand:
        habits = self._habits.get(tag) or Habits()
        likely_input = habits.likely_input(input_bound)
        return Demand(1, likely_input + max_tokens * n, likely_input, habits.likely_output(max_tokens) * n)

    def usual_output(self, tag: str) -> int | None:
        """What all but one in a hundred of the last answers of this kind stayed within; None while few are known."""
        habits = self._habits.get(tag)
        return None if habits is None else habits.usual_output()

    def notify(self, tag: str, *, input_bound: int, input_tokens: int, output_tokens: int, n: int) -> None:
        """A reply of this kind took so many tokens, over all its completions."""
        habits = self._habits.setdefault(tag, Habits())
        habits.add_input(input_tokens, bound=input_bound)
        habits.add_output(math.ceil(output_tokens / n))
