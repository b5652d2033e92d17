"""From which confidence on a student counts as sure, by what its confidence was measured to be worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.evaluation.calibration import FILE, read_calibration

__all__ = ["Sure", "sure_from"]

USUAL_PRECISION = 0.95


@dataclass(frozen=True, slots=True)
class Sure:
    """From which `confidence` on a student counts as sure, and how often it is right then, where that was measured."""

    confidence: float
    precision: float | None = None


def sure_from(student: Path, *, precision: float | None = None, option: str = "--confidence") -> Sure:
    """From where on the answers of a student are right as often as `precision` says (0 to 1).

    When nothing is said, as often as can be vouched for, up to 0.95. It was measured when the student was made, on rows
    that it had not learnt from: few rows vouch for little. Raises UserError where it was not measured, or where nothing
    vouches for so much; `option` is how users say it themselves.
    """
    calibration = read_calibration(student)
    if calibration is None:
        raise UserError(
            f"{student}: nothing says what its confidence is worth (no {FILE}); say from where on it is sure, as in "
            f"{option} 0.9"
        )
    vouched = sorted(each.precision for each in calibration.thresholds)
    wanted = precision
    if wanted is None:
        wanted = max((each for each in vouched if each <= USUAL_PRECISION), default=USUAL_PRECISION)
    least = calibration.confidence_for(wanted)
    if least is None:
        told = f"; the most is {vouched[-1]:g}" if vouched else ""
        raise UserError(
            f"{student}: nothing vouches for a precision of {wanted:g}{told}: ask for less with --precision, or say "
            f"from where on it is sure, with {option}"
        )
    return Sure(least, wanted)
