"""The live view without a terminal: a few plain lines, for logs and pipes."""

from __future__ import annotations

from engine.dashboard.binding import bound_by, situation_of
from engine.dashboard.view import Stage, View
from engine.dashboard.words import count, left_told
from engine.events import Event, Noted, SimulationMet, StageFinished, StageProgressed, StageStarted
from engine.prices import dollars, in_full
from engine.statistics import Statistics
from engine.text import clean

__all__ = ["PlainLines", "standing_told"]

_EVERY_S = 10.0
_SILENT_S = 60.0  # after so long without a line somebody will want to know whether it still goes on
_TOLD = (StageStarted, StageProgressed, StageFinished, SimulationMet, Noted)
_LONGEST = 400


class PlainLines:
    """Decides when a line is worth printing.

    A stage begins or ends, a tenth of it or 10 s have passed, a note came, or nothing was said for a minute. Words
    alone, so that a screen reader reads them as they are meant.
    """

    def __init__(self) -> None:
        self._told_s = 0.0
        self._told_tenth = 0
        self._told: set[str] = set()

    def opening(self, view: View) -> str:
        badge = ", a simulated teacher" if view.simulated else ""
        return f"{clean(view.title, _LONGEST)}: {clean(view.model, _LONGEST)}{badge}"

    def may_tell(self, event: Event) -> bool:
        """Whether an event of this kind may be worth a line."""
        return isinstance(event, _TOLD)

    def periodic(self, view: View, figures: Statistics | None) -> str | None:
        """How it stands, when nothing was said for a minute; the view has taken note of the time."""
        if view.current is None or view.now_s - self._told_s < _SILENT_S:
            return None
        self._told_s = view.now_s
        return standing_told(view, figures)

    def line(self, event: Event, view: View, figures: Statistics | None) -> str | None:
        """The line that this event is worth, if any; the view has taken note of the event and of the time already."""
        match event:
            case StageStarted():
                self._told_s, self._told_tenth = view.now_s, 0
                return _started(view.stage(event.stage))
            case StageProgressed():
                return self._progressed(view.stage(event.stage), view, figures)
            case StageFinished():
                return f"{clean(event.stage, 40)}: done{_after(', ', clean(event.summary, _LONGEST))}"
            case SimulationMet():
                return "note: a simulated teacher answers"
            case Noted():
                return f"note: {clean(event.text, _LONGEST)}"
            case _:
                return None

    def _progressed(self, stage: Stage, view: View, figures: Statistics | None) -> str | None:
        tenth = stage.done * 10 // stage.total if stage.total else 0
        if tenth <= self._told_tenth and view.now_s - self._told_s < _EVERY_S:
            return None
        self._told_s, self._told_tenth = view.now_s, tenth
        news = self._news(_rejected(view), _spent(figures))
        parts = [_so_far(stage), _left(stage, view.now_s), *_facts(stage), *news]
        return f"{clean(stage.name, 40)}: {', '.join(part for part in parts if part)}"

    def _news(self, *figures: str) -> list[str]:
        """Those figures of the whole run that have changed: a stage that asks for nothing need not repeat them."""
        news = [figure for figure in figures if figure not in self._told]
        self._told = set(figures)
        return news


def standing_told(view: View, figures: Statistics | None) -> str:
    """How a run stands, in a line: the stage at work, the rows, the money, and what binds."""
    rows, parts = f"{count(view.accepted)} rows accepted", [_rejected(view), _spent(figures)]
    if (stage := view.current) is None:
        return ", ".join(part for part in (rows, *parts) if part)
    parts = [_so_far(stage) or (rows if view.accepted else ""), *parts]
    if not view.is_over:
        parts = [parts[0], _left(stage, view.now_s), *parts[1:], bound_by(situation_of(view, figures)).told()]
    return f"{clean(stage.name, 40)}{_after(': ', ', '.join(part for part in parts if part))}"


def _started(stage: Stage) -> str:
    goal = f", {count(stage.total)}{_after(' ', clean(stage.unit, 16))} to go" if stage.total else ""
    return f"{clean(stage.name, 40)}: started{goal}"


def _so_far(stage: Stage) -> str:
    if not stage.total and not stage.done:
        return ""  # it does not count
    whole = f" of {count(stage.total)}" if stage.total else ""
    return f"{count(stage.done)}{whole}{_after(' ', clean(stage.unit, 16))}"


def _left(stage: Stage, now: float) -> str:
    left = stage.left(now)
    return left_told(left) if left is not None else ""


def _facts(stage: Stage) -> list[str]:
    return [f"{clean(name, 30)} {clean(value, 40)}" for name, value in stage.facts]


def _rejected(view: View) -> str:
    return f"{count(view.rejected.total())} rejected" if view.rejected else ""


def _spent(figures: Statistics | None) -> str:
    if figures is None:
        return ""
    assumed = f", {dollars(figures.assumed)} assumed" if figures.assumed else ""
    cap = "" if figures.cap is None else f" of {in_full(figures.cap)}"
    return f"{dollars(figures.spent)} spent{assumed}{cap}"


def _after(mark: str, text: str) -> str:
    return f"{mark}{text}" if text else ""
