"""The commands that look: report, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agents.cli.options import ConfigOption, JsonOption, examples
from agents.cli.output import print_json, say, say_aside, say_table

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt report runs/dates"))(report)
    app.command(epilog=examples("smelt doctor", "smelt doctor --config smelt.toml"))(doctor)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run that has ended.")],
    json: JsonOption = False,
) -> None:
    """Say what came of a run, and write its report.html anew."""
    import dataclasses

    from jinja2 import UndefinedError

    from agents.annotating.annotation_report import AnnotationReport
    from agents.reporting.report import news_since, read_report, write_page
    from agents.run_folder import RunFolder
    from engine.errors import UserError

    folder = RunFolder(run)
    labels_only = folder.configuration().inputs is not None  # says so when this is no run at all
    fields = [field.name for field in dataclasses.fields(AnnotationReport)] if labels_only else ()
    table = read_report(folder, fields=fields)
    try:
        write_page(table, folder, template="annotation.html" if labels_only else "report.html")
    except (TypeError, ValueError, UndefinedError) as error:  # whole at the top, and yet not the values of a report
        raise UserError(f"{folder.report_json}: is damaged ({error}); smelt resume {run} writes it anew") from error
    if what_is_new := news_since(table, folder):
        say_aside(f"note: {what_is_new}")
    if json:
        print_json(table)
        return
    for line in (*table["verdict"], *table["details"], *(f"note: {warning}" for warning in table["warnings"])):
        say(line)
    say(f"report: {folder.report_html}")


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say what is there and what is missing. Keys, local servers, cached models, devices; what each would give."""
    from agents.config import resolve
    from agents.doctor import examine

    findings = examine(None if config is None else resolve(file=config, flags={}))
    if json:
        print_json({finding.what: {"found": finding.found, "detail": finding.detail} for finding in findings})
        return
    say_table(
        "what Smelt finds here",
        [
            {"": "yes" if finding.found else "no", "what": finding.what, "detail": finding.detail}
            for finding in findings
        ],
    )
