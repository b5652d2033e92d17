"""Where texts queue for a student: which are answered together is `engine.batching`'s to choose, the waiting is here.

It knows no HTTP and no prompt.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from engine.batching import Gathering
from engine.training import Prediction, Student

__all__ = ["AT_ONCE", "MOST_WAITING", "Desk", "TooMany"]

AT_ONCE = 64
MOST_WAITING = 1024


class TooMany(Exception):
    """More wait than a queue should hold; whoever asks should come back soon."""


Waiting = tuple[str, asyncio.Future[Prediction]]


class Desk:
    """Where inputs queue for the student: one thread answers, some together, as `engine.batching` chooses them."""

    def __init__(self, student: Student, *, at_once: int = AT_ONCE, most_waiting: int = MOST_WAITING) -> None:
        self._student = student
        self._most_waiting = most_waiting
        self._waiting: dict[int, Waiting] = {}  # by ticket
        self._gathering = Gathering(most=at_once)
        self._came = asyncio.Event()

    async def answer(self, inputs: Sequence[str]) -> list[Prediction]:
        """The student's answers, in order. Raises TooMany when too many wait already."""
        loop = asyncio.get_running_loop()
        if self._most_waiting - len(self._waiting) < len(inputs):
            raise TooMany("too many requests are waiting; try again soon")
        futures: list[asyncio.Future[Prediction]] = [loop.create_future() for _ in inputs]
        for text, future in zip(inputs, futures, strict=True):
            size = len(text.encode("utf-8", "replace"))
            self._waiting[self._gathering.add(size=size, now=loop.time())] = text, future
        self._came.set()
        return list(await asyncio.gather(*futures))

    async def work(self) -> None:
        """Answer until cancelled."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="student")
        try:
            while True:
                await self._answer_batch(thread, await self._next_batch())
        finally:  # a student in the middle of a batch would hold the whole loop up
            thread.shutdown(wait=False, cancel_futures=True)

    async def _next_batch(self) -> list[Waiting]:
        loop = asyncio.get_running_loop()
        while (batch := self._gathering.take(now=loop.time())) is None:
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._gathering.due):
                    await self._came.wait()
        waiting = [self._waiting.pop(ticket) for ticket in batch.tickets]
        return [(text, future) for text, future in waiting if not future.cancelled()]

    async def _answer_batch(self, thread: ThreadPoolExecutor, batch: list[Waiting]) -> None:
        texts = [text for text, _ in batch]
        try:
            predictions = await asyncio.get_running_loop().run_in_executor(thread, self._student.predict, texts)
            for (_, future), prediction in zip(batch, predictions, strict=True):
                if not future.done():
                    future.set_result(prediction)
        except Exception as error:  # noqa: BLE001  # what a student raises belongs to those who asked; the desk goes on
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        finally:
            for _, future in batch:
                future.cancel()  # nobody waits for ever when the desk closes in the middle of a batch
