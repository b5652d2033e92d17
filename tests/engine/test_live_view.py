"""The live view at work: on a terminal and without one, and it never stops a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from rich.console import Console

from engine.dashboard import Dashboard
from engine.dashboard.live import MOST_NEWS
from engine.dashboard.notebook import Notebook, notebook_here
from engine.dashboard.view import View
from engine.events import (
    Event,
    Events,
    Noted,
    RequestSent,
    RowAccepted,
    RowRejected,
    StageFinished,
    StageProgressed,
    StageStarted,
)
from engine.statistics import Statistics
from tests.engine.pictures import HOSTILE, STAGES, Screenful, figures


@dataclass
class StillClock:
    """A clock that stands until it is set."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def plain(*timed: tuple[float, Event], console: Console | None = None, quiet: bool = False) -> list[str]:
    """The lines that a dashboard without a terminal prints for events at their times."""
    screen, clock, events = Screenful(terminal=False), StillClock(), Events()
    console = console or screen.console()
    with Dashboard(
        events, title="dates", model="simulated/dates", simulated=True, stages=STAGES, statistics=figures,
        console=console, quiet=quiet, clock=clock,
    ):  # fmt: skip
        for now, event in timed:
            clock.now = now
            events.emit(event)
    return screen.lines()


def test_without_a_terminal_there_are_plain_lines() -> None:
    lines = plain(
        (0, StageStarted("generate", total=100, unit="rows")),
        (1, StageProgressed("generate", 5)),
        (2, RowRejected("format")),
        (3, StageProgressed("generate", 10, facts=(("temperature", "0.7"),))),
        (4, Noted("said [/x]\n\x1b[2J so")),
        (5, RequestSent("t")),
        (6, StageFinished("generate", "100 rows")),
        (7, StageStarted("train")),
        (8, StageFinished("train")),
    )

    assert lines == [
        "dates: simulated/dates, a simulated teacher",
        "generate: started, 100 rows to go",
        "generate: 10 of 100 rows, 0:14 to 0:54 left, temperature 0.7, 1 rejected, $0.31 spent, $0.01 assumed of $1.00",
        "note: said [/x] [2J so",
        "generate: done, 100 rows",
        "train: started",
        "train: done",
    ]


def test_a_slow_stage_gives_a_line_every_ten_seconds() -> None:
    ticks = [(float(now), StageProgressed("train", now, total=1000)) for now in range(1, 31)]

    lines = plain((0, StageStarted("train", total=1000)), *ticks)

    assert [line.split(",")[0] for line in lines[2:]] == [
        "train: 10 of 1",
        "train: 20 of 1",
        "train: 30 of 1",
    ]


def test_a_fast_stage_gives_a_line_at_every_tenth() -> None:
    ticks = [(0.0, StageProgressed("generate", done)) for done in range(1, 1001)]

    lines = plain((0, StageStarted("generate", total=1000)), *ticks)

    assert len(lines) == 2 + 10


def test_a_stage_that_asks_for_nothing_does_not_repeat_the_money() -> None:
    lines = plain(
        (0, StageStarted("generate", total=10)),
        (1, StageProgressed("generate", 5)),
        (2, StageStarted("train", total=10)),
        (3, StageProgressed("train", 5)),
    )

    assert [line for line in lines if "spent" in line] == [
        "generate: 5 of 10, 0:00 to 0:02 left, $0.31 spent, $0.01 assumed of $1.00"
    ]


def test_plain_lines_are_never_wrapped_or_coloured() -> None:
    [*_, note] = plain((0, Noted("word " * 60)))

    assert len(note) > 200
    assert "\x1b" not in note


def test_an_old_encoding_loses_letters_not_lines() -> None:
    raw = BytesIO()
    file = TextIOWrapper(raw, encoding="ascii")

    plain((0, Noted("naïve 日")), console=Console(file=file, force_terminal=False))

    file.flush()
    assert raw.getvalue().decode("ascii").splitlines()[-1] == "note: na?ve ?"


def test_quiet_shows_nothing() -> None:
    assert plain((0, Noted("hello")), quiet=True) == []


def show_live(screen: Screenful, statistics: object = figures, **options: object) -> None:
    events = Events()
    with Dashboard(
        events, title="dates", model="m", simulated=True, stages=STAGES,
        statistics=statistics, console=screen.console(**options), clock=StillClock(),  # type: ignore[arg-type] # may be a broken one
    ):  # fmt: skip
        events.emit(StageStarted("generate", total=10))
        events.emit(RowAccepted(HOSTILE, "out"))


def test_on_a_terminal_the_last_picture_stays() -> None:
    screen = Screenful()

    show_live(screen)

    assert "[/x] [red]b[/red] c" in screen.file.getvalue()
    assert "a\x1b[2J" not in screen.file.getvalue()


def test_no_color_is_respected() -> None:
    screen = Screenful()

    show_live(screen, color_system="truecolor", _environ={"NO_COLOR": "1"})

    assert "\x1b[32m" not in screen.file.getvalue()
    assert "generate" in screen.file.getvalue()


def test_a_dumb_terminal_gets_plain_lines() -> None:
    screen = Screenful()

    show_live(screen, _environ={"TERM": "dumb"})

    assert screen.lines() == ["dates: m, a simulated teacher", "generate: started, 10 to go"]


def test_a_view_that_breaks_does_not_break_the_run(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Statistics:
        raise RuntimeError("no figures")

    show_live(Screenful(), statistics=broken)

    assert caplog.text.count("the live view failed; the run goes on") == 1


@pytest.mark.parametrize(
    ("terminal", "error"),
    [pytest.param(True, OSError(5, "gone"), id="screen"), pytest.param(False, BrokenPipeError(), id="pipe")],
)
def test_a_terminal_that_went_away_does_not_break_the_run(
    terminal: bool, error: OSError, caplog: pytest.LogCaptureFixture
) -> None:
    class Gone(StringIO):
        def write(self, text: str) -> int:  # noqa: ARG002 nothing can be written
            raise error

    show_live(Screenful(terminal=terminal, file=Gone()))

    assert caplog.text.count("the run goes on") == 1


class Stopped(Notebook):
    """A surface that somebody has stopped, as Ctrl-S does a terminal."""

    def __init__(self) -> None:
        super().__init__(lambda _html: None)
        self.is_showing, self.may_go_on = threading.Event(), threading.Event()

    def show(self, view: View, figures: Statistics | None, lock: threading.Lock) -> None:  # noqa: ARG002  # never
        self.is_showing.set()
        self.may_go_on.wait(10)

    def end(self, view: View, figures: Statistics | None) -> None:
        """Nothing is shown."""


def test_events_do_not_pile_up_where_no_picture_can_be_shown_and_none_is_lost() -> None:
    events, stopped = Events(), Stopped()
    with Dashboard(
        events, title="t", model="m", simulated=True, stages=STAGES, statistics=figures, surface=stopped
    ) as dashboard:
        assert stopped.is_showing.wait(10)
        for number in range(2 * MOST_NEWS + 10):
            events.emit(RowAccepted("in", str(number)))
        taken = dashboard.view.accepted
        stopped.may_go_on.set()

    assert taken == 2 * MOST_NEWS
    assert dashboard.view.accepted == 2 * MOST_NEWS + 10
    assert dashboard.view.examples[-1].output == str(2 * MOST_NEWS + 9)


def test_figures_are_fresh_once_the_engine_has_done_its_work_though_nothing_happens() -> None:
    """A student is trained for minutes without an event: calls that were out before are not shown for so long."""
    looked = threading.Event()
    now = [figures(binding="requests")]

    def look() -> Statistics:
        if now[0].in_flight == 0:
            looked.set()
        return now[0]

    def closed(_function: object) -> None:
        now[0] = replace(now[0], in_flight=0, binding="lack of work")
        raise RuntimeError("its loop is closed")

    with Dashboard(
        Events(), title="t", model="m", simulated=True, stages=STAGES, statistics=look,
        surface=Notebook(lambda _html: None), within=closed,
    ):  # fmt: skip
        assert looked.wait(10)


def test_after_the_block_nobody_listens() -> None:
    events, screen = Events(), Screenful(terminal=False)
    with Dashboard(
        events, title="t", model="m", simulated=False, stages=(), statistics=figures, console=screen.console()
    ) as dashboard:
        pass

    events.emit(Noted("late"))

    assert list(dashboard.view.notes) == []
    assert screen.lines() == ["t: m"]


def test_a_notebook_shows_one_picture_in_place_with_nothing_but_text_in_it() -> None:
    shown: list[str] = []
    events = Events()
    with Dashboard(
        events, title="<b>t", model="m", simulated=True, stages=STAGES, statistics=figures,
        surface=Notebook(shown.append),
    ):  # fmt: skip
        events.emit(RowAccepted("<script>alert(1)</script>", HOSTILE))

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown[-1]
    assert "<script" not in shown[-1]
    assert "simulated teacher" in shown[-1]
    assert shown[-1].startswith("<pre")


def test_outside_a_notebook_there_is_none() -> None:
    assert notebook_here() is None
