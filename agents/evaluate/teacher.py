"""The teacher beside its student, for nothing: what it answered when the rows were made, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from agents.evaluate.costs import TeacherCosts
from agents.records import Example, Spec
from agents.voting.ballots import LABELLING
from agents.voting.vote import normaliser
from engine.errors import JournalUnusable
from engine.journal import latencies, peek
from engine.prices import PICO_PER_USD

__all__ = ["ONE_LABEL", "single_labels", "teacher_costs"]

ONE_LABEL = "teacher, one label"
"""The teacher's first vote. On rows that its own votes have labelled it is held against itself: agreement, no truth."""


def single_labels(spec: Spec, examples: Sequence[Example]) -> Mapping[str, str]:
    """What one call would have said to each input; empty unless every row was voted on."""
    if not all(example.vote.samples for example in examples):
        return {}
    normalise = normaliser(spec)
    return {example.input: normalise(example.vote.samples[0]) for example in examples}


def teacher_costs(journal: Path, *, labels: int) -> TeacherCosts | None:
    """What each of so many labels cost, by the ledger, and how long their calls took; None where nobody was asked."""
    try:
        totals = peek(journal).by_tag.get(LABELLING)
        took = latencies(journal, tag=LABELLING)
    except JournalUnusable:  # a run whose journal is gone can still be judged
        return None
    if totals is None or not took:
        return None
    usd = (totals.spent + totals.assumed) / PICO_PER_USD / labels if labels else None
    return TeacherCosts(usd, median(took), labels)
