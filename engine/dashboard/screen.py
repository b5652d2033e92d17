"""A terminal's whole screen, painted line by line: only lines that have changed are sent, as befits a slow line.

The screen from before comes back at the end, with the last picture below it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

from engine.text import clean

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["Aside", "Screen", "descriptor_of"]

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H", "\x1b[?25h\x1b[?1049l"
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"  # shown at once; terminals that do not know it pass over it
REPAINT_EVERY: Final = 20  # frames; what others wrote in between is painted over


class Screen:
    """Paints pictures on a console that is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: list[str] = []
        self._size = (0, 0)
        self._frames = 0
        self._is_entered = False

    def size(self) -> tuple[int, int]:
        """Width and height of this moment, in cells."""
        width, height = self._console.size
        return width, height

    def paint(self, picture: RenderableType) -> None:
        """Show a picture that is no larger than the screen."""
        lines = self._drawn(picture)
        whole = not self._is_entered or self.size() != self._size or self._frames % REPAINT_EVERY == 0
        self._size, self._frames = self.size(), self._frames + 1
        before = [] if whole else self._lines
        sent = [] if self._is_entered else [ENTER]
        sent += [BEGIN_FRAME, *(["\x1b[2J"] if whole else [])]
        sent += [
            f"\x1b[{at + 1};1H\x1b[K{line}"  # erased first: behind a line that fills the width its last cell would go
            for at, line in enumerate(lines)
            if at >= len(before) or line != before[at]
        ]
        sent += [f"\x1b[{at + 1};1H\x1b[K" for at in range(len(lines), len(before))]
        self._is_entered, self._lines = True, lines
        if len(sent) > 1:
            self._write("".join([*sent, END_FRAME]))

    def leave(self, last: RenderableType | None = None) -> None:
        """Bring back the screen from before, and print the last picture on it."""
        if self._is_entered:
            self._is_entered, self._lines = False, []
            self._write(LEAVE)
        if last is not None:
            self._write("\n".join(self._drawn(last)) + "\n")

    def _drawn(self, picture: RenderableType) -> list[str]:
        with self._console.capture() as captured:
            self._console.print(picture, crop=False)  # it is no larger than the screen, and looking takes a while
        return captured.get().rstrip("\n").split("\n")

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


class Aside:
    """Stands in for standard output or error while the screen is painted: each line that is written is handed on.

    Written through, it would tear the picture. `end` says the lines again where they were meant to go.
    """

    def __init__(self, stream: TextIO, tell: Callable[[str], None]) -> None:
        self._stream = stream
        self._tell = tell
        self._open = ""
        self._kept: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        *lines, self._open = (self._open + text).split("\n")
        for line in lines:
            self._kept.append(line)
            if shown := clean(line, 400):
                self._tell(shown)
        return len(text)

    def flush(self) -> None:
        """There is nothing to wait for."""

    def end(self) -> None:
        with suppress(OSError, ValueError):  # the stream may be closed, or its terminal gone
            self._stream.write("".join(f"{line}\n" for line in self._kept) + self._open)
            self._stream.flush()


def descriptor_of(stream: object) -> int | None:
    """The terminal behind a stream, if it is one."""
    try:
        descriptor = stream.fileno()  # type: ignore[attr-defined]  # or it is none
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if os.isatty(descriptor) else None
