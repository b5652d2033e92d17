"""Ctrl-C once: finish what is in flight and save it. Twice: stop at once. A polite kill counts as Ctrl-C.

A hand on Ctrl-C is quicker than the tidying up that a stop begins, and would break it off with the next: a traceback in
place of the way to go on. So once a stop has begun, signals change nothing for as long as tidying up may take.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Container, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from engine.errors import Interrupted

if TYPE_CHECKING:  # whoever only listens need not wait for it
    from asyncio import AbstractEventLoop, Event

__all__ = ["INTERRUPTED", "Hand", "drained_by_signals", "leave", "stopped_by_signals", "until_told"]

INTERRUPTED = 130

SIGNALS = (signal.SIGINT, signal.SIGTERM)

TIDYING_S = 10.0  # it takes a second or two; what takes longer than this hangs, and may be stopped once more


class Hand:
    """What signals do: the first drains, if there is anything to drain; the next stops, and then nobody listens.

    Not for `TIDYING_S` seconds, that is, since what tidies up may hang; after these the next one stops again.
    """

    def __init__(
        self,
        *,
        stop: Callable[[], object],
        drain: Callable[[], object] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop = stop
        self._drain = drain
        self._now = now
        self._deaf_until = -math.inf
        self.drained_by: int | None = None  # the signal

    @property
    def has_drained(self) -> bool:
        return self.drained_by is not None

    def __call__(self, number: int, _frame: object) -> None:
        if self._drain is not None and not self.has_drained:
            self.drained_by = number
            self._drain()
        elif self._now() >= self._deaf_until:
            self.rest()
            self._stop()

    def rest(self) -> None:
        """A stop has begun, whoever began it."""
        self._deaf_until = self._now() + TIDYING_S


def stopped_by_signals() -> None:
    """From now on SIGINT and SIGTERM raise KeyboardInterrupt. Once: what this makes others tidy up is left alone."""
    _listen(Hand(stop=_interrupt))


def leave(code: int) -> NoReturn:
    """End the process, all being done and said: from now on SIGINT and SIGTERM change nothing, not even how it ends.

    Whoever stopped it is not kept waiting for what a thread still computes: a student in the midst of many answers.
    """
    hand = signal.getsignal(signal.SIGTERM)  # a drain leaves it in its place
    was_stopped = code == INTERRUPTED or (isinstance(hand, Hand) and hand.has_drained)
    for number in SIGNALS:  # Python takes a moment to close, in which a signal would be another end than was told
        signal.signal(number, signal.SIG_IGN)  # what Python knows as its own is given back while it closes
    others = [each for each in threading.enumerate() if each is not threading.main_thread()]
    if was_stopped and not all(each.daemon for each in others):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # nobody reads it any more, or there is no room for it
                stream.flush()
        os._exit(code)
    sys.exit(code)


@contextmanager
def drained_by_signals(drain: Callable[[], None], *, ended_by: Container[int] = ()) -> Iterator[None]:
    """Within the block, the first SIGINT or SIGTERM calls `drain`; the next raises KeyboardInterrupt.

    A block that comes to its end after a signal raises Interrupted: somebody wanted it to stop. Not so after the
    signals `ended_by`, which are how it is meant to end. Works in the main thread only, as signals do; elsewhere the
    block runs without.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}
    hand = Hand(drain=lambda: _call_within(loop, drain), stop=lambda: _call_within(loop, _interrupt))
    is_listening = _listen(hand)
    try:
        yield
    finally:
        hand.rest()  # what comes after a drain is the tidying up
        if is_listening and not hand.has_drained:
            for number, handler in before.items():
                signal.signal(number, handler)
    if hand.has_drained and hand.drained_by not in ended_by:
        raise Interrupted("interrupted: what was in flight is kept")


async def until_told(serve: Callable[[Event], Awaitable[None]]) -> None:
    """Serve until SIGINT or SIGTERM: they set what `serve` is handed, and it ends in order.

    Raises Interrupted after SIGINT. By SIGTERM a service manager ends a server, and takes any code but 0 for a failure.
    """
    import asyncio

    told = asyncio.Event()
    with drained_by_signals(told.set, ended_by=(signal.SIGTERM,)):
        await serve(told)


def _listen(hand: Hand) -> bool:
    try:
        for number in SIGNALS:
            signal.signal(number, hand)
    except ValueError:  # not the main thread
        return False
    return True


def _call_within(loop: AbstractEventLoop, function: Callable[[], object]) -> None:
    """Between two steps of the loop: raised in the midst of one, an error would be that step's, told in the log."""
    if loop.is_running():
        loop.call_soon_threadsafe(function)
    else:
        function()


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt
