"""The plainest student that can copy: of all short runs of words in a context, the one that looks most like an answer.

A logistic regression over what stands before, in and after a run, together with what the question asks. It learns in
seconds and exists for measurements that are about the rows and not about the student. Knows no benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from engine.training import Row

__all__ = ["Spans", "train_spans"]

LONGEST = 4  # words
WRONG_FOR_RIGHT = 12  # runs that are no answer, for each one that is
FEATURES = 2**18
EDGES = 2  # words looked at on either side

WORD = re.compile(r"\w[\w'-]*|[^\w\s]")
SHAPE = re.compile(r"\s*Question:\s*(.*?)\s*Context:\s*(.*)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spans:
    """Answers with a run of words of the context."""

    hasher: Any
    classifier: Any

    def predict(self, inputs: Sequence[str]) -> list[str]:
        return [self._answer(text) for text in inputs]

    def _answer(self, text: str) -> str:
        runs = list(_runs(text))
        if not runs:
            return ""
        scores = self.classifier.decision_function(self.hasher.transform(features for _, features in runs))
        return runs[int(scores.argmax())][0]


def train_spans(rows: Sequence[Row], *, seed: int) -> Spans | None:
    """A student from those rows whose output stands in the context; None when there are none."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import LogisticRegression

    chance = Random(seed)
    features: list[list[str]] = []
    answers: list[bool] = []
    for row in rows:
        runs = list(_runs(row.input))
        right = [shape for run, shape in runs if run == row.output]
        wrong = [shape for run, shape in runs if run != row.output]
        if right:
            drawn = chance.sample(wrong, min(len(wrong), WRONG_FOR_RIGHT))
            features += [*right, *drawn]
            answers += [True] * len(right) + [False] * len(drawn)
    if not any(answers):
        return None
    hasher = FeatureHasher(n_features=FEATURES, input_type="string")
    classifier = LogisticRegression(C=10.0, max_iter=200, tol=1e-3)
    classifier.fit(hasher.transform(features), answers)
    return Spans(hasher, classifier)


def _runs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every run of words of a context, with what is to be seen of it."""
    match = SHAPE.fullmatch(text)
    question, context = (match[1], match[2]) if match else ("", text)
    words = list(WORD.finditer(context))
    asked = set(WORD.findall(question.casefold()))
    seen = [_seen(word[0], asked) for word in words]
    kind = " ".join(WORD.findall(question.casefold())[:2])
    edge = ["<"] * EDGES
    padded = [*edge, *seen, *edge]
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
            if "." in seen[start:end]:
                break
            left, right = padded[start : start + EDGES], padded[end + EDGES : end + 2 * EDGES]
            yield (
                context[words[start].start() : words[end - 1].end()],
                _features(kind, left, right, [word[0] for word in words[start:end]], _about(seen, start)),
            )


def _seen(word: str, asked: set[str]) -> str:
    """A word of the context; one that the question has too counts as any such word does, but small ones."""
    folded = word.casefold()
    return "#" if folded in asked and word[0].isupper() and folded != "the" else folded


def _about(seen: Sequence[str], start: int) -> int:
    """How many words of the question the sentence around a run has."""
    before = next((place for place in range(start, -1, -1) if seen[place] == "."), -1)
    after = next((place for place in range(start, len(seen)) if seen[place] == "."), len(seen))
    return min(2, sum(word == "#" for word in seen[before + 1 : after]))


def _features(kind: str, left: Sequence[str], right: Sequence[str], run: Sequence[str], about: int) -> list[str]:
    shape = " ".join("9" if word[0].isdigit() else "A" if word[0].isupper() else "a" for word in run)
    own = [
        f"l {left[-1]}",
        f"l2 {' '.join(left)}",
        f"r {right[0]}",
        f"r2 {' '.join(right)}",
        f"s {shape}",
        f"a {about}",
    ]
    return [
        *own,
        f"in {run[0].casefold()}",
        *(f"{kind}|{each}" for each in own),
        f"{kind}|{about}|{left[-1]}|{right[0]}",
    ]
