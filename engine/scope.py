"""Blocks that are given up from outside or when their time is over: what `asyncio.timeout` does, for a fifth of it.

A timer each would be most of a request's waiting machinery, and hardly one in a thousand ever fires. So all blocks of
one kind share a single timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

__all__ = ["Deadlines", "Scope"]


class Scope:
    """`with Scope() as scope:` ends with TimeoutError, where the block stands, once `scope.give_up()` was called.

    A cancellation that comes from elsewhere passes through. A scope is for one block. `loop` is the running one, for
    those who know it: finding it out takes a system call (Python 3.11).
    """

    __slots__ = ("_cancellations", "_loop", "_task", "given_up")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.given_up = False
        self._loop = loop
        self._task: asyncio.Task[object] | None = None  # inside of the block
        self._cancellations = 0

    def __enter__(self) -> Self:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a scope belongs into a task")
        self._task = task
        self._cancellations = task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        # As asyncio.timeout does: our cancellation is taken back, and becomes a TimeoutError unless there are others.
        if not self.given_up or task is None or task.uncancel() > self._cancellations:
            return
        if isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def give_up(self, *, unless: Callable[[], bool] | None = None) -> None:
        """End the block at its next await. Outside of the block, and a second time, it does nothing.

        `unless` is asked at the moment of the end: what it spares goes on, and may be given up again.
        """
        if self._task is not None and not self.given_up:
            # Not at once: a task that cancelled itself and then left the block would be cancelled outside of it.
            self._task.get_loop().call_soon(self._end, unless)

    def _end(self, unless: Callable[[], bool] | None) -> None:
        if self._task is not None and not self.given_up and not (unless is not None and unless()):
            self.given_up = True
            self._task.cancel()


class Deadlines:
    """`with deadlines.within(30):` is given up after 30 seconds. One timer for all, at the earliest of them."""

    def __init__(self) -> None:
        self._open: dict[_Timed, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None  # until closed

    def __len__(self) -> int:
        return len(self._open)

    def within(self, seconds: float) -> Scope:
        """A block that has so many seconds from now on."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        scope = _Timed(loop.time() + seconds, self._open, loop)
        if self._timer is None or scope.due < self._fires_at:
            self._fire_at(scope.due, loop)
        return scope

    def close(self) -> None:
        """Let go of timer and loop; blocks that are open have no deadline any more."""
        self._clear_timer()
        self._loop = None

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire_at(self, due: float, loop: asyncio.AbstractEventLoop) -> None:
        self._clear_timer()
        self._fires_at = due
        self._timer = loop.call_at(due, self._fire, loop)

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time() + 1e-6  # a timer may fire that much early
        for scope in [scope for scope in self._open if scope.due <= now]:
            scope.give_up()
        waiting = [scope.due for scope in self._open if scope.due > now]
        if waiting:
            self._fire_at(min(waiting), loop)


class _Timed(Scope):
    __slots__ = ("_among", "due")

    def __init__(self, due: float, among: dict[_Timed, None], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.due = due
        self._among = among

    def __enter__(self) -> Self:
        super().__enter__()
        self._among[self] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._among[self]
        super().__exit__(kind, error, trace)
