"""All that is found out about the student of a run: on every set of rows, what it costs, what more rows would bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agents.collect import Split
from agents.evaluate.costs import Costs, speed_of
from agents.evaluate.growth import FEWEST_JUDGED, GrowthCurve, growth_of
from agents.evaluate.judgement import CALLED, Judgement, Origin
from agents.evaluate.measures import chooses_labels, metrics_for
from agents.evaluate.rivals import rivals_of, taught
from agents.evaluate.scoring import Keep, evaluate
from agents.evaluate.sieve import sieve
from agents.evaluate.teacher import ONE_LABEL, single_labels, teacher_costs
from agents.records import Example, Pair, Spec
from engine.evaluation import Calibration, read_calibration
from engine.training import Row, Student, read_card

__all__ = ["Findings", "judge_student", "rows_of"]

GROWTH_SECONDS = 30.0  # that students of parts of the rows may take: they are for one sentence of the report

QUICK = ("linear", "embedding")  # families that are trained again within seconds


@dataclass(frozen=True, slots=True)
class Findings:
    """What a student was found to be worth; nothing where there is none."""

    judgements: tuple[Judgement, ...] = ()
    promised: Calibration | None = None  # what its folder says of its confidence
    costs: Costs | None = None
    growth: GrowthCurve | None = None


def judge_student(
    student: Student,
    folder: Path,
    *,
    spec: Spec,
    split: Split,
    given: Sequence[Pair],
    journal: Path,
    votes_asked: int,
    seed: int,
    note: Callable[[str], None] = lambda _: None,
    keep: Keep = lambda _on, _samples: None,
) -> Findings:
    """The student of `folder` beside its rivals: on the user's own rows, on synthetic ones, on the demonstrations.

    The rows that it has learnt from are left out of all three; a set of which nothing is left is told of and passed
    over. `keep` is given every row of each set with the student's answer. Nothing is asked of anybody: what the teacher
    answered and cost is in the rows and in the journal.
    """
    train = rows_of(split.train)
    rivals = rivals_of(train, has_labels=chooses_labels(spec.kind, spec.form), family=student.family)
    promised = read_calibration(folder)
    judge = partial(
        evaluate, student, train=train, kind=spec.kind, form=spec.form, seed=seed, rivals=rivals,
        promised=promised, keep=keep,
    )  # fmt: skip
    labels = single_labels(spec, split.test)
    teachers: Mapping[Origin, Mapping[str, Mapping[str, str]]] = {"synthetic": {ONE_LABEL: labels}} if labels else {}
    places: tuple[tuple[Origin, Sequence[Row]], ...] = (
        ("test", rows_of(given)),
        ("synthetic", rows_of(split.test)),
        ("demonstrations", rows_of(spec.demonstrations)),
    )
    judgements = []
    for origin, rows in places:
        if sieve(rows, train=train, kind=spec.kind).rows:
            judgements.append(judge(rows, on=origin, teacher=teachers.get(origin)))
        elif rows:
            note(f"the student has learnt from every one of the {CALLED[origin]}: it cannot be judged by them")
    speed = speed_of(student, [row.input for row in split.test])
    return Findings(
        tuple(judgements),
        promised,
        None if speed is None else Costs(student=speed, teacher=teacher_costs(journal, labels=votes_asked)),
        _growth(student, folder, rivals, places, train=train, spec=spec, seed=seed),
    )


def _growth(
    student: Student,
    folder: Path,
    rivals: Sequence[Student],
    places: Sequence[tuple[Origin, Sequence[Row]]],
    *,
    train: Sequence[Row],
    spec: Spec,
    seed: int,
) -> GrowthCurve | None:
    """By the student itself where it is quick to train, else by `linear`; by real rows where there are enough."""
    stand_in = next((each for each in (student, *rivals) if each.family in QUICK), None)
    origin, judged = next(((origin, rows) for origin, rows in places if len(rows) >= FEWEST_JUDGED), (None, ()))
    if stand_in is None or origin is None:
        return None
    teach = partial(
        taught,
        family=stand_in.family,
        base=read_card(folder).base if stand_in is student else None,
        seed=seed,
    )
    return growth_of(
        stand_in,
        train,
        judged,
        teach=teach,
        metric=metrics_for(spec.kind, spec.form, [])[0],
        on=origin,
        seconds=GROWTH_SECONDS,
        labels=len({row.output for row in train}) if spec.kind == "classification" else 0,
        stands_in=stand_in is not student,
        seed=seed,
    )


def rows_of(pairs: Sequence[Pair] | Sequence[Example]) -> tuple[Row, ...]:
    return tuple(Row(pair.input, pair.output) for pair in pairs)
