"""How a run stands, for whoever looks on from elsewhere: read from its folder, without a word to whoever carries it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import orjson

from agents.config import Configuration
from agents.models import models_told
from agents.run_folder import RunFolder
from engine.dashboard.storing import Snapshot, load
from engine.dashboard.view import View
from engine.errors import SmeltError
from engine.statistics import Statistics
from engine.throttle import Limits

__all__ = ["RunState", "Standing", "headline", "look_at", "runs_in"]

# Of what a student is judged by, what tells most last: demonstrations are real, and far too few.
MOST_TELLING = ("demonstrations", "synthetic", "test")

Standing = Literal["begun", "running", "paused", "finished", "stopped", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run at one moment: what can be drawn of it, and in which state it is.

    `begun`: nothing was asked yet; `stopped`: it ended in order before it was done; `dead`: its process is gone without
    a word. `silent_s` is how long whoever carries it has said nothing.
    """

    folder: RunFolder
    standing: Standing
    view: View
    figures: Statistics | None
    silent_s: float = 0.0

    @property
    def is_over(self) -> bool:
        return self.standing not in ("running", "paused")

    def told(self) -> str:
        """In a sentence, with the way on."""
        path = quote(str(self.folder.path))
        match self.standing:
            case "running" | "paused":
                silent = f", silent for {self.silent_s:.0f} s" if self.silent_s >= 10 else ""
                return f"{self.standing}{silent}"
            case "finished":
                return f"finished: smelt report {path}"
            case "dead":
                return f"dead: its process is gone; nothing that was paid for is lost; to go on: smelt resume {path}"
            case "stopped":
                return f"stopped before it was done; to go on: smelt resume {path}"
            case "begun":
                return f"begun, and nothing asked yet; to go on: smelt resume {path}"


def look_at(folder: RunFolder, *, now: float | None = None) -> RunState:
    """How the run stands now (seconds since 1970). Raises UserError when the folder holds none."""
    now = time.time() if now is None else now
    configuration = folder.configuration()
    snapshot = load(folder.live)
    if snapshot is not None and snapshot.is_alive(now=now):
        standing: Standing = "paused" if snapshot.figures and snapshot.figures.binding == "pause" else "running"
        silent_s = max(0.0, now - snapshot.at)
        snapshot.view.tick(snapshot.view.now_s + silent_s, paused=standing == "paused")  # its own clock goes on
        return RunState(
            folder=folder, standing=standing, view=snapshot.view, figures=snapshot.figures, silent_s=silent_s
        )
    view = _view(folder, configuration) if snapshot is None else snapshot.view
    view.is_over = True
    return RunState(
        folder=folder, standing=_ended(folder, snapshot), view=view, figures=_charged(folder, configuration, snapshot)
    )


def _ended(folder: RunFolder, snapshot: Snapshot | None) -> Standing:
    """In which state a run is that nobody carries; one that has written its report has come to its end."""
    reported_at = _written_at(folder.report_json)
    if snapshot is not None and not snapshot.over and reported_at < snapshot.at - snapshot.view.elapsed_s:
        return "dead"  # without a last word, and what report there is was there before it began
    if reported_at:
        return "finished"
    return "stopped" if folder.journal.exists() else "begun"


def _written_at(path: Path) -> float:
    """Seconds since 1970; 0 where nothing is written."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _view(folder: RunFolder, configuration: Configuration) -> View:
    simulated = any(each.model.startswith("simulated/") for each in configuration.everyone)
    return View.of((), title=folder.path.resolve().name, model=models_told(configuration), simulated=simulated)


def _charged(folder: RunFolder, configuration: Configuration, snapshot: Snapshot | None) -> Statistics | None:
    """The last figures with the money as the journal has it: the last word of a process may be a second too old."""
    try:
        looked_at = folder.looked_at()
    except SmeltError:  # damaged, or of another version: whoever resumes is told
        looked_at = []
    figures = None if snapshot is None else snapshot.figures
    if not looked_at:
        return figures
    totals = [each for counts in looked_at for each in counts.by_tag.values()]
    cap = None if configuration.cap is None else configuration.cap.cap
    return replace(
        figures or NOTHING_KNOWN,
        cap=cap,
        spent=sum(each.spent for each in totals),
        assumed=sum(each.assumed for each in totals),
        reserved=sum(counts.at_stake for counts in looked_at),
        in_flight=0,
        waiting=0,
        binding="lack of work",
    )


NOTHING_KNOWN = Statistics(
    requests=0, replies=0, from_journal=0, failed=0, attempts=0, failures={}, hedged=0, input_tokens=0, output_tokens=0,
    in_flight=0, waiting=0, allowed=0, limits=Limits(), binding="lack of work", cap=None, spent=0, assumed=0,
    reserved=0, saved_by_journal=0, saved_by_sampling=0, shares={}, by_tag={},
)  # fmt: skip


def runs_in(folder: Path) -> Iterator[RunFolder]:
    """The runs that lie directly in a folder, or the folder itself if it is one; the latest last."""
    if (folder / "run.toml").is_file():
        yield RunFolder(folder)
        return
    found = [each for each in folder.iterdir() if (each / "run.toml").is_file()] if folder.is_dir() else []
    yield from sorted(map(RunFolder, found), key=_begun_at)


def _begun_at(folder: RunFolder) -> float:
    """When its prompt was written, which is before all else; of a run that has lost it, 0."""
    return _written_at(folder.prompt)


def headline(folder: RunFolder) -> str:
    """The main score of the report with its interval, on real rows where there are some; empty where there is none."""
    try:
        judgements = orjson.loads(folder.report_json.read_bytes()).get("judgements") or []
        best = max(judgements, key=lambda each: MOST_TELLING.index(each["on"]), default=None)
        return "" if best is None else _score_told(best)
    except (OSError, ValueError, AttributeError, TypeError, LookupError):  # no report, or none of ours
        return ""


def _score_told(judgement: dict[str, Any]) -> str:
    score = judgement["student"]["scores"][0]
    interval = f"{score['value']:.2f} {score['metric']} ({score['low']:.2f} to {score['high']:.2f})"
    return f"{interval}, {judgement['rows']:,} {'real' if judgement['on'] == 'test' else judgement['on']} rows"
