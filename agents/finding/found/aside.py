"""Work that blocks, done in a thread while everything else goes on; whoever stops waiting leaves it to itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Thread
from typing import ParamSpec, TypeVar

__all__ = ["aside"]

T = TypeVar("T")
P = ParamSpec("P")


async def aside(work: Callable[[], T]) -> T:
    """What the work returns or raises. Cancelled, it goes on unheard, and keeps nobody from leaving the program."""
    return await asyncio.get_running_loop().run_in_executor(_Daemons(), work)


class _Daemons(Executor):
    """A thread for each work. The usual executors wait for theirs at the end, however long that takes."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def go() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  # raised again where somebody waits
                future.set_exception(error)

        Thread(target=go, name="aside", daemon=True).start()
        return future
