"""What a student's confidence is worth: how often it is right when it says so, and from where on it can be relied on.

Knows confidences and whether the answers were right; what becomes of unsure answers is for whoever serves them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any, Final

from engine.errors import UserError
from engine.evaluation.intervals import at_least

__all__ = [
    "FILE",
    "PRECISIONS",
    "Bin",
    "Calibration",
    "Threshold",
    "as_typed",
    "calibrate",
    "read_calibration",
    "threshold_for",
    "write_calibration",
]

FILE: Final = "calibration.json"
FORMAT: Final = 1
BINS: Final = 10
PRECISIONS: Final = (0.8, 0.9, 0.95, 0.98, 0.99)
DOUBT: Final = 0.05

# The parts of the rows, the surest first, that a threshold may let through. Ten lose at most a tenth of the rows; each
# is a test, and more tests need more rows.
PARTS: Final = tuple(part / 10 for part in range(1, 11))


@dataclass(frozen=True, slots=True)
class Bin:
    """The rows whose confidence lies between `low` and `high`: their mean confidence, and the share that was right."""

    low: float
    high: float
    rows: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """From a `confidence` on, answers are right as often as `precision` says; a share `coverage` of rows has it."""

    precision: float
    confidence: float
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What confidence is worth on `rows` that the student had not learnt from, which `on` names.

    `thresholds` holds those precisions that could be vouched for, in rising order. `error` is how far confidence and
    the share of right answers lie apart in the mean (ECE: Naeini et al., AAAI 2015; Guo et al., arXiv 1706.04599).
    """

    thresholds: tuple[Threshold, ...]
    bins: tuple[Bin, ...]
    error: float
    rows: int
    on: str

    def confidence_for(self, precision: float) -> float | None:
        """The confidence from which on answers are right so often, or None where nothing vouches for that."""
        return next((each.confidence for each in self.thresholds if each.precision >= precision), None)


def calibrate(confidences: Sequence[float], right: Sequence[bool], *, on: str) -> Calibration:
    """What these confidences are worth. The rows must be none that the student has learnt from.

    Raises UserError without rows.
    """
    if not confidences:
        raise UserError("there are no rows to calibrate on")
    found = (threshold_for(precision, confidences, right) for precision in PRECISIONS)
    bins = _bins(confidences, right)
    return Calibration(
        thresholds=tuple(filter(None, found)),
        bins=bins,
        error=sum(each.rows * abs(each.confidence - each.right) for each in bins) / len(right),
        rows=len(right),
        on=on,
    )


def threshold_for(
    precision: float, confidences: Sequence[float], right: Sequence[bool], *, doubt: float = DOUBT
) -> Threshold | None:
    """The confidence from which on a share of at least `precision` is right; None where nothing vouches for one.

    It holds for rows of the same kind but for a probability of `doubt`. A threshold that were put where the share just
    happens to be right would be chosen for its luck: with 500 rows it broke its promise in half of all cases. So
    ten parts of the rows are tried, from the surest tenth to all; one will do whose share is certainly high enough, by
    Clopper and Pearson's bound, and the largest such part is taken. That is "Learn then Test" (Angelopoulos et al.,
    arXiv 2110.01052). The doubt is shared out among the parts that have rows enough to pass, and whoever passes hands
    its share on to the next: B. L. Wiens, "A fixed sequence Bonferroni procedure for testing multiple endpoints",
    Pharmaceutical Statistics 2 (2003).
    """
    order = sorted(range(len(right)), key=lambda row: -confidences[row])
    sizes = [size for part in PARTS if _may_pass(size := math.ceil(part * len(order)), precision, doubt=doubt)]
    found, handed_on = None, 0.0
    for size in sizes:
        least = confidences[order[size - 1]]
        covered = [row for row in order if confidences[row] >= least]
        level = doubt / len(sizes) + handed_on
        passes = at_least(sum(right[row] for row in covered), len(covered), doubt=level) >= precision
        found = Threshold(precision, least, len(covered) / len(order)) if passes else found
        handed_on = level if passes else 0.0
    return found


def as_typed(confidence: float) -> str:
    """A threshold as people read it: who types what is written here lets no answer through that is less sure.

    So it is rounded up, by less than a hundredth of it and of what it lacks of 1: near 1, where many answers lie, by
    the less.
    """
    exact = Decimal(repr(float(confidence)))
    counts = min(-1, exact.adjusted(), (1 - exact).adjusted())  # the place of the first digit that does
    return f"{exact.quantize(Decimal(1).scaleb(counts - 2), ROUND_CEILING).normalize():f}"


def _may_pass(rows: int, precision: float, *, doubt: float) -> bool:
    """Whether so many rows could vouch for it if every one were right, with the whole doubt."""
    return doubt >= precision**rows


def _bins(confidences: Sequence[float], right: Sequence[bool]) -> tuple[Bin, ...]:
    """Ten bins of equal width; those without a row are left out."""
    rows: dict[int, list[int]] = {}
    for row, confidence in enumerate(confidences):
        rows.setdefault(min(BINS - 1, max(0, int(confidence * BINS))), []).append(row)
    return tuple(
        Bin(
            low=at / BINS,
            high=(at + 1) / BINS,
            rows=len(inside),
            confidence=math.fsum(confidences[row] for row in inside) / len(inside),
            right=sum(right[row] for row in inside) / len(inside),
        )
        for at, inside in sorted(rows.items())
    )


def write_calibration(folder: Path, calibration: Calibration) -> None:
    """Write `calibration.json` into a student's folder: whole, or not at all."""
    table = {"format": FORMAT, **asdict(calibration)}
    draft = folder / f"{FILE}.draft"
    with draft.open("w", encoding="utf-8") as file:
        file.write(json.dumps(table, ensure_ascii=False, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / FILE)


def read_calibration(folder: Path) -> Calibration | None:
    """What a student's folder says of its confidence; None where it says nothing.

    Raises UserError for a file that is damaged or of another version.
    """
    path = folder / FILE
    try:
        table = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); train the student again, or take the file away") from error
    try:
        return _calibration_of(table)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: is damaged or of another version; train the student again, or take the file away"
        ) from error


def _calibration_of(table: Mapping[str, Any]) -> Calibration:
    if table["format"] != FORMAT:
        raise ValueError(table["format"])
    return Calibration(
        thresholds=tuple(Threshold(*map(_part, _values(each, Threshold))) for each in table["thresholds"]),
        bins=tuple(
            Bin(_part(low), _part(high), int(rows), _part(confidence), _part(right))
            for low, high, rows, confidence, right in (_values(each, Bin) for each in table["bins"])
        ),
        error=_part(table["error"]),
        rows=int(table["rows"]),
        on=str(table["on"]),
    )


def _values(table: Mapping[str, Any], record: type) -> list[Any]:
    return [table[name] for name in record.__slots__]  # type: ignore[attr-defined]  # a dataclass with slots has them


def _part(value: object) -> float:
    """A number from 0 to 1. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(value)
    return float(value)
