"""What a terminal tells by signals: that it has another size, and that somebody pressed Ctrl-Z.

Only a main thread can be told; a picture that is shown from another one is drawn anew when the next is due.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Signals"]


class Signals:
    """From `begin` to `end`: another size wakes whoever draws, Ctrl-Z suspends before the process stops.

    Back in the foreground, whoever draws is woken too. Who listened for another size before goes on hearing of it.
    """

    def __init__(self, *, suspend: Callable[[], None], wake: Callable[[], None]) -> None:
        self._suspend = suspend
        self._wake = wake
        self._before: dict[int, Any] = {}

    def begin(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, handler in ((signal.SIGTSTP, self._on_stop), (signal.SIGWINCH, self._on_size)):
            if signal.getsignal(number) is not None:  # else a library's own, which could not be put back
                self._before[number] = signal.signal(number, handler)

    def end(self) -> None:
        """As it was before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._suspend()
        os.kill(os.getpid(), signal.SIGSTOP)  # goes on here once it is continued
        self._wake()

    def _on_size(self, number: int, frame: FrameType | None) -> None:
        self._wake()
        if callable(before := self._before.get(number)):
            before(number, frame)
