"""The course of a training: how far it is, how fast to learn there, when to look at the validation rows, when to stop.

Plain arithmetic over steps and seconds. It is told what happened and says what is due; it knows no tensor and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from engine.training.recipe import Decay

__all__ = ["Course", "learning_rate", "steps_for"]

LOOKS = tuple(tenth / 10 for tenth in range(1, 10))  # and one at the end
LOOKING_SHARE = 0.1
SAVING_SHARE = 0.02
WARM_UP = 0.05


def learning_rate(fraction: float, *, warm_up: float = WARM_UP, decay: Decay = "cosine") -> float:
    """The share of the peak learning rate: up in a straight line for the first twentieth, down a cosine to the end.

    `warm_up` is another part to go up in, 0 for none; "linear" comes down in a straight line.
    """
    done = min(1.0, fraction)
    down = (1 + math.cos(math.pi * done)) / 2 if decay == "cosine" else 1 - done
    return down * (min(1.0, fraction / warm_up) if warm_up else 1.0)


def steps_for(rows: int, *, batch: int, fewest: int, passes: int, most_passes: int) -> int:
    """How many steps rows are worth: some passes over many rows, more over few, and never more than `most_passes`.

    Few rows need steps more than variety; but the same rows hundreds of times teach their accidents.
    """
    a_pass = max(1, rows // batch)
    return min(max(fewest, passes * a_pass), most_passes * a_pass)


EndedBy = Literal["steps", "time", "patience", "request"]


class Course:
    """Where a training stands between its start (0) and its end (1).

    The end is `steps` steps away, or `limit_s` seconds, whichever comes first: so the learning rate always comes down
    to nothing by the end, and a machine that turns slow half way takes fewer steps, not more time. Without a limit
    nothing here depends on seconds. With `patience` it is over too when so many looks in a row found nothing better
    than an earlier one had, once anything at all was right; and when somebody has asked for it. A limit leaves room for
    `last_looks` after the last step.
    """

    def __init__(
        self, *, steps: int, limit_s: float | None = None, patience: int | None = None, last_looks: int = 1
    ) -> None:
        self._steps = steps
        self._limit_s = limit_s
        self._patience = patience
        self._last_looks = last_looks
        self._looks_in_vain = 0
        self._looked_s = 0.0
        self._longest_look_s = 0.0
        self._looks_taken = 0
        self._was_asked_to_end = False
        self.fraction = 0.0
        self.best: float | None = None

    def told(self) -> dict[str, float | None]:
        """All that it remembers, for `recall`."""
        return {
            "looked_s": self._looked_s,
            "longest_look_s": self._longest_look_s,
            "looks_taken": self._looks_taken,
            "looks_in_vain": self._looks_in_vain,
            "fraction": self.fraction,
            "best": self.best,
        }

    def recall(self, told: Mapping[str, float | None]) -> None:
        """Go on where another course of the same steps and limit stood."""
        self._looked_s = float(told["looked_s"] or 0)
        self._longest_look_s = float(told["longest_look_s"] or 0)
        self._looks_taken = int(told["looks_taken"] or 0)
        self._looks_in_vain = int(told["looks_in_vain"] or 0)
        self.fraction = float(told["fraction"] or 0)
        self.best = told["best"]

    @property
    def over(self) -> bool:
        return self.fraction >= 1 or self.out_of_patience or self._was_asked_to_end

    def end(self) -> None:
        """Somebody wants it to be over; no bookmark remembers that."""
        self._was_asked_to_end = True

    @property
    def out_of_patience(self) -> bool:
        return self._patience is not None and self._looks_in_vain >= self._patience

    def ended_by(self, step: int) -> EndedBy:
        """What brought it to its end after `step` steps."""
        if step >= self._steps:
            return "steps"
        if self.out_of_patience:
            return "patience"
        return "request" if self._was_asked_to_end and self.fraction < 1 else "time"

    def step_done(self, step: int, *, seconds: float) -> None:
        """`step` steps are done, `seconds` after the start."""
        fraction = step / self._steps
        if self._limit_s is not None:
            left_for_steps = self._limit_s * (1 - SAVING_SHARE) - 1.2 * self._last_looks * self._longest_look_s
            fraction = max(fraction, seconds / left_for_steps if left_for_steps > 0 else 1.0)
        self.fraction = max(self.fraction, min(1.0, fraction))

    def steps_expected(self, step: int) -> int:
        """The whole number of steps, as far as one can tell after `step` of them."""
        return max(step, round(step / self.fraction)) if self.fraction else self._steps

    def look_due(self, *, seconds: float) -> bool:
        """Looking at validation rows is due at each tenth. Under a limit, looking takes a tenth of the time at most."""
        passed = sum(self.fraction >= look for look in LOOKS)
        if self.over or passed <= self._looks_taken:
            return False
        self._looks_taken = passed
        if self._limit_s is None:
            return True
        return self._looked_s + self._longest_look_s <= LOOKING_SHARE * max(seconds, 0.3 * self._limit_s)

    def looked(self, score: float, *, took_s: float) -> bool:
        """A look found `score`. True when no earlier moment was better; of equals the later is taken."""
        self._looked_s += took_s
        self._longest_look_s = max(self._longest_look_s, took_s)
        is_better = self.best is None or score > self.best
        self._looks_in_vain = 0 if is_better or not self.best else self._looks_in_vain + 1
        if self.best is not None and score < self.best:
            return False
        self.best = score
        return True
