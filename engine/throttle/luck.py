"""Whether refusals come of our speed at all: then who goes slower is refused less.

A provider may refuse for being too fast whatever we do: an account shared with many, a gateway that is ill. Who slows
down at each such refusal comes to a standstill, for nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Luck"]

# Refusals that came though we went slower than what had just been let in. A limit that halves brings two or three
# before it is known, and near a limit there is one in some hundred requests.
SURPRISES: Final = 5.2
EVIDENCE, FEW, EVIDENCE_S = 600, 120, 60.0  # requests, and seconds, over which they are forgotten
DOUBT: Final = 0.5  # of them, after a refusal that was no surprise
MUCH_SLOWER: Final = 0.8
STALE: Final = 0.5  # with fewer left a new row of trials begins
CHANCE: Final = 4.5  # standard deviations: the share itself was found by few
FREE: Final = 2  # refusals more than that prove nothing yet
FORGOTTEN: Final = 10  # times the requests between two refusals, without any
MOST: Final = 0.7  # where more is refused, it is the weather or a limit that is far lower
MORE: Final = 1.2
LEARNT: Final = 0.05  # of what is new, at each refusal


@dataclass(slots=True)
class Luck:
    """The share of requests that is refused whatever our speed, and the trials by which it is found.

    Each slowing down is a trial: what leaves after it goes slower than what was let in before, so a limit has no
    reason to refuse it. When that happened so often in a row, it was no limit: the share is known, what was given up
    for it is taken back, and refusals that are no more frequent than this are the bad luck of one request.
    """

    share: float = 0.0
    before: dict[int, float] = field(default_factory=dict)  # rates at which the trials began, by dimension
    second: dict[int, float] = field(default_factory=dict)  # rates when they went on
    surprises: float = 0.0
    surprised_at: int = 0  # requests sent by then
    tried_at: float = 0.0
    refused_at: int = 0
    most: float = 0.0  # that the share may become without new trials

    def explains(self, refused: int, of: int, *, count: int) -> bool:
        """Whether so many refusals, of so many requests of late, are no more than bad luck; `count`: of all so far."""
        since, self.refused_at = self.refused_at, count
        if self.share and count - since > FORGOTTEN / self.share:
            self.share = 0.0  # it has passed: what is refused now is too fast again
        if not self.share:
            return False
        most = of * self.share + CHANCE * math.sqrt(of * self.share * (1.0 - self.share)) + FREE
        if refused > most:
            return False
        self.share = min(self.most, self.share + LEARNT * (refused / max(1, of) - self.share))
        return True

    def notify_trial(self, i: int, *, rate: float, is_slow: bool, count: int, now: float) -> None:
        """We are to slow down from this rate in a dimension, as something was refused.

        `is_slow`: what was refused was slower than what had been let in. If it was not, that rate is a limit's.
        """
        sent, seconds = count - self.surprised_at, now - self.tried_at
        # Of a few a minute it takes long to see many: there neither time nor number alone makes what was seen old.
        fade = math.exp(-sent / EVIDENCE - min(sent / FEW, seconds / EVIDENCE_S))
        left = self.surprises * fade * (1.0 if is_slow else DOUBT)
        self.surprises, self.surprised_at, self.tried_at = left + is_slow, count, now
        if left < STALE and not self.share:
            self.before = {}
        is_new = not is_slow and not self.share
        if self.surprises < 2.0:  # the first step down may be a long one
            self.second[i] = rate
        self.before[i] = rate if is_new else max(rate, self.before.get(i, 0.0))

    def is_proven(self, i: int, *, rate: float) -> bool:
        """Whether we have gone much slower for nothing; near a limit it is a little slower, again and again."""
        return self.surprises >= SURPRISES and rate <= MUCH_SLOWER * self.second.get(i, 0.0)

    def conclude(self, refused: int, of: int) -> dict[int, float]:
        """Speed is not what is refused, but this share; returns the rates to go back to."""
        self.surprises, self.second = 0.0, {}
        self.share = max(refused, 1) / max(of, 1)
        self.most = MORE * self.share
        if self.share > MOST:
            self.share, self.before = 0.0, {}
        return self.before
