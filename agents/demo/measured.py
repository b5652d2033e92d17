"""How a real teacher wrote, by temperature: rates read off the rows that gpt-3.5-turbo wrote for Prompt2Model in 2023.

Read off 20,000 rows of extractive question answering, half of them written while the temperature rose from 0.3 to 1.4
and half at 1.4, and 2,500 rows of temporal normalisation. `benchmarks/fit_teacher.py` reads them anew and shows how
well this fits; docs/reference/worlds.md has its table.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

__all__ = ["IDEAS", "TEMPERATURES", "WRITING", "Ideas", "Writing", "between"]

# The middles of the stretches that were read; rates in between lie on straight lines, outside they stay as at the end.
TEMPERATURES: Final = (0.35, 0.57, 0.79, 1.02, 1.24, 1.40)

_COLDEST: Final = 0.05  # below it the most popular idea is all there is


@dataclass(frozen=True, slots=True, kw_only=True)
class Ideas:
    """What comes to a teacher's mind, the most popular first: idea i with a weight of (i + offset) ** -(steepness / T).

    That is a list with weights i ** -steepness, sampled at temperature T. Three numbers, fitted to how many different
    questions were among so many rows.
    """

    count: int = 100_000
    offset: float = 20.0
    steepness: float = 1.7

    def draw(self, rng: Random, *, temperature: float) -> int:
        """The number of an idea, from 0; the same law at any temperature."""
        low, high, power = self._ends(temperature)
        place = math.pow(low + rng.random() * (high - low), 1 / power)
        return max(0, min(self.count - 1, int(place - self.offset)))

    def share(self, idea: int, *, temperature: float) -> float:
        """How often that idea is drawn."""
        low, high, power = self._ends(temperature)
        return (math.pow(idea + 1 + self.offset, power) - math.pow(idea + self.offset, power)) / (high - low)

    def _ends(self, temperature: float) -> tuple[float, float, float]:
        # The sum over ideas as an integral, which can be inverted; a power of exactly 0 would be a logarithm.
        power = 1 - self.steepness / max(_COLDEST, temperature)
        power = power if abs(power) > 1e-6 else 1e-6
        return math.pow(self.offset, power), math.pow(self.offset + self.count, power), power


IDEAS: Final = Ideas()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How often what is written goes wrong, at each of TEMPERATURES.

    `verbatim`, `spoiled` and `blank` are shares of the inputs, `shapeless` and `slipped` of the labels that are written
    together with their inputs; what a label is like that is asked for alone, these rows do not say.
    """

    ideas: Ideas = IDEAS
    verbatim: Sequence[float] = (0.16, 0.084, 0.033, 0.025, 0.009, 0.003)  # of repeated ideas: in the same words
    spoiled: Sequence[float] = (0.17, 0.34, 0.40, 0.44, 0.49, 0.59)  # the answer is not in the text
    blank: Sequence[float] = (0.0, 0.0, 0.0, 0.0, 0.002, 0.065)  # with a template left to be filled in
    shapeless: Sequence[float] = (0.0, 0.002, 0.014, 0.010, 0.035, 0.10)  # a label that is a sentence, or no label
    # Of the rows with nothing to find, 0.92 said so in a form of their own ("next week == N/A"); temperature unknown.
    slipped: Sequence[float] = (0.92,) * 6
    overlooked: float = 0.3  # of what inputs are asked to be: not measured, and meant to be no flattery
    nothing: float = 0.275  # of all rows: had nothing to find, in whichever form they said so


WRITING: Final = Writing()


def between(rates: Sequence[float], temperature: float) -> float:
    """The rate at a temperature, on the line between the two that were read."""
    right = bisect(TEMPERATURES, temperature)
    if right in (0, len(TEMPERATURES)):
        return rates[min(right, len(rates) - 1)]
    cold, hot = TEMPERATURES[right - 1], TEMPERATURES[right]
    return rates[right - 1] + (rates[right] - rates[right - 1]) * (temperature - cold) / (hot - cold)
