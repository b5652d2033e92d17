"""Who goes on in a trial of students: the better half of each round, on twice the rows. Pure.

Successive halving: K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
Optimization", AISTATS 2016. Knows scores, sizes and counts; no student, no row and no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.records import StudentFamily
from engine.evaluation import Score

__all__ = [
    "Candidate",
    "Outcome",
    "Round",
    "best_first",
    "goes_on",
    "half",
    "rounds_for",
    "seconds_each",
    "slice_sizes",
    "winner",
]

FEWEST = 50  # rows of a slice: fewer say nothing of anybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A student that may be trained. Of equals the one of fewer `bytes` is taken, and of these the one named first."""

    name: str
    family: StudentFamily
    checkpoint: str | None = None
    bytes: int = 0  # of the weights it starts from
    rank: int = 0
    is_here: bool = True
    dials: Mapping[str, float] = field(
        default_factory=dict, hash=False
    )  # of its family's recipe, see `engine.training.dials`


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a candidate in a round: its scores, the one to compare by first, or why there are none."""

    candidate: Candidate
    scores: tuple[Score, ...] = ()
    problem: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Round:
    """How many rows each learnt from, and what came of each."""

    rows: int
    outcomes: tuple[Outcome, ...]


def half(standing: int) -> int:
    """How many of so many go on: the better half, and the one in the middle."""
    return (standing + 1) // 2


def rounds_for(candidates: int) -> int:
    """How many rounds it takes until one of so many is left."""
    return max(0, candidates - 1).bit_length()


def slice_sizes(rows: int, *, rounds: int) -> tuple[int, ...]:
    """How many of the rows each round learns from: twice as many each time, half of all in the last.

    Where there are few the first begins with fifty, and none has more than there are.

        slice_sizes(2000, rounds=3)  # (250, 500, 1000)
    """
    first = max(min(FEWEST, rows), rows >> rounds)
    return tuple(min(rows, first << number) for number in range(rounds))


def seconds_each(left_s: float, *, standing: int) -> float:
    """How long each of those standing may learn now, so that twice as long is left for each in every later round."""
    parts, doubled = 0, 1
    while standing > 1:
        parts += standing * doubled
        standing, doubled = half(standing), 2 * doubled
    return left_s / max(1, parts)


def best_first(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that have scores, the best first; of equal scores the cheaper, then the one that was named first."""
    return sorted(
        (outcome for outcome in outcomes if outcome.scores),
        key=lambda outcome: (
            [-score.value for score in outcome.scores],
            outcome.candidate.bytes,
            outcome.candidate.rank,
        ),
    )


def goes_on(outcomes: Sequence[Outcome]) -> tuple[Candidate, ...]:
    """The better half, best first. Who has no scores is out, and nobody comes in for it from the other half."""
    return tuple(outcome.candidate for outcome in best_first(outcomes)[: half(len(outcomes))])


def winner(rounds: Sequence[Round]) -> Outcome | None:
    """The best of the last round in which anybody had scores; None where nobody ever had."""
    last = next((best for each in reversed(rounds) if (best := best_first(each.outcomes))), None)
    return last[0] if last else None
