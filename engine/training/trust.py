"""Which answer to give where a writer and a memory each hold some to be likely, and how likely it is right.

    score of an answer      = memory x log(its share among the rows most like the input)
                              + writer x log(how likely the writer holds it)
    score of any other one  = unknown

How likely an answer is goes with the exponential of its score. So one that both hold to be likely beats one that either
alone is sure of, and the writer tells apart what is likened to many rows (a log-linear model: Och and Ney 2002,
"Discriminative training and maximum entropy models for statistical machine translation").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final, NamedTuple, Self

__all__ = ["Opinion", "Trust"]

UNHEARD: Final = 1e-3  # the share of an answer that no row has
LEAST: Final = -60.0  # a logarithm: nothing is less likely, lest one right answer that a writer never saw decide alone

# Where validation rows are few they do not say much, so their word is weighed against what came of others. Found on 50
# and 100 of them, of numbers and units and of dates, by 200 and 1,000 rows, this put 188.1 of 1,825 others right (means
# of six draws), half and twice these spreads 187.6 each, and middles of 1 and 0.1 189.3: none of it hangs on a figure.
MIDDLES: Final = (0.8, 0.15, 0.0)
SPREADS: Final = (0.5, 0.1, 3.0)


class Opinion(NamedTuple):
    """An answer, its share in the memory, and the logarithm of how likely the writer holds it."""

    answer: str
    share: float
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a memory and a writer are trusted: each at least 0. The more `unknown`, the less sure is any answer."""

    memory: float
    writer: float
    unknown: float

    def __post_init__(self) -> None:
        """Raises ValueError of figures that nothing was ever trusted by."""
        if not (0 <= self.memory < math.inf and 0 <= self.writer < math.inf and math.isfinite(self.unknown)):
            raise ValueError("a trust of figures that none has")

    @classmethod
    def found_on(cls, told: Sequence[Sequence[Opinion]], right: Sequence[str]) -> Self:
        """That under which the right answers are likeliest: those that nobody has by being unknown.

        It is looked for around what it usually is, and stays there where there are no rows.
        """
        import numpy as np
        from scipy.optimize import minimize

        middles, spreads = np.array(MIDDLES), np.array(SPREADS)
        rows = [
            (_seen(some), next((place for place, one in enumerate(some) if one.answer == answer), len(some)))
            for some, answer in zip(told, right, strict=True)
        ]

        def unlikeliness(away: Any) -> tuple[float, Any]:
            """The logarithm of how unlikely all are together, and its slope, so many spreads away from the middles."""
            total, slope = float(away @ away) / 2, away.copy()
            for seen, place in rows:
                told = _log_shares(seen @ (middles + spreads * away))
                total -= told[place]
                slope += spreads * (np.exp(told) @ seen - seen[place])
            return total, slope

        bounds = [(-MIDDLES[0] / SPREADS[0], None), (-MIDDLES[1] / SPREADS[1], None), (None, None)]
        found = minimize(unlikeliness, np.zeros(3), jac=True, method="L-BFGS-B", bounds=bounds)
        return cls(*(float(one) for one in middles + spreads * found.x))

    def shares(self, opinions: Sequence[Opinion]) -> list[float]:
        """How likely each is to be right. What they lack of 1 is the share of answers that nobody has."""
        return [math.exp(each) for each in _log_shares(_seen(opinions) @ astuple(self))[:-1]]


def _seen(opinions: Sequence[Opinion]) -> Any:
    """What each figure is multiplied by: a line an answer, and one for any other."""
    import numpy as np

    # Of a damaged writer's NaN `max` keeps what it has, the least.
    lines = [(math.log(one.share + UNHEARD), max(LEAST, one.log_likelihood), 0.0) for one in opinions]
    return np.array([*lines, (0.0, 0.0, 1.0)])


def _log_shares(scores: Any) -> Any:
    import numpy as np

    below = scores - scores.max()
    return below - np.log(np.exp(below).sum())
