"""Labels for texts, from the files beside this one: pip install numpy onnxruntime

Where a tokenizer.json lies beside it: pip install tokenizers

    python predict.py "a text" "another"

or in Python:

    from predict import Model
    Model().predict(["a text"])        # [("a label", 0.93)]
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

WORD = re.compile(r"\b\w+\b")
BLANKS = re.compile(r"\s\s+")
Inputs = dict[str, np.ndarray]
TermsOf = Callable[[str], Iterator[str]]

ROWS_AT_ONCE = 16  # each takes a number for each of its terms and each label


class Counts:
    """Words and pairs of words, and groups of two to four characters within them: which are there, and how often."""

    def __init__(self, told: Mapping[str, list[str]]) -> None:
        self._words = {term: place for place, term in enumerate(told["words"])}
        self._characters = {term: place for place, term in enumerate(told["characters"])}

    def __call__(self, texts: Sequence[str]) -> tuple[Inputs, list[bool]]:
        words, word_times = _counted(texts, self._words, _words_of)
        characters, character_times = _counted(texts, self._characters, _characters_of)
        read = {
            "words": words, "word_times": word_times, "characters": characters, "character_times": character_times
        }  # fmt: skip
        return read, [False] * len(texts)


class Pieces:
    """The tokens of a tokenizer.json, up to as many as the model reads."""

    def __init__(self, path: Path, *, longest: int, before: str) -> None:
        from tokenizers import Tokenizer

        self._longest, self._before = longest, before
        self._whole, self._cut = (Tokenizer.from_file(str(path)) for _ in range(2))
        for tokenizer in (self._whole, self._cut):
            tokenizer.no_padding()
        self._whole.no_truncation()
        self._cut.enable_truncation(longest)

    def __call__(self, texts: Sequence[str]) -> tuple[Inputs, list[bool]]:
        clean = [self._before + text.encode("utf-8", "replace").decode() for text in texts]
        rows = [self._cut.encode(text).ids or [0] for text in clean]
        ids, mask = (np.zeros((len(rows), max(map(len, rows))), np.int64) for _ in range(2))
        for number, row in enumerate(rows):
            ids[number, : len(row)], mask[number, : len(row)] = row, 1
        return {"input": ids, "mask": mask}, [len(self._whole.encode(text).ids) > self._longest for text in clean]


class Model:
    """One graph from what is read of a text to a share for each label."""

    def __init__(self, folder: Path | str = Path(__file__).parent) -> None:
        folder = Path(folder)
        counts = folder / "vocabulary.json"
        told = _told(counts if counts.is_file() else folder / "labels.json")
        self.labels: list[str] = told["labels"]
        # Where an answer may be several labels: what stands between them, and whether they are written as JSON.
        self._joint: str | None = told.get("joint")
        self._is_json, self._may_be_empty = told.get("is_json", False), told.get("may_be_empty", False)
        self._read = Counts(told) if counts.is_file() else _pieces(folder)
        self._graph = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The label of each text, or its labels, and how likely it is that just this is right.

        That is 0 where a text is too long to be read to its end.
        """
        starts = range(0, len(texts), ROWS_AT_ONCE)
        return [answer for start in starts for answer in self._answers(texts[start : start + ROWS_AT_ONCE])]

    def _answers(self, texts: Sequence[str]) -> Iterator[tuple[str, float]]:
        read, cut = self._read(texts)
        (shares,) = self._graph.run(["shares"], read)
        for row, is_cut in zip(np.asarray(shares), cut, strict=True):
            label, probability = self._one(row) if self._joint is None else self._several(row)
            yield label, 0.0 if is_cut else probability

    def _one(self, shares: np.ndarray) -> tuple[str, float]:
        best = int(shares.argmax())
        return self.labels[best], min(1.0, float(shares[best]))

    def _several(self, shares: np.ndarray) -> tuple[str, float]:
        """All that are likelier than not; where none is and none may not be, the likeliest."""
        chosen = shares > 0.5
        if not chosen.any() and not self._may_be_empty:
            chosen[shares.argmax()] = True
        labels = [self.labels[number] for number in np.flatnonzero(chosen)]
        return self._written(labels), float(np.where(chosen, shares, 1 - shares).prod())

    def _written(self, labels: Sequence[str]) -> str:
        joint = str(self._joint)
        if self._is_json:
            return f"[{joint.join(json.dumps(label, ensure_ascii=False) for label in labels)}]"
        return joint.join(labels)


def _told(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _pieces(folder: Path) -> Pieces:
    told = _told(folder / "onnx.json")
    return Pieces(folder / "tokenizer.json", longest=told["longest_input"], before=told["before"])


def _words_of(text: str) -> Iterator[str]:
    words = WORD.findall(text.lower())
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))


def _characters_of(text: str) -> Iterator[str]:
    for word in BLANKS.sub(" ", text.lower()).split():
        padded = f" {word} "
        for size in (2, 3, 4):
            yield padded[:size]
            yield from (padded[start : start + size] for start in range(1, len(padded) - size + 1))
            if len(padded) <= size:
                break  # a short word is counted once


def _counted(texts: Sequence[str], places: Mapping[str, int], terms_of: TermsOf) -> tuple[np.ndarray, np.ndarray]:
    """The places of the known terms of each text and how often each is there; filled up with place 0, never there."""
    counts = [Counter(places[term] for term in terms_of(text) if term in places) for text in texts]
    width = max(1, *map(len, counts))
    ids, times = np.zeros((len(texts), width), np.int64), np.zeros((len(texts), width), np.float32)
    for row, counted in enumerate(counts):
        ids[row, : len(counted)] = list(counted)
        times[row, : len(counted)] = list(counted.values())
    return ids, times


if __name__ == "__main__":
    for label, probability in Model().predict(sys.argv[1:]):
        print(f"{probability:.3f}\t{label}")  # noqa: T201
