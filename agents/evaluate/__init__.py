"""How good a student is, beside the plainest rivals and the teacher, on real rows and on synthetic ones."""

from __future__ import annotations

from agents.evaluate.confidence import calibrate_student
from agents.evaluate.costs import Costs, StudentSpeed, TeacherCosts, speed_of
from agents.evaluate.growth import GrowthCurve, Point, growth_of
from agents.evaluate.judgement import Judged, Judgement, Origin, Promise, RowFacts, Sample, table_of
from agents.evaluate.measures import form_seen, metrics_for, right_by
from agents.evaluate.rivals import rivals_of, taught
from agents.evaluate.scoring import evaluate
from agents.evaluate.whole import Findings, judge_student, rows_of

__all__ = [
    "Costs",
    "Findings",
    "GrowthCurve",
    "Judged",
    "Judgement",
    "Origin",
    "Point",
    "Promise",
    "RowFacts",
    "Sample",
    "StudentSpeed",
    "TeacherCosts",
    "calibrate_student",
    "evaluate",
    "form_seen",
    "growth_of",
    "judge_student",
    "metrics_for",
    "right_by",
    "rivals_of",
    "rows_of",
    "speed_of",
    "table_of",
    "taught",
]
