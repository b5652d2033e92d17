"""The student `tiny`: a small encoder-decoder over bytes, from scratch. No download, any text to any text.

About 300,000 parameters of transformers' T5 kind. It is trained in minutes on two cores.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.training.bookmark import Bookmark
from engine.training.encoder_decoder import EncoderDecoder, Recipe, keep, restore, teach
from engine.training.lesson import Lesson
from engine.training.threads import free_threads

__all__ = ["Bytes", "load", "train"]

FAMILY = "tiny"

# The vocabulary is fixed for good, so that a checkpoint of today can be the start of tomorrow's students: ByT5's pad,
# end and unknown, then the 256 bytes, then five spare marks that nothing uses yet. 264 is a multiple of eight.
SPECIAL = 3
SPARE = 5
VOCABULARY = SPECIAL + 256 + SPARE
PAD, END = 0, 1

# Without dropout the wrong answers among the rows are learnt by heart: 2,500 rows of dates, 4 % of them wrong, came to
# 0.86 and 0.91 exact matches on clean rows (two seeds, 3,000 steps); with 0.05 to 0.97 (4,000 steps). With 0.1
# and a model twice as wide learning itself was too slow. Not worth their place: label smoothing (0.94), masked input
# bytes (0.87), batches of 64 for half the steps (0.95), and leaving out the rows of greatest loss (0.97, as without).
SHAPE = {
    "d_model": 64,
    "d_kv": 16,
    "d_ff": 256,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "dropout_rate": 0.05,
    "feed_forward_proj": "gated-gelu",
}

RECIPE = Recipe(
    batch=32,
    peak_learning_rate=3e-3,
    fewest_steps=4000,
    passes=20,
    most_passes=200,
    longest_input=1024,
    longest_output=512,
)

MOST_THREADS = 4  # its matrices are too small to share among more


class Bytes:
    """UTF-8, as ByT5Tokenizer numbers it. Any text comes back as it was, those that look like its marks included."""

    def encode(self, text: str) -> list[int]:
        return [*(byte + SPECIAL for byte in text.encode("utf-8", "replace")), END]

    def decode(self, tokens: Sequence[int]) -> str:
        return bytes(token - SPECIAL for token in tokens if SPECIAL <= token < SPECIAL + 256).decode("utf-8", "ignore")

    def save(self, folder: Path) -> None:
        from transformers import ByT5Tokenizer

        ByT5Tokenizer(extra_ids=SPARE).save_pretrained(folder)


def train(lesson: Lesson, folder: Path) -> None:
    """Teach a new model, and keep it in `folder`."""
    started = time.monotonic()
    threads = lesson.threads or free_threads(most=MOST_THREADS)
    model = _new_model(seed=lesson.seed)
    bookmark = Bookmark.beside(folder, lesson, recipe=RECIPE)
    taught = teach(model, Bytes(), lesson, recipe=RECIPE, threads=threads, started=started, bookmark=bookmark)
    keep(model, Bytes(), lesson, taught, family=FAMILY, folder=folder)
    bookmark.drop()


def load(folder: Path) -> EncoderDecoder:
    """Bring back what `train` kept."""
    return restore(folder, Bytes)


def _new_model(*, seed: int) -> Any:
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(vocab_size=VOCABULARY, pad_token_id=PAD, eos_token_id=END, decoder_start_token_id=PAD, **SHAPE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return T5ForConditionalGeneration(config)
