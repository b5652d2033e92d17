"""The shell around the view: listens, draws up to four times a second, writes down how things stand once a second.

Who listens is in the way of the run, so what happens is only put aside there, and taken note of with the next picture.

A run without it, or with one that broke, ends with the same bytes; only what somebody does by a key changes it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from engine.clock import Clock, SystemClock
from engine.dashboard.keys import Controls
from engine.dashboard.notebook import Notebook, notebook_here
from engine.dashboard.pacing import Pace
from engine.dashboard.surfaces import Log, Look, Painted, Surface
from engine.dashboard.view import DRAWN, View
from engine.events import Event, Events, RequestSent
from engine.statistics import Statistics

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Dashboard", "chosen_surface", "lines_wanted"]

RECORD_EVERY_S: Final = 1.0
PLAIN_VARIABLE: Final = "SMELT_PLAIN"
MOST_NEWS: Final = 512  # events that wait to be noted: memory is not to grow, and what is new is still cached

logger = logging.getLogger("engine.dashboard")

Within = Callable[[Callable[[], None]], object]
"""Has a function called soon in the engine's own thread; raises RuntimeError where there is none any more."""


class Dashboard:
    """Shows a run while the block lasts: `with Dashboard(events, title="dates", ...): ...`.

    `stages` are the names of the stages in order; `statistics` gives the figures of the moment, or None. Draws on
    stderr unless a console is given; on no terminal, and where it is to be `plain`, it prints lines, and with `quiet`
    nothing. The environment variables NO_COLOR and SMELT_PLAIN are respected. With `record`, a file, others can look
    on: it says how things stand, whatever is shown. With `controls` the keys of a terminal steer the run. `within` has
    a function called in the engine's thread: with it figures are fresh even while nothing happens. On a surface that
    is given, it draws there.
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
        plain: bool = False,
        clock: Clock | None = None,
        record: Path | None = None,
        controls: Controls | None = None,
        within: Within | None = None,
        surface: Surface | None = None,
    ) -> None:
        self.view = View.of(stages, title=title, model=model, simulated=simulated)
        self._events = events
        self._look = statistics
        self._clock = clock or SystemClock()
        self._record = record
        self._within = within
        self._surface = surface
        self._log: Log | None = None
        self._make: Callable[[], Surface | None] = lambda: (
            None if quiet else surface or chosen_surface(console, plain=plain, controls=controls)
        )
        self._figures: Statistics | None = None
        self._figures_are_old = True
        self._figures_cost_s = 0.0
        self._news: list[Event] = []
        self._bound_at: float | None = None
        self._recorded_at = -RECORD_EVERY_S
        self._is_broken = False
        self._pace = Pace(self._clock.monotonic(), time.process_time())
        self._lock = threading.Lock()  # held by whoever reads or changes the view: the run's thread rarely, this one's
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dashboard", daemon=True)
        self._subscriptions: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        self._surface = self._make()
        self._log = self._surface if isinstance(self._surface, Log) else None
        if self._surface is None and self._record is None:
            return self
        self._safely(self._begin)
        self._subscribe()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for unsubscribe in self._subscriptions:
            unsubscribe()
        if not self._thread.is_alive() and self._surface is None and self._record is None:
            return
        try:
            self._safely(self._take_figures)
            self._over.set()
            if self._surface is not None:
                self._surface.wake()
            if self._thread.is_alive():
                self._thread.join()
        finally:  # somebody may be in a hurry, and press Ctrl-C while we wait
            self._safely(self._end, even_if_broken=True)

    # -- in the run's thread

    def _begin(self) -> None:
        if self._surface is not None:
            self._surface.begin(self.view, self._say)

    def _subscribe(self) -> None:
        """What each request begins with is put aside by the queue itself; its end looks after the queue."""
        news = (self._news.append, {RequestSent}), (self._notice, DRAWN - {RequestSent})
        self._subscriptions = [self._events.subscribe(listener, kinds=kinds) for listener, kinds in news]

    def _notice(self, event: Event) -> None:
        self._news.append(event)  # what follows is asked some twice for each request, so it is little
        # An engine is not made to be read by another thread while it works, so its figures are taken in its own: at
        # the first event after each frame.
        if self._figures_are_old:
            self._renew_figures()
        if len(self._news) >= MOST_NEWS:
            with self._lock:
                self._take_news()
        if self._log is not None and self._log.may_tell(event):
            with self._lock:
                self._catch_up()
                self._log.notice(event, self.view, self._look)

    def _catch_up(self) -> float:
        """Take note of what has happened, and of the time, which is returned; the lock is held, so that they agree."""
        now = self._clock.monotonic()
        self._safely(self._take_news, even_if_broken=True)
        self.view.tick(now, paused=self._figures is not None and self._figures.binding == "pause")
        return now

    def _take_news(self) -> None:
        """More may come meanwhile, from the run's thread: these are put behind, and wait."""
        news = self._news[:]
        del self._news[: len(news)]
        self.view.apply(*news)

    def _renew_figures(self) -> None:
        if self._figures_are_old:
            self._safely(self._take_figures)

    def _take_figures(self) -> None:
        self._figures_are_old = False
        began = time.thread_time()
        self._figures = self._look()
        self._figures_cost_s = time.thread_time() - began

    def _end(self) -> None:
        with self._lock:
            self._catch_up()
            self.view.is_over = True
        self._write_down(over=True)
        if self._surface is not None:
            self._surface.end(self.view, self._figures)

    # -- in a thread of its own, so that a stage that computes freezes nothing

    def _work(self) -> None:
        wait_s = 0.0
        while not self._over.is_set():
            if self._surface is None or self._is_broken:
                self._over.wait(wait_s)
            else:
                self._safely(partial(self._surface.wait, wait_s, self.view, self._lock))
            if not self._over.is_set():
                wait_s = self._frame()

    def _frame(self) -> float:
        """Draw, write down; gives how long to wait until the next one."""
        began, has_news = time.thread_time(), bool(self._news)
        with self._lock:
            now = self._catch_up()
            self._notice_binding(now)
        shown = None if self._is_broken else self._surface
        if shown is not None:
            self._safely(partial(shown.show, self.view, self._figures, self._lock))
        if now - self._recorded_at >= RECORD_EVERY_S:
            self._recorded_at = now
            self._write_down(over=False)
        self._ask_for_figures()
        return self._pace.after(
            time.thread_time() - began + self._figures_cost_s,
            now=self._clock.monotonic(),
            used_s=time.process_time(),
            has_news=has_news,
            shortest_s=RECORD_EVERY_S if shown is None else shown.every_s,
        )

    def _ask_for_figures(self) -> None:
        """Fresh ones for the next frame."""
        self._figures_are_old = True
        if self._within is not None:
            try:
                self._within(self._renew_figures)
            except RuntimeError:  # its loop is closed: the engine has done its work, and can be read from here
                self._renew_figures()

    def _notice_binding(self, now: float) -> None:
        """Once a second."""
        since, figures = self._bound_at, self._figures
        if figures is None or (since is not None and now - since < 1.0):
            return
        self._bound_at = now
        self.view.traffic.notice_binding(figures.binding, seconds=0.0 if since is None else now - since)

    def _write_down(self, *, over: bool) -> None:
        from engine.dashboard.storing import Process, Snapshot, save

        if self._record is None:
            return
        try:
            with self._lock:
                save(
                    self._record,
                    Snapshot(
                        view=self.view,
                        figures=self._figures,
                        at=self._clock.time(),
                        process=Process.this(),
                        over=over,
                    ),
                )
        except OSError as error:  # a full disk, say: whoever looks on is worth less than the run
            logger.info("how the run stands cannot be written down (%s); the run goes on", error)
            self._record = None

    # -- small things

    def _say(self, text: str) -> None:
        """Something was printed meanwhile that belongs on the screen."""
        with self._lock:
            self.view.notes.append(text)

    def _safely(self, action: Callable[[], object], *, even_if_broken: bool = False) -> None:
        if self._is_broken and not even_if_broken:
            return
        try:
            action()
        except Exception:  # A picture that breaks, or a terminal that is gone, must not break the run that is shown.
            if self._is_broken:
                return
            self._is_broken = True
            if self._surface is not None:  # before anything is said, which would go where nothing is shown any more
                with suppress(OSError, ValueError):  # the terminal may be what is gone
                    self._surface.release()
            logger.exception("the live view failed; the run goes on")


def lines_wanted() -> bool:
    """Whether the environment asks for plain lines."""
    return os.environ.get(PLAIN_VARIABLE, "") not in ("", "0")


def chosen_surface(
    console: Console | None = None, *, plain: bool = False, controls: Controls | None = None, state: str = ""
) -> Surface:
    """Where a run is shown best: a notebook's cell, a terminal's whole screen, or lines for whatever else takes text.

    A terminal that cannot move its cursor, or cannot show the bars and marks, is better served with lines.
    """
    from rich.console import Console as RichConsole

    if console is None and (show := notebook_here()) is not None:
        return Notebook(show)
    console = console or RichConsole(stderr=True, highlight=False, emoji=False, markup=False)
    is_plain = plain or lines_wanted() or console.is_dumb_terminal
    if console.is_terminal and console.encoding.startswith("utf") and not is_plain:
        return Painted(console, controls=controls, state=state)
    return Log(console)
