"""Ctrl-C once: finish what is in flight and save it. Twice: stop at once. A polite kill counts as once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["drained_by_signals"]


@contextmanager
def drained_by_signals(drain: Callable[[], None]) -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM call `drain`; a second one raises KeyboardInterrupt as ever.

    Works in the main thread only, as signals do; elsewhere the block runs without.
    """
    loop = asyncio.get_running_loop()
    taken: list[signal.Signals] = []

    def first() -> None:
        drain()
        for other in taken:
            loop.remove_signal_handler(other)  # the default is back: the next one stops at once
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, first)
        except (NotImplementedError, RuntimeError, ValueError):  # not the main thread, or not a Unix
            break
        taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
