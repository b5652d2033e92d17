"""Texts for texts, from the files beside this one. Needs numpy and onnxruntime (pip install numpy onnxruntime).

    python predict.py "a text" "another"

or in Python:

    from predict import Model
    Model().predict(["a text"])        # [("its answer", 0.93)]

Where a tokenizer.json lies beside it, tokenizers is needed too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Scores = NDArray[Any]

FIRST_BYTE = 3  # after the marks for padding, the end and the unknown


class Bytes:
    """UTF-8 as numbers, and the end mark; in answers also numbers that stand for whole phrases."""

    def __init__(self, *, end: int, first_mark: int, marks: Sequence[str]) -> None:
        self._end = end
        self._marks = {number: text.encode("utf-8", "replace") for number, text in enumerate(marks, start=first_mark)}

    def encode(self, text: str) -> list[int]:
        return [*(byte + FIRST_BYTE for byte in text.encode("utf-8", "replace")), self._end]

    def decode(self, tokens: Sequence[int]) -> str:
        parts = (
            bytes([token - FIRST_BYTE]) if FIRST_BYTE <= token < FIRST_BYTE + 256 else self._marks.get(token, b"")
            for token in tokens
        )
        return b"".join(parts).decode("utf-8", "ignore")


class Pieces:
    """The tokens of a tokenizer.json, with the marks that it adds."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text.encode("utf-8", "replace").decode()).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True)).strip()


class Model:
    """Reads a text whole, goes on from the likeliest beginnings of an answer, and takes the likeliest that ends."""

    def __init__(self, folder: Path | str = Path(__file__).parent) -> None:
        told = json.loads((Path(folder) / "onnx.json").read_text(encoding="utf-8"))
        self._start, self._end = told["start"], told["end"]
        self._longest_input, self._longest_output = told["longest_input"], told["longest_output"]
        self._beginnings = told["beginnings"]
        pieces = Path(folder) / "tokenizer.json"
        self._codec: Pieces | Bytes
        if told["reads"] == "pieces":
            self._codec = Pieces(pieces)
        else:
            self._codec = Bytes(end=self._end, first_mark=told["first_mark"], marks=told["marks"])
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(Path(folder) / name), providers=["CPUExecutionProvider"])
            for name in ("encoder.onnx", "decoder.onnx")
        )

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The answer to each text, and how likely the model holds it to be: 0 where the text is too long to be read."""
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> tuple[str, float]:
        whole = self._codec.encode(text) or [self._end]
        is_cut = len(whole) > self._longest_input
        read = np.array([[*whole[: self._longest_input - 1], whole[-1]] if is_cut else whole], np.int64)
        mask = np.ones_like(read)
        (hidden,) = self._encoder.run(["hidden"], {"input": read, "mask": mask})
        written, log_probability = self._likeliest(hidden, mask)
        return self._codec.decode(written), 0.0 if is_cut else float(np.exp(log_probability))

    def _likeliest(self, hidden: Scores, mask: Scores) -> tuple[list[int], float]:
        """The tokens of the likeliest answer that was found to end, and the logarithm of how likely it is."""
        beginnings, heads = [[self._start]], np.zeros(1)
        best: tuple[list[int], float] = ([], -np.inf)
        for _ in range(self._longest_output + 1):  # the end mark is a token too
            count = len(beginnings)
            asked = {"written": np.array(beginnings, np.int64), "hidden": hidden.repeat(count, 0)}
            (scores,) = self._decoder.run(["scores"], {**asked, "mask": mask.repeat(count, 0)})
            top = scores.max(-1, keepdims=True)
            told = scores - top - np.log(np.exp(scores - top).sum(-1, keepdims=True)) + heads[:, None]
            ended = int(told[:, self._end].argmax())
            if told[ended, self._end] > best[1]:
                best = (beginnings[ended][1:], float(told[ended, self._end]))
            told[:, self._end] = -np.inf
            chosen = (-told).ravel().argsort(kind="stable")[: self._beginnings]
            heads = told.ravel()[chosen]
            if heads[0] <= best[1]:
                break  # whatever is open only becomes less likely
            beginnings = [[*beginnings[place // told.shape[1]], int(place % told.shape[1])] for place in chosen]
        return best


if __name__ == "__main__":
    for answer, probability in Model().predict(sys.argv[1:]):
        print(f"{probability:.3f}\t{answer}")  # noqa: T201
