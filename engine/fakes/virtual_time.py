"""A loop on which waiting takes no time: its clock jumps to the next timer as soon as nothing else is left to do.

Every `asyncio.sleep`, `asyncio.timeout` and `call_at` becomes instant and exact, in the order real time would have
given, so an hour of back-off is tested in a millisecond. Work that a thread does is not ours to skip: the clock stands
still while `run_in_executor` is busy or an `outside_work()` block is open, and the loop really waits.

What is not covered: a peer process, or a socket whose answer needs real time. The loop cannot know that it is coming.
"""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple, Unpack

__all__ = ["DeadlockError", "VirtualTimeLoop", "outside_work", "run"]

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

PATIENCE_S = 60.0  # real seconds for announced outside work; far above what any test's thread takes


class DeadlockError(RuntimeError):
    """Nothing is ready, no timer is set and nobody outside is at work: the program would have hung for ever."""


class JumpingSelector(selectors.DefaultSelector):
    """Where an ordinary selector would sleep, this one moves its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.outside = 0  # pieces of work that go on outside of the loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.outside:
            return self._wait_really()
        if timeout is None:
            raise DeadlockError("nothing is ready and no timer is set: every task waits for another")
        self.now += timeout
        return []

    def _wait_really(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(PATIENCE_S)
        if not ready:
            raise DeadlockError(f"work outside of the loop was announced and did not report in {PATIENCE_S:.0f} s")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at 0 and moves only when every task waits."""

    def __init__(self) -> None:
        self._clock = JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def announce_outside_work(self, change: int) -> None:
        """One more (+1) or one fewer (-1) piece of work goes on outside of the loop."""
        self._clock.outside += change

    def run_in_executor(
        self, executor: Any, func: Callable[[Unpack[Arguments]], T], *args: *Arguments
    ) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self.announce_outside_work(+1)
        # An empty context: the callback belongs to the loop, not to the task that happens to call.
        future.add_done_callback(lambda _: self.announce_outside_work(-1), context=contextvars.Context())
        return future

    async def shutdown_default_executor(self, *timeout: float | None) -> None:  # Python 3.12 added the argument
        # asyncio joins the executor in a thread of its own.
        self.announce_outside_work(+1)
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self.announce_outside_work(-1)


@contextmanager
def outside_work() -> Iterator[None]:
    """Stop the virtual clock while a thread works that will answer through `call_soon_threadsafe`.

    On an ordinary loop it changes nothing.
    """
    loop = asyncio.get_running_loop()
    change: Callable[[int], None] = loop.announce_outside_work if isinstance(loop, VirtualTimeLoop) else lambda _: None
    change(+1)
    try:
        yield
    finally:
        change(-1)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end like `asyncio.run`, without waiting: `run(asyncio.sleep(3600))` returns at once.

    Raises DeadlockError when every task waits for something that can never come.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
