"""Teaching a decoder-only model what to write after a prompt, and keeping what came of it as a folder of its own.

Knows prompts and answers as tokens. How an input becomes a prompt is the business of `causal`, and of whoever tunes a
teacher. Only the answer and its end mark are learnt; the prompt is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.silence import in_silence
from engine.training.adapter import adapted, merged, peak_learning_rate
from engine.training.bookmark import Bookmark
from engine.training.fitting import Batch, Fitted, fit, own_loss
from engine.training.greedy import IGNORED
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe

__all__ = ["Loaded", "Turn", "base_model", "keep_model", "opened", "teach"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What is read and what is to be written after it, as tokens, the end mark included; and how much it counts."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model and its tokenizer, the marks that end an answer, and what the rows of a batch are filled up with.

    `end` is the mark that is taught; `stored` is torch's name for the numbers that the weights are kept in.
    """

    model: Any
    tokenizer: Any
    end: int
    ends: frozenset[int]
    pad: int
    stored: str

    @property
    def context(self) -> int | None:
        """How many tokens it reads and writes in all; None where it does not say."""
        told = getattr(self.model.config, "max_position_embeddings", None)
        return told if isinstance(told, int) else None


def teach(
    loaded: Loaded,
    turns: Sequence[Turn],
    lesson: Lesson,
    *,
    recipe: Recipe,
    look: Callable[[Any], float] | None,
    bookmark: Bookmark,
    started: float,
    threads: int,
) -> tuple[Loaded, Fitted]:
    """Teach the answers to the turns: by an adapter that is added to the weights in the end; with `whole`, all weights.

    `look` scores the model on validation rows, 0 to 1. The learning rate is the recipe's where that names one, else it
    follows from the model's width. The model given is used up; the one returned is of the same make.
    """
    with in_silence():
        learner = None if lesson.whole else adapted(loaded.model, seed=lesson.seed)
    model = loaded.model  # with an adapter, it computes with that
    weighted = any(turn.weight != 1.0 for turn in turns)
    fitted = fit(
        model,
        turns,
        lesson=lesson,
        recipe=_with_rate(recipe, loaded, whole=lesson.whole),
        lengths=lambda turn: (len(turn),),
        collate=partial(_collate, pad=loaded.pad, weighted=weighted),
        mass=lambda turn: turn.weight * len(turn.answer),
        loss=_weighted_loss if weighted else own_loss,
        look=None if look is None else lambda: look(model),
        bookmark=bookmark,
        started=started,
        threads=threads,
    )
    with in_silence():
        return (loaded if learner is None else replace(loaded, model=merged(learner))), fitted


def _with_rate(recipe: Recipe, loaded: Loaded, *, whole: bool) -> Recipe:
    if recipe.peak_learning_rate:
        return recipe
    width = int(loaded.model.get_input_embeddings().weight.shape[-1])
    return replace(recipe, peak_learning_rate=peak_learning_rate(width, whole=whole))


def _collate(turns: Sequence[Turn], *, pad: int, weighted: bool) -> Batch:
    """Filled up at the right: in training nothing is written after the end, so it makes no difference."""
    import torch

    width = max(map(len, turns))

    def matrix(rows: Sequence[Sequence[float]], fill: float) -> Any:
        return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows])

    batch = {
        "input_ids": matrix([(*turn.prompt, *turn.answer) for turn in turns], pad),
        "attention_mask": matrix([[1] * len(turn) for turn in turns], 0),
        "labels": matrix([(*[IGNORED] * len(turn.prompt), *turn.answer) for turn in turns], IGNORED),
    }
    return {**batch, "weights": torch.tensor([turn.weight for turn in turns])} if weighted else batch


def _weighted_loss(model: Any, batch: Batch) -> Any:
    """The mean over the answers' tokens, each counting as much as its turn."""
    import torch

    labels = batch["labels"][:, 1:]
    said = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    losses = torch.nn.functional.cross_entropy(
        said.logits[:, :-1].transpose(1, 2).float(), labels, ignore_index=IGNORED, reduction="none"
    )
    counts = (labels != IGNORED) * batch["weights"][:, None]
    return (losses * counts).sum() / counts.sum()


def base_model(name: str | Path) -> Loaded:
    """A model to begin with, from a folder or the hub's cache: safetensors only, no download, no foreign code.

    Raises UserError where there is none, or one that cannot be tuned.
    """
    try:
        return opened(name)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{str(name)!r} cannot be loaded as a decoder-only model: give a folder with safetensors and a tokenizer, "
            "or an id that is in the hub's cache"
        ) from error


def opened(name: str | Path) -> Loaded:
    """The same, with the errors of whoever loads it. Computed in float32, whatever it is stored in."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    with in_silence():
        config = AutoConfig.from_pretrained(name, local_files_only=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            name, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype="float32"
        )
    ends = _ends(model, tokenizer)
    if not ends:
        raise UserError(
            f"{str(name)!r} has no mark that ends an answer, so it cannot learn to stop; take another model"
        )
    pads = (tokenizer.pad_token_id, model.config.pad_token_id, ends[0])
    return Loaded(
        model=model.eval(),
        tokenizer=tokenizer,
        end=ends[0],
        ends=frozenset(ends),
        pad=next(each for each in pads if isinstance(each, int) and each >= 0),  # it is masked, so any will do
        stored=str(getattr(config, "dtype", None) or "float32").removeprefix("torch."),
    )


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """The tokenizer's own mark first: of a chat model, it is the one that ends a turn."""
    told = model.generation_config.eos_token_id
    named = told if isinstance(told, list) else [told]
    every = [tokenizer.eos_token_id, *named, model.config.eos_token_id]
    return list(dict.fromkeys(mark for mark in every if isinstance(mark, int)))


def keep_model(loaded: Loaded, folder: Path) -> None:
    """Write the weights as they were stored, and the tokenizer: loadable by transformers' Auto classes alone."""
    import torch

    with in_silence():
        loaded.model.to(getattr(torch, loaded.stored)).save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
