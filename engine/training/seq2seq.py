"""The student `seq2seq`: an encoder-decoder that has read before (T5 kinds), tuned on the rows.

It starts from a folder or from a checkpoint in the hub's cache. It never downloads and never runs foreign code.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.training.bookmark import Bookmark
from engine.training.encoder_decoder import EncoderDecoder, checkpoint, keep, restore, teach
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.spelt import pieces_by
from engine.training.student import Row
from engine.training.threads import free_threads

__all__ = ["Tokens", "load", "train"]

FAMILY = "seq2seq"

RECIPE = Recipe(
    batch=16,
    peak_learning_rate=3e-4,
    fewest_steps=500,
    passes=3,
    most_passes=20,
    longest_input=1024,
    longest_output=512,
    patience=5,
)


class Tokens:
    """The checkpoint's own tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """As the tokenizer alone reads it, which is all that its ONNX twin has."""
        whole = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text
        return list(self._tokenizer(whole)["input_ids"]) or [self._tokenizer.eos_token_id]

    def answer(self, row: Row) -> list[int]:
        """Ended by the end mark, which not every tokenizer adds; without it nobody learns where to stop."""
        tokens, end = self.encode(row.output), self._tokenizer.eos_token_id
        return tokens if tokens[-1] == end else [*tokens, end]

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        return pieces_by(self.decode, tokens)

    def save(self, folder: Path) -> None:
        self._tokenizer.save_pretrained(folder)


def train(lesson: Lesson, folder: Path) -> None:
    """Tune the checkpoint `lesson.base`, and keep the result in `folder`."""
    started = time.monotonic()
    if lesson.base is None:
        raise UserError(
            "the student 'seq2seq' starts from a checkpoint: name one, a folder or an id in the hub's cache"
        )
    codec = Tokens(_tokenizer(lesson.base))
    try:
        model = checkpoint(lesson.base)
    except (OSError, ValueError) as error:
        raise UserError(_not_usable(lesson.base)) from error
    threads = lesson.threads or free_threads()
    bookmark = Bookmark.beside(folder, lesson, recipe=RECIPE)
    taught = teach(model, codec, lesson, recipe=RECIPE, threads=threads, started=started, bookmark=bookmark)
    keep(model, codec, lesson, taught, family=FAMILY, folder=folder, base=lesson.base)
    bookmark.drop()


def load(folder: Path) -> EncoderDecoder:
    """Bring back what `train` kept."""
    return restore(folder, lambda: Tokens(_tokenizer(str(folder))))


def _tokenizer(base: str) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise UserError(_not_usable(base)) from error
    if tokenizer.eos_token_id is None:
        raise UserError(f"{base!r} has no mark that ends an answer, so it cannot learn to stop; take another model")
    return tokenizer


def _not_usable(base: str) -> str:
    return (
        f"{base!r} cannot be loaded as an encoder-decoder: give a folder with safetensors and a tokenizer, "
        "an id that is in the hub's cache, or train 'tiny', which needs no checkpoint"
    )
