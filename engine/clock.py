"""Time comes in through the door: everything that waits or measures is handed a `Clock`.

A `Clock` knows seconds and nothing else. `SystemClock` follows the running event loop, so a test that runs on a
virtual-time loop (`engine.fakes.virtual_time`) makes every wait in the engine instant without touching a line of it.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Seconds that only move forward, seconds since 1970, and a way to wait."""

    def monotonic(self) -> float: ...

    def time(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The clock of the running event loop; outside of one, the machine's own."""

    def monotonic(self) -> float:
        try:
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return time.monotonic()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
