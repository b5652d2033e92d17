"""The whole picture at 80, 120 and 200 columns with hostile text in every field, as it is kept in a file beside.

`python -m tests.engine.test_live_pictures` writes the files anew; look at them before they are committed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from engine.budget import Share
from engine.dashboard.drawing import Asides, render
from engine.dashboard.view import View
from engine.events import (
    AttemptFailed,
    Event,
    Measured,
    Noted,
    ReplyReceived,
    RequestSent,
    RowAccepted,
    RowRejected,
    StageFinished,
    StageProgressed,
    StageStarted,
    Weighed,
)
from engine.statistics import ModelStatistics, Statistics
from engine.throttle import Limits
from tests.engine.pictures import CENT, HOSTILE, Screenful, figures

KEPT = Path(__file__).with_name("live_pictures")
SIZES = [(40, 10), (80, 24), (120, 40), (200, 60)]


def hostile_view(text: str = HOSTILE) -> View:
    """A run in the midst of a stage, in which every text comes from somebody who means harm."""
    view = View.of([text, f"{text} now", "train"], title=text, model=text, simulated=True)
    now = f"{text} now"
    happened: list[Event] = [
        StageStarted(text), StageFinished(text, text), StageStarted(now, total=1000, unit=text),
        Noted(text), RowRejected(text), RowRejected(text), RowRejected(f"{text} 2"),
    ]  # fmt: skip
    for event in happened:
        view.apply(event)
    for second in range(60):
        view.tick(float(second))
        view.apply(RequestSent("t"))
        view.apply(ReplyReceived("t", 1, 400, 90 + second, 0.5 + second / 60, from_journal=second % 20 == 0))
        view.apply(RowAccepted(f"{text} {second}", text))
        view.apply(StageProgressed(now, 8 * second, facts=((text, text), (text, text))))
        view.apply(Measured(now, text, 0.7 + second / 200))
        view.apply(Measured(now, f"{text} b", 1 - second / 100, is_share=True))
        view.traffic.notice_binding("output tokens", seconds=1.0)
        if second in (30, 31):
            view.apply(AttemptFailed("t", "rate", 1.0))
    parts = tuple((f"{text} {part}", 10 * part, 50.0) for part in range(7))
    view.apply(Weighed(now, text, parts))
    view.tick(60.0)
    return view


def hostile_figures(text: str = HOSTILE) -> Statistics:
    model = ModelStatistics(model=text, endpoint=text, standing="out", replies=9, from_journal=1, cost=5)
    shown = figures(
        binding="output tokens",
        shares={text: Share(at_most=70 * CENT, kept=CENT, charged=CENT)},
        by_model=(model, model),
        saved_by_journal=CENT,
    )
    return replace(shown, limits=Limits(rpm=100, output_tpm=10_000))


def picture(width: int, height: int) -> str:
    screen = Screenful(width, height)
    drawn = render(hostile_view(), hostile_figures(), width=width, height=height, asides=Asides(told=""))
    screen.console(color_system=None).print(drawn)
    return "\n".join(line.rstrip() for line in screen.lines()) + "\n"


def file_of(width: int, height: int) -> Path:
    return KEPT / f"{width}x{height}.txt"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_picture_is_as_it_is_kept(width: int, height: int) -> None:
    drawn = picture(width, height)

    assert drawn == file_of(width, height).read_text(encoding="utf-8")
    assert "simulated teacher" in drawn
    assert len(drawn.splitlines()) <= height
    assert max(map(cell_len, drawn.splitlines())) <= width


def test_what_is_said_to_a_key_takes_the_last_line_and_help_the_others() -> None:
    screen = Screenful(80, 24)
    asides = Asides(told=HOSTILE, is_help=True, has_keys=True)
    screen.console(color_system=None).print(render(hostile_view(), None, width=80, height=24, asides=asides))

    assert "pause: nothing more is asked" in "".join(screen.lines())
    assert "\x1b" not in screen.file.getvalue()
    assert len(screen.lines()) <= 24


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for width, height in SIZES:
        file_of(width, height).write_text(picture(width, height), encoding="utf-8")
