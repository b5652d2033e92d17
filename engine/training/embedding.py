"""The student `embedding`: a sentence encoder as it is, and a logistic regression over its vectors. Labels only.

It learns in seconds to minutes, since the encoder reads every row once, and from few rows a label. The encoder comes
from a folder or from the hub's cache.
"""

from __future__ import annotations

import time
from pathlib import Path

from engine.training.encoder_student import (
    EncoderStudent,
    begin,
    choice_for,
    encoder_for,
    keep,
    restore,
)
from engine.training.fitting import drawn
from engine.training.lesson import Lesson
from engine.training.student import exact_share
from engine.training.threads import free_threads

__all__ = ["load", "train"]

FAMILY = "embedding"

READING_SHARE = 0.7  # of a time limit; the fit and the look at the validation rows have the rest


def train(lesson: Lesson, folder: Path) -> None:
    """Read the rows once, fit, and keep encoder and weights in `folder`."""
    started = time.monotonic()
    choice = choice_for(lesson, family=FAMILY)
    encoder = encoder_for(lesson, family=FAMILY)
    threads = lesson.threads or free_threads()
    reads = encoder.read([row.input for row in lesson.rows])
    begun = begin(encoder, lesson, reads, choice=choice, started=started, share=READING_SHARE, threads=threads)
    left_out = len(reads) - len(begun.rows)
    if left_out:
        lesson.note(f"{left_out:,} rows are left out: there was no time to read them")
    student = EncoderStudent(family=FAMILY, encoder=encoder, head=begun.head, threads=threads)
    looked_at = drawn(lesson.validation, seed=lesson.seed)
    inputs_cut = sum(reads[row].is_cut for row in begun.rows)
    lesson.note_cut(inputs_cut, longest=encoder.longest)
    metrics = {
        "rows": len(lesson.rows),
        "rows_left_out": left_out,
        "inputs_cut": inputs_cut,
        "validation_rows": len(looked_at),
        "validation_exact_match": exact_share(student, looked_at),
        "seconds": round(time.monotonic() - started, 2),
        "threads": threads,
    }
    keep(student, lesson, folder, metrics=metrics)


def load(folder: Path) -> EncoderStudent:
    """Bring back what `train` kept."""
    return restore(folder)
