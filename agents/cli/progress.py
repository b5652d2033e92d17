"""That something is under way, and how far it is, for whoever waits: beside the output proper, gone when it is over."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agents.cli.output import say_aside

if TYPE_CHECKING:
    from engine.events import Event, Listener

__all__ = ["finished", "may_move", "under_way"]

Advance = Callable[[int], None]

LINE_S = 30.0  # between two lines where none moves; whatever is shorter leaves none in a log
FIRST_LINE_S = 2.0  # on a terminal that wants plain lines: somebody waits there


@contextmanager
def under_way(
    what: str, *, total: int | None = None, unit: str = "", shown: bool = True, line_s: float = LINE_S
) -> Iterator[Advance]:
    """Show `what` while the block lasts, and how much is done, of `total` if it is known: call what is yielded with how
    many more. `unit` is what is counted.

    On a terminal a line that moves, on standard error; elsewhere, and where plain lines are wanted, a line every
    `line_s` seconds. Not `shown`: nothing.
    """
    if not shown:
        yield lambda _: None
    elif may_move():
        with _bar(what, total, unit) as advance:
            yield advance
    else:
        first_s = min(line_s, FIRST_LINE_S) if sys.stderr.isatty() else line_s
        with _lines(what, total, unit, first_s=first_s, line_s=line_s) as advance:
            yield advance


def may_move() -> bool:
    """Whether a line on standard error may be drawn over: on a terminal that can, where nobody wants plain lines."""
    from engine.dashboard.live import lines_wanted

    return sys.stderr.isatty() and not lines_wanted() and os.environ.get("TERM") not in ("dumb", "unknown")


def finished(advance: Advance) -> Listener:
    """A listener that counts requests which have ended."""
    from engine.events import RequestFinished

    def listener(event: Event) -> None:
        if isinstance(event, RequestFinished):
            advance(1)

    return listener


@contextmanager
def _bar(what: str, total: int | None, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn
    from rich.progress import TimeElapsedColumn as Elapsed
    from rich.progress import TimeRemainingColumn as Remaining

    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        bar.update(task, completed=done, so_far=_so_far(done, total, unit))

    said, counted = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[so_far]}"))
    columns: list[ProgressColumn] = [BarColumn(), counted, Remaining()] if total else [counted, Elapsed()]
    # What is said meanwhile stands above the line; what goes to a file still goes there.
    bar = Progress(
        SpinnerColumn(),
        said,
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(what, total=total, so_far=_so_far(0, total, unit))
        yield advance


@contextmanager
def _lines(what: str, total: int | None, unit: str, *, first_s: float, line_s: float) -> Iterator[Advance]:
    over, done, began = threading.Event(), 0, time.monotonic()

    def advance(more: int) -> None:
        nonlocal done
        done += more

    def tell() -> None:
        wait_s = first_s
        while not over.wait(wait_s):
            wait_s = line_s
            so_far = _so_far(done, total, unit)
            say_aside(", ".join(filter(None, (what, so_far, f"{time.monotonic() - began:.0f} s"))))

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield advance
    finally:
        over.set()
        teller.join()


def _so_far(done: int, total: int | None, unit: str) -> str:
    """How much is done; nothing where nobody counts."""
    if not total and not done:
        return ""
    return f"{done:,}{f' of {total:,}' if total else ''}{f' {unit}' if unit else ''}"
