"""Where texts queue for a student: which are answered together is `engine.batching`'s to choose, the waiting is here.

It knows no HTTP and no prompt.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import NamedTuple

from engine.batching import Gathering
from engine.training import Prediction, Student
from engine.training.sampling import Sampling, sample

__all__ = ["AT_ONCE", "MOST_WAITING", "Desk", "TooMany"]

AT_ONCE = 64
MOST_WAITING = 1024


class TooMany(Exception):
    """More wait than a queue should hold; whoever asks should come back soon."""


class Waiting(NamedTuple):
    """A text, how its answers are to be drawn (None: the best one), and who waits for them."""

    text: str
    sampling: Sampling | None
    future: asyncio.Future[list[Prediction]]


class Desk:
    """Where inputs queue for the student: one thread answers, some together, as `engine.batching` chooses them.

    Answers that are drawn are drawn together where they are drawn alike; those with a seed alone, so that company
    changes nothing. When a student fails on several texts each is tried alone: one that it cannot answer costs one.
    `on_batch` is told how many are answered together, each time.
    """

    def __init__(
        self,
        student: Student,
        *,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
        on_batch: Callable[[int], None] = lambda _: None,
        chance: Random | None = None,
    ) -> None:
        self._student = student
        self._most_waiting = most_waiting
        self._on_batch = on_batch
        self._chance = chance or Random()  # of draws that nobody gave a seed for
        self._waiting: dict[int, Waiting] = {}  # by ticket
        self._gathering = Gathering(most=at_once)
        self._came = asyncio.Event()

    @property
    def student(self) -> Student:
        return self._student

    @property
    def waiting(self) -> int:
        """How many texts wait and are not being answered yet."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return self.waiting >= self._most_waiting

    async def answer(self, inputs: Sequence[str]) -> list[Prediction]:
        """The student's best answers, in order. Raises TooMany when too many wait already."""
        return [best for [best] in await self._ask(inputs, None)]

    async def sample(self, inputs: Sequence[str], sampling: Sampling) -> list[list[Prediction]]:
        """For each input the answers that were drawn. Raises TooMany when too many wait already."""
        return await self._ask(inputs, sampling)

    async def _ask(self, inputs: Sequence[str], sampling: Sampling | None) -> list[list[Prediction]]:
        loop = asyncio.get_running_loop()
        if self._most_waiting - len(self._waiting) < len(inputs):
            raise TooMany("too many requests are waiting; try again soon")
        rows = 1 if sampling is None else sampling.n
        asked = [Waiting(text, sampling, loop.create_future()) for text in inputs]
        for each in asked:
            size = rows * len(each.text.encode("utf-8", "replace"))
            self._waiting[self._gathering.add(size=size, now=loop.time())] = each
        self._came.set()
        return list(await asyncio.gather(*(each.future for each in asked)))

    async def work(self) -> None:
        """Answer until cancelled."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="student")
        try:
            while True:
                for alike in _alike(await self._next_batch()):
                    await self._answer_batch(thread, alike)
        finally:  # a student in the middle of a batch would hold the whole loop up
            thread.shutdown(wait=False, cancel_futures=True)
            for each in self._waiting.values():
                each.future.cancel()

    async def _next_batch(self) -> list[Waiting]:
        loop = asyncio.get_running_loop()
        while (batch := self._gathering.take(now=loop.time())) is None:
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._gathering.due):
                    await self._came.wait()
        waiting = [self._waiting.pop(ticket) for ticket in batch.tickets]
        return [each for each in waiting if not each.future.cancelled()]

    async def _answer_batch(self, thread: ThreadPoolExecutor, batch: list[Waiting]) -> None:
        loop = asyncio.get_running_loop()
        self._on_batch(len(batch))
        try:
            answers = await loop.run_in_executor(thread, self._answers, batch)
            for each, answer in zip(batch, answers, strict=True):
                if not each.future.done():
                    each.future.set_result(answer)
        except Exception as error:  # noqa: BLE001  # what a student raises belongs to those who asked; the desk goes on
            if len(batch) > 1:
                for each in batch:
                    await self._answer_batch(thread, [each])
            elif not batch[0].future.done():
                batch[0].future.set_exception(error)
        finally:
            for each in batch:
                each.future.cancel()  # nobody waits for ever when the desk closes in the middle of a batch

    def _answers(self, batch: Sequence[Waiting]) -> list[list[Prediction]]:
        texts = [each.text for each in batch]
        if (sampling := batch[0].sampling) is None:
            return [[best] for best in self._student.predict(texts)]
        return sample(self._student, texts, sampling, seed=self._chance.getrandbits(32))


def _alike(batch: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Those to be answered in one go: all best answers, all that are drawn alike, and each that has a seed."""
    together: dict[object, list[Waiting]] = {}
    for place, each in enumerate(batch):
        has_seed = each.sampling is not None and each.sampling.seed is not None
        together.setdefault(place if has_seed else each.sampling, []).append(each)
    yield from together.values()
