"""How good a student is: the same rows through the student and through the plainest rivals, with intervals.

Knows predictors and rows; where the rows come from (synthetic, demonstrations, the user's own) is told by the caller
and kept beside every figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agents.records import TaskKind
from engine.baselines import Copy, Majority, Nearest
from engine.evaluation import Score, score
from engine.training import Row, Student

__all__ = ["Judged", "Judgement", "Origin", "Sample", "evaluate", "table_of"]

Origin = Literal["synthetic", "demonstrations", "test"]

SHOWN = 8  # rows of a kind that a report shows

CALLED: Mapping[Origin, str] = {
    "synthetic": "held-out synthetic rows",
    "demonstrations": "demonstrations of the prompt",
    "test": "given test rows",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A predictor's name and its scores, the main one first."""

    name: str
    scores: tuple[Score, ...]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A student and its rivals on one set of rows. The first score of each is the one to compare by."""

    on: Origin
    rows: int
    student: Judged
    baselines: tuple[Judged, ...]
    samples: tuple[Sample, ...] = ()
    cut: int = 0  # rows whose input is longer than the student can read

    def called(self) -> str:
        return CALLED[self.on]

    def main(self) -> Score:
        return self.student.scores[0]

    def headline(self) -> str:
        return self.student.headline()

    def best_baseline(self) -> Judged:
        return max(self.baselines, key=lambda judged: judged.scores[0].value)

    def warnings(self) -> tuple[str, ...]:
        """What is wrong with the figures of this set, if anything."""
        found = []
        best = self.best_baseline()
        if self.on != "demonstrations" and self.main().low <= best.scores[0].high:
            found.append(f"On the {self.called()} the student is not clearly better than the baseline {best.name!r}.")
        if self.cut:
            found.append(f"Of the {self.called()}, {self.cut} of {self.rows} are longer than the student can read.")
        return tuple(found)


def evaluate(
    student: Student, rows: Sequence[Row], *, train: Sequence[Row], on: Origin, kind: TaskKind, seed: int
) -> Judgement:
    """Score the student and its rivals on the same rows.

    `train` is what the rivals know; without any, only Copy can run.
    """
    wanted = [row.output for row in rows]
    answers = student.predict([row.input for row in rows])
    got = [answer.output for answer in answers]
    samples = tuple(
        Sample(row.input, row.output, answer.output, answer.confidence, answer.output == row.output)
        for row, answer in zip(rows, answers, strict=True)
    )
    return Judgement(
        on=on,
        rows=len(rows),
        student=Judged(student.family, score(got, wanted, kind=kind, seed=seed)),
        baselines=_baselines(rows, train=train, kind=kind, seed=seed),
        samples=_worth_showing(samples),
        cut=sum(answer.cut for answer in answers),
    )


def _baselines(rows: Sequence[Row], *, train: Sequence[Row], kind: TaskKind, seed: int) -> tuple[Judged, ...]:
    inputs, wanted = [row.input for row in rows], [row.output for row in rows]
    rivals = (Majority.of(train), Copy(), Nearest.of(train)) if train else (Copy(),)
    return tuple(
        Judged(rival.family, score([answer.output for answer in rival.predict(inputs)], wanted, kind=kind, seed=seed))
        for rival in rivals
    )


def _worth_showing(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """A few of each: the mistakes the student was surest of, then rows it got right, in order."""
    wrong = sorted((sample for sample in samples if not sample.right), key=lambda sample: -sample.confidence)
    right = [sample for sample in samples if sample.right]
    return (*wrong[:SHOWN], *right[:SHOWN])


def table_of(judgement: Judgement) -> list[dict[str, str]]:
    """The scores as rows of text, the student first."""
    return [
        {
            "who": judged.name,
            **{score.metric: f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})" for score in judged.scores},
        }
        for judged in (judgement.student, *judgement.baselines)
    ]
