"""Tiny models in this process, and what they say without a thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import Request
from engine.fakes.checkpoints import TEMPLATE, save_causal, save_seq2seq
from engine.providers.local.asking import job_of
from engine.providers.local.checkpoint import Checkpoint
from engine.providers.local.model import Batch, Model, open_model
from engine.providers.local.worker import Bench, Job

KINDS = pytest.mark.parametrize("kind", ["causal", "seq2seq", "nucleus"])


def saved(place: Path) -> dict[str, Path]:
    """A causal model with a template, a seq2seq one, and one whose makers advise how to draw."""
    return {
        "causal": save_causal(place / "causal", template=TEMPLATE),
        "seq2seq": save_seq2seq(place / "seq2seq"),
        "nucleus": save_causal(place / "nucleus", do_sample=True, top_k=5, top_p=0.9, temperature=0.7),
    }


def opened(folders: dict[str, Path]) -> dict[str, Model]:
    return {kind: open_model(Checkpoint.of(kind, folder)) for kind, folder in folders.items()}


def asked(text: str, **how: Any) -> Request:
    return Request.user(text, **{"max_tokens": 12, **how})


def answered(
    model: Model, requests: Sequence[Request], *, rows: int = 64, batch: type[Batch] = Batch
) -> list[list[str]]:
    """What a model says to requests that come at once, without a thread."""
    bench = Bench(model, rows=rows, room=10**6, batch=batch)
    jobs = [job_of(request, model, seed=0) for request in requests]
    finish(bench, jobs)
    return [[row.completion().text for row in job.rows] for job in jobs]


def finish(bench: Bench, jobs: Sequence[Job]) -> None:
    for job in jobs:
        bench.add(job, now=0.0)
    for moment in range(1, 10_000):
        if all(job.done.done() for job in jobs):
            return
        bench.work(now=float(moment))
    raise AssertionError("it does not end")


def done(model: Model, job: Job) -> Job:
    """The job, answered alone."""
    finish(Bench(model, room=10**6), [job])
    return job
