"""Lines of text in a few styles, one below the other, in a frame or bare.

Rich gets each as the segments that it is to send: its own texts and panels are divided, wrapped, padded and cropped
several times over, which was two thirds of what a picture took.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

__all__ = ["Frame", "Picture", "Strip"]

EDGE = "dim"


class Strip:
    """A line: texts with their styles, or in the terminal's own ink.

    What cannot be seen is left out of them, so nothing can steer the terminal, and a line stays one line.

        Strip(("rows", "bold"), " 12 accepted")
    """

    __slots__ = ("parts",)

    def __init__(self, *parts: Strip | tuple[str, str] | str) -> None:
        self.parts: list[tuple[str, str]] = []
        for part in parts:
            if isinstance(part, Strip):
                self.parts += part.parts
            else:
                text, style = (part, "") if isinstance(part, str) else part
                self.parts.append((text if text.isprintable() else "".join(filter(str.isprintable, text)), style))

    @classmethod
    def joined(cls, between: str, strips: Iterable[Strip]) -> Strip:
        return cls(*[each for strip in strips for each in (between, strip)][1:])

    @property
    def cells(self) -> int:
        """How wide it is."""
        return sum([_width(text) for text, _ in self.parts])

    def fitted(self, cells: int, *, pad: bool = False, end: str = "…") -> Strip:
        """No wider than so many cells: a longer one is cut and gets an `end`; blanks `pad` a shorter one."""
        spare = cells - self.cells
        if spare < 0:
            return Strip(*_cut(self.parts, cells - len(end), end)) if cells > 0 else Strip()
        return Strip(self, " " * spare) if pad and spare else self

    def __bool__(self) -> bool:
        return any(text for text, _ in self.parts)

    def __repr__(self) -> str:
        return f"<Strip {''.join(text for text, _ in self.parts)!r}>"


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands in the upper and in the lower edge of a frame."""

    title: Strip
    below: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Lines of so many cells at most, cut where they are longer; in a frame, with the frame. Rich can print it."""

    lines: Sequence[Strip]
    width: int
    frame: Frame | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        end = Segment.line()
        for line in self._framed(self.frame) if self.frame else [each.fitted(self.width) for each in self.lines]:
            for text, style in line.parts:
                yield Segment(text, console.get_style(style) if style else None)
            yield end

    def _framed(self, frame: Frame) -> Iterator[Strip]:
        inner = self.width - 4
        title = frame.title.fitted(inner - 1, end="")
        rest = f" {'─' * inner}"[: inner - 1 - title.cells]
        yield Strip(("╭─ ", EDGE), title, (f"{rest}─╮", EDGE))
        for line in self.lines:
            yield Strip(("│ ", EDGE), line.fitted(inner, pad=True), (" │", EDGE))
        yield Strip((f"╰{'─' * (inner - 1 - len(frame.below))} {frame.below} ─╯", EDGE))


def _cut(parts: Iterable[tuple[str, str]], cells: int, end: str) -> Iterator[tuple[str, str]]:
    """What fits, and behind it the end, in the style of what is cut."""
    for text, style in parts:
        width = _width(text)
        if width > cells:
            yield set_cell_size(text, cells) + end, style
            return
        yield text, style
        cells -= width


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
