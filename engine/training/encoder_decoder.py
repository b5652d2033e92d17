"""Teaching an encoder-decoder to write the output after reading the input, and keeping what came of it.

Knows tokens, batches and a folder; where the model and its tokens come from is the business of `tiny` and `seq2seq`.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.errors import UserError
from engine.training.bookmark import Bookmark
from engine.training.course import Course, learning_rate, rows_at_once, steps_for
from engine.training.folder import Card, new_folder, read_card, write_card
from engine.training.greedy import Written, padded, write
from engine.training.lesson import Lesson
from engine.training.order import Presented
from engine.training.state import Tensors, bring_back, bring_back_chance
from engine.training.student import Prediction, Row
from engine.training.threads import torch_threads
from engine.training.watch import STEPS_BETWEEN_REPORTS, Watch

__all__ = ["Codec", "EncoderDecoder", "Recipe", "checkpoint", "keep", "restore", "teach"]

LOOKED_AT = 300  # validation rows; at 300 the chance in a share of 0.9 is about 0.02
IGNORED = -100  # the label that transformers leaves out of the loss


class Codec(Protocol):
    """Between texts and tokens. `encode` ends a text with the end mark; `decode` gets none."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, tokens: Sequence[int]) -> str: ...

    def save(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to teach: the dials that differ between a model from scratch and one that has read before."""

    batch: int
    peak_learning_rate: float
    fewest_steps: int  # see `steps_for`
    passes: int
    most_passes: int
    longest_input: int  # tokens, with the end mark
    longest_output: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What came of the teaching, as it stands in `student.json`. Rows are counted before anything was left out."""

    rows: int
    rows_left_out: int  # their outputs are longer than the model may write
    inputs_cut: int
    steps: int
    steps_planned: int  # fewer were taken where the time limit came first
    passes: float
    seconds: float
    loss: float
    validation_rows: int
    validation_exact_match: float | None
    longest_input: int
    longest_output: int
    threads: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A row as tokens."""

    input: list[int]
    output: list[int]


class EncoderDecoder:
    """A student that writes its answer token by token."""

    def __init__(self, *, family: str, model: Any, codec: Codec, longest_input: int, longest_output: int) -> None:
        self.family = family
        self._model = model
        self._codec = codec
        self._longest_input = longest_input
        self._longest_output = longest_output
        self._threads = 1

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        """Answer. An input longer than any seen in training, by a good margin, is read up to there and marked cut."""
        if not inputs:
            return []
        whole = [self._codec.encode(text) for text in inputs]
        rows = [cut(tokens, self._longest_input) for tokens in whole]
        with torch_threads(self._threads):
            written = write(self._model, rows, longest=self._longest_output)
        return [
            self._prediction(one, was_cut=len(tokens) > self._longest_input)
            for one, tokens in zip(written, whole, strict=True)
        ]

    def _prediction(self, written: Written, *, was_cut: bool) -> Prediction:
        confidence = 0.0 if was_cut else min(1.0, written.probability)
        return Prediction(self._codec.decode(written.tokens), confidence, was_cut)

    def __repr__(self) -> str:
        return f"<EncoderDecoder {self.family}: {self._model.num_parameters():,} parameters>"


def cut(tokens: list[int], longest: int) -> list[int]:
    """At most `longest` tokens, the end mark kept."""
    return tokens if len(tokens) <= longest else [*tokens[: longest - 1], tokens[-1]]


def teach(
    model: Any, codec: Codec, lesson: Lesson, *, recipe: Recipe, threads: int, started: float, bookmark: Bookmark
) -> Taught:
    """Teach `model` in place; it ends as it was at its best moment on the validation rows.

    `started` is when the caller began (`time.monotonic`): the time limit counts from there, and from where an earlier
    process that left a bookmark had come to.
    """
    pairs, left_out, inputs_cut = _prepare(lesson.rows, codec, recipe=recipe)
    looked_at = _sample(lesson.validation, seed=lesson.seed)
    batch = min(recipe.batch, len(pairs))
    steps = steps_for(
        len(pairs), batch=batch, fewest=recipe.fewest_steps, passes=recipe.passes, most_passes=recipe.most_passes
    )
    course = Course(steps=steps, limit_s=lesson.time_limit_s)
    longest_seen = max(len(pair.output) for pair in pairs)
    longest_output = min(recipe.longest_output, longest_seen + longest_seen // 4)
    watch = Watch(
        course=course,
        model=model,
        look=lambda: _exact(model, codec, looked_at, longest_input=recipe.longest_input, longest_output=longest_output),
        looks=bool(looked_at),
        lesson=lesson,
        started=started,
        bookmark=bookmark,
    )
    left = watch.go_on()
    with torch_threads(threads):
        _fit(model, pairs, batch=batch, steps=steps, recipe=recipe, watch=watch, seed=lesson.seed, left=left)
        watch.finish()
    return Taught(
        rows=len(lesson.rows),
        rows_left_out=left_out,
        inputs_cut=inputs_cut,
        steps=watch.step,
        steps_planned=steps,
        passes=round(watch.step * batch / len(pairs), 2),
        seconds=round(watch.seconds(), 2),
        loss=watch.loss,
        validation_rows=len(looked_at),
        validation_exact_match=course.best,
        longest_input=min(recipe.longest_input, 2 * max(len(pair.input) for pair in pairs)),
        longest_output=longest_output,
        threads=threads,
    )


def _prepare(rows: Sequence[Row], codec: Codec, *, recipe: Recipe) -> tuple[list[Pair], int, int]:
    """Rows as tokens, the number left out and the number of inputs cut.

    An input that is too long still teaches something. An output that is too long would teach to break off: left out.
    """
    every = [Pair(codec.encode(row.input), codec.encode(row.output)) for row in rows]
    short = [pair for pair in every if len(pair.output) <= recipe.longest_output]
    if not short:
        shortest = min(len(pair.output) for pair in every)
        raise UserError(
            f"every output is longer than the {recipe.longest_output} tokens this student may write"
            f" (the shortest has {shortest}): give rows with shorter outputs"
        )
    pairs = [Pair(cut(pair.input, recipe.longest_input), pair.output) for pair in short]
    return pairs, len(every) - len(short), sum(len(pair.input) > recipe.longest_input for pair in short)


def _sample(rows: Sequence[Row], *, seed: int) -> list[Row]:
    return list(rows) if len(rows) <= LOOKED_AT else random.Random(seed).sample(list(rows), LOOKED_AT)


def _exact(model: Any, codec: Codec, rows: Sequence[Row], *, longest_input: int, longest_output: int) -> float:
    inputs = [cut(codec.encode(row.input), longest_input) for row in rows]
    written = write(model, inputs, longest=longest_output)
    return sum(codec.decode(one.tokens) == row.output for one, row in zip(written, rows, strict=True)) / len(rows)


def _collate(pairs: Sequence[Pair], *, pad: int) -> dict[str, Any]:
    ids, mask = padded([pair.input for pair in pairs], pad=pad)
    labels, _ = padded([pair.output for pair in pairs], pad=IGNORED)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _fit(
    model: Any,
    pairs: Sequence[Pair],
    *,
    batch: int,
    steps: int,
    recipe: Recipe,
    watch: Watch,
    seed: int,
    left: Tensors,
) -> None:
    """`left` is the state that an earlier process left at the step where the watch stands; empty at the beginning."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.peak_learning_rate, weight_decay=0.0, fused=True)
    together = rows_at_once(batch, longest=max(len(pair.input) + len(pair.output) for pair in pairs))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: learning_rate(watch.course.fraction))
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                per_device_train_batch_size=together,
                gradient_accumulation_steps=batch // together,
                max_steps=steps - watch.step,
                train_sampling_strategy="sequential",
                max_grad_norm=1.0,
                logging_first_step=True,
                logging_steps=STEPS_BETWEEN_REPORTS,
                logging_nan_inf_filter=False,
                save_strategy="no",
                disable_tqdm=True,
                remove_unused_columns=False,
                dataloader_pin_memory=False,
                seed=seed,
            ),
            train_dataset=Presented(
                pairs,
                lengths=lambda pair: (len(pair.input), len(pair.output)),
                batch=batch,
                batches=steps,
                first=watch.step,
                seed=seed,
            ),
            data_collator=lambda rows: _collate(rows, pad=model.config.pad_token_id),
            optimizers=(optimizer, scheduler),
            callbacks=[_callback(watch, model, optimizer, left)],
        )
        trainer.loss_is_scaled_for_ga = False  # it takes the **kwargs of T5's forward for a promise to scale
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.config.use_cache = True  # the Trainer turns it off


def _callback(watch: Watch, model: Any, optimizer: Any, left: Tensors) -> Any:
    from transformers import TrainerCallback

    before = watch.step

    class Watching(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            if left:
                bring_back(model, optimizer, left)

        def on_step_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            if left and state.global_step == 0:
                bring_back_chance(left)

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.step_done(before + state.global_step)
            watch.mark(optimizer)
            control.should_training_stop = control.should_training_stop or watch.course.over

        def on_log(self, _args: Any, _state: Any, _control: Any, *, logs: dict[str, float], **_: Any) -> None:
            if "loss" in logs:
                watch.loss_seen(logs["loss"])

    return Watching()


@contextmanager
def _no_bars() -> Iterator[None]:
    """transformers draws progress bars over whatever is on the screen; what is drawn there is not its business."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def keep(
    model: Any, codec: Codec, lesson: Lesson, taught: Taught, *, family: str, folder: Path, base: str | None = None
) -> None:
    """Write the student's folder: loadable by itself, and by transformers' Auto classes."""
    with new_folder(folder) as draft, _no_bars():
        model.save_pretrained(draft)
        codec.save(draft)
        sizes = {
            "parameters": model.num_parameters(),
            "longest_input": taught.longest_input,
            "longest_output": taught.longest_output,
        }
        write_card(draft, Card(family=family, sizes=sizes, metrics=asdict(taught), task=lesson.task, base=base))


def checkpoint(name: str | Path) -> Any:
    """An encoder-decoder from a folder or the hub's cache: safetensors only, no download, no foreign code."""
    from transformers import AutoModelForSeq2SeqLM

    with _no_bars():
        return AutoModelForSeq2SeqLM.from_pretrained(name, local_files_only=True, use_safetensors=True)


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
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(f"{folder} is a damaged student: train it again ({type(error).__name__})") from error
