"""How `tiny` spells: inputs in bytes, answers in bytes and in marks of a shorthand. Knows texts and numbers alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engine.training.shorthand import Shorthand
from engine.training.student import Row

__all__ = ["END", "PAD", "SPARE", "SPECIAL", "VOCABULARY", "Bytes", "shorthand_in"]

# The vocabulary is fixed for good, so that a checkpoint of today can be the start of tomorrow's students: ByT5's pad,
# end and unknown, then the 256 bytes, then five spare marks that nothing uses yet. 264 is a multiple of eight.
SPECIAL = 3
SPARE = 5
VOCABULARY = SPECIAL + 256 + SPARE
PAD, END = 0, 1
SHORTHAND = "shorthand.json"


class Bytes:
    """UTF-8, as ByT5Tokenizer numbers it. Any text comes back as it was, those that look like its marks included.

    What is written may also be in marks of a shorthand, whose numbers follow those of all bytes.
    """

    def __init__(self, shorthand: Shorthand | None = None) -> None:
        self.shorthand = shorthand or Shorthand()
        self._numbers = {text: VOCABULARY + number for number, text in enumerate(self.shorthand.texts)}
        self._bytes = {number: text.encode("utf-8", "replace") for text, number in self._numbers.items()}

    def encode(self, text: str) -> list[int]:
        return [*_numbered(text), END]

    def answer(self, row: Row) -> list[int]:
        """A row's output, in marks wherever the shorthand has one for it."""
        tokens: list[int] = []
        for text, is_mark in self.shorthand.parts(row):
            tokens += [self._numbers[text]] if is_mark else _numbered(text)
        return [*tokens, END]

    def decode(self, tokens: Sequence[int]) -> str:
        return b"".join(self.pieces(tokens)).decode("utf-8", "ignore")

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """What each token reads: a byte, or what a mark stands for."""
        return [
            bytes([token - SPECIAL]) if SPECIAL <= token < SPECIAL + 256 else self._bytes.get(token, b"")
            for token in tokens
        ]

    def save(self, folder: Path) -> None:
        from transformers import ByT5Tokenizer

        ByT5Tokenizer(extra_ids=SPARE).save_pretrained(folder)
        if self.shorthand.texts:
            (folder / SHORTHAND).write_text(json.dumps(self.shorthand.texts, indent=0) + "\n", encoding="utf-8")


def _numbered(text: str) -> list[int]:
    return [byte + SPECIAL for byte in text.encode("utf-8", "replace")]


def shorthand_in(folder: Path) -> Shorthand:
    """What `Bytes.save` kept. Raises ValueError for what it never wrote."""
    file = folder / SHORTHAND
    if not file.exists():
        return Shorthand()
    told = json.loads(file.read_bytes())
    if not isinstance(told, list) or not all(isinstance(text, str) for text in told):
        raise ValueError(f"{SHORTHAND} is no list of texts")
    return Shorthand(tuple(told))
