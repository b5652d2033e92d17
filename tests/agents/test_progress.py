"""Whoever waits sees that something happens; whoever does not, sees nothing of it."""

from __future__ import annotations

import io
import sys
import time

import pytest

from agents.cli.progress import under_way


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_a_line_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with under_way("reading", total=1000, line_s=0.001) as advance:
        advance(7)
        end = time.monotonic() + 5
        while "7 of" not in (said := capsys.readouterr().err) and time.monotonic() < end:
            time.sleep(0.001)

    assert "reading, 7 of 1,000, 0 s\n" in said


def test_what_is_soon_over_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with under_way("reading"):
        pass

    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_it_is_drawn_as_data_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with under_way("reading [/bold] rows", total=3) as advance:
        advance(3)

    drawn = terminal.getvalue()
    assert "reading [/bold] rows" in drawn
    assert "3 of 3" in drawn
    assert "\x1b[2K" in drawn.rpartition("3 of 3")[2]


def test_what_has_no_total_is_counted_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with under_way("reading", unit="rows", line_s=0.001) as advance:
        advance(12_345)
        end = time.monotonic() + 5
        while "12,345" not in (said := capsys.readouterr().err) and time.monotonic() < end:
            time.sleep(0.001)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with under_way("reading", unit="rows") as advance:
        advance(12_345)

    assert "reading, 12,345 rows, 0 s\n" in said
    assert "12,345 rows" in terminal.getvalue()


@pytest.mark.parametrize(("name", "value"), [("SMELT_PLAIN", "1"), ("TERM", "dumb")])
def test_where_plain_lines_are_wanted_nothing_is_drawn_over(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv(name, value)

    with under_way("reading", line_s=0.001):
        end = time.monotonic() + 5
        while "reading" not in terminal.getvalue() and time.monotonic() < end:
            time.sleep(0.001)

    assert terminal.getvalue().startswith("reading, 0 s\n")
    assert "\x1b" not in terminal.getvalue()


def test_what_is_said_meanwhile_goes_where_it_was_meant_to_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output may be a file while standard error is the terminal that something moves on."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with under_way("reading"):
        print("a row")

    assert capsys.readouterr().out == "a row\n"


def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with under_way("reading", shown=False) as advance:
        advance(1)

    assert not terminal.getvalue()
