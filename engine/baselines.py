"""The plainest answers there are, so that a student's score can be seen beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UserError
from engine.training import Prediction, Row

__all__ = ["Copy", "Majority", "Nearest"]


@dataclass(frozen=True, slots=True)
class Majority:
    """Always the most frequent output; of equally frequent ones the first. Its confidence is that output's share."""

    output: str
    share: float
    family: str = "majority"

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Majority:
        [(output, count)] = Counter(row.output for row in _some(rows)).most_common(1)
        return cls(output, count / len(rows))

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction(self.output, self.share) for _ in inputs]


@dataclass(frozen=True, slots=True)
class Copy:
    """The input itself. It has no doubts and no reasons: its confidence is 0."""

    family: str = "copy"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction(text, 0.0) for text in inputs]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The output of the most similar known input: character n-grams, TF-IDF, cosine. Of equals the first.

    Its confidence is the similarity.
    """

    outputs: tuple[str, ...]
    vectorizer: Any
    known: Any  # (rows, features), each row of length 1
    family: str = "nearest neighbour"

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Nearest:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
        try:
            known = vectorizer.fit_transform([row.input for row in _some(rows)])
        except ValueError as error:  # sklearn's word for "not one character in all of these"
            raise UserError("every input is empty: there is no nearest one") from error
        return cls(tuple(row.output for row in rows), vectorizer, known)

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        found: list[Prediction] = []
        # Bounded pieces: all inputs against all known rows at once could be gigabytes.
        for start in range(0, len(inputs), 256):
            likeness = (self.vectorizer.transform(inputs[start : start + 256]) @ self.known.T).toarray()
            best = likeness.argmax(axis=1)
            found += [
                Prediction(self.outputs[i], min(1.0, float(row[i]))) for i, row in zip(best, likeness, strict=True)
            ]
        return found


def _some(rows: Sequence[Row]) -> Sequence[Row]:
    if not rows:
        raise UserError("a baseline needs at least one row to know")
    return rows
