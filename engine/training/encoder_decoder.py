"""Teaching an encoder-decoder to write the output after reading the input, and keeping what came of it.

Knows tokens, batches and a folder; where the model and its tokens come from is the business of `tiny` and `seq2seq`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from engine.errors import UserError
from engine.silence import without_bars
from engine.training.bookmark import Bookmark
from engine.training.drawing import Writer, prediction_of
from engine.training.fitting import Batch, drawn, fit, own_loss
from engine.training.folder import Card, new_folder, read_card, write_card
from engine.training.greedy import IGNORED, Chooser, likeliest, padded, write
from engine.training.lesson import Lesson
from engine.training.likelihood import log_likelihoods
from engine.training.recipe import Recipe, fitted_to
from engine.training.searching import search
from engine.training.student import Prediction, Row
from engine.training.taught import Taught, short_enough
from engine.training.threads import torch_threads

__all__ = ["Codec", "EncoderDecoder", "checkpoint", "keep", "restore", "student_of", "teach"]


class Codec(Protocol):
    """Between texts and tokens. `encode` gives one at least, `answer` ends with the end mark; `decode` gets none."""

    def encode(self, text: str) -> list[int]: ...

    def answer(self, row: Row) -> list[int]:
        """A row's output as it is to be written."""
        ...

    def decode(self, tokens: Sequence[int]) -> str: ...

    def pieces(self, tokens: Sequence[int]) -> list[bytes]:
        """What each token adds to the text."""
        ...

    def save(self, folder: Path) -> None: ...


class Memory(Protocol):
    """What answers beside a writer, and lies in its folder."""

    @property
    def size(self) -> int: ...

    def keep(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class Pair:
    """A row as tokens, and how much it counts, where they do not all count alike."""

    input: list[int]
    output: list[int]
    weight: float | None = None

    @property
    def mass(self) -> float:
        return len(self.output) * (1.0 if self.weight is None else self.weight)


class EncoderDecoder(Writer):
    """A student that reads its input whole, up to twice as far as any that it learnt from, and writes.

    Its best answer is the likeliest that so many beginnings of one lead to.
    """

    def __init__(
        self, *, family: str, model: Any, codec: Codec, longest_input: int, longest_output: int, beginnings: int = 1
    ) -> None:
        self.family = family
        self._model = model
        self._codec = codec
        self._longest_input = longest_input
        self._longest_output = longest_output
        self._beginnings = beginnings
        self._threads = 1

    def _answers(self, inputs: Sequence[str], *, choose: Chooser) -> list[Prediction]:
        whole = [self._codec.encode(text) for text in inputs]
        rows = [cut(tokens, self._longest_input) for tokens in whole]
        with torch_threads(self._threads):
            if choose is likeliest:
                written = search(self._model, rows, longest=self._longest_output, beginnings=self._beginnings)
            else:
                written = write(self._model, rows, longest=self._longest_output, choose=choose)
        codec, longest = self._codec, self._longest_input
        return [
            prediction_of(one, codec.decode(one.tokens), pieces=codec.pieces, was_cut=len(tokens) > longest)
            for one, tokens in zip(written, whole, strict=True)
        ]

    def log_likelihoods(self, inputs: Sequence[str], answers: Sequence[Sequence[str]]) -> list[list[float]]:
        """The logarithm of how likely it holds each of some answers to each input; -inf of those too long to write."""
        rows = [cut(self._codec.encode(text), self._longest_input) for text in inputs]
        told = [
            [self._codec.answer(Row(text, answer)) for answer in some]
            for text, some in zip(inputs, answers, strict=True)
        ]
        with torch_threads(self._threads):
            return log_likelihoods(self._model, rows, told, longest=self._longest_output)

    def __repr__(self) -> str:
        return f"<EncoderDecoder {self.family}: {self._model.num_parameters():,} parameters>"


def cut(tokens: list[int], longest: int) -> list[int]:
    """At most `longest` tokens, the end mark kept."""
    return tokens if len(tokens) <= longest else [*tokens[: longest - 1], tokens[-1]]


def teach(
    model: Any,
    codec: Codec,
    lesson: Lesson,
    *,
    recipe: Recipe,
    threads: int,
    started: float,
    bookmark: Bookmark,
    beginnings: int = 1,
) -> Taught:
    """Teach `model` in place; it ends as it was at its best moment on the validation rows, answered as it will answer.

    `started` is when the caller began (`time.monotonic`): the time limit counts from there, and from where an earlier
    process that left a bookmark had come to.
    """
    pairs, inputs_cut = _prepare(lesson, codec, recipe=recipe)
    looked_at = drawn(lesson.validation, seed=lesson.seed)
    longest_seen = max(len(pair.output) for pair in pairs)
    longest_output = min(recipe.longest_output, longest_seen + longest_seen // 4)
    recipe = fitted_to(recipe, tokens=fmean(len(pair.input) + len(pair.output) for pair in pairs))

    def look() -> float:
        inputs = [cut(codec.encode(row.input), recipe.longest_input) for row in looked_at]
        written = search(model, inputs, longest=longest_output, beginnings=beginnings)
        right = sum(codec.decode(one.tokens) == row.output for one, row in zip(written, looked_at, strict=True))
        return right / len(looked_at)

    fitted = fit(
        model,
        pairs,
        lesson=lesson,
        recipe=recipe,
        lengths=lambda pair: (len(pair.input), len(pair.output)),
        collate=partial(collated, pad=model.config.pad_token_id),
        mass=lambda pair: pair.mass,
        loss=own_loss if lesson.weights is None else weighted_loss,
        look=look if looked_at else None,
        bookmark=bookmark,
        started=started,
        threads=threads,
        overflows=True,
    )
    return Taught(
        rows=len(lesson.rows),
        rows_left_out=len(lesson.rows) - len(pairs),
        inputs_cut=inputs_cut,
        validation_rows=len(looked_at),
        longest_input=min(recipe.longest_input, 2 * max(len(pair.input) for pair in pairs)),
        longest_output=longest_output,
        **asdict(fitted),
    )


def _prepare(lesson: Lesson, codec: Codec, *, recipe: Recipe) -> tuple[list[Pair], int]:
    """Rows as tokens, and how many of their inputs are cut; what is cut or left out is told."""
    weights = lesson.weights or (None,) * len(lesson.rows)
    every = [
        Pair(codec.encode(row.input), codec.answer(row), weight)
        for row, weight in zip(lesson.rows, weights, strict=True)
    ]
    short = short_enough(every, lesson, longest=recipe.longest_output, length=lambda pair: len(pair.output))
    too_long = sum(len(pair.input) > recipe.longest_input for pair in short)
    lesson.note_cut(too_long, longest=recipe.longest_input)
    return [replace(pair, input=cut(pair.input, recipe.longest_input)) for pair in short], too_long


def collated(pairs: Sequence[Pair], *, pad: int) -> dict[str, Any]:
    """Pairs as one batch; with `weights` where they have any."""
    import torch

    ids, mask = padded([pair.input for pair in pairs], pad=pad)
    labels, _ = padded([pair.output for pair in pairs], pad=IGNORED)
    weights = [pair.weight for pair in pairs if pair.weight is not None]
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": labels,
        **({"weights": torch.tensor(weights)} if weights else {}),
    }


def weighted_loss(model: Any, batch: Batch) -> Any:
    """The mean over tokens, each as much as its row counts."""
    from torch.nn.functional import cross_entropy

    rest = {name: tensor for name, tensor in batch.items() if name != "weights"}
    labels = batch["labels"]  # (rows, tokens)
    losses = cross_entropy(model(**rest).logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    counts = batch["weights"][:, None] * (labels != IGNORED)
    return (losses * counts).sum() / counts.sum()


def student_of(model: Any, codec: Codec, taught: Taught, *, family: str, beginnings: int = 1) -> EncoderDecoder:
    """What was taught, as `restore` will bring it back."""
    return EncoderDecoder(
        family=family,
        model=model.eval(),
        codec=codec,
        longest_input=taught.longest_input,
        longest_output=taught.longest_output,
        beginnings=beginnings,
    )


def keep(
    model: Any,
    codec: Codec,
    lesson: Lesson,
    taught: Taught,
    *,
    family: str,
    folder: Path,
    base: str | None = None,
    memory: Memory | None = None,
    beginnings: int = 1,
) -> None:
    """Write the student's folder: loadable by itself, and by transformers' Auto classes."""
    with new_folder(folder) as draft, without_bars():
        model.save_pretrained(draft)
        codec.save(draft)
        sizes = {
            "parameters": model.num_parameters(),
            "longest_input": taught.longest_input,
            "longest_output": taught.longest_output,
            "beginnings": beginnings,
        }
        if memory is not None:
            memory.keep(draft)
            sizes["rows_remembered"] = memory.size
        write_card(draft, Card(family=family, sizes=sizes, metrics=asdict(taught), task=lesson.task, base=base))


def checkpoint(name: str | Path) -> Any:
    """An encoder-decoder from a folder or the hub's cache: safetensors only, no download, no foreign code.

    Unless it is told not to, transformers asks at the terminal whether to run a model's own code, and runs it on a yes.
    """
    from transformers import AutoModelForSeq2SeqLM

    try:
        with without_bars():
            return AutoModelForSeq2SeqLM.from_pretrained(
                name, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
    except ValueError as error:
        if "custom code" not in str(error):
            raise
        raise UserError(f"{name}: brings code of its own, which is never run; take another model") from error


def restore(folder: Path, codec: Callable[[], Codec]) -> EncoderDecoder:
    """Bring back what `keep` kept; UserError if its files are damaged."""
    from safetensors import SafetensorError

    card = read_card(folder)
    try:
        model = checkpoint(folder)
        return EncoderDecoder(
            family=card.family,
            model=model.eval(),
            codec=codec(),
            longest_input=int(str(card.sizes["longest_input"])),
            longest_output=int(str(card.sizes["longest_output"])),
            beginnings=int(str(card.sizes.get("beginnings", 1))),  # of which an older card says nothing
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"{folder} is a damaged student: train it again ({type(error).__name__})") from error
