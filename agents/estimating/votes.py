"""How many votes labels will take: fewer from where an answer has proved to be one that a first vote settles. Pure.

The rule is that of `agents.voting.vote.Aims`: counted for each answer among inputs that are voted on in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from agents.estimating.heard import Aimed
from agents.estimating.policy import Policy
from agents.estimating.rates import Numbers
from agents.voting.vote import SURE

__all__ = ["DISPUTED", "Aiming", "Ballots"]

ANSWERS = 64  # that are followed one by one; of more, each stands for several
ALIKE = 60.0  # how alike answers are in how often a first vote lasts: as if so many had been seen of each
USUALLY = (19.0, 0.6)  # first votes that lasted, and that did not, before anything was seen
DISPUTED = 0.4  # votes more, where the first one did not say what the input was written for


class Ballots(NamedTuple):
    """Votes in all; the part of the groups that first votes settle; the part of their inputs that these leave open."""

    votes: Numbers
    settled: Numbers
    disputed: Numbers


class Aiming:
    """The answers that inputs are written for, in each forecast: how often first votes said them, and were right."""

    def __init__(self, policy: Policy, seen: Sequence[Aimed], *, draws: int, chance: np.random.Generator) -> None:
        self._policy, self._chance = policy, chance
        names = [answer for answer, _ in policy.shares[:ANSWERS]]
        shares = np.array([share for _, share in policy.shares[:ANSWERS]])
        self._aimed_at = min(1.0, float(sum(share for _, share in policy.shares)))
        self._shares = shares / shares.sum() if names else shares
        self._each = max(1.0, len(policy.shares) / max(1, len(names)))  # answers that one of them stands for
        agreed = [each for each in seen if each.first_agrees]
        lasted = sum(each.lasts for each in agreed)
        self._agrees = chance.beta(len(agreed) + 1.0, len(seen) - len(agreed) + 0.3, size=draws)
        usual = chance.beta(USUALLY[0] + lasted, USUALLY[1] + len(agreed) - lasted, size=(draws, 1))
        usual = np.clip(usual, 0.01, 0.9999)
        self._lasting = chance.beta(ALIKE * usual, ALIKE * (1 - usual), size=(draws, len(names)))
        self._first = np.array([[float(sum(each.answer == name for each in agreed)) for name in names]] * draws)
        kept = [[float(sum(each.answer == name and each.lasts for each in agreed)) for name in names]] * draws
        self._lasted = np.array(kept)
        self._first, self._lasted = self._first / self._each, self._lasted / self._each

    def ballot(self, labelled: Numbers, *, more: Numbers) -> Ballots:
        """How so many inputs are voted on; `more` is what each takes after the first votes where that is in full."""
        in_full = self._policy.first_votes + more
        if not len(self._shares):
            return Ballots(votes=labelled * in_full, settled=np.zeros_like(labelled), disputed=np.zeros_like(labelled))
        settled = self._are_settled()
        self._notice(labelled, settled)
        share = self._aimed_at * (1 - self._policy.in_full) * (settled @ self._shares)
        otherwise = np.minimum(self._policy.votes, in_full + DISPUTED)
        settled_by_one = self._agrees + (1 - self._agrees) * otherwise
        votes = labelled * (share * settled_by_one + (1 - share) * in_full)
        return Ballots(votes=votes, settled=share, disputed=(1 - self._agrees) * np.ones_like(labelled))

    def _are_settled(self) -> Numbers:
        """Which answers a first vote settles by now: 1 for those, 0 for the others."""
        share: Numbers = (self._lasted + 1) / (self._first + 2)
        return (share >= SURE).astype(float)

    def _notice(self, labelled: Numbers, settled: Numbers) -> None:
        """Those that are voted on in full go on to tell."""
        voted = np.where(settled > 0, self._policy.in_full, 1.0) * self._aimed_at / self._each
        first = labelled[:, None] * self._shares[None, :] * voted * self._agrees[:, None]
        whole = self._chance.poisson(first)
        self._first = self._first + whole
        self._lasted = self._lasted + self._chance.binomial(whole, self._lasting)
