"""The live view in a notebook: one cell's output, drawn anew in place. It needs no widget and no package of its own."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.dashboard.view import View
from engine.statistics import Statistics

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Notebook", "notebook_here"]

WIDTH, HEIGHT = 100, 20
EVERY_S = 1.0  # each picture is a message to the browser
FORMAT = '<pre style="line-height:1.2;font-family:monospace">{code}</pre>'

Show = Callable[[str], None]
"""Puts HTML where the last one stood."""


class Notebook:
    """A picture in a cell's output."""

    def __init__(self, show: Show) -> None:
        self.every_s = EVERY_S
        self._show = show
        self._woken = threading.Event()

    def begin(self, view: View, say: Callable[[str], None]) -> None:
        """The first picture comes with the first frame."""

    def wait(self, seconds: float, view: View, lock: threading.Lock) -> None:  # noqa: ARG002  # there are no keys
        self._woken.wait(seconds)

    def show(self, view: View, figures: Statistics | None, lock: threading.Lock) -> None:
        from engine.dashboard.drawing import render

        with lock:
            picture = render(view, figures, width=WIDTH, height=HEIGHT)
        self._show(as_html(picture))

    def wake(self) -> None:
        self._woken.set()

    def release(self) -> None:
        """Nothing was taken."""

    def end(self, view: View, figures: Statistics | None) -> None:
        self.show(view, figures, threading.Lock())


def as_html(picture: RenderableType) -> str:
    """The picture as a page shows it; whatever stands in it is text there too."""
    from rich.console import Console

    console = Console(  # that knows of no notebook: it would show each picture by itself, one below the other
        file=io.StringIO(), record=True, width=WIDTH, height=HEIGHT, force_terminal=True, force_jupyter=False
    )
    console.print(picture)
    return console.export_html(inline_styles=True, code_format=FORMAT)


def notebook_here() -> Show | None:
    """How the notebook shows something in which this process answers; None anywhere else."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):  # a shell in a terminal has none
        return None
    display = sys.modules["IPython.display"]
    handle = display.display(display.HTML(""), display_id=True)
    return lambda html: handle.update(display.HTML(html))
