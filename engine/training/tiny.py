"""The student `tiny`: a small encoder-decoder over bytes. No download, any text to any text.

It starts from the seed that ships (`engine/training/seed`), from another one, or from scratch. About 300,000 parameters
of transformers' T5 kind. It is trained in minutes on two cores.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.training.bookmark import Bookmark
from engine.training.encoder_decoder import EncoderDecoder, keep, restore, student_of, teach
from engine.training.fitting import drawn
from engine.training.lesson import Lesson
from engine.training.recalling import Recalling, with_memory
from engine.training.recipe import Recipe
from engine.training.recollection import Recollection
from engine.training.seed.shipped import SHIPPED, plant, read_seed_card
from engine.training.shorthand import Shorthand, shorthand_of
from engine.training.spelling import END, PAD, SPECIAL, VOCABULARY, Bytes, shorthand_in
from engine.training.student import Student
from engine.training.threads import free_threads

__all__ = ["SCRATCH", "load", "load_writer", "new_model", "train"]

FAMILY = "tiny"
SCRATCH = "scratch"
"""The base that is none: every weight by chance."""

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
    "feed_forward_proj": "gated-gelu_pytorch_tanh",  # T5's own kind, as one step of torch
}

# In a given time more steps bring more than larger ones: with 1,000 rows in 30 s and steps of 32, 8 and 4 rows of some
# 80 tokens, addresses came to 0.11, 0.19 and 0.21, numbers and units to 0.02, 0.05 and 0.06.
RECIPE = Recipe(
    batch=32,
    tokens=500,
    peak_learning_rate=3e-3,
    fewest_steps=4000,
    passes=20,
    most_passes=200,
    longest_input=1024,
    longest_output=512,
)

# From the seed half the steps do: 3,208 rows of dates, 4 % of them wrong, came to 0.990 on clean rows in 1,482 steps,
# and from scratch to 0.830 in as many (one seed each).
SEEDED = replace(RECIPE, fewest_steps=2000)

# Of 300 rows of numbers and units, 3,268 to learn from, the likeliest byte every time put 0.140 right and the likeliest
# answer that four beginnings led to 0.173, in a third of the time, since nothing runs on. Where nothing would, as with
# the demo's dates, four take 1.9 times as long as one.
BEGINNINGS = 4

# The best student answers once more, and is asked about what the memory answers: of 300 rows of numbers and units that
# took 3.0 s and 3.7 s, where looks had taken 2.1 s and 3.1 s. With room for four looks 29.6 s and 31.4 s became of 30.
LOOKS_WITH_MEMORY = 5

MOST_THREADS = 4  # its matrices are too small to share among more


def train(lesson: Lesson, folder: Path) -> None:
    """Teach a new model, and keep it in `folder`, with the rows as a memory beside it where that helps.

    `lesson.base` is what it starts from: None for the seed that ships, "scratch" for none, or a folder with a seed.
    """
    started = time.monotonic()
    threads = lesson.threads or free_threads(most=MOST_THREADS)
    model, recipe, base = _start(lesson)
    codec = Bytes(shorthand_of(lesson.rows))
    _make_place(model, codec.shorthand, seed=lesson.seed)
    bookmark = Bookmark.beside(folder, lesson, recipe=(recipe, base))  # another seed is another training
    recollection = _recollection(lesson)
    taught = teach(
        model, codec, lesson, recipe=recipe if recollection is None else replace(recipe, last_looks=LOOKS_WITH_MEMORY),
        threads=threads, started=started, bookmark=bookmark, beginnings=BEGINNINGS,
    )  # fmt: skip
    memory = None
    if recollection is not None:
        writer = student_of(model, codec, taught, family=FAMILY, beginnings=BEGINNINGS)
        memory = Recalling.where_it_helps(writer, recollection, drawn(lesson.validation, seed=lesson.seed))
    if memory is not None:
        taught = replace(taught, validation_exact_match=memory.right)
    keep(
        model, codec, lesson, taught, family=FAMILY, folder=folder, base=base, memory=memory, beginnings=BEGINNINGS
    )  # fmt: skip
    bookmark.drop()


def load(folder: Path) -> Student:
    """Bring back what `train` kept."""
    return with_memory(folder, load_writer(folder))


def load_writer(folder: Path) -> EncoderDecoder:
    """The same without the memory, where there is one; that is not read."""
    return restore(folder, lambda: Bytes(shorthand_in(folder)))


def _recollection(lesson: Lesson) -> Recollection | None:
    """None where nobody wants it, where nothing tells what it is worth, or where no input holds a character."""
    if not lesson.remember or not lesson.validation:
        return None
    try:
        return Recollection.of(lesson.rows)
    except ValueError:
        return None


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
        return _with_light_dropout(T5ForConditionalGeneration(config))


def _with_light_dropout(model: Any) -> Any:
    """Dropout on what a layer adds, and not on each weight of each attention, which took a third of a step's time."""
    from transformers.models.t5.modeling_t5 import T5Attention, T5DenseGatedActDense

    for part in model.modules():
        if isinstance(part, T5Attention):
            part.dropout = 0.0
        elif isinstance(part, T5DenseGatedActDense):
            part.dropout.p = 0.0
    return model


def _start(lesson: Lesson) -> tuple[Any, Recipe, str | None]:
    """The model as it is before the first step, how to teach it, and what its card calls the base."""
    if lesson.base == SCRATCH:
        return new_model(seed=lesson.seed), RECIPE, None
    folder = SHIPPED if lesson.base is None else Path(lesson.base)
    card = read_seed_card(folder)
    model = new_model(seed=lesson.seed, width=card.width)
    plant(model, folder)
    return model, SEEDED, f"the seed {card.sha256[:12]}"


def _make_place(model: Any, shorthand: Shorthand, *, seed: int) -> None:
    """A vector for each mark, by chance and as the bytes' own are spread.

    With the mean of its bytes' vectors, which seems more natural, marks that are spelt alike cannot be told apart for
    most of a training: time expressions came to 0.12 in 20 s, and to 0.26 so.
    """
    import torch

    if not shorthand.texts:
        return
    vectors = model.resize_token_embeddings(VOCABULARY + len(shorthand.texts), mean_resizing=False).weight
    with torch.no_grad():
        known = vectors[SPECIAL : SPECIAL + 256]
        drawn_by = torch.Generator().manual_seed(seed)
        chance = torch.randn(len(shorthand.texts), vectors.shape[1], generator=drawn_by)
        vectors[VOCABULARY:] = known.mean(0) + known.std(0) * chance
