"""A student that reads with an encoder and answers with labels: what `embedding` and `classifier` have in common.

Its folder holds the encoder too, so that it needs nothing else: `encoder/`, as transformers and sentence-transformers
load it, `model.safetensors` with a weight for each number of a vector and label, and `labels.json`.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.encoder import Encoder, Read
from engine.errors import MissingExtra, TrainingDiverged, UserError
from engine.training.base import base_folder, base_licence
from engine.training.choice import Choice, choice_of
from engine.training.folder import Card, new_folder, read_card, write_card
from engine.training.head import Head, choice_kept, keep_choice
from engine.training.lesson import Lesson
from engine.training.machine import machine_for
from engine.training.student import Prediction, Progress
from engine.training.threads import torch_threads
from engine.training.weights import row_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Begun", "EncoderStudent", "begin", "choice_for", "encoder_for", "keep", "restore"]

OTHERWISE: Final = "linear"
MOST_LABELS: Final = 50_000
MOST_COMBINED: Final = 2_000  # labels of which an answer may have several: each takes a fit of its own
AT_ONCE: Final = 512  # rows between two looks at the clock
FITTING_SHARE: Final = 0.2  # of a time limit, after the reading

# On banking77 and clinc150 at 10 to 120 rows a label, 3 to 100 gave the same answers to half a point; the mean log loss
# was 0.55, 0.39, 0.33 and 0.32 at 3, 10, 30 and 100 (77 labels, 40 rows each), and 100 was worse where rows are many.
STRENGTH: Final = 30.0


class EncoderStudent:
    """Answers with labels, from what an encoder makes of the input as a whole."""

    def __init__(self, *, family: str, encoder: Encoder, head: Head, threads: int = 1) -> None:
        self.family = family
        self.encoder = encoder
        self.head = head
        self._threads = threads

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        """Answer. An input of more tokens than the encoder reads is read up to there and marked cut."""
        if not inputs:
            return []
        with torch_threads(self._threads):
            reads = self.encoder.read(inputs)
            return self.head.answer(self.encoder.vectors(reads), cut=[read.is_cut for read in reads])

    def __repr__(self) -> str:
        return f"<EncoderStudent {self.family}: {len(self.head.choice.labels)} labels>"


@dataclass(frozen=True, slots=True)
class Begun:
    """Weights for labels over an encoder as it is, and the numbers of the rows that they were fitted to."""

    head: Head
    rows: Sequence[int]


def encoder_for(lesson: Lesson, *, family: str) -> Encoder:
    """The encoder that a lesson starts from. Raises UserError, with the way out."""
    try:
        return Encoder(base_folder(lesson.base, family=family, otherwise=OTHERWISE))
    except MissingExtra:
        raise
    except UserError as error:
        way_out = "" if OTHERWISE in str(error) else f"; or train {OTHERWISE!r}, which needs none"
        raise UserError(f"{error}{way_out}") from error


def choice_for(lesson: Lesson, *, family: str) -> Choice:
    """The labels of a lesson. Raises UserError for more than can be learnt so."""
    choice = choice_of([row.output for row in lesson.rows])
    most = MOST_COMBINED if choice.is_of_several else MOST_LABELS
    if len(choice.labels) > most:
        raise UserError(f"{len(choice.labels):,} labels are too many for {family!r} (at most {most:,}); use 'tiny'")
    return choice


def begin(
    encoder: Encoder,
    lesson: Lesson,
    reads: Sequence[Read],
    *,
    choice: Choice,
    started: float,
    share: float,
    threads: int,
) -> Begun:
    """Weights fitted over the encoder as it is: to all rows, or to as many as fit into a `share` of the time limit.

    These are drawn by chance, a row of each output first, and so many are read whatever time it takes: every answer was
    seen then. Raises TrainingDiverged where the encoder makes no numbers of them.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    counts = row_weights(lesson, choice)
    outputs = len({row.output for row in lesson.rows})
    seen: list[int] = []
    vectors: list[NDArray[np.float32]] = []
    with torch_threads(threads), threadpool_limits(threads), _on(encoder, machine_for(lesson.device).device):
        for rows in _pieces(_order(lesson)):
            seen += rows
            vectors.append(encoder.vectors([reads[row] for row in rows]))
            seconds = time.monotonic() - started
            if lesson.on_progress:
                lesson.on_progress(Progress(len(seen), len(reads), math.nan, None, seconds))
            is_late = lesson.time_limit_s is not None and seconds > share * lesson.time_limit_s
            if is_late and len(seen) >= outputs:
                break
        read = np.concatenate(vectors)
        if not np.isfinite(read).all():
            raise TrainingDiverged(
                f"the encoder {encoder.folder} makes vectors that hold no numbers, and nothing was saved: its weights "
                f"are damaged; take another base, or train {OTHERWISE!r}, which needs none"
            )
        limit, taken = lesson.time_limit_s, time.monotonic() - started
        head = Head.fitted(
            read,
            [lesson.rows[row].output for row in seen],
            choice=choice,
            strength=STRENGTH / lesson.dials.get("regularisation", 1),
            counts=None if counts is None else [counts[row] for row in seen],
            seconds=None if limit is None else (share + FITTING_SHARE) * limit - taken,
            note=lesson.note,
        )
    return Begun(head, seen)


@contextmanager
def _on(encoder: Encoder, device: str) -> Iterator[None]:
    encoder.model.to(device)
    try:
        yield
    finally:
        encoder.model.to("cpu")


def _order(lesson: Lesson) -> list[int]:
    rows = list(range(len(lesson.rows)))
    random.Random(lesson.seed).shuffle(rows)
    first = {lesson.rows[row].output: row for row in reversed(rows)}
    firsts = set(first.values())
    return sorted(rows, key=lambda row: row not in firsts)


def _pieces(order: Sequence[int]) -> Iterator[Sequence[int]]:
    return (order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE))


def keep(student: EncoderStudent, lesson: Lesson, folder: Path, *, metrics: Mapping[str, object]) -> None:
    """Write the student's folder, the encoder within it."""
    from safetensors.numpy import save_file

    encoder, head = student.encoder, student.head
    sizes = {
        "parameters": sum(weight.numel() for weight in encoder.model.parameters()) + head.weights.size + head.bias.size,
        "labels": len(head.choice.labels),
        "longest_input": encoder.longest,
    }
    card = Card(
        family=student.family, sizes=sizes, metrics=metrics, task=lesson.task, base=lesson.base,
        base_licence=base_licence(encoder.folder),
    )  # fmt: skip
    with new_folder(folder) as draft:
        encoder.save(draft / "encoder")
        save_file(head.arrays(), draft / "model.safetensors")
        told = json.dumps(keep_choice(head.choice), ensure_ascii=False)
        (draft / "labels.json").write_text(told, encoding="utf-8")
        write_card(draft, card)


def restore(folder: Path) -> EncoderStudent:
    """Bring back what `keep` kept; UserError if its files are damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    card = read_card(folder)
    try:
        choice = choice_kept(json.loads((folder / "labels.json").read_bytes()))
        head = Head.of_arrays(choice, load_file(folder / "model.safetensors"))
        encoder = Encoder(folder / "encoder")
        if head.weights.shape[1] != encoder.width:
            raise ValueError(f"{head.weights.shape[1]} weights a label for vectors of {encoder.width} numbers")
    except MissingExtra:
        raise
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, UserError) as error:
        raise UserError(f"{folder} is a damaged student ({error}): train it again") from error
    return EncoderStudent(family=card.family, encoder=encoder, head=head)
