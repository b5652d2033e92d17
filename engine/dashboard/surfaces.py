"""Where a view is shown: a painted screen with its keys, or lines one after the other."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from engine.dashboard.keys import Command, Controls, Keyboard, Presses
from engine.dashboard.lines import PlainLines
from engine.dashboard.pacing import SHORTEST_S
from engine.dashboard.screen import Aside, Screen, descriptor_of
from engine.dashboard.signals import Signals
from engine.dashboard.view import View
from engine.events import Event, RowAccepted
from engine.statistics import Statistics

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Log", "Look", "Painted", "Surface"]

Look = Callable[[], Statistics | None]
"""How the figures are had at this moment; None while there is no engine."""

TOLD_S: Final = 6.0  # what is said to a key stays for so long
SAMPLED: Final = 40
ONLY_LOOKS: Final = "this only looks on: p, r, + and - work where the run was started; q leaves"

logger = logging.getLogger("engine.dashboard")


class Surface(Protocol):
    """Something to show a view on, every `every_s` seconds at most."""

    every_s: float

    def begin(self, view: View, say: Callable[[str], None]) -> None:
        """Get ready; what others print meanwhile is handed to `say`, where it would be in the way."""
        ...

    def wait(self, seconds: float, view: View, lock: threading.Lock) -> None:
        """Until the next frame is due, or somebody wants one."""
        ...

    def show(self, view: View, figures: Statistics | None, lock: threading.Lock) -> None:
        """Show how things stand."""
        ...

    def wake(self) -> None: ...

    def release(self) -> None:
        """Give back the terminal and what others print: nothing more will be shown before the end."""
        ...

    def end(self, view: View, figures: Statistics | None) -> None: ...


class Painted:
    """A picture on a terminal's whole screen. With `controls`, and a terminal to read from, keys steer."""

    def __init__(self, console: Console, *, controls: Controls | None = None, state: str = "") -> None:
        from engine.dashboard.drawing import Asides

        self.every_s = SHORTEST_S
        self._console = console
        self._screen = Screen(console)
        self._controls = controls
        self._asides = Asides(state=state)
        self.is_left = False  # by whoever only looks on
        self._keyboard: Keyboard | None = None
        self._presses = Presses()
        self._told_until_s = 0.0
        self._chance = Random(0)
        self._streams: list[tuple[str, Aside]] = []
        self._waker = os.pipe()
        os.set_blocking(self._waker[0], False)
        self._signals = Signals(suspend=self._suspend, wake=self.wake)

    def begin(self, view: View, say: Callable[[str], None]) -> None:  # noqa: ARG002  # drawn with the first frame
        terminal, keys = descriptor_of(self._console.file), descriptor_of(sys.stdin)
        if terminal is None:
            return
        self._signals.begin()
        if keys is not None:
            self._keyboard = Keyboard(keys)
            self._keyboard.begin()
            self._asides = replace(self._asides, has_keys=True)
        for name in ("stdout", "stderr"):
            if descriptor_of(stream := getattr(sys, name)) is not None:
                aside = Aside(stream, say)
                self._streams.append((name, aside))
                setattr(sys, name, aside)

    def wait(self, seconds: float, view: View, lock: threading.Lock) -> None:
        commands: list[Command] = []
        if self._keyboard is None:
            _wait_for(self._waker[0], seconds)
        else:
            commands = self._keyboard.wait(seconds, waker=self._waker[0])
        with suppress(BlockingIOError):  # nobody woke us
            os.read(self._waker[0], 4096)
        for command in commands:
            self._obey(command, view, lock)

    def show(self, view: View, figures: Statistics | None, lock: threading.Lock) -> None:
        from engine.dashboard.drawing import render

        if self._keyboard is not None:
            if not self._keyboard.is_ours:  # somebody else has the terminal
                return
            self._keyboard.begin()  # after a stop
        if time.monotonic() > self._told_until_s:
            self._asides = replace(self._asides, told="")
        width, height = self._screen.size()
        with lock:
            picture = render(view, figures, width=width, height=height, asides=self._asides)
        self._screen.paint(picture)

    def tell_state(self, state: str) -> None:
        """How the run stands, as whoever looks on from elsewhere found out."""
        self._asides = replace(self._asides, state=state)

    def wake(self) -> None:
        with suppress(OSError):
            os.write(self._waker[1], b".")

    def end(self, view: View, figures: Statistics | None) -> None:
        from engine.dashboard.drawing import Asides, render

        try:
            width, height = self._screen.size()
            last = Asides(state=self._asides.state)
            self._screen.leave(render(view, figures, width=width, height=max(1, height - 1), asides=last))
        finally:
            self._signals.end()
            self.release()
            for descriptor in self._waker:
                os.close(descriptor)

    def release(self) -> None:
        try:
            self._screen.leave()
        finally:
            if self._keyboard is not None:
                self._keyboard.end()
            for name, aside in self._streams:
                setattr(sys, name, aside._stream)  # noqa: SLF001  # put back what was there
                aside.end()
            self._streams.clear()

    def _suspend(self) -> None:
        """Give the terminal back for now; it is taken again with the next picture."""
        self._screen.leave()
        if self._keyboard is not None:
            self._keyboard.end()

    # -- keys

    def _obey(self, command: Command, view: View, lock: threading.Lock) -> None:
        if self._controls is None and command == "finish":
            self.is_left = True
            return
        if not self._presses.holds(command, now=time.monotonic()):
            self._tell(self._asked_again(command))
            return
        match command:
            case "help":
                self._asides = replace(self._asides, is_help=not self._asides.is_help)
            case "latest":
                self._asides = replace(self._asides, sample=None, is_help=False)
            case "sample":
                with lock:
                    self._asides = replace(self._asides, sample=self._drawn(view), is_help=False)
            case "pause" | "resume" | "raise" | "lower" | "finish":
                self._tell(self._steer(command))

    def _asked_again(self, command: Command) -> str:
        """What a second press of a key would do that wants to be pressed twice."""
        if self._controls is None:
            return ONLY_LOOKS
        if command == "raise":
            return "+ once more raises the cap, for each further + as well"
        return f"q once more: {self._controls.finishing()}"

    def _steer(self, command: Command) -> str:
        if self._controls is None:
            return ONLY_LOOKS
        actions: dict[str, Callable[[], str]] = {
            "pause": self._controls.pause,
            "resume": self._controls.resume,
            "raise": self._controls.raise_cap,
            "lower": self._controls.lower_cap,
            "finish": self._controls.finish,
        }
        return actions[command]()

    def _drawn(self, view: View) -> list[RowAccepted]:
        return self._chance.sample(view.sample, min(SAMPLED, len(view.sample)))

    def _tell(self, text: str) -> None:
        self._asides = replace(self._asides, told=text)
        self._told_until_s = time.monotonic() + TOLD_S


def _wait_for(descriptor: int, seconds: float) -> None:
    import select

    select.select([descriptor], [], [], seconds)


class Log:
    """Plain lines, now and then: for logs, pipes and those who have the screen read to them."""

    def __init__(self, console: Console) -> None:
        self.every_s = 1.0
        self._console = console
        self._lines = PlainLines()
        self._woken = threading.Event()
        self._gone = False

    def begin(self, view: View, say: Callable[[str], None]) -> None:  # noqa: ARG002  # nothing is in the way of lines
        self._print(self._lines.opening(view))

    def may_tell(self, event: Event) -> bool:
        """Whether an event of this kind may be worth a line."""
        return self._lines.may_tell(event)

    def notice(self, event: Event, view: View, look: Look) -> None:
        """Something has happened: perhaps it is worth a line. In the run's thread."""
        if (line := self._lines.line(event, view, look())) is not None:
            self._print(line)

    def wait(self, seconds: float, view: View, lock: threading.Lock) -> None:  # noqa: ARG002  # there are no keys
        self._woken.wait(seconds)

    def show(self, view: View, figures: Statistics | None, lock: threading.Lock) -> None:
        with lock:
            line = self._lines.periodic(view, figures)
        if line is not None:
            self._print(line)

    def wake(self) -> None:
        self._woken.set()

    def release(self) -> None:
        """Nothing was taken."""

    def end(self, view: View, figures: Statistics | None) -> None:
        """The last line was printed with the last event."""

    def _print(self, line: str) -> None:
        if self._gone:
            return
        # A log in an old encoding loses a letter rather than the line. Past rich, which ends the whole process when a
        # pipe is closed (`| head`): a run is worth more than its log.
        file, encoding = self._console.file, self._console.encoding
        try:
            file.write(line.encode(encoding, "replace").decode(encoding) + "\n")
            file.flush()
        except OSError as error:
            self._gone = True
            logger.warning("nobody takes the progress lines any more (%s); the run goes on", error)
