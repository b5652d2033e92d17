"""How many of the drafts to come say something new, told from those so far: an urn that remembers what was drawn. Pure.

The chance that draft n + 1 repeats one of the k different ones before it is

    own + (1 - own) * (n - d k) / (theta + n)      an urn of Pitman and Yor: there is always something new, ever rarer
    own + (1 - own) * k / size                     a pool with so many different ones, all equally likely

`own` is what a teacher repeats however little there is to repeat, such as the examples it was just shown. Which of them
it is, nobody knows: all of a grid are weighed by how well they foretell the pilot, draft by draft, and forecasts are
drawn from them by that weight. So what a pilot cannot tell (a pool of 5,000 from one of 50,000, by 100 drafts)
makes the interval wide instead of the forecast wrong. Good and Turing's estimate of what is still unseen is what these
urns foretell for the next draft; further ahead than the pilot is long it has nothing to say, and they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Urns", "draw_urns"]

Numbers: TypeAlias = npt.NDArray[np.float64]

OWN = np.array([0.0, 0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.14, 0.19, 0.25, 0.33, 0.45, 0.6, 0.8])
RARER = 3.0  # that a teacher repeats itself a little is likelier than that it does so much
LARGER = 0.25  # teachers know much: a pool ten times as large is nearly twice as likely, before anything was seen
SIZES = np.logspace(1.2, 6.0, 28)  # of theta, and of the pool
DISCOUNTS = np.array([0.0, 0.25, 0.5])
POOL = -1.0  # in place of a discount
KINDS_PRIOR = {0.0: 0.3, 0.25: 0.2, 0.5: 0.1, POOL: 0.4}


@dataclass(frozen=True, slots=True)
class Urns:
    """Urns that may be it, one a forecast: how much is repeated anyway, theta or the size of the pool, the discount."""

    own: Numbers
    size: Numbers
    discount: Numbers

    def chance_of_new(self, drawn: Numbers, different: Numbers) -> Numbers:
        """How likely the next draft says something new, after so many of which so many were different."""
        left = np.where(
            self.discount == POOL,
            1.0 - different / self.size,
            (self.size + np.maximum(self.discount, 0.0) * different) / (self.size + drawn),
        )
        new: Numbers = (1.0 - self.own) * np.clip(left, 0.0, 1.0)
        return new


def draw_urns(fresh: Sequence[bool], *, draws: int, chance: np.random.Generator) -> Urns:
    """So many urns, each as often as the drafts of the pilot speak for it; `fresh` says of each whether it was new."""
    own, size, discount, prior = _grid()
    urns = Urns(own, size, discount)
    log = np.log(prior)
    drawn = different = 0.0
    for is_new in fresh:
        new = np.clip(urns.chance_of_new(np.array(drawn), np.array(different)), 1e-9, 1 - 1e-9)
        log += np.log(new if is_new else 1.0 - new)
        drawn, different = drawn + 1, different + is_new
    weights = np.exp(log - log.max())
    chosen = chance.choice(len(log), size=draws, p=weights / weights.sum())
    return Urns(own[chosen], size[chosen], discount[chosen])


def _grid() -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Every urn that is thought of, and how likely it is before anything was seen."""
    kinds = np.array([*DISCOUNTS, POOL])
    own, size, kind = (axis.ravel() for axis in np.meshgrid(OWN, SIZES, kinds, indexing="ij"))
    likely = np.array([KINDS_PRIOR[each] for each in kind])
    widths = np.gradient(OWN)[np.searchsorted(OWN, own)]
    return own, size, kind, np.exp(-RARER * own) * likely * widths * size**LARGER
