"""The student `linear`: words and characters weighted by TF-IDF, and a logistic regression over them. Labels only.

It learns in seconds, needs no download, and is the baseline that any other student must beat.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.training.choice import Choice, choice_of
from engine.training.folder import Card, new_folder, read_card, write_card
from engine.training.head import MOST_FITTED, Head, choice_kept, keep_choice
from engine.training.lesson import Lesson
from engine.training.student import Prediction, exact_share
from engine.training.weights import row_weights

__all__ = ["LinearStudent", "load", "train"]

FAMILY = "linear"

# On 4/5 against 1/5 of banking77 and clinc150 these stood at 0.895 and 0.936; characters 3 to 5 at 0.897 and 0.925,
# single words only at 0.928 on clinc150, and C = 30 or 100 at most 0.002 higher on one and 0.01 lower on the other.
ANALYSERS: Mapping[str, Mapping[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b", "sublinear_tf": True},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 4), "sublinear_tf": True},
}
C = 10.0

# A weight for each feature and label: 10,000 labels over every n-gram would need gigabytes. Up to a thousand labels
# there are as many as a regression may have: on 453 labels made of clinc150, 13,244 features came to 0.659 by one and
# to 0.644 by steps, all 31,174 to 0.643 (in 3.7 GB) and to 0.632.
MOST_WEIGHTS = 20_000_000
MOST_FEATURES = 100_000
ENOUGH_FEATURES = 6_000
FEWEST_FEATURES = 500
FITTING_SHARE = 0.8  # of a time limit, words and characters counted; the look at the validation rows has the rest
MOST_LABELS = MOST_WEIGHTS // FEWEST_FEATURES


class LinearStudent:
    """Answers with one of the labels that it has seen, or with several where its rows did."""

    family = FAMILY

    def __init__(self, *, vectorizers: Sequence[Any], head: Head) -> None:
        self._vectorizers = vectorizers
        self._head = head

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return self._head.answer(_features(self._vectorizers, inputs)) if inputs else []

    def __repr__(self) -> str:
        return f"<LinearStudent {len(self._head.choice.labels)} labels>"


def train(lesson: Lesson, folder: Path) -> None:
    """Fit and keep. The seed and the threads have no say; the time limit has with so many labels that it binds."""
    started = time.monotonic()
    inputs, outputs = [row.input for row in lesson.rows], [row.output for row in lesson.rows]
    choice = choice_of(outputs)
    if len(choice.labels) > MOST_LABELS:
        raise UserError(f"{len(choice.labels)} labels are too many for {FAMILY!r} (at most {MOST_LABELS}); use 'tiny'")
    vectorizers = _fit_vectorizers(inputs, labels=len(choice.labels))
    counts = row_weights(lesson, choice)
    strength = C / lesson.dials.get("regularisation", 1)
    features = _features(vectorizers, inputs)
    left = None if lesson.time_limit_s is None else FITTING_SHARE * lesson.time_limit_s - (time.monotonic() - started)
    head = Head.fitted(
        features, outputs, choice=choice, strength=strength, counts=counts, seconds=left, note=lesson.note
    )

    student = LinearStudent(vectorizers=vectorizers, head=head)
    with new_folder(folder) as draft:
        _save(draft, vectorizers, head)
        write_card(draft, _card(lesson, student, vectorizers, choice))


def load(folder: Path) -> LinearStudent:
    """Bring back what `train` kept: arrays and names, no pickles."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    read_card(folder)
    try:
        names = json.loads((folder / "vocabulary.json").read_bytes())
        arrays = load_file(folder / "model.safetensors")
        vectorizers = []
        for name in ANALYSERS:
            vectorizer = _vectorizer(name, vocabulary=names[name])
            vectorizer.idf_ = arrays[f"{name}.idf"]
            vectorizers.append(vectorizer)
        head = Head.of_arrays(choice_kept(names), arrays)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"{folder} is a damaged student ({error}): train it again") from error
    return LinearStudent(vectorizers=vectorizers, head=head)


def _fit_vectorizers(inputs: Sequence[str], *, labels: int) -> list[Any]:
    most = _most_features(labels) // len(ANALYSERS)
    try:
        return [_vectorizer(name, max_features=most).fit(inputs) for name in ANALYSERS]
    except ValueError as error:  # sklearn's words for "not one word in all of these"
        raise UserError(
            "no input holds a single letter or digit: there is nothing to tell the labels apart by"
        ) from error


def _most_features(labels: int) -> int:
    """As many as a regression over so many labels may have, where these are enough; else as a student may be large."""
    fitted = MOST_FITTED // labels
    most = fitted if fitted >= ENOUGH_FEATURES else MOST_WEIGHTS // labels
    return min(MOST_FEATURES, max(FEWEST_FEATURES, most))


def _vectorizer(name: str, **more: Any) -> Any:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Single precision: half the folder, and the same score to a thousandth.
    return TfidfVectorizer(**ANALYSERS[name], dtype=np.float32, **more)


def _features(vectorizers: Sequence[Any], inputs: Sequence[str]) -> Any:
    from scipy.sparse import hstack

    return hstack([vectorizer.transform(inputs) for vectorizer in vectorizers]).tocsr()


def _save(folder: Path, vectorizers: Sequence[Any], head: Head) -> None:
    from safetensors.numpy import save_file

    named = dict(zip(ANALYSERS, vectorizers, strict=True))
    vocabulary = {name: v.get_feature_names_out().tolist() for name, v in named.items()} | keep_choice(head.choice)
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    arrays = {f"{name}.idf": v.idf_ for name, v in named.items()} | head.arrays()
    save_file(arrays, folder / "model.safetensors")


def _card(lesson: Lesson, student: LinearStudent, vectorizers: Sequence[Any], choice: Choice) -> Card:
    features = {name: len(v.vocabulary_) for name, v in zip(ANALYSERS, vectorizers, strict=True)}
    return Card(
        family=FAMILY,
        sizes={"labels": len(choice.labels), "rows": len(lesson.rows), **features},
        metrics={"validation_exact_match": exact_share(student, lesson.validation)},
        task=lesson.task,
    )
