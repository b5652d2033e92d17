"""The student `tiny`: a small encoder-decoder over bytes. No download, any text to any text.

It starts from the seed that ships (`engine/training/seed`), from another one, or from scratch. About 300,000 parameters
of transformers' T5 kind. It is trained in minutes on two cores.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.training.bookmark import Bookmark
from engine.training.encoder_decoder import EncoderDecoder, keep, restore, teach
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.seed.shipped import SHIPPED, plant, read_seed_card
from engine.training.threads import free_threads

__all__ = ["SCRATCH", "Bytes", "load", "new_model", "train"]

FAMILY = "tiny"
SCRATCH = "scratch"
"""The base that is none: every weight by chance."""

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
WIDTH = 64
HEAD = 16
SHAPE = {
    "d_model": WIDTH,
    "d_kv": HEAD,
    "d_ff": 4 * WIDTH,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": WIDTH // HEAD,
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

# From the seed half the steps do, and smaller ones, which do not tear down what it can do already: 3,208 rows of dates,
# 4 % of them wrong, came to 0.990 on clean rows in 1,482 steps, and from scratch to 0.830 in as many (one seed each).
SEEDED = replace(RECIPE, peak_learning_rate=2e-3, fewest_steps=2000)

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
    """Teach a new model, and keep it in `folder`.

    `lesson.base` is what it starts from: None for the seed that ships, "scratch" for none, or a folder with a seed.
    """
    started = time.monotonic()
    threads = lesson.threads or free_threads(most=MOST_THREADS)
    model, recipe, base = _start(lesson)
    bookmark = Bookmark.beside(folder, lesson, recipe=(recipe, base))  # another seed is another training
    taught = teach(model, Bytes(), lesson, recipe=recipe, threads=threads, started=started, bookmark=bookmark)
    keep(model, Bytes(), lesson, taught, family=FAMILY, folder=folder, base=base)
    bookmark.drop()


def load(folder: Path) -> EncoderDecoder:
    """Bring back what `train` kept."""
    return restore(folder, Bytes)


def new_model(*, seed: int, width: int = WIDTH, dropout: float | None = None) -> Any:
    """A model by chance; `width` is a multiple of 16, and everything else is in proportion."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    wide = {"d_model": width, "d_ff": 4 * width, "num_heads": width // HEAD}
    dropout_rate = SHAPE["dropout_rate"] if dropout is None else dropout
    config = T5Config(
        vocab_size=VOCABULARY,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=PAD,
        **{**SHAPE, **wide, "dropout_rate": dropout_rate},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return T5ForConditionalGeneration(config)


def _start(lesson: Lesson) -> tuple[Any, Recipe, str | None]:
    """The model as it is before the first step, how to teach it, and what its card calls the base."""
    if lesson.base == SCRATCH:
        return new_model(seed=lesson.seed), RECIPE, None
    folder = SHIPPED if lesson.base is None else Path(lesson.base)
    card = read_seed_card(folder)
    model = new_model(seed=lesson.seed, width=card.width)
    plant(model, folder)
    return model, SEEDED, f"the seed {card.sha256[:12]}"
