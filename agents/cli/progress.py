"""That something is under way, and how far it is, for whoever waits: beside the output proper, gone when it is over."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agents.cli.output import say_aside

if TYPE_CHECKING:
    from engine.events import Event, Listener

__all__ = ["finished", "under_way"]

Advance = Callable[[int], None]

LINE_S = 30.0  # between two lines where there is no terminal; whatever is shorter leaves none in a log


@contextmanager
def under_way(what: str, *, total: int | None = None, shown: bool = True, line_s: float = LINE_S) -> Iterator[Advance]:
    """Show `what` while the block lasts, and how much of `total` is done: call what is yielded with how many more.

    On a terminal a line that moves, on standard error; elsewhere a line every `line_s` seconds. Not `shown`: nothing.
    """
    if not shown:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar(what, total) as advance:
            yield advance
    else:
        with _lines(what, total, line_s) as advance:
            yield advance


def finished(advance: Advance) -> Listener:
    """A listener that counts requests which have ended."""
    from engine.events import RequestFinished

    def listener(event: Event) -> None:
        if isinstance(event, RequestFinished):
            advance(1)

    return listener


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining

    said = TextColumn("{task.description}", markup=False)
    counted: list[ProgressColumn] = [BarColumn(), MofNCompleteColumn(), Remaining()]
    bar = Progress(
        SpinnerColumn(), said, *(counted if total else [Elapsed()]), console=Console(stderr=True), transient=True
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


@contextmanager
def _lines(what: str, total: int | None, line_s: float) -> Iterator[Advance]:
    over, done, began = threading.Event(), 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done
        done += more

    def tell() -> None:
        while not over.wait(line_s):
            so_far = f", {done:,} of {total:,}" if total else ""
            say_aside(f"{what}{so_far}, {time.monotonic() - began:.0f} s")

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield advance
    finally:
        over.set()
        teller.join()
