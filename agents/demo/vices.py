"""How often a teacher that is not there errs, and in which ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["NO_VICES", "USUAL_VICES", "Vices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vices:
    """How often a teacher errs. Rates are probabilities at temperature 0.7; `heat` and `cold` say how they move.

    Vices(wrong_label=0)  # labels are right, though perhaps in the wrong form
    NO_VICES              # a teacher without fault
    """

    wrong_label: float = 0.06  # of an input of hardness 1; grows with heat and hardness
    worst_label: float = 0.45  # but no input is labelled wrong more often than this
    blind: float = 0.0  # of inputs: what it takes for right is not, each time it is asked, and also when it judges
    broken_label: float = 0.03  # right, in a form that nobody asked for; grows with heat
    refusal: float = 0.008  # of a label; of a generation half as often
    stubborn: float = 0.1  # of a second label for the same words: the first one again
    crowding: float = 0.03  # how much more often an input is labelled wrong for each one before it in the same call
    lapse: float = 0.03  # of a call with several inputs: from one of them on, labels are wrong four times as often
    slip: float = 0.003  # of an input among others: its neighbour's label
    skip: float = 0.004  # of an input among others: no label; every other time those after it move up
    near_duplicate: float = 0.14  # of an input that is written; grows with cold
    broken_array: float = 0.08  # of a generation's reply; grows with heat
    miscount: float = 0.08  # of a generation's reply: fewer or more inputs than asked for
    disobedience: float = 0.12  # of an input that was asked for with a target: the target is overlooked
    misjudged: float = 0.1  # of a row of hardness 1: a right one taken for wrong, or a wrong one for right
    gullible: float = 0.3  # of a call with a row that tells its reader what to say: it is said, of all its rows
    overlooked: float = 0.04  # of a data set that could serve: it is passed over
    skewed: bool = True  # asked without a target, writes what comes to mind, and rarely what has no answer


USUAL_VICES: Final = Vices()

NO_VICES: Final = Vices(
    wrong_label=0,
    broken_label=0,
    refusal=0,
    stubborn=0,
    crowding=0,
    lapse=0,
    slip=0,
    skip=0,
    near_duplicate=0,
    broken_array=0,
    miscount=0,
    disobedience=0,
    misjudged=0,
    gullible=0,
    overlooked=0,
    skewed=False,
)
