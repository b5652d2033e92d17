"""The student `linear`: words and characters weighted by TF-IDF, and a logistic regression over them. Labels only.

It learns in seconds, needs no download, and is the baseline that any other student must beat.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.training.folder import Card, new_folder, read_card, write_card
from engine.training.lesson import Lesson
from engine.training.student import Prediction, Row

__all__ = ["LinearStudent", "load", "train"]

FAMILY = "linear"

# On 4/5 against 1/5 of banking77 and clinc150 these stood at 0.895 and 0.936; characters 3 to 5 at 0.897 and 0.925,
# single words only at 0.928 on clinc150, and C = 30 or 100 at most 0.002 higher on one and 0.01 lower on the other.
ANALYSERS: Mapping[str, Mapping[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b", "sublinear_tf": True},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 4), "sublinear_tf": True},
}
C = 10.0

# A weight for each feature and label: 10,000 labels over every n-gram would need gigabytes.
MOST_WEIGHTS = 20_000_000
MOST_FEATURES = 100_000
FEWEST_FEATURES = 500
MOST_LABELS = MOST_WEIGHTS // FEWEST_FEATURES


class LinearStudent:
    """Answers with one of the labels that it has seen."""

    family = FAMILY

    def __init__(self, *, vectorizers: Sequence[Any], classifier: Any, labels: Sequence[str]) -> None:
        self._vectorizers = vectorizers
        self._classifier = classifier
        self._labels = labels

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        if not inputs:
            return []
        shares = self._classifier.predict_proba(_features(self._vectorizers, inputs))
        best = shares.argmax(axis=1)
        return [Prediction(self._labels[i], min(1.0, float(row[i]))) for i, row in zip(best, shares, strict=True)]

    def __repr__(self) -> str:
        return f"<LinearStudent {len(self._labels)} labels>"


def train(lesson: Lesson, folder: Path) -> None:
    """Fit and keep. The seed, the time limit and the threads have no say: the optimum is one, and near."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    labels = sorted({row.output for row in lesson.rows})
    if len(labels) > MOST_LABELS:
        raise UserError(f"{len(labels)} labels are too many for {FAMILY!r} (at most {MOST_LABELS}); use 'tiny'")
    place = {label: i for i, label in enumerate(labels)}
    inputs = [row.input for row in lesson.rows]
    vectorizers = _fit_vectorizers(inputs, labels=len(labels))
    classifier = LogisticRegression(C=C, max_iter=500, tol=1e-3)
    classifier.fit(_features(vectorizers, inputs), np.array([place[row.output] for row in lesson.rows]))

    student = LinearStudent(vectorizers=vectorizers, classifier=classifier, labels=labels)
    with new_folder(folder) as draft:
        _save(draft, vectorizers, classifier, labels)
        write_card(draft, _card(lesson, student, vectorizers, labels))


def load(folder: Path) -> LinearStudent:
    """Bring back what `train` kept: arrays and names, no pickles."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file
    from sklearn.linear_model import LogisticRegression

    read_card(folder)
    try:
        names = json.loads((folder / "vocabulary.json").read_bytes())
        arrays = load_file(folder / "model.safetensors")
        vectorizers = []
        for name in ANALYSERS:
            vectorizer = _vectorizer(name, vocabulary=names[name])
            vectorizer.idf_ = arrays[f"{name}.idf"]
            vectorizers.append(vectorizer)
        classifier = LogisticRegression()
        classifier.coef_, classifier.intercept_ = arrays["weights"], arrays["bias"]
        classifier.classes_ = arrays["classes"]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"{folder} is a damaged student ({error}): train it again") from error
    return LinearStudent(vectorizers=vectorizers, classifier=classifier, labels=names["labels"])


def _fit_vectorizers(inputs: Sequence[str], *, labels: int) -> list[Any]:
    most = min(MOST_FEATURES, max(FEWEST_FEATURES, MOST_WEIGHTS // labels)) // len(ANALYSERS)
    try:
        return [_vectorizer(name, max_features=most).fit(inputs) for name in ANALYSERS]
    except ValueError as error:  # sklearn's words for "not one word in all of these"
        raise UserError(
            "no input holds a single letter or digit: there is nothing to tell the labels apart by"
        ) from error


def _vectorizer(name: str, **more: Any) -> Any:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Single precision: half the folder, and the same score to a thousandth.
    return TfidfVectorizer(**ANALYSERS[name], dtype=np.float32, **more)


def _features(vectorizers: Sequence[Any], inputs: Sequence[str]) -> Any:
    from scipy.sparse import hstack

    return hstack([vectorizer.transform(inputs) for vectorizer in vectorizers]).tocsr()


def _save(folder: Path, vectorizers: Sequence[Any], classifier: Any, labels: Sequence[str]) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    named = dict(zip(ANALYSERS, vectorizers, strict=True))
    vocabulary: dict[str, list[str]] = {name: v.get_feature_names_out().tolist() for name, v in named.items()}
    vocabulary["labels"] = list(labels)
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    arrays = {f"{name}.idf": v.idf_ for name, v in named.items()}
    arrays |= {"weights": classifier.coef_, "bias": classifier.intercept_, "classes": classifier.classes_}
    # safetensors writes memory as it lies, and scikit-learn's weights lie column by column.
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "model.safetensors")


def _card(lesson: Lesson, student: LinearStudent, vectorizers: Sequence[Any], labels: Sequence[str]) -> Card:
    features = {name: len(v.vocabulary_) for name, v in zip(ANALYSERS, vectorizers, strict=True)}
    return Card(
        family=FAMILY,
        sizes={"labels": len(labels), "rows": len(lesson.rows), **features},
        metrics={"validation_exact_match": _exact(student, lesson.validation)},
        task=lesson.task,
    )


def _exact(student: LinearStudent, rows: Sequence[Row]) -> float | None:
    if not rows:
        return None
    answers = student.predict([row.input for row in rows])
    return sum(answer.output == row.output for answer, row in zip(answers, rows, strict=True)) / len(rows)
