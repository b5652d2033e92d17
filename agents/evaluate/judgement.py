"""What a student is worth on one set of rows, beside its rivals: records, and what is to be said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.evaluation import Calibration, Confusion, Difference, LabelScore, Score, as_typed
from engine.text import clean

__all__ = ["CALLED", "Judged", "Judgement", "Origin", "Promise", "RowFacts", "Sample", "table_of"]

Origin = Literal["synthetic", "demonstrations", "test", "held_back"]

CALLED: Mapping[Origin, str] = {
    "synthetic": "held-out synthetic rows",
    "demonstrations": "demonstrations of the prompt",
    "test": "given test rows",
    "held_back": "rows held back from training",
}

MANY = 0.05  # of the rows: fewer that are answered with nothing are mistakes like any other
NAMED = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """A predictor's name and its scores, the main one first.

    Of others, `behind` is how far they stand behind the student on the main score. `is_baseline` says that the student
    must be better, to be worth anything: not than the teacher, an LLM or another student.
    """

    name: str
    scores: tuple[Score, ...]
    behind: Difference | None = None
    is_baseline: bool = True

    def headline(self) -> str:
        """The main score with its interval, for a sentence: "0.94 exact match (0.92 to 0.96)"."""
        return str(self.scores[0])


@dataclass(frozen=True, slots=True)
class Sample:
    """One judged row, to look at."""

    input: str
    wanted: str
    got: str
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold of the student's held against rows that it was not chosen by.

    Of `rows` with at least that `confidence`, a share `right` was, where `precision` was promised; 95 % interval.
    """

    precision: float
    confidence: float
    rows: int
    right: float
    low: float
    high: float

    @property
    def is_broken(self) -> bool:
        """Whether less than was promised is right, by more than chance."""
        return self.high < self.precision


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """What there is to know about the rows themselves.

    `learnt` were left out, because the student has learnt from them. `respelled` have a label that differs from one of
    the training rows by letter case or blanks alone: no answer to them can be right. `missing` are labels of the
    training rows that no judged row has, `unlearnt` those of judged rows that no training row has.
    """

    learnt: int = 0
    respelled: int = 0
    missing: tuple[str, ...] = ()
    unlearnt: tuple[str, ...] = ()
    silent: int = 0  # rows that the student answered with nothing, though something was wanted


NOTHING_ODD = RowFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A student and its rivals on one set of rows. The first score of each is the one to compare by.

    `labels` and `confusion` are those of a task with labels; `calibration` is what its confidence was worth here, and
    `promises` what became of the thresholds that its folder names.
    """

    on: Origin
    rows: int
    student: Judged
    baselines: tuple[Judged, ...]
    samples: tuple[Sample, ...] = ()
    cut: int = 0  # rows whose input is longer than the student can read
    facts: RowFacts = NOTHING_ODD
    labels: tuple[LabelScore, ...] = ()
    confusion: Confusion | None = None
    calibration: Calibration | None = None
    promises: tuple[Promise, ...] = ()

    def called(self) -> str:
        return CALLED[self.on]

    def main(self) -> Score:
        return self.student.scores[0]

    def headline(self) -> str:
        return self.student.headline()

    def rivals(self) -> tuple[Judged, ...]:
        """The baselines that a student must beat to be worth anything."""
        return tuple(judged for judged in self.baselines if judged.is_baseline)

    def best_baseline(self) -> Judged:
        return max(self.rivals(), key=lambda judged: judged.scores[0].value)

    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the figures of this set, if anything."""
        told = (self._not_better(), self._cut(), *self._about_rows(), *self._broken())
        return tuple(text for text in told if text)

    def unbeaten(self) -> Judged | None:
        """The best baseline that the student is not clearly better than, by a paired test where there is one."""
        unbeaten = [judged for judged in self.rivals() if not _beaten(self.main(), judged)]
        return max(unbeaten, key=lambda judged: judged.scores[0].value, default=None)

    def _not_better(self) -> str:
        best = self.unbeaten()
        if self.on == "demonstrations" or best is None:
            return ""
        lead = best.behind
        how = "worse" if lead is not None and lead.is_worse else "not clearly better"
        told = f"On the {self.called()} the student is {how} than the baseline {best.name!r}"
        return f"{told}." if lead is None else f"{told}: {lead} {lead.metric}."

    def _cut(self) -> str:
        if not self.cut:
            return ""
        return f"Of the {self.called()}, {self.cut} of {self.rows} are longer than the student can read."

    def _about_rows(self) -> list[str]:
        facts, rows = self.facts, self.called()
        told = []
        if facts.learnt:
            told.append(f"Of the {rows}, {facts.learnt:,} more are left out: the student has learnt from them.")
        if facts.respelled:
            told.append(
                f"Of the {rows}, {facts.respelled:,} have a label that is spelled otherwise in the rows it learnt "
                "from (letter case or blanks): they count as wrong."
            )
        if self.on != "demonstrations" and facts.missing:
            told.append(f"None of the {rows} has {_named(facts.missing)}: how the student does there is not known.")
        if facts.unlearnt:
            told.append(f"Of the {rows}, some have {_named(facts.unlearnt)}, which the student never saw.")
        if facts.silent >= max(1, MANY * self.rows):
            told.append(f"To {facts.silent:,} of the {self.rows:,} {rows} the student answers nothing.")
        return told

    def _broken(self) -> list[str]:
        return [
            f"Answers with a confidence of {as_typed(each.confidence)} or more were to be right in "
            f"{each.precision:.0%} of all cases; on the {self.called()} it is "
            f"{each.right:.0%} ({each.low:.0%} to {each.high:.0%})."
            for each in self.promises
            if each.is_broken
        ]


def _named(labels: Sequence[str]) -> str:
    """Labels for a sentence: "the label 'a'", "the labels 'a', 'b' and 7 more"."""
    shown = ", ".join(repr(clean(label, 60)) for label in labels[:NAMED])
    more = f" and {len(labels) - NAMED:,} more" if len(labels) > NAMED else ""
    return f"the {'label' if len(labels) == 1 else 'labels'} {shown}{more}"


def _beaten(student: Score, rival: Judged) -> bool:
    if rival.behind is not None:
        return rival.behind.is_better
    return student.low > rival.scores[0].high


def table_of(judgement: Judgement) -> list[dict[str, str]]:
    """The scores as rows of text, the student first."""
    everybody: Sequence[Judged] = (judgement.student, *judgement.baselines)
    return [
        {
            "who": judged.name,
            **{score.metric: score.figure for score in judged.scores},
            "student is ahead by": "" if judged.behind is None else str(judged.behind),
        }
        for judged in everybody
    ]
