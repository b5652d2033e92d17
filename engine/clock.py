"""Time comes in through the door: everything that waits or measures is handed a `Clock`.

A `Clock` knows seconds and nothing else. `SystemClock` follows the running event loop, so a test that runs on a
virtual-time loop (`engine.fakes.virtual_time`) makes every wait in the engine instant without touching a line of it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from engine.errors import UserError

__all__ = ["Clock", "SystemClock", "check_seconds"]


class Clock(Protocol):
    """Seconds that only move forward, seconds since 1970, and a way to wait."""

    def monotonic(self) -> float: ...

    def time(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The clock of the event loop that it is first asked in, until that is closed; before, the machine's own."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def monotonic(self) -> float:
        # Asked several times a request, and looking for the running loop takes three times as long as its time.
        loop = self._loop
        if loop is None or loop.is_closed():
            try:
                loop = self._loop = asyncio.get_running_loop()
            except RuntimeError:
                return time.monotonic()
        return loop.time()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def check_seconds(**seconds: object) -> None:
    """Raise UserError unless each is a number above zero."""
    for name, value in seconds.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise UserError(f"{name} must be above 0, in seconds (got {value!r})")
