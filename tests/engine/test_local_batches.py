"""Batches of a model in this process: each text alike whatever it is answered beside, inside the memory there is."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import (
    ContextOverflow,
)
from engine.providers.local.asking import job_of
from engine.providers.local.model import Batch, Model
from engine.providers.local.worker import Bench
from tests.engine.local_models import KINDS, answered, asked, done, finish, opened, saved


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return saved(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Model]:
    return opened(folders)


# -- each text alike, whatever it is answered beside


@KINDS
@pytest.mark.parametrize("temperature", [0.0, 0.8, None])
@pytest.mark.long
def test_the_same_request_says_the_same_whatever_it_is_answered_beside(
    models: dict[str, Model], kind: str, temperature: float | None
) -> None:
    chance = random.Random(7)
    requests = [
        asked("".join(chance.choices("abcdefg ", k=chance.randint(1, 40))), temperature=temperature, sample=number)
        for number in range(12)
    ]

    alone = [answered(models[kind], [request])[0] for request in requests]
    together = answered(models[kind], requests)
    chance.shuffle(shuffled := list(zip(requests, alone, strict=True)))
    few = answered(models[kind], [request for request, _ in shuffled], rows=3)

    assert together == alone
    assert few == [said for _, said in shuffled]


def test_where_rounding_decides_a_text_is_looked_at_alone(models: dict[str, Model]) -> None:
    """With every choice called a tie, what is said comes from the text alone, and is the same again."""
    requests = [asked(text, temperature=0.9) for text in ("one", "two", "three and a half")]
    model = models["causal"]
    usual, model.tie = model.tie, 1e9

    try:
        settled = answered(model, requests)
    finally:
        model.tie = usual

    assert settled == answered(model, requests)


class Jittery(Batch):
    """Every matrix product rounds otherwise, as beside other rows: by as much as is allowed for."""

    def _logits(self) -> Any:
        import torch

        logits = super()._logits()
        allowed = self._model.tie * logits.abs().amax(-1, keepdim=True).clamp_min(1.0)
        return logits + (2 * torch.rand(logits.shape) - 1) * 0.9 * allowed


@KINDS
@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.long
def test_rounding_changes_no_text(models: dict[str, Model], kind: str, temperature: float) -> None:
    """With rounding made a hundred times as coarse as it is, so that it would change some texts."""
    model = models[kind]
    requests = [asked(f"text {number}", temperature=temperature, max_tokens=30) for number in range(8)]
    usual, model.tie = model.tie, 0.01

    try:
        whole = answered(model, requests)
        jittery = [answered(model, requests, batch=Jittery) for _ in range(3)]
    finally:
        model.tie = usual

    assert jittery == [whole] * 3


def test_another_seed_sample_or_completion_says_something_else(models: dict[str, Model]) -> None:
    request = asked("say something", temperature=1.0, n=3)
    model = models["causal"]

    said = answered(model, [request, replace(request, seed=1), replace(request, sample=1)])
    other_run = [row.completion().text for row in done(model, job_of(request, model, seed=5)).rows]

    assert len({text for texts in [*said, other_run] for text in texts}) == 12


def test_an_answer_that_may_be_longer_begins_alike(models: dict[str, Model]) -> None:
    short, long = (answered(models["causal"], [asked("x", temperature=0.8, max_tokens=most)]) for most in (5, 15))

    assert long[0][0].encode("utf-8", "ignore")[:3] == short[0][0].encode("utf-8", "ignore")[:3]


def test_at_temperature_zero_the_likeliest_token_is_taken(models: dict[str, Model]) -> None:
    import torch

    model = models["causal"]
    request = asked("abc", temperature=0, max_tokens=4)
    ids = list(model.codec.encode(request.messages))
    with torch.inference_mode():
        for _ in range(4):
            ids.append(int(model.tensors(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))

    assert list(done(model, job_of(request, model, seed=0)).rows[0].tokens) == ids[-4:]


# -- memory, and who leaves


class Cramped(Batch):
    """Runs out of memory above two rows."""

    def step(self) -> None:
        if len(self.rows) > 2:
            raise MemoryError
        super().step()


class Full(Batch):
    """Has no memory at all."""

    def step(self) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes")


def test_out_of_memory_the_batches_become_smaller_and_stay_so(models: dict[str, Model]) -> None:
    model = models["causal"]
    requests = [asked(f"text {number}", temperature=0.8) for number in range(8)]
    bench = Bench(model, room=10**6, batch=Cramped)
    jobs = [job_of(request, model, seed=0) for request in requests]

    finish(bench, jobs)

    assert [[row.completion().text for row in job.rows] for job in jobs] == answered(model, requests)
    assert bench.most == 2


def test_what_does_not_fit_alone_fails_alone(models: dict[str, Model]) -> None:
    job = job_of(asked("x"), models["causal"], seed=0)

    finish(Bench(models["causal"], room=10**6, batch=Full), [job])

    with pytest.raises(ContextOverflow, match="there is no memory for"):
        job.done.result()


def test_another_fault_is_nobodys_memory(models: dict[str, Model]) -> None:
    class Broken(Batch):
        def step(self) -> None:
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        finish(Bench(models["causal"], room=10**6, batch=Broken), [job_of(asked("x"), models["causal"], seed=0)])


def test_a_batch_has_no_more_tokens_than_there_is_room_for(models: dict[str, Model]) -> None:
    sizes: list[int] = []

    class Watched(Batch):
        def step(self) -> None:
            sizes.append(max(row.width for row in self.held) * len(self.held))
            super().step()

    jobs = [job_of(asked("word " * (number % 5)), models["causal"], seed=0) for number in range(20)]
    finish(Bench(models["causal"], room=150, batch=Watched), jobs)

    assert max(sizes) <= 150


def test_who_is_given_up_leaves_at_the_next_step_and_the_others_stay(models: dict[str, Model]) -> None:
    model = models["causal"]
    requests = [asked(f"text {number}", temperature=0.8, max_tokens=20) for number in range(4)]
    jobs = [job_of(request, model, seed=0) for request in requests]
    bench = Bench(model, room=10**6)
    for job in jobs:
        bench.add(job, now=0.0)
    for moment in range(1, 6):
        bench.work(now=float(moment))

    jobs[1].give_up()
    bench.work(now=6.0)
    length = len(jobs[1].rows[0].tokens)
    for moment in range(7, 100):
        bench.work(now=float(moment))

    assert len(jobs[1].rows[0].tokens) == length < 20
    assert [jobs[place].rows[0].completion().text for place in (0, 2, 3)] == [
        answered(model, [requests[place]])[0][0] for place in (0, 2, 3)
    ]
    assert not bench.is_busy


def test_what_is_given_up_while_it_waits_is_never_begun(models: dict[str, Model]) -> None:
    job = job_of(asked("x"), models["causal"], seed=0)
    job.give_up()
    bench = Bench(models["causal"], room=10**6)

    bench.add(job, now=0.0)
    bench.work(now=1.0)

    assert (job.begun.done(), job.rows[0].tokens, bench.is_busy) == (False, [], False)


def test_a_straggler_does_not_hold_up_those_that_wait(models: dict[str, Model]) -> None:
    model = models["causal"]
    bench = Bench(model, rows=2, room=10**6)
    long, short, later = (job_of(asked("x", max_tokens=most), model, seed=0) for most in (40, 2, 2))
    for job in (long, short, later):
        bench.add(job, now=0.0)

    for moment in range(1, 8):
        bench.work(now=float(moment))

    assert (later.done.done(), long.done.done()) == (True, False)


def test_what_was_given_up_is_forgotten(models: dict[str, Model]) -> None:
    model = models["causal"]
    for batch in (Batch, Cramped):
        bench = Bench(model, room=10**6, batch=batch)
        jobs = [job_of(asked(f"{number}"), model, seed=0) for number in range(5)]
        for job in jobs:
            bench.add(job, now=0.0)
        bench.work(now=1.0)
        jobs[2].give_up()

        for moment in range(2, 100):
            bench.work(now=float(moment))

        assert not bench._jobs
        assert not bench._waiting
