"""The student `classifier`: an encoder and its weights for labels, tuned together on the rows. Labels only.

It begins where `embedding` ends, with weights fitted over the encoder as it is, and goes on from there: an encoder
that is tuned below weights of chance forgets first and learns then.

Source: A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.encoder import Encoder, Read, padded
from engine.training.bookmark import Bookmark
from engine.training.choice import Choice
from engine.training.encoder_student import (
    EncoderStudent,
    begin,
    choice_for,
    encoder_for,
    keep,
    restore,
)
from engine.training.fitting import Batch, drawn, fit
from engine.training.head import Head
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.state import copied, put_back
from engine.training.student import Row, exact_share
from engine.training.threads import free_threads
from engine.training.weights import row_weights

__all__ = ["RECIPE", "load", "train"]

FAMILY = "classifier"

RECIPE = Recipe(batch=16, peak_learning_rate=5e-5, fewest_steps=500, passes=3, most_passes=20, longest_input=512)

READING_SHARE = 0.25  # of a time limit, for the weights that it begins with


@dataclass(frozen=True, slots=True)
class Example:
    """A row as tokens, which labels it has (1 or 0 for each of several, or the number of the one), and its count."""

    tokens: list[int]
    target: int | list[float]
    weight: float = 1.0


def train(lesson: Lesson, folder: Path) -> None:
    """Fit weights over the encoder of `lesson.base`, tune both, and keep the better of before and after in `folder`."""
    started = time.monotonic()
    choice = choice_for(lesson, family=FAMILY)
    encoder = encoder_for(lesson, family=FAMILY)
    threads = lesson.threads or free_threads()
    bookmark = Bookmark.beside(folder, lesson, recipe=RECIPE)
    reads = encoder.read([row.input for row in lesson.rows])
    inputs_cut = sum(read.is_cut for read in reads)
    lesson.note_cut(inputs_cut, longest=encoder.longest)
    begun = begin(encoder, lesson, reads, choice=choice, started=started, share=READING_SHARE, threads=threads)
    model = _tunable(encoder, begun.head)
    student = EncoderStudent(family=FAMILY, encoder=encoder, head=begun.head, threads=threads)
    looked_at = drawn(lesson.validation, seed=lesson.seed)
    look = partial(_score, student, model, looked_at) if looked_at else None
    before, untuned = look() if look else None, copied(model)
    fitted = fit(
        model,
        _examples(lesson, reads, choice=choice),
        lesson=lesson,
        recipe=RECIPE,
        lengths=lambda example: (len(example.tokens),),
        collate=partial(_collate, pad=encoder.pad, several=choice.is_of_several),
        mass=lambda example: example.weight,
        loss=_loss_of_several if choice.is_of_several else _loss_of_one,
        look=look,
        bookmark=bookmark,
        started=started,
        threads=threads,
    )
    after = fitted.validation_exact_match
    is_worse = before is not None and after is not None and after < before
    if is_worse:
        lesson.note("tuning the encoder made its answers worse on the validation rows: it is kept as it was")
        put_back(model, untuned)
    student.head = _head_of(model, choice)
    metrics = {
        "rows": len(lesson.rows),
        "inputs_cut": inputs_cut,
        "validation_rows": len(looked_at),
        **asdict(fitted),
        "validation_exact_match": before if is_worse else after,
        "validation_exact_match_untuned": before,
    }
    keep(student, lesson, folder, metrics=metrics)
    bookmark.drop()


def load(folder: Path) -> EncoderStudent:
    """Bring back what `train` kept."""
    return restore(folder)


def _tunable(encoder: Encoder, head: Head) -> Any:
    """Encoder and weights as one module, from tokens to a score for each label."""
    import torch

    class Tunable(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = encoder.model.config
            self.encoder = encoder.model
            self.head = head.layer()

        def forward(self, ids: Any, mask: Any) -> Any:
            return self.head(encoder.pooled(ids, mask))

    return Tunable()


def _head_of(model: Any, choice: Choice) -> Head:
    weights, bias = (tensor.detach().cpu().float().numpy().copy() for tensor in (model.head.weight, model.head.bias))
    return Head(choice, weights, bias)


def _score(student: EncoderStudent, model: Any, rows: Sequence[Row]) -> float:
    """The share of rows that the student answers exactly, as the model is now."""
    student.head = _head_of(model, student.head.choice)
    model.eval()
    score = exact_share(student, rows) or 0.0
    model.train()
    return score


def _examples(lesson: Lesson, reads: Sequence[Read], *, choice: Choice) -> list[Example]:
    place = {label: number for number, label in enumerate(choice.labels)}
    weights = row_weights(lesson, choice) or (1.0,) * len(lesson.rows)

    def target(output: str) -> int | list[float]:
        if not choice.is_of_several:
            return place[output]
        has = set(choice.parts(output))
        return [float(label in has) for label in choice.labels]

    return [
        Example(read.tokens, target(row.output), weight)
        for row, read, weight in zip(lesson.rows, reads, weights, strict=True)
    ]


def _collate(examples: Sequence[Example], *, pad: int, several: bool) -> Batch:
    import torch

    ids, mask = padded([example.tokens for example in examples], pad=pad)
    targets = torch.tensor([example.target for example in examples], dtype=torch.float if several else torch.long)
    return {"ids": ids, "mask": mask, "targets": targets, "weights": torch.tensor([each.weight for each in examples])}


def _loss_of_one(model: Any, batch: Batch) -> Any:
    """The mean over rows, each as much as it counts."""
    from torch.nn.functional import cross_entropy

    losses = cross_entropy(model(batch["ids"], batch["mask"]).float(), batch["targets"], reduction="none")
    return (losses * batch["weights"]).sum() / batch["weights"].sum()


def _loss_of_several(model: Any, batch: Batch) -> Any:
    """The same, where each label is there or not for itself."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    scores = model(batch["ids"], batch["mask"]).float()
    losses = binary_cross_entropy_with_logits(scores, batch["targets"], reduction="none").sum(1)
    return (losses * batch["weights"]).sum() / batch["weights"].sum()
