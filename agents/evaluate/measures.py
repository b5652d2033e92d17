"""By which metrics answers are judged, from the kind of the task and the form of its answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from agents.records import AnswerForm, TaskKind
from engine.evaluation import Terms, is_share

__all__ = ["chooses_labels", "metrics_for", "right_by"]

LONG_ANSWER = 12  # words: hardly anybody, asked twice, says so much in the same words

_BY_FORM: Mapping[AnswerForm, tuple[str, ...]] = {
    "code": ("exact match", "chrF++"),
    "date": ("exact match", "date match"),
    "json": ("JSON match", "JSON fields", "exact match"),
    "label": ("exact match", "chrF++"),
    "labels": ("same labels", "label F1"),
    "number": ("exact match", "number match"),
    "text": ("exact match", "chrF++", "ROUGE-L"),
}
_PROSE = ("chrF++", "ROUGE-L", "exact match")


def chooses_labels(kind: TaskKind, form: AnswerForm) -> bool:
    """Whether answers are labels, one or several at once."""
    return kind == "classification" or form == "labels"


def metrics_for(
    kind: TaskKind, form: AnswerForm, wanted: Sequence[str], *, terms: Terms | None = None
) -> tuple[str, ...]:
    """The metrics of a task, the one to compare by first.

    A label is right or wrong. Numbers and dates must be written as they are wanted, since whoever reads them may be a
    program, unless `terms` give them leeway: then it is the value that counts. JSON and sets of labels are compared as
    such. Long texts are never the same, so likeness stands first for them. An encoder in `terms` adds BERTScore.
    """
    names = ("accuracy", "macro-F1") if kind == "classification" else _of_text(form, wanted, terms)
    return (*names, "BERTScore") if terms is not None and terms.encoder is not None else names


def _of_text(form: AnswerForm, wanted: Sequence[str], terms: Terms | None) -> tuple[str, ...]:
    if form == "text" and wanted and median(len(answer.split()) for answer in wanted) > LONG_ANSWER:
        return _PROSE
    names = _BY_FORM[form]
    has_leeway = terms is not None and terms != Terms(encoder=terms.encoder)
    return names[::-1] if has_leeway and form in ("date", "number") else names


def right_by(metrics: Sequence[str]) -> str:
    """The first of the metrics that says of each row whether it is right."""
    return next((name for name in metrics if is_share(name)), "exact match")
