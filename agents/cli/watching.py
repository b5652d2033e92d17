"""Carrying out a run before somebody's eyes: the live view meanwhile, a few lines and an exit code at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from shlex import quote

from rich.console import Console

from agents.annotating import annotation
from agents.annotating.annotation import annotate_file
from agents.annotating.annotation_report import AnnotationReport
from agents.cli.output import print_json, say, say_aside
from agents.config import Configuration
from agents.controls import RunControls
from agents.listeners import announced
from agents.models import keys_told, models_told
from agents.pipeline import run, stages_of
from agents.reporting.outlook import OutOfMoney
from agents.reporting.report import Report, as_json
from agents.run_folder import Reread, RunFolder
from agents.stages import Ended
from engine import Engine
from engine.dashboard import Dashboard
from engine.errors import AuthenticationRefused, BudgetReached, Interrupted, LimitReached, ProviderRefused, SmeltError
from engine.events import StageStarted

__all__ = ["watched_run"]


def watched_run(
    folder: RunFolder, configuration: Configuration, *, json: bool, quiet: bool, plain: bool = False
) -> int:
    """Run, and say what came of it. Returns the exit code; an error that ends the run says how to go on."""
    try:
        ended = _shown_run(folder, configuration, console=_console(json=json), quiet=quiet, plain=plain)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted{_way_on(Interrupted(), folder)}") from None
    except (BudgetReached, ProviderRefused, Interrupted) as error:
        told = BudgetReached if isinstance(error, BudgetReached) else type(error)
        raise told(f"{error}{_way_on(error, folder)}") from error
    if not quiet:
        for line in _told(ended.report, folder):
            (say_aside if json else say)(line)
    if ended.error is not None:
        say_aside(f"smelt: {ended.error}{_way_on(ended.error, folder)}")
    if json:
        print_json(as_json(ended.report))
    return ended.exit_code


def _shown_run(
    folder: RunFolder, configuration: Configuration, *, console: Console, quiet: bool, plain: bool
) -> Ended[Report] | Ended[AnnotationReport]:
    """Run with the live view on."""
    events = announced()
    engines: list[Engine] = []
    controls = RunControls(folder)
    events.subscribe(controls.notice, kinds=(StageStarted,))

    def take(engine: Engine) -> None:
        engines.append(engine)
        controls.take(engine)

    labels_only = configuration.inputs is not None
    with Dashboard(
        events,
        title=folder.path.name,
        model=models_told(configuration),
        simulated=any(each.model.startswith("simulated/") for each in configuration.everyone),
        stages=annotation.STAGES if labels_only else stages_of(configuration),
        statistics=lambda: engines[0].statistics() if engines else None,
        console=console,
        quiet=quiet,
        plain=plain,
        record=folder.live,
        controls=controls,
        within=controls.within,
    ):
        if labels_only:
            return annotate_file(folder, configuration, events=events, on_engine=take)
        return run(folder, configuration, events=events, on_engine=take, is_enough=controls.is_enough)


def _console(*, json: bool) -> Console:
    """Standard output belongs to the JSON line when there is one."""
    return Console(file=sys.stderr if json else sys.stdout, highlight=False, emoji=False, markup=False)


def _told(report: Report | AnnotationReport, folder: RunFolder) -> Iterator[str]:
    """What came of it, and what to do with it, in lines."""
    path = quote(str(folder.path))
    yield from report.verdict
    yield from report.details
    yield from (f"note: {warning}" for warning in report.warnings)
    yield ""
    yield f"report: {folder.report_html}"
    if isinstance(report, AnnotationReport):
        yield f"labels: {folder.data / 'labelled.parquet'}"
        yield f"in another form: smelt export {path} --format csv --out labels.csv"
    elif report.training is not None:
        yield f"ask it a question: smelt chat {path}"
        yield f"serve it like an LLM: smelt serve {path}"


def _way_on(error: SmeltError, folder: RunFolder) -> str:
    """What to do about an error that ended a run early: whatever it was, nothing is paid twice."""
    resume = f"smelt resume {quote(str(folder.path))}"
    if isinstance(error, BudgetReached) and isinstance(folder, Reread):
        return f"; nothing was paid for, as --reparse wants it; to go on asking: {resume}"
    if isinstance(error, OutOfMoney) and error.outlook is not None:
        return f"; {error.outlook.told()} To go on: {resume} --budget {error.outlook.budget}"
    if isinstance(error, BudgetReached):
        return f"; to go on with more: {resume} --budget USD"
    if isinstance(error, LimitReached):
        return f"; to go on then: {resume}"
    if isinstance(error, AuthenticationRefused) and (keys := keys_told(folder.configuration())):
        return f"; the key is looked for in {keys}; when that is mended: {resume}"
    return f"; to go on: {resume}" if isinstance(error, Interrupted) else f"; when that is mended: {resume}"
