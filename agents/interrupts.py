"""Ctrl-C once: finish what is in flight and save it. Twice: stop at once. A polite kill counts as Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from engine.errors import Interrupted

__all__ = ["drained_by_signals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def drained_by_signals(drain: Callable[[], None]) -> Iterator[None]:
    """Within the block, the first SIGINT or SIGTERM calls `drain`; the next raises KeyboardInterrupt.

    A block that comes to its end after a signal raises Interrupted: somebody wanted it to stop. Works in the main
    thread only, as signals do; elsewhere the block runs without.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}
    interrupted = False

    def first() -> None:
        nonlocal interrupted
        if interrupted:  # the second came before the first was seen to
            raise KeyboardInterrupt
        interrupted = True
        _take_back(loop, dict.fromkeys(SIGNALS, signal.default_int_handler))
        drain()

    is_listening = _listen(loop, first)
    try:
        yield
    finally:
        if is_listening and not interrupted:
            _take_back(loop, before)
    if interrupted:
        raise Interrupted("interrupted: what was in flight is kept")


def _listen(loop: asyncio.AbstractEventLoop, handler: Callable[[], None]) -> bool:
    try:
        for number in SIGNALS:
            loop.add_signal_handler(number, handler)
    except (NotImplementedError, RuntimeError, ValueError):  # not a Unix, or not the main thread
        return False
    return True


def _take_back(loop: asyncio.AbstractEventLoop, handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        loop.remove_signal_handler(number)
        signal.signal(number, handler)
