"""The commands that look: report, doctor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import ConfigOption, JsonOption, examples
from agents.cli.output import print_json, say, say_aside, say_facts

if TYPE_CHECKING:
    from agents.doctor import Finding

__all__ = ["register", "say_findings"]

SERVER = re.compile(r" on port (\d+)$")


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
    from agents.doctor import examine, next_steps

    findings = examine(None if config is None else resolve(file=config, flags={}))
    if json:
        print_json({finding.what: {"found": finding.found, "detail": finding.detail} for finding in findings})
        return
    say_findings(findings)
    for line in next_steps(findings):
        say(line)


def say_findings(findings: Sequence[Finding]) -> None:
    """What was found, under the headings; servers that are not there share a line."""
    for group in dict.fromkeys(finding.group for finding in findings):
        say(f"{group}:")
        those = _without_silent_servers([finding for finding in findings if finding.group == group])
        say_facts({f"  {'yes' if each.found else ' no'}  {each.what}": each.detail for each in those})
        say("")


def _without_silent_servers(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with one in place of all servers that are not there."""
    silent = [each for each in findings if not each.found and SERVER.search(each.what)]
    if len(silent) < 2:
        return list(findings)
    names = ", ".join(SERVER.sub(r" (\1)", each.what) for each in silent)
    where = f"none on the ports of {names}; one started there is asked with --base-url http://127.0.0.1:PORT/v1"
    one = replace(silent[0], what="local servers", detail=where)
    return [one if each is silent[0] else each for each in findings if each not in silent[1:]]
