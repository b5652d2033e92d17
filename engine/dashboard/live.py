"""The shell around the view: listens, and draws eight times a second on a terminal, or prints lines without one.

Reads and never steers: a run without it, or with one that broke, ends with the same bytes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from engine.clock import Clock, SystemClock
from engine.dashboard.lines import PlainLines
from engine.dashboard.view import View
from engine.events import Event, Events, Noted, SimulationMet, StageFinished, StageProgressed, StageStarted
from engine.statistics import Statistics

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Dashboard"]

_FRAMES_PER_SECOND = 8

logger = logging.getLogger("engine.dashboard")

Look = Callable[[], Statistics | None]
"""How the figures are had at this moment; None while there is no engine."""


class Dashboard:
    """Shows a run while the block lasts: `with Dashboard(events, title="dates", ...): ...`.

    `stages` are the names of the stages in order; `statistics` gives the figures of the moment, or None. Draws on
    stderr unless a console is given; on no terminal it prints plain lines, and with `quiet` nothing. The environment
    variable NO_COLOR is respected.
    """

    def __init__(
        self,
        events: Events,
        *,
        title: str,
        model: str,
        simulated: bool,
        stages: Sequence[str],
        statistics: Look,
        console: Console | None = None,
        quiet: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.view = View.of(stages, title=title, model=model, simulated=simulated)
        self._events = events
        self._look = statistics
        self._console = console
        self._quiet = quiet
        self._clock = clock or SystemClock()
        self._surface: _Surface | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        if not self._quiet:
            self._surface = _surface(self._console, self.view, self._look, self._clock)
            self._surface.begin()
            self._unsubscribe = self._events.subscribe(self._surface.notice)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._surface is not None:
            self._surface.end()


class _Surface(Protocol):
    """Something to show a view on."""

    def begin(self) -> None: ...

    def notice(self, event: Event) -> None: ...

    def end(self) -> None: ...


def _surface(console: Console | None, view: View, look: Look, clock: Clock) -> _Surface:
    from rich.console import Console as RichConsole

    console = console or RichConsole(stderr=True)
    # A terminal that cannot move its cursor, or cannot show the bars and marks, is better served with lines.
    if console.is_terminal and not console.is_dumb_terminal and console.encoding.startswith("utf"):
        return _Screen(console, view, look, clock)
    return _Log(console, view, look, clock)


class _Screen:
    """A picture that is drawn anew by a thread of its own, so that a stage that computes does not freeze it."""

    def __init__(self, console: Console, view: View, look: Look, clock: Clock) -> None:
        from rich.live import Live

        self._console, self._view, self._look, self._clock = console, view, look, clock
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")
        self._figures: Statistics | None = None
        self._figures_are_old = True
        self._broken = False
        self._lock = threading.Lock()  # between events, noted in the run's thread, and frames, drawn in this one's
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw_until_over, name="dashboard", daemon=True)

    def begin(self) -> None:
        self._safely(self._live.start)
        self._thread.start()

    def notice(self, event: Event) -> None:
        with self._lock:
            self._view.apply(event)
        # An engine is not made to be read by another thread while it works, so its figures are taken in its own: at
        # the first event after each frame.
        if self._figures_are_old:
            self._safely(self._take_figures)

    def end(self) -> None:
        self._safely(self._take_figures)
        self._over.set()
        self._thread.join()
        self._safely(self._live.stop)

    def _draw_until_over(self) -> None:
        while not self._broken and not self._over.wait(1 / _FRAMES_PER_SECOND):
            self._safely(self._draw)
        self._safely(self._draw)

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # A picture that breaks, or a terminal that is gone, must not break the run that is shown.
            if not self._broken:
                logger.exception("the live view failed; the run goes on")
            self._broken = True

    def _take_figures(self) -> None:
        self._figures_are_old = False
        self._figures = self._look()

    def _draw(self) -> None:
        from engine.dashboard.drawing import render

        width, height = self._console.size
        with self._lock:
            self._view.tick(self._clock.monotonic())
            picture = render(self._view, self._figures, width=width, height=height)
        self._live.update(picture, refresh=True)
        self._figures_are_old = True


class _Log:
    """Plain lines, now and then."""

    def __init__(self, console: Console, view: View, look: Look, clock: Clock) -> None:
        self._console, self._view, self._look, self._clock = console, view, look, clock
        self._lines = PlainLines()
        self._gone = False

    def begin(self) -> None:
        self._print(self._lines.opening(self._view))

    def notice(self, event: Event) -> None:
        self._view.apply(event)
        if isinstance(event, StageStarted | StageProgressed | StageFinished | SimulationMet | Noted):
            self._view.tick(self._clock.monotonic())
            if (line := self._lines.line(event, self._view, self._look())) is not None:
                self._print(line)

    def end(self) -> None:
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
