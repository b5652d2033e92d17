"""Answers drawn by chance instead of the best one: how hot, how many, and from what. Plain arithmetic, no tensor.

A family that writes text draws for itself (`Sampler`). One that chooses among labels need not: its alternatives hold
all that drawing takes. One with neither answers alike every time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from engine.errors import UserError
from engine.training.student import Prediction, Sampler, Student

__all__ = ["MOST_TEMPERATURE", "Sampling", "draw_labels", "heated", "sample"]

MOST_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How answers are to be drawn: `n` of them an input, at a `temperature` above 0 and at most 2.

    `top_p` leaves only the likeliest that come to this share together. Without a `seed` no two draws are alike.
    Raises UserError for what cannot be meant.
    """

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UserError(f"n must be at least 1 (got {self.n})")
        if not 0 < self.temperature <= MOST_TEMPERATURE:
            raise UserError(f"temperature must be above 0 and at most {MOST_TEMPERATURE:g} (got {self.temperature})")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top_p must be above 0 and at most 1 (got {self.top_p})")


def sample(student: Student, inputs: Sequence[str], sampling: Sampling, *, seed: int) -> list[list[Prediction]]:
    """For each input its answers, as the family can: drawn token by token, drawn among labels, or all alike.

    `seed` counts where the sampling has none of its own.
    """
    own = seed if sampling.seed is None else sampling.seed
    if isinstance(student, Sampler):
        return student.sample(inputs, n=sampling.n, temperature=sampling.temperature, top_p=sampling.top_p, seed=own)
    best = student.predict(inputs)
    return [draw_labels(prediction, sampling, chance=Random(f"{own} {place}")) for place, prediction in enumerate(best)]


def draw_labels(prediction: Prediction, sampling: Sampling, *, chance: Random) -> list[Prediction]:
    """Labels drawn from a prediction's alternatives; the prediction again and again where there are none.

    What lies beyond the alternatives (the twenty likeliest labels) is never drawn.
    """
    if not prediction.alternatives:
        return [prediction] * sampling.n
    labels = [label for label, _ in prediction.alternatives]
    likely = dict(prediction.alternatives)
    weights = heated(list(likely.values()), temperature=sampling.temperature, top_p=sampling.top_p)
    drawn = chance.choices(labels, weights, k=sampling.n)
    return [replace(prediction, output=label, confidence=0.0 if prediction.cut else likely[label]) for label in drawn]


def heated(probabilities: Sequence[float], *, temperature: float, top_p: float = 1.0) -> list[float]:
    """The chances at a temperature: those of the likeliest that come to `top_p` together, 0 for all others.

    They sum to 1. The likeliest of all always stays.
    """
    best = max(probabilities)
    # Divided by the best first, and as powers of what is left: at a low temperature nothing overflows.
    powers = [math.exp(math.log(each / best) / temperature) if each > 0 else 0.0 for each in probabilities]
    total = math.fsum(powers)
    shares = [power / total for power in powers]
    kept = [0.0] * len(shares)
    so_far = 0.0
    for place in sorted(range(len(shares)), key=lambda at: -shares[at]):
        if so_far >= top_p:
            break
        kept[place] = shares[place]
        so_far += shares[place]
    return [share / so_far for share in kept]
