"""By which metrics answers are judged, from the kind of the task and the form of its answers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from agents.records import AnswerForm, TaskKind
from engine.evaluation import Terms, is_share
from engine.evaluation.matching import is_json, moment_of, number_of
from engine.training.choice import choice_of

__all__ = ["chooses_labels", "form_seen", "metrics_for", "right_by"]

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
NEARLY_ALL = 0.9  # the rest may be "N/A"

_LOOKS: Sequence[tuple[AnswerForm, Callable[[str], bool]]] = (
    ("number", lambda text: number_of(text) is not None),
    ("date", lambda text: moment_of(text) is not None),
    ("json", is_json),
)
_PROSE = ("chrF++", "ROUGE-L", "exact match")


def chooses_labels(kind: TaskKind, form: AnswerForm) -> bool:
    """Whether answers are labels, one or several at once."""
    return kind == "classification" or form == "labels"


def form_seen(outputs: Sequence[str], *, kind: TaskKind) -> tuple[TaskKind, AnswerForm]:
    """What answers look like where no prompt says it: nearly every right one must be of that form.

    Who answers with labels may answer with several: these are compared as sets, not each combination as a label.
    """
    if kind == "classification":
        return ("text", "labels") if choice_of(outputs).is_of_several else (kind, "label")
    seen = (form for form, fits in _LOOKS if sum(map(fits, outputs)) >= NEARLY_ALL * len(outputs) > 0)
    return kind, next(seen, "text")


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
