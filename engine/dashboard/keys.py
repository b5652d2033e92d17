"""What keys mean, and how they are read: which command a press gives, and a terminal that hands over single presses.

What spends more or ends the run wants to be pressed twice. A burst of different letters is a paste, and no command.
"""

from __future__ import annotations

import os
import re
import select
from dataclasses import dataclass
from typing import Final, Literal, Protocol

__all__ = ["Command", "Controls", "Keyboard", "Presses", "pressed"]

Command = Literal["pause", "resume", "raise", "lower", "sample", "latest", "finish", "help"]

AGAIN_S: Final = 5.0
COMMANDS: Final[dict[str, Command]] = {
    "p": "pause", "r": "resume", "+": "raise", "=": "raise", "-": "lower", "s": "sample", "l": "latest",
    "\x1b": "latest", "q": "finish", "?": "help", "h": "help",
}  # fmt: skip
TWICE: Final[frozenset[Command]] = frozenset({"raise", "finish"})
SEQUENCE: Final = re.compile(r"\x1b(\[[0-9;?<]*[ -/]*[@-~]|O.|\][^\x07]*\x07)")


class Controls(Protocol):
    """Whoever carries the run, for those who steer it by keys. Each says in a line what came of it."""

    def pause(self) -> str: ...

    def resume(self) -> str: ...

    def raise_cap(self) -> str: ...

    def lower_cap(self) -> str: ...

    def finish(self) -> str: ...

    def finishing(self) -> str:
        """What `finish` would do now, in few words: they stand in a line."""
        ...


def pressed(text: str) -> list[Command]:
    """The commands of what came from the terminal at once: keys that mean nothing, and pastes, give none."""
    keys = SEQUENCE.sub("", text)
    if len(set(keys)) != 1:
        return []
    command = COMMANDS.get(keys[0].lower())
    return [] if command is None else [command] * (len(keys) if command in ("raise", "lower") else 1)


@dataclass(slots=True)
class Presses:
    """Which commands hold: those that are to be pressed twice are armed by the first press, for a few seconds."""

    armed: Command | None = None
    until_s: float = 0.0

    def holds(self, command: Command, *, now: float) -> bool:
        """Whether the command holds, or wants to be pressed once more."""
        is_armed = self.armed == command and now <= self.until_s
        self.armed, self.until_s = (command, now + AGAIN_S) if command in TWICE else (None, 0.0)
        return is_armed or command not in TWICE


class Keyboard:
    """A terminal's keys, one at a time and not echoed, from `begin` to `end`. Ctrl-C stays what it is.

    Only while this process is in the terminal's foreground: whoever reads from behind is stopped by the system.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[object] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this process is in the foreground."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # the terminal is gone, or is none
            return False

    def begin(self) -> None:
        import termios
        import tty

        if self._before is None and self.is_ours:
            self._before = termios.tcgetattr(self._descriptor)
            tty.setcbreak(self._descriptor, termios.TCSANOW)

    def end(self) -> None:
        """Give the terminal back as it was."""
        import termios

        before, self._before = self._before, None
        if before is not None:
            termios.tcsetattr(self._descriptor, termios.TCSANOW, before)  # type: ignore[arg-type]  # as it came

    def wait(self, seconds: float, *, waker: int) -> list[Command]:
        """What is pressed within so many seconds; nothing as soon as something can be read from `waker`."""
        listening = [self._descriptor] if self._before is not None and self.is_ours else []
        ready, _, _ = select.select([waker, *listening], [], [], seconds)
        if self._descriptor not in ready:
            return []
        return pressed(os.read(self._descriptor, 256).decode("utf-8", "replace"))
