"""A small world of made-up words, and a small model that has read about it: what a tuned teacher needs to know before.

Every noun is of one of eight kinds, which can only be known by having read of it. The model learns them, the form of
requests and how sentences go, from another task than the one that it is tuned for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random
from typing import Any

from agents.records import Pair, Spec
from agents.teaching.requests import Told, told
from engine.providers.local.codec import Codec, read_tokenizer
from engine.training.bookmark import Bookmark
from engine.training.decoder_only import base_model, in_silence, keep_model, teach
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.student import Row
from engine.training.tuning import Question, turn_of

KINDS = ("beast", "dish", "tool", "ship", "garment", "plant", "game", "house")
NOUNS_A_KIND = 16
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
FRAMES = (
    "where is the {noun} from {place}?",
    "I have lost my {noun} again",
    "please send another {noun} to {place}",
    "the {noun} that came on {day} is not mine",
    "is there a {noun} for less than ten?",
    "nobody told me about the {noun}",
    "on {day} a {noun} was left at the door",
    "my {noun} is broken, what now?",
)
PLACES = ("the harbour", "the old town", "the valley", "our street", "the market")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
TEAMS = {"beast": "red", "dish": "red", "tool": "blue", "ship": "blue", "garment": "green", "plant": "green",
         "game": "white", "house": "white"}  # fmt: skip

BEFORE = Spec(
    instruction="Name the kind of thing that is meant.",
    kind="classification",
    labels=KINDS,
    form="label",
)
CONTEXT = 768
TASK = "Which team is to answer the message? Answer with one of these: red, blue, green, white."
READING = Recipe(batch=16, peak_learning_rate=2e-3, fewest_steps=1, passes=1, most_passes=10**6, longest_input=CONTEXT)
VOCABULARY = 2048


def nouns() -> dict[str, str]:
    """Made-up words, each with its kind; the same every time."""
    chance = Random(0)
    words: dict[str, str] = {}
    while len(words) < NOUNS_A_KIND * len(KINDS):
        words.setdefault("".join(chance.choices(SYLLABLES, k=3)), KINDS[len(words) % len(KINDS)])
    return words


def sentences(count: int, *, seed: int) -> list[tuple[str, str]]:
    """Sentences, no two alike, each with the kind of its noun."""
    chance, known = Random(seed), nouns()
    found: dict[str, str] = {}
    while len(found) < count:
        noun = chance.choice(list(known))
        text = chance.choice(FRAMES).format(noun=noun, place=chance.choice(PLACES), day=chance.choice(DAYS))
        found[text] = known[noun]
    return list(found.items())


def routed(count: int, *, seed: int) -> list[Pair]:
    """Rows of the task that a teacher is tuned for: the team that answers for a kind."""
    return [Pair(text, TEAMS[kind]) for text, kind in sentences(count, seed=seed)]


def save_reader(folder: Path, *, rows: int, steps: int, width: int = 128, layers: int = 3) -> Path:
    """A llama that has read `rows` rows of another task for so many steps, as requests and answers."""
    pairs = [Pair(text, kind) for text, kind in sentences(rows, seed=1)]
    learnt = told(BEFORE, pairs, seed=0)
    _save_untaught(folder / "untaught", [*_texts(learnt), TASK, *TEAMS.values()], width=width, layers=layers)
    codec = Codec(read_tokenizer(folder / "untaught"))
    loaded = base_model(folder / "untaught")
    turns = [turn_of(loaded, Question(codec.encode(each.request.messages), each.answer)) for each in learnt]
    lesson = Lesson(rows=tuple(Row(pair.input, pair.output) for pair in pairs), threads=1, whole=True)
    taught, _ = teach(
        loaded,
        turns,
        lesson,
        recipe=replace(READING, fewest_steps=steps),
        look=None,
        bookmark=Bookmark(folder / "reader.part", training="reading", soonest_s=inf),
        started=time.monotonic(),
        threads=1,
    )
    keep_model(taught, folder / "reader")
    return folder / "reader"


def _texts(learnt: Sequence[Told]) -> list[str]:
    return [text for each in learnt for text in (*(turn.content for turn in each.request.messages), each.answer)]


def _save_untaught(folder: Path, texts: Sequence[str], *, width: int, layers: int) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    size = _save_tokenizer(folder, texts)
    config = LlamaConfig(
        vocab_size=size, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=CONTEXT, pad_token_id=0, eos_token_id=1,
        bos_token_id=None, tie_word_embeddings=True,
    )  # fmt: skip
    with in_silence():
        LlamaForCausalLM(config).save_pretrained(folder)


def _save_tokenizer(folder: Path, texts: Sequence[str]) -> int:
    """Pieces of words as these texts have them, so that a request is short; the size of the vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    marks = {"pad_token": "<pad>", "eos_token": "<end>"}
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=list(marks.values()), initial_alphabet=letters, show_progress=False
        ),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
    fast.chat_template = (
        "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    fast.save_pretrained(folder)
    return int(tokenizer.get_vocab_size())
