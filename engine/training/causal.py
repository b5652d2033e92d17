"""The student `causal`: a decoder-only model that has read before (Llama, Qwen, GPT-2 kinds), tuned on the rows.

It starts from a folder or from a checkpoint in the hub's cache, learns by an adapter (LoRA), and is kept whole: the
adapter is added to the weights, so that nothing but transformers is needed to use it. It never downloads and never
runs foreign code.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.errors import UserError
from engine.text import writable
from engine.training.bookmark import Bookmark
from engine.training.continuing import write_on
from engine.training.decoder_only import Loaded, Turn, base_model, keep_model, opened, teach
from engine.training.drawing import Writer, prediction_of
from engine.training.fitting import drawn
from engine.training.folder import Card, new_folder, read_card, write_card
from engine.training.greedy import Chooser, Written, likeliest
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.spelt import pieces_by
from engine.training.student import Prediction, Row
from engine.training.taught import Taught, short_enough
from engine.training.threads import free_threads, torch_threads

__all__ = ["Causal", "Frame", "load", "train"]

FAMILY: Final = "causal"

RECIPE: Final = Recipe(
    batch=16,
    peak_learning_rate=0.0,  # follows from the width of the model
    fewest_steps=300,
    passes=3,
    most_passes=20,
    longest_input=1024,
    longest_output=512,
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """An input as the model reads it, and whether it was too long to be read to its end."""

    tokens: tuple[int, ...]
    is_cut: bool = False


class Frame:
    """How an input stands before the model: as a user's turn by its chat template, else followed by a line break."""

    def __init__(self, tokenizer: Any, *, longest: int) -> None:
        self._tokenizer = tokenizer
        self.longest = longest  # tokens of the whole prompt

    def prompt(self, text: str) -> Prompt:
        """The input, or as much of its beginning as there is room for; the frame around it stays whole."""
        text = writable(text)
        tokens = self._framed(text)
        if len(tokens) <= self.longest:
            return Prompt(tokens)
        words = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        room = len(words)
        while len(tokens) > self.longest and room:
            room = max(0, room - (len(tokens) - self.longest))
            tokens = self._framed(self._tokenizer.decode(words[:room], skip_special_tokens=False))
        return Prompt(tokens[-self.longest :], is_cut=True)

    def _framed(self, text: str) -> tuple[int, ...]:
        if getattr(self._tokenizer, "chat_template", None):
            turns = [{"role": "user", "content": text}]
            whole = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return tuple(self._tokenizer(whole, add_special_tokens=False)["input_ids"])
        tokens = list(self._tokenizer(f"{text}\n")["input_ids"])
        if tokens and tokens[-1] == self._tokenizer.eos_token_id:  # some tokenizers end every text, also one to go on
            tokens.pop()
        return tuple(tokens)

    def answer(self, text: str, *, end: int) -> tuple[int, ...]:
        return (*self._tokenizer(text, add_special_tokens=False)["input_ids"], end)

    def read(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True)).strip()

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        return pieces_by(self.read, tokens)


class Causal(Writer):
    """A student that goes on writing after its input."""

    family = FAMILY

    def __init__(self, loaded: Loaded, *, longest_input: int, longest_output: int) -> None:
        self._loaded = loaded
        self._frame = Frame(loaded.tokenizer, longest=longest_input)
        self._longest_output = longest_output
        self._threads = 1

    def _answers(self, inputs: Sequence[str], *, choose: Chooser) -> list[Prediction]:
        prompts = [self._frame.prompt(text) for text in inputs]
        with torch_threads(self._threads):
            written = _written(self._loaded, prompts, longest=self._longest_output, choose=choose)
        return [
            prediction_of(one, self._frame.read(one.tokens), pieces=self._frame.pieces, was_cut=prompt.is_cut)
            for one, prompt in zip(written, prompts, strict=True)
        ]

    def __repr__(self) -> str:
        return f"<Causal: {self._loaded.model.num_parameters():,} parameters>"


def train(lesson: Lesson, folder: Path) -> None:
    """Tune the checkpoint `lesson.base`, and keep the result in `folder`."""
    started = time.monotonic()
    if lesson.base is None:
        raise UserError(
            "the student 'causal' starts from a decoder-only checkpoint: name one, a folder or an id in the hub's cache"
        )
    loaded = base_model(lesson.base)
    room = _room(loaded)
    frame = Frame(loaded.tokenizer, longest=room.input)
    turns, inputs_cut = _turns(lesson, frame, loaded, longest=room.output)
    longest_seen = max(len(turn.answer) for turn in turns)
    longest_output = min(room.output, longest_seen + longest_seen // 4)
    looked_at = drawn(lesson.validation, seed=lesson.seed)
    bookmark = Bookmark.beside(folder, lesson, recipe=(RECIPE, lesson.whole))

    def look(model: Any) -> float:
        return _exact(replace(loaded, model=model), frame, looked_at, longest=longest_output)

    tuned, fitted = teach(
        loaded,
        turns,
        lesson,
        recipe=RECIPE,
        look=look if looked_at else None,
        bookmark=bookmark,
        started=started,
        threads=lesson.threads or free_threads(),
    )
    taught = Taught(
        rows=len(lesson.rows),
        rows_left_out=len(lesson.rows) - len(turns),
        inputs_cut=inputs_cut,
        validation_rows=len(looked_at),
        longest_input=room.input,
        longest_output=longest_output,
        **asdict(fitted),
    )
    _keep(tuned, lesson, taught, folder)
    bookmark.drop()


class Room(NamedTuple):
    """How many tokens a prompt may have, and an answer."""

    input: int
    output: int


def _room(loaded: Loaded) -> Room:
    """An answer may take a half of what the model reads and writes in all, if that is little."""
    if loaded.context is None:
        return Room(RECIPE.longest_input, RECIPE.longest_output)
    output = min(RECIPE.longest_output, loaded.context // 2)
    return Room(min(RECIPE.longest_input, loaded.context - output), output)


def _turns(lesson: Lesson, frame: Frame, loaded: Loaded, *, longest: int) -> tuple[list[Turn], int]:
    """Rows as turns, and how many of their inputs are cut; what is cut or left out is told."""
    prompts = [frame.prompt(row.input) for row in lesson.rows]
    answers = [frame.answer(row.output, end=loaded.end) for row in lesson.rows]
    weights = lesson.weights or (1.0,) * len(prompts)
    every = list(zip(prompts, answers, weights, strict=True))
    short = short_enough(every, lesson, longest=longest, length=lambda row: len(row[1]))
    inputs_cut = sum(prompt.is_cut for prompt, _, _ in short)
    lesson.note_cut(inputs_cut, longest=frame.longest)
    return [Turn(prompt.tokens, answer, weight) for prompt, answer, weight in short], inputs_cut


def _exact(loaded: Loaded, frame: Frame, rows: Sequence[Row], *, longest: int) -> float:
    written = _written(loaded, [frame.prompt(row.input) for row in rows], longest=longest)
    return sum(frame.read(one.tokens) == row.output for one, row in zip(written, rows, strict=True)) / len(rows)


def _written(loaded: Loaded, prompts: Sequence[Prompt], *, longest: int, choose: Chooser = likeliest) -> list[Written]:
    tokens = [prompt.tokens for prompt in prompts]
    return write_on(loaded.model, tokens, longest=longest, ends=loaded.ends, pad=loaded.pad, choose=choose)


def _keep(loaded: Loaded, lesson: Lesson, taught: Taught, folder: Path) -> None:
    with new_folder(folder) as draft:
        keep_model(loaded, draft)
        sizes = {
            "parameters": loaded.model.num_parameters(),
            "longest_input": taught.longest_input,
            "longest_output": taught.longest_output,
        }
        metrics = {**asdict(taught), "whole": lesson.whole}  # every weight was taught, not an adapter
        write_card(draft, Card(family=FAMILY, sizes=sizes, metrics=metrics, task=lesson.task, base=lesson.base))


def load(folder: Path) -> Causal:
    """Bring back what `train` kept."""
    from safetensors import SafetensorError

    card = read_card(folder)
    try:
        return Causal(
            opened(folder),
            longest_input=int(str(card.sizes["longest_input"])),
            longest_output=int(str(card.sizes["longest_output"])),
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"{folder} is a damaged student: train it again ({type(error).__name__})") from error
