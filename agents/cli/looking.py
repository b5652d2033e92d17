"""The command that looks around: doctor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from agents.cli.options import ConfigOption, JsonOption, examples
from agents.cli.output import print_json, say, say_facts

if TYPE_CHECKING:
    from agents.doctor import Finding

__all__ = ["register", "say_findings"]

SERVER = re.compile(r" on port (\d+)$")


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt doctor", "smelt doctor --config smelt.toml"))(doctor)


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Say what is there and what is missing. Keys, local servers, cached models, devices; what each would give."""
    from agents.config_file import resolve
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
