"""A terminal that the live view has had is as it was before, however the run ended; and any background will do."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from engine.dashboard import Dashboard
from engine.dashboard.drawing import Asides, render
from engine.dashboard.screen import ENTER, LEAVE
from engine.dashboard.surfaces import Painted
from engine.events import Events, RowAccepted
from tests.engine.pictures import STAGES, Screenful, figures
from tests.engine.test_dashboard import busy_view

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
COLOUR = re.compile(r"\x1b\[([0-9;]*)m")


@dataclass
class Terminal:
    """A terminal of 100 x 30, and what was sent to it."""

    ours: int
    theirs: int
    sent: str = ""

    def settings(self) -> list[object]:
        return termios.tcgetattr(self.theirs)

    def take(self) -> None:
        while select.select([self.ours], [], [], 0)[0]:
            self.sent += os.read(self.ours, 65536).decode("utf-8", "replace")

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while text not in self.sent:
            assert time.monotonic() < end, self.sent[-2000:]
            select.select([self.ours], [], [], 1.0)
            self.take()

    def is_back(self) -> bool:
        """Whether the screen from before is shown again, with its cursor."""
        return self.sent.count(ENTER) == self.sent.count(LEAVE) > 0


@contextmanager
def terminal() -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    try:
        yield Terminal(ours, theirs)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.long
def test_a_picture_that_breaks_gives_the_terminal_back_at_once() -> None:
    """Not only when the run ends, which may be hours later."""
    with terminal() as screen, open(screen.theirs, "w", encoding="utf-8", closefd=False) as file:
        before = screen.settings()
        events = Events()
        console = Console(file=file, force_terminal=True, width=100, height=30, _environ={})
        with Dashboard(
            events, title="t", model="m", simulated=True, stages=STAGES, statistics=figures, console=console
        ) as dashboard:  # fmt: skip
            screen.wait_for("\x1b[?2026l")
            dashboard.view.title = None  # type: ignore[assignment]  # so that no picture can be drawn
            events.emit(RowAccepted("in", "out"))
            screen.wait_for(LEAVE)
            assert screen.is_back()
        screen.take()

        assert screen.is_back()
        assert screen.settings() == before


def test_a_run_that_fails_gives_the_terminal_back_with_the_last_picture_on_it() -> None:
    screen = Screenful()

    with (
        pytest.raises(RuntimeError),
        Dashboard(
            Events(), title="t", model="m", simulated=True, stages=STAGES, statistics=figures, console=screen.console()
        ),
    ):
        raise RuntimeError("something else")

    sent = screen.file.getvalue()
    assert sent.count(ENTER) == sent.count(LEAVE)
    assert "simulated teacher" in sent.rpartition(LEAVE)[2]


def test_colours_are_those_of_the_terminal_and_nothing_has_a_background() -> None:
    """So that it can be read on dark and on light: reversed at most, never painted over with a colour of our choice."""
    screen = Screenful(120, 40)
    asides = Asides(told="a key was pressed", has_keys=True, state="running")
    screen.console(color_system="truecolor", _environ={}).print(
        render(busy_view(), figures(), width=120, height=40, asides=asides)
    )
    codes = {int(code) for found in COLOUR.findall(screen.file.getvalue()) for code in found.split(";") if code}

    # 0 to 9: none, bold, dim, reverse ...; 31 to 36: the colours that a theme has chosen to go with its background.
    # Neither 30 and 37 (black and white, of which one cannot be seen), nor 38 and 48 (any colour), nor 40 to 47.
    assert codes <= {*range(10), *range(31, 37)}
    assert 33 in codes


def test_words_are_in_the_ink_of_the_terminal() -> None:
    """Yellow or green words can hardly be read on white; a bar or a mark can be seen."""
    screen = Screenful(120, 40)
    screen.console(color_system="standard", _environ={}).print(render(busy_view(), figures(), width=120, height=40))

    for codes, text in re.findall(r"\x1b\[([0-9;]*)m([^\x1b]*)", screen.file.getvalue()):
        if any(code in {"31", "32", "33", "34", "35", "36"} for code in codes.split(";")):
            assert not re.search(r"\w", text), text


def test_another_size_and_coming_back_wake_whoever_draws_and_those_who_listened_before_hear_of_it_too() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGWINCH, lambda number, _: heard.append(number))
    try:
        with terminal() as screen, open(screen.theirs, "w", encoding="utf-8", closefd=False) as file:
            painted = Painted(Console(file=file, force_terminal=True, width=100, height=30, _environ={}))
            painted.begin(busy_view(), lambda _: None)
            signal.raise_signal(signal.SIGWINCH)
            painted.wait(600.0, busy_view(), threading.Lock())  # is over at once, or the test hangs
            painted.end(busy_view(), figures())
        signal.raise_signal(signal.SIGWINCH)
    finally:
        signal.signal(signal.SIGWINCH, before)

    assert heard == [signal.SIGWINCH] * 2
    assert signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL


@pytest.mark.slow
def test_a_run_that_is_interrupted_gives_the_terminal_back(tmp_path: Path) -> None:
    """kill -INT in its midst."""
    with terminal() as screen:
        before = screen.settings()
        run = started(screen, "generate", "agents/demo/dates/prompt.md", "--model", "simulated/dates",
                      "--examples", "40000", "--out", tmp_path / "run")  # fmt: skip
        screen.wait_for("of 40,000")
        assert screen.settings() != before  # keys are read one by one
        run.send_signal(signal.SIGINT)
        code = ended(run, screen)

        assert code == 130, screen.sent[-2000:]
        assert screen.is_back()
        assert screen.settings() == before
        assert "to go on: smelt resume" in " ".join(screen.sent.rpartition(LEAVE)[2].split())


@pytest.mark.slow
def test_whoever_looks_on_leaves_with_q_and_the_terminal_is_as_it_was(tmp_path: Path) -> None:
    from agents.config import Configuration
    from agents.run_folder import RunFolder
    from engine.dashboard.storing import Process, Snapshot, save

    folder = RunFolder(tmp_path / "run")
    folder.begin(prompt="Say the date.", configuration=Configuration(model="simulated/dates", budget="5"))
    save(folder.live, Snapshot(view=busy_view(), figures=figures(), at=time.time(), process=Process.this()))
    with terminal() as screen:
        before = screen.settings()
        looking = started(screen, "watch", folder.path)
        screen.wait_for("on May 5th 19")
        os.write(screen.ours, b"q")
        code = ended(looking, screen)

        assert code == 0
        assert screen.is_back()
        assert screen.settings() == before
        assert "running" in screen.sent.rpartition(LEAVE)[2]


def started(screen: Terminal, *words: object) -> subprocess.Popen[bytes]:
    """The command with that terminal for its own, in the foreground."""
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT)}
    for name in ("NO_COLOR", "SMELT_PLAIN", "COLUMNS", "LINES"):
        environment.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-m", "agents", *map(str, words)],
        stdin=screen.theirs, stdout=screen.theirs, stderr=screen.theirs, cwd=ROOT, env=environment,
        start_new_session=True, preexec_fn=lambda: os.login_tty(os.dup(0)),  # noqa: PLW1509  # no thread is at work here
    )  # fmt: skip


def ended(run: subprocess.Popen[bytes], screen: Terminal) -> int:
    """How it ended; what it says meanwhile is read, or it would wait."""
    end = time.monotonic() + PATIENCE_S
    while run.poll() is None:
        assert time.monotonic() < end, screen.sent[-2000:]
        select.select([screen.ours], [], [], 0.2)
        screen.take()
    screen.take()
    return run.returncode
