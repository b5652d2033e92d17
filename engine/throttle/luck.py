"""Whether refusals come of our speed at all, or are the bad luck of single requests.

A provider may refuse for being too fast whatever we do: an account shared with many, a gateway that is ill. Who slows
down at each such refusal comes to a standstill, for nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["FASTER", "Luck", "News"]

News = Literal["luck", "too fast", "try faster", "not too fast", "a limit"]

CERTAIN: Final = math.log(1_000)  # wrong once in a thousand
LIKELY: Final = math.log(100)  # once in a hundred: one cut too many costs little
MOST: Final = 0.75  # where more is refused, it is the weather or a limit that is far lower
GROWTH: Final = 1.2
FOREVER: Final = math.log(1_000_000)  # asked at each refusal, a thousandth would come true in minutes
DEEP, FEW_CUTS = 0.3, 2  # of the speed before: after so many cuts that is clearly slower
USUAL: Final = 0.001  # of all requests are refused by chance where nothing else is known
MORE: Final = 0.02  # who goes a fiftieth beyond a limit is refused so many more
FASTER: Final = 2.0  # in a trial
BEYOND: Final = 1.3  # a limit may lie as much above what was let in while we were slow
FIRST_CUTS, MOST_CUTS = 3, 32  # before a trial; a limit that falls to a half brings two or three before it is known


@dataclass(slots=True)
class Luck:
    """Two questions, each put to every refusal as a test of likelihoods (a CUSUM, and a sequential test).

    Are these more refusals than bad luck? Only then there is a reason to slow down. And when slowing down several
    times has not ended them: are they more when we ask twice as fast? A limit would refuse about half of that, luck
    the same share as before. If they are not more, that share is known from then on, and nobody slows down for it.

    Requests are numbered in the order in which they left.
    """

    share: float = 0.0  # that is refused whatever our speed; 0 where none is known
    most: float = 0.0  # that it may become without a new trial: a limit that comes down slowly is none
    evidence: float = 0.0  # that there are more than by luck
    refused_at: int = 0  # the number of the last one that was refused
    cuts: int = 0  # since the last trial
    kept: float = 1.0  # of the speed
    is_in_a_row: bool = False
    patience: int = FIRST_CUTS
    since: int = 0  # requests and refusals counted from here on tell the share
    refused: int = 0
    trial_at: int | None = None
    refused_in_trial: int = 0
    slow_share: float = 0.0  # what was refused before the trial

    @property
    def in_trial(self) -> bool:
        return self.trial_at is not None

    def notify_refusal(self, number: int, *, may_end: bool) -> News:
        """What to make of one more refusal; `may_end`: whether a trial has lasted long enough to say anything."""
        if number <= max(self.since, self.trial_at or 0):
            return "luck"  # it left before we changed our speed
        between = max(0, number - self.refused_at - 1)
        self.is_in_a_row = between <= 1
        self.refused_at = max(self.refused_at, number)
        self.refused += 1
        if self.share and between * self.share > FOREVER:
            self.share = 0.0  # it has passed: what is refused now is too fast again
        few, many = self._alternatives()
        worse, better = math.log(many / few), math.log((1 - many) / (1 - few))
        self.evidence = max(0.0, self.evidence + between * better) + worse
        if self.trial_at is not None:
            self.refused_in_trial += 1
            rest = number - self.trial_at - self.refused_in_trial
            is_luck = self.refused_in_trial * worse + rest * better < -CERTAIN
            if may_end and is_luck and self._share_so_far(number) <= MOST:
                return self._conclude(number)
        elif self.share:
            self.share = min(self.most, self._share_so_far(number))
        if self.in_trial and self._share_so_far(number) > MOST:
            return "too fast"
        if self.evidence < (CERTAIN if self.share or self.in_trial else LIKELY):
            return "luck"
        self.evidence = 0.0
        return "too fast"

    def notify_cut(self, number: int, *, is_slow: bool, kept: float) -> News:
        """We are to slow down once more, from the request of this number on; or rather to go faster, for a trial.

        `is_slow`: what was refused was slower than what had been let in, so a limit had no reason to. `kept`: how much
        slower we are than after the last time.
        """
        if self.trial_at is not None:
            self.trial_at, self.kept = None, 1.0
            return "a limit"
        if self.cuts == 0:
            self.since, self.refused = number, 0
        self.kept *= kept
        self.cuts = self.cuts + 1 if is_slow else max(0, self.cuts - 1)
        is_deep = self.kept <= DEEP and self.cuts >= FEW_CUTS
        if self.cuts <= self.patience and not is_deep:
            return "too fast"
        self.patience = min(MOST_CUTS, 2 * self.patience)
        self._begin_trial(number)
        return "try faster"

    def _begin_trial(self, number: int) -> None:
        self.slow_share = max(USUAL, self._share_so_far(number))
        self.trial_at, self.refused_in_trial, self.evidence, self.cuts = number, 0, 0.0, 0
        self.kept = 1.0

    def end_trial(self) -> None:
        """There is nothing left to go faster than."""
        self.trial_at = None

    def _conclude(self, number: int) -> News:
        self.share = self._share_so_far(number)
        self.most = GROWTH * self.share
        self.patience = max(FIRST_CUTS, self.patience // 2)
        self._begin_trial(number)
        return "not too fast"

    def _alternatives(self) -> tuple[float, float]:
        """The shares that luck and a limit would refuse."""
        if self.trial_at is None:
            few = max(USUAL, self.share)
            return few, min(0.99, 2 * few + MORE)
        few = max(USUAL, self._share_so_far(self.refused_at))
        return min(few, 0.9), max(few, 1 - BEYOND * (1 - self.slow_share) / FASTER)

    def _share_so_far(self, number: int) -> float:
        return min(0.9, self.refused / max(self.refused, number - self.since, 1))
