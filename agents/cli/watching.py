"""Carrying out a run before somebody's eyes: the live view meanwhile, a few lines and an exit code at the end."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from agents.cli.output import print_json, say
from agents.pipeline import STAGES, Ended, run
from agents.report import as_json
from agents.run_folder import RunFolder
from engine import Engine
from engine.dashboard import Dashboard
from engine.errors import BudgetReached
from engine.events import Events

__all__ = ["watched_run"]


def watched_run(folder: RunFolder, *, json: bool, quiet: bool) -> int:
    """Run, and say what came of it. Returns the exit code."""
    configuration = folder.configuration()
    events = Events()
    engines: list[Engine] = []
    with Dashboard(
        events,
        title=folder.path.name,
        model=configuration.model,
        simulated=configuration.model.startswith("simulated/"),
        stages=STAGES,
        statistics=lambda: engines[0].statistics() if engines else None,
        console=_console(json=json),
        quiet=quiet,
    ):
        ended = run(folder, events=events, on_engine=engines.append)
    if not quiet:
        _tell(ended, folder.path, to_stderr=json)
    if json:
        print_json(as_json(ended.report))
    return ended.exit_code


def _console(*, json: bool) -> Console:
    """Standard output belongs to the JSON line when there is one."""
    return Console(file=sys.stderr if json else sys.stdout, highlight=False, emoji=False, markup=False)


def _tell(ended: Ended, folder: Path, *, to_stderr: bool) -> None:
    lines = [
        *ended.report.verdict,
        *(f"note: {warning}" for warning in ended.report.warnings),
        "",
        f"report: {folder / 'report.html'}",
    ]
    if ended.report.training is not None:
        lines += [f"ask it a question: smelt chat {folder}", f"serve it like an LLM: smelt serve {folder}"]
    if isinstance(ended.error, BudgetReached):
        lines += ["", f"{ended.error}; to go on with more: smelt resume {folder} --budget USD"]
    elif ended.error is not None:
        lines += ["", f"{ended.error}; when that is mended: smelt resume {folder}"]
    for line in lines:
        if to_stderr:
            sys.stderr.write(line + "\n")
        else:
            say(line)
