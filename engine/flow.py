"""Many items through a few workers, in bounded memory, with back-pressure at both ends.

It knows neither requests nor providers: an async function is applied to whatever an iterable yields.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
)
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

__all__ = ["Crew", "flow"]

T = TypeVar("T")
R = TypeVar("R")

_Job: TypeAlias = tuple[int, T]  # an item and its position

WINDOW_PER_WORKER = 4


@dataclass(slots=True)
class Crew:
    """The workers of all flows of one owner, who may want to cancel them, or to know why they stand still."""

    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    full: set[_Flow[Any, Any]] = field(default_factory=set)  # flows that may pull no more
    sated: dict[_Flow[Any, Any], None] = field(default_factory=dict)  # flows of whom no more is wanted just now

    @property
    def held_up_by(self) -> Literal["slow consumer", "straggler"] | None:
        """Why no more is pulled: results are not taken, or the next in order has not come; None while it is."""
        if not self.full:
            return None
        return "slow consumer" if any(flow.has_next for flow in self.full) else "straggler"

    def wake(self) -> None:
        """More may be wanted again. Who gets nothing then is the first to be asked the next time."""
        for flow in tuple(self.sated):
            flow.look_again()

    async def aclose(self) -> None:
        """Cancel all of them; on return nobody is at work."""
        await _end(self.tasks)


def flow(
    items: Iterable[T] | AsyncIterable[T],
    work: Callable[[T], Awaitable[R]],
    *,
    workers: int,
    ordered: bool,
    crew: Crew | None = None,
    window: int | None = None,
    most_behind: int | None = None,
    wants_more: Callable[[int], bool] = lambda _: True,
) -> AsyncGenerator[R, None]:
    """Yield `work(item)` for every item, in the order of the items or as they end.

    At most `workers` are at work, and nothing is pulled while `window` results (four for each worker) wait to be
    taken: a slow consumer stops the pulling. So do `most_behind` results (as many) that wait for one before them in
    order. When the iterable, or the work, raises, nothing more is pulled, what was begun is finished and yielded, and
    then the error is raised, once. A consumer that stops early cancels the rest.

    The workers belong to a `crew`, for an owner who may want to cancel them. Nothing is pulled either while the owner
    does not want more: `wants_more` is asked with the number of items that were pulled and not begun with, and
    `crew.wake()` says that the answer may have changed.
    """
    window = WINDOW_PER_WORKER * workers if window is None else window
    return _Flow(
        items,
        work,
        workers=workers,
        window=window,
        most_behind=window if most_behind is None else most_behind,
        ordered=ordered,
        crew=Crew() if crew is None else crew,
        wants_more=wants_more,
    ).results()


class _Flow(Generic[T, R]):
    def __init__(
        self,
        items: Iterable[T] | AsyncIterable[T],
        work: Callable[[T], Awaitable[R]],
        *,
        workers: int,
        window: int,
        most_behind: int,
        ordered: bool,
        crew: Crew,
        wants_more: Callable[[int], bool],
    ) -> None:
        self._source: AsyncIterator[T] | Iterator[T]
        self._source = aiter(items) if isinstance(items, AsyncIterable) else iter(items)
        self._work = work
        self._most_workers = workers
        self._window = window
        self._most_behind = most_behind
        self._wants_more = wants_more
        self._ordered = ordered
        self._crew = crew
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[_Job[T] | None]] = []  # workers that wait for something to do
        self._unbegun = 0  # items that were pulled, and that no worker has begun with
        self._pulled = 0
        self._taken = 0
        self._ends_reached = False
        self._done: dict[int, R] = {}  # position, or order of arrival: result
        self._arrived = 0
        self._error: BaseException | None = None
        self._closing = False
        self._news: asyncio.Future[None] | None = None  # the consumer waits for a result
        self._room: asyncio.Future[None] | None = None  # nothing may be pulled yet

    @property
    def has_next(self) -> bool:
        """Whether the consumer could take a result right now."""
        return self._taken in self._done

    @property
    def _is_full(self) -> bool:
        return len(self._done) >= (self._window if self.has_next else self._most_behind)

    @property
    def _has_worker(self) -> bool:
        return bool(self._idle) or len(self._tasks) <= self._most_workers  # one of them pulls

    async def results(self) -> AsyncGenerator[R, None]:
        try:
            self._spawn(self._feed())
            while self._tasks or self._done:
                if self.has_next:
                    yield self._take(self._taken)
                elif self._tasks:
                    self._news = asyncio.get_running_loop().create_future()
                    await self._news
                else:  # an item before these was lost to an error
                    self._taken = min(self._done)
            if self._error is not None:
                raise self._error
        finally:
            await self._stop()

    def _take(self, position: int) -> R:
        self._taken += 1
        result = self._done.pop(position)
        self.look_again()
        return result

    def look_again(self) -> None:
        """Something has changed: perhaps more may be pulled."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    async def _stop(self) -> None:
        self._closing = True
        await _end(self._tasks)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._crew.tasks.add(task)
        task.add_done_callback(self._on_end)

    # -- pulling

    async def _feed(self) -> None:
        """Pull as many at once as there is room for: a turn of the loop for each would be a tenth of its cost."""
        try:
            while not self._ends_reached:
                if not self._is_full and self._has_worker and self._wants_more(self._unbegun):
                    await self._pull()
                elif self._unbegun:
                    await asyncio.sleep(0)  # for them to begin, and for others to have their turn
                else:
                    await self._wait_for_room()
        finally:
            self._dismiss()

    async def _pull(self) -> None:
        """Give the next item to a worker."""
        try:
            item = await anext(self._source) if isinstance(self._source, AsyncIterator) else next(self._source)
        except (StopIteration, StopAsyncIteration):
            self._ends_reached = True
        except asyncio.CancelledError as error:
            if self._is_cancelled():
                raise
            wrong = RuntimeError("the iterable of items raised CancelledError")
            wrong.__cause__ = error
            self._fail(wrong)
        except Exception as error:  # noqa: BLE001 - the caller's code: raised to them once what was begun has ended
            self._fail(error)
        else:
            self._hand_over((self._pulled, item))
            self._pulled += 1

    def _hand_over(self, job: _Job[T]) -> None:
        self._unbegun += 1
        if (worker := self._next_idle()) is not None:
            worker.set_result(job)
        else:
            self._spawn(self._work_on(job))

    def _next_idle(self) -> asyncio.Future[_Job[T] | None] | None:
        while self._idle:
            if not (worker := self._idle.pop()).done():  # else it was cancelled, and has not run since
                return worker
        return None

    async def _wait_for_room(self) -> None:
        if self._is_full:
            self._crew.full.add(self)
        elif self._has_worker:
            self._crew.sated[self] = None
        self._room = asyncio.get_running_loop().create_future()
        try:
            await self._room
        finally:
            self._crew.full.discard(self)
            self._crew.sated.pop(self, None)

    # -- working

    async def _work_on(self, job: _Job[T] | None) -> None:
        while job is not None:
            self._unbegun -= 1
            position, item = job
            self._put(position, await self._work(item))
            job = None if self._ends_reached else await self._next_job()

    async def _next_job(self) -> _Job[T] | None:
        """What to do next; None when there will be nothing."""
        job: asyncio.Future[_Job[T] | None] = asyncio.get_running_loop().create_future()
        self._idle.append(job)
        if len(self._tasks) > self._most_workers:
            self.look_again()
        try:
            return await job
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # it was given something to do, which is lost
                self._idle.remove(job)
            raise

    def _dismiss(self) -> None:
        self._ends_reached = True
        while (worker := self._next_idle()) is not None:
            worker.set_result(None)

    def _is_cancelled(self) -> bool:
        """Whether somebody cancelled this worker, rather than the iterable something of its own."""
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0

    def _put(self, position: int, result: R) -> None:
        self._done[position if self._ordered else self._arrived] = result
        self._arrived += 1
        self._tell()

    def _fail(self, error: BaseException) -> None:
        self._ends_reached = True
        self._error = self._error or error
        self.look_again()

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._crew.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)
        elif task.cancelled() and not self._closing:
            self._fail(RuntimeError("the engine was closed while rows were still on their way"))
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
