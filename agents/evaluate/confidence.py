"""What a student's confidence is worth, found out right after its training and kept in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.evaluate.measures import metrics_for, right_by
from agents.records import AnswerForm, TaskKind
from engine.evaluation import calibrate, rightness, write_calibration
from engine.training import Row, Student

__all__ = ["calibrate_student"]


def calibrate_student(
    student: Student, folder: Path, validation: Sequence[Row], *, kind: TaskKind, form: AnswerForm = "text"
) -> None:
    """Write into a student's folder what its confidence is worth: `calibration.json`; nothing without rows.

    The rows are those that chose its best moment; it has not learnt from them. They are no real ones where a teacher
    has made them: then what is promised is that the student answers as the teacher would.
    """
    if not validation:
        return
    answers = student.predict([row.input for row in validation])
    wanted = [row.output for row in validation]
    right = rightness(right_by(metrics_for(kind, form, wanted)), [answer.output for answer in answers], wanted)
    write_calibration(folder, calibrate([answer.confidence for answer in answers], right, on="validation"))
