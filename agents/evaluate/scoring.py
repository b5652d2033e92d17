"""How good a student is: the same rows through the student and through the plainest rivals, with intervals.

Knows predictors and rows; where the rows come from (synthetic, demonstrations, the user's own) is told by the caller
and kept beside every figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from agents.evaluate.judgement import Judged, Judgement, Origin, Promise, Sample
from agents.evaluate.measures import chooses_labels, metrics_for, right_by
from agents.evaluate.rivals import rivals_of
from agents.evaluate.sieve import sieve
from agents.records import AnswerForm, TaskKind
from engine.errors import UserError
from engine.evaluation import (
    PLAIN,
    Calibration,
    LabelScore,
    Terms,
    better,
    calibrate,
    confusion,
    label_scores,
    labels_in,
    rightness,
    score,
    wilson,
)
from engine.training import Prediction, Row, Student

__all__ = ["Keep", "evaluate"]

SHOWN = 8  # rows of a kind that a report shows

Keep = Callable[[Origin, Sequence[Sample]], None]
"""What is done with all rows that a student was judged by."""


def evaluate(
    student: Student,
    rows: Sequence[Row],
    *,
    train: Sequence[Row],
    on: Origin,
    kind: TaskKind,
    seed: int,
    form: AnswerForm = "text",
    terms: Terms = PLAIN,
    rivals: Sequence[Student] | None = None,
    teacher: Mapping[str, Mapping[str, str]] | None = None,
    beside: Mapping[str, Student] | None = None,
    promised: Calibration | None = None,
    keep: Keep = lambda _on, _samples: None,
) -> Judgement:
    """Score the student and its rivals on the same rows, but for those that are among `train`.

    `train` is what the rivals know, unless they are given; without any, only Copy can run. `teacher` has the answers
    of whoever could have been asked instead, by name and input; `beside` are other students. `promised` is what the
    student's folder says of its confidence. `keep` is given every row with the student's answer.

    Raises UserError where the student has learnt from every row.
    """
    sieved = sieve(rows, train=train, kind=kind, form=form)
    if rows and not sieved.rows:
        raise UserError(
            f"the student has learnt from every one of the {len(rows):,} rows: judge it by rows it has not seen"
        )
    has_labels = chooses_labels(kind, form)
    if rivals is None:
        rivals = rivals_of(train, has_labels=has_labels, family=student.family)
    wanted = [row.output for row in sieved.rows]
    answers = student.predict([row.input for row in sieved.rows])
    got = [answer.output for answer in answers]
    metrics = metrics_for(kind, form, wanted, terms=terms)
    right = rightness(right_by(metrics), got, wanted, terms=terms)
    samples = _samples(sieved.rows, answers, right)
    keep(on, samples)
    scored = partial(score, references=wanted, metrics=metrics, terms=terms, seed=seed)

    def behind(name: str, others: Sequence[str], *, is_baseline: bool = True) -> Judged:
        lead = better(got, others, wanted, metric=metrics[0], terms=terms, seed=seed)
        return Judged(name, scored(others), lead, is_baseline)

    return Judgement(
        on=on,
        rows=len(wanted),
        student=Judged(student.family, scored(got)),
        baselines=(
            *(behind(rival.family, _outputs(rival, sieved.rows)) for rival in rivals),
            *(behind(name, _outputs(other, sieved.rows), is_baseline=False) for name, other in (beside or {}).items()),
            *(
                behind(name, [given[row.input] for row in sieved.rows], is_baseline=False)
                for name, given in (teacher or {}).items()
            ),
        ),
        samples=_worth_showing(samples),
        cut=sum(answer.cut for answer in answers),
        facts=replace(sieved.facts, silent=_silent(got, wanted)),
        labels=_label_scores(got, wanted, kind) if has_labels else (),
        confusion=confusion(got, wanted) if kind == "classification" else None,
        calibration=calibrate([answer.confidence for answer in answers], right, on=on),
        promises=_kept(promised, answers, right),
    )


def _outputs(student: Student, rows: Sequence[Row]) -> list[str]:
    return [answer.output for answer in student.predict([row.input for row in rows])]


def _label_scores(got: Sequence[str], wanted: Sequence[str], kind: TaskKind) -> tuple[LabelScore, ...]:
    if kind == "classification":
        return label_scores(got, wanted)
    return label_scores([labels_in(text) for text in got], [labels_in(text) for text in wanted])


def _silent(got: Sequence[str], wanted: Sequence[str]) -> int:
    return sum(not given.strip() and bool(right.strip()) for given, right in zip(got, wanted, strict=True))


def _samples(rows: Sequence[Row], answers: Sequence[Prediction], right: Sequence[bool]) -> list[Sample]:
    return [
        Sample(row.input, row.output, answer.output, answer.confidence, is_right)
        for row, answer, is_right in zip(rows, answers, right, strict=True)
    ]


def _worth_showing(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """A few of each: the mistakes the student was surest of, then rows it got right, in order."""
    wrong = sorted((sample for sample in samples if not sample.right), key=lambda sample: -sample.confidence)
    right = [sample for sample in samples if sample.right]
    return (*wrong[:SHOWN], *right[:SHOWN])


def _kept(promised: Calibration | None, answers: Sequence[Prediction], right: Sequence[bool]) -> tuple[Promise, ...]:
    """What became of each threshold on these rows; one that none of them reaches tells nothing."""
    found = []
    for threshold in promised.thresholds if promised else ():
        sure = [
            is_right
            for answer, is_right in zip(answers, right, strict=True)
            if answer.confidence >= threshold.confidence
        ]
        if sure:
            low, high = wilson(sum(sure), len(sure))
            share = sum(sure) / len(sure)
            found.append(Promise(threshold.precision, threshold.confidence, len(sure), share, low, high))
    return tuple(found)
