"""Tuning a model to answer conversations as somebody wants it: a teacher for a task, kept as a model's folder.

It knows prompts and answers as tokens and never what they ask. What comes of it is a plain folder of safetensors with a
tokenizer, which answers wherever a model of its kind may.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from engine.errors import UserError
from engine.training.bookmark import Bookmark
from engine.training.continuing import write_on
from engine.training.decoder_only import Loaded, Turn, base_model, keep_model, teach
from engine.training.fitting import Fitted
from engine.training.folder import draft_of, is_of_the_disk, reason
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.threads import free_threads, spin_briefly

__all__ = ["LONGEST", "Question", "Tuned", "room_of", "tune", "turn_of"]

RECIPE: Final = Recipe(
    batch=8,
    peak_learning_rate=0.0,  # follows from the width of the model
    fewest_steps=200,
    passes=3,
    most_passes=12,
    longest_input=2048,
)

LONGEST: Final = RECIPE.longest_input
"""Tokens of a prompt and its answer together, at most."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt as tokens, and the text that is to be answered."""

    prompt: tuple[int, ...]
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """How the tuning went. `left_out` questions are, with their answers, longer than the model reads and writes."""

    questions: int
    left_out: int
    fitted: Fitted


def room_of(loaded: Loaded) -> int:
    """How many tokens a turn may have."""
    return min(LONGEST, loaded.context or LONGEST)


def tune(lesson: Lesson, questions: Sequence[Question], validation: Sequence[Question], folder: Path) -> Tuned:
    """Tune the model `lesson.base` on the questions, and write what came of it into `folder`, which must not exist yet.

    `validation` chooses the best moment; the rows of the lesson only name what is learnt. Killed and asked the same
    again it goes on where it was. Raises UserError where no question fits, or the model cannot be tuned.
    """
    started = time.monotonic()
    spin_briefly()
    if lesson.base is None:
        raise UserError("a teacher starts from a model: name a folder, or an id in the hub's cache")
    loaded = base_model(lesson.base)
    turns = _short(map(partial(turn_of, loaded), questions), longest=room_of(loaded))
    _make_room_for(folder)  # a bookmark lies beside it
    bookmark = Bookmark.beside(folder, lesson, recipe=(RECIPE, lesson.whole, _digest(questions)))

    def look(model: Any) -> float:
        return _share_right(replace(loaded, model=model), validation)

    tuned, fitted = teach(
        loaded,
        turns,
        lesson,
        recipe=RECIPE,
        look=look if validation else None,
        bookmark=bookmark,
        started=started,
        threads=lesson.threads or free_threads(),
    )
    _keep(tuned, folder)
    bookmark.drop()
    return Tuned(questions=len(questions), left_out=len(questions) - len(turns), fitted=fitted)


def turn_of(loaded: Loaded, question: Question) -> Turn:
    """A question as it is learnt. Each counts alike: by tokens, one long answer would drown a hundred short ones."""
    answer = (*_tokens(loaded, question.wanted), loaded.end)
    return Turn(question.prompt, answer, 1 / len(answer))


def _short(turns: Iterable[Turn], *, longest: int) -> list[Turn]:
    """Those that fit: to cut an answer would teach to break off."""
    every = list(turns)
    short = [turn for turn in every if len(turn) <= longest]
    if not short:
        shortest = min(map(len, every), default=0)
        raise UserError(
            f"what the teacher is to learn takes {shortest:,} tokens and more, and this model reads and writes "
            f"{longest:,} in all: give a shorter prompt or shorter rows, or take a model with a longer context"
        )
    return short


def _share_right(loaded: Loaded, questions: Sequence[Question]) -> float:
    longest = max(len(_tokens(loaded, question.wanted)) for question in questions)
    prompts = [question.prompt for question in questions]
    written = write_on(loaded.model, prompts, longest=longest + 1, ends=loaded.ends, pad=loaded.pad)
    said = [str(loaded.tokenizer.decode(one.tokens, skip_special_tokens=True)).strip() for one in written]
    return sum(one == question.wanted.strip() for one, question in zip(said, questions, strict=True)) / len(questions)


def _tokens(loaded: Loaded, text: str) -> list[int]:
    return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])


def _digest(questions: Sequence[Question]) -> str:
    return hashlib.sha256(repr(questions).encode()).hexdigest()


def _make_room_for(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write a teacher into {folder.parent}: {error.strerror}") from error


def _keep(loaded: Loaded, folder: Path) -> None:
    """There whole or not at all."""
    try:
        with draft_of(folder) as draft:
            keep_model(loaded, draft)
            draft.chmod(0o755)  # until then its owner alone may read it
            draft.rename(folder)
    except Exception as error:  # raised on, unless the disk is to blame
        if not is_of_the_disk(error):
            raise
        raise UserError(f"cannot write the teacher {folder}: {reason(error)}") from error
