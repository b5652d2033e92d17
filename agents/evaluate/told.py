"""What is to be said of a student's scores as a whole: which figure leads, and where two of them disagree. Pure."""

from __future__ import annotations

from agents.evaluate.judgement import Judgement
from agents.evaluate.whole import Findings
from engine.evaluation import Calibration, Score, as_typed, gap

__all__ = ["ENOUGH_REAL_ROWS", "compared", "reliable", "sentences"]

# Fewer real rows than this tell little: at 100 rows the interval of a score is still some 20 points wide.
ENOUGH_REAL_ROWS = 100

RELIABLE = 0.9
"""The precision that a sentence names; the others stand in a table."""


def sentences(found: Findings) -> list[str]:
    """The student in a few sentences, the real figure first if there is one."""
    ordered = sorted(found.judgements, key=lambda judgement: judgement.on != "test")
    told = [_scored(judgement) for judgement in ordered if judgement.on != "demonstrations"]
    if found.promised is not None and found.judgements:
        told.append(reliable(found.promised))
    told += [part.told() for part in (found.costs, found.growth) if part is not None]
    return told


def _scored(judgement: Judgement) -> str:
    best = judgement.best_baseline()
    return (
        f"On {judgement.rows:,} {judgement.called()} the student scores {judgement.headline()}; "
        f"the best baseline ({best.name}) {best.headline()}."
    )


def reliable(promised: Calibration) -> str:
    """From which confidence on nine answers in ten are right, as a sentence."""
    found = next((each for each in promised.thresholds if each.precision == RELIABLE), None)
    if found is None:
        return f"Not even its surest answers are shown to be right in {RELIABLE:.0%} of all cases."
    return (
        f"Answers with a confidence of {as_typed(found.confidence)} or more, {found.coverage:.0%} of them, are right "
        f"in at least {RELIABLE:.0%} of all cases."
    )


def compared(real: Judgement | None, synthetic: Judgement | None) -> list[str]:
    """What a reader must know of the real score, and of the synthetic one beside it."""
    told = []
    if real is not None and real.rows < ENOUGH_REAL_ROWS:
        score = real.main()
        told.append(
            f"Only {real.rows} test {'row was' if real.rows == 1 else 'rows were'} given: too few to tell students "
            f"apart. The score may be anything from {_figure(score, score.low)} to {_figure(score, score.high)}."
        )
    if real is None or synthetic is None or real.main().metric != synthetic.main().metric:
        return told
    ours, theirs = synthetic.main(), real.main()
    apart = gap(ours, theirs)
    if apart.is_clear and apart.value > 0:
        told.append(
            f"The synthetic score ({_figure(ours)}) flatters: on the given test rows it is {_figure(theirs)}. "
            "Trust the latter."
        )
    elif apart.is_clear:
        told.append(
            f"The given test rows are easier ({_figure(theirs)}) than the synthetic ones ({_figure(ours)}): "
            "the two are not of a kind."
        )
    return told


def _figure(score: Score, value: float | None = None) -> str:
    shown = score.value if value is None else value
    return f"{shown:.1f}" if score.metric == "chrF++" else f"{shown:.1%}"
