"""The thread that answers: rows come in from any thread, are gathered into batches, and go out whole.

Which rows go together is `engine.batching`'s to choose; what a step does is `model`'s. A batch that has shrunk to half
of what fits lets another begin beside it, so that nobody waits for a straggler. What does not fit into memory is begun
again in smaller batches, and they stay smaller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from engine.batching import Gathering
from engine.clock import Clock
from engine.errors import ContextOverflow
from engine.memory import is_out_of_memory
from engine.providers import ConnectionFailed
from engine.providers.local.model import Batch, Model
from engine.providers.local.row import Row

__all__ = ["ROWS", "Bench", "Job", "Worker"]

ROWS: Final = 64  # in a batch: more than that a processor hardly answers faster

# Between the requests of one burst an event loop does other things too.
PATIENCE_S: Final = 0.01


class Job:
    """The rows of one request. `begun` and `done` are set by the thread; `give_up` may be called from any."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        self.begun: Future[None] = Future()
        self.done: Future[None] = Future()

    def give_up(self) -> None:
        """Nobody waits for it any more: its rows leave at the next step."""
        for row in self.rows:
            row.given_up = True

    def notify_begun(self) -> None:
        if not self.begun.done():
            self.begun.set_result(None)

    def notify_progress(self) -> None:
        if not self.done.done() and all(row.is_over for row in self.rows):
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        self.give_up()
        for future in (self.begun, self.done):
            if not future.done():
                future.set_exception(error)


class Bench:
    """What waits and what is under way, without a thread: one call of `work` is one step."""

    def __init__(
        self, model: Model, *, rows: int = ROWS, room: int | None = None, batch: Callable[..., Batch] = Batch
    ) -> None:
        self._model = model
        self._batch_of = batch
        self._most = 1 if model.is_single else rows
        self._gathering = Gathering(most=self._most, padded=room or model.room(), patience_s=PATIENCE_S)
        self._waiting: dict[int, tuple[Row, Job]] = {}  # by ticket
        self._batches: list[Batch] = []
        self._jobs: dict[Row, Job] = {}  # of rows under way

    @property
    def is_busy(self) -> bool:
        return bool(self._batches)

    @property
    def due(self) -> float | None:
        """When a batch that is not full should begin all the same."""
        return self._gathering.due

    @property
    def most(self) -> int:
        """How many rows a batch may have, as far as is known."""
        return self._most

    def add(self, job: Job, *, now: float) -> None:
        for row in job.rows:
            self._waiting[self._gathering.add(size=row.width, now=now)] = row, job

    def work(self, *, now: float) -> None:
        """Begin what may begin, and add a token to every row under way."""
        self._begin(now=now)
        for batch in list(self._batches):
            self._step(batch)

    def fail(self, error: BaseException) -> None:
        """Everything that waits or is under way ends with this."""
        for job in {*self._jobs.values(), *(job for _, job in self._waiting.values())}:
            job.fail(error)

    def _begin(self, *, now: float) -> None:
        under_way = sum(len(batch.rows) for batch in self._batches)
        if 2 * under_way > self._most or (chosen := self._gathering.take(now=now)) is None:
            return
        rows = []
        for ticket in chosen.tickets:
            row, job = self._waiting.pop(ticket)
            if not row.is_over:
                rows.append(row)
                self._jobs[row] = job
                job.notify_begun()
        if rows:
            self._batches.append(self._batch_of(self._model, rows))

    def _step(self, batch: Batch) -> None:
        held = list(batch.held)  # who was given up meanwhile leaves in the step
        if not _has_memory_for(batch):  # outside of the handler: the error holds what should be let go of
            self._begin_again_smaller(batch)
            return
        for row in held:
            if row.is_over and row in self._jobs:
                self._jobs.pop(row).notify_progress()
        if not batch.rows:
            self._batches.remove(batch)

    def _begin_again_smaller(self, batch: Batch) -> None:
        self._batches.remove(batch)
        self._model.release()
        rows = batch.rows
        for row in batch.held:
            if row.is_over:
                self._jobs.pop(row, None)
        widest = max((row.width for row in rows), default=1)
        self._most = max(1, len(rows) // 2)
        self._gathering.narrow(most=self._most, padded=self._most * widest)
        for row in rows:
            job = self._jobs.pop(row)
            if len(rows) == 1:
                job.fail(ContextOverflow(f"there is no memory for {row.width} tokens at once, not even alone"))
                continue
            row.begin_again()
            self._waiting[self._gathering.add(size=row.width, now=0.0)] = row, job


class Worker:
    """One model in one thread. It is opened when the thread begins; nothing blocks the caller's loop."""

    def __init__(self, open_model: Callable[[], Model], *, clock: Clock, rows: int = ROWS) -> None:
        self._open_model = open_model
        self._clock = clock
        self._rows = rows
        self._news = threading.Condition()
        self._new: list[Job] = []
        self._is_closing = False
        self.model: Future[Model] = Future()
        self.steps = 0
        self._thread = threading.Thread(target=self._work, name="local model", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        with self._news:
            if self._is_closing:
                job.fail(_closed())
            self._new.append(job)
            self._news.notify()

    def close(self) -> None:
        """Stop at the next step; what is under way is given up."""
        with self._news:
            self._is_closing = True
            self._news.notify()

    def join(self) -> None:
        self._thread.join()

    def _work(self) -> None:
        try:
            model = self._open_model()
        except BaseException as error:  # noqa: BLE001 - whoever asks is told, whatever it is: the thread has no caller
            self.model.set_exception(error)
            return
        self.model.set_result(model)
        bench = Bench(model, rows=self._rows)
        ending: BaseException = _closed()
        try:
            while self._take_in(bench):
                bench.work(now=self._clock.monotonic())
                self.steps += 1
        except BaseException as failure:  # noqa: BLE001 - as above; nobody may wait for ever
            ending = failure
        bench.fail(ending)
        with self._news:
            self._is_closing = True
            for job in self._new:
                job.fail(ending)

    def _take_in(self, bench: Bench) -> bool:
        """Wait until there is something to do; False when it is over."""
        with self._news:
            if not self._new and not bench.is_busy and not self._is_closing:
                due = bench.due
                self._news.wait(None if due is None else max(0.0, due - self._clock.monotonic()))
            new, self._new = self._new, []
            is_open = not self._is_closing
        for job in new:
            bench.add(job, now=self._clock.monotonic())
        return is_open


def _has_memory_for(batch: Batch) -> bool:
    """Take a step; False when there was no memory for it."""
    try:
        batch.step()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True


def _closed() -> ConnectionFailed:
    return ConnectionFailed("the local model was closed", sent=False)
