"""A report as Markdown, for pasting where people talk: GitHub's flavour, every foreign string escaped. Pure.

Foreign text cannot make a heading, a table, a link or a picture there, and calls nobody: mentions, references to issues
and addresses stay text too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agents.evaluate.judgement import CALLED
from agents.reporting.stage_lines import StageLine, stage_lines
from engine.dashboard.binding import named
from engine.text import visible

__all__ = ["TRUST", "as_code", "as_text", "render_markdown"]

TRUST = {
    "yes": "✓ Fit for use",
    "with care": "! To be used with care",
    "not yet": "✗ Not to be used yet",
    "no student": "– No student",
}
SHOWN = 5  # mistakes of each set of rows: more of them are on the page
LONGEST = 200  # characters of a text in a cell

# What Markdown, and GitHub with mathematics, reads as anything within a line; escaped, it stands for itself.
_MARKS = re.compile(r"([\\`*_\[\]#|<>~&$])")
# And what it reads so at the beginning of one.
_BEGINNINGS = re.compile(r"^([-+=](?=[-=\s]|$)|\d+(?=[.)](?:\s|$)))")
# What GitHub makes links of beyond Markdown: people, issues, addresses, commits. A comment in between is not shown.
_CALLS = re.compile(r"(@(?=\w)|\\#(?=\w)|:(?=//)|(?i:www)(?=\.)|(?i:gh)(?=-\d)|[0-9a-f]{6}(?=[0-9a-f]))")


def as_text(text: str) -> str:
    """Foreign text within a line: it reads as it is, and does nothing."""
    line = " ".join(visible(text).split())
    escaped = _CALLS.sub(r"\1<!-- -->", _MARKS.sub(r"\\\1", line))
    return _BEGINNINGS.sub(lambda found: f"\\{found[1]}" if found[1] in "-+=" else f"{found[1]}\\", escaped)


def as_code(text: str) -> str:
    """Foreign text as a block that it cannot break out of."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{visible(text)}\n{fence}"


def render_markdown(report: Mapping[str, Any]) -> str:
    """The report in short, from what `report.json` holds of a whole run or of labelled inputs."""
    parts = [*_top(report)]
    if "data" in report:
        parts += [*_student(report), *_data(report)]
    else:
        parts += [*_inputs(report["inputs"])]
    parts += [*_money(report), *_stages(report)]
    if report.get("training"):
        parts += ["## How to use it", as_code(f"smelt chat {report['folder']}\nsmelt serve {report['folder']}")]
    return "\n\n".join(parts) + "\n"


def _top(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {as_text(report['name'])}"
    simulated = " (**simulated teacher**)" if report["simulated"] else ""
    student = f", student {as_text(report['choice']['student'])}" if report.get("training") else ""
    yield f"Teacher {as_text(report['teacher'])}{simulated}{student}, seed {report['seed']}."
    if "trust" in report:
        yield f"**{TRUST[report['trust']]}.** {' '.join(map(as_text, report['verdict']))}"
    else:
        yield " ".join(map(as_text, report["verdict"]))
    yield from filter(None, (_list(report["details"]),))
    if report["warnings"]:
        yield "## Mind"
        yield _list(report["warnings"])
    yield "## What was asked"
    yield as_code(report["spec"]["instruction"])


def _student(report: Mapping[str, Any]) -> Iterator[str]:
    for judgement in report["judgements"]:
        yield f"## Scores on {judgement['rows']:,} {CALLED[judgement['on']]}"
        judged = [judgement["student"], *judgement["baselines"]]
        metrics = [score["metric"] for score in judged[0]["scores"]]
        yield _table(["who", *metrics, "student ahead by"], map(_scored, judged))
        wrong = [sample for sample in judgement["samples"] if not sample["right"]][:SHOWN]
        if wrong:
            yield "The mistakes it was surest of:"
            rows = ([each["input"], each["wanted"], each["got"], f"{each['confidence']:.2f}"] for each in wrong)
            yield _table(["input", "wanted", "answered", "confidence"], rows)
    if report["advice"]:
        yield "## How to make it better"
        yield _list(report["advice"])
    if growth := report["growth"]:
        points = [*growth["points"], growth["twice"]]
        yield _table(["rows learnt from", growth["metric"]], ([f"{each['rows']:,}", _figure(each)] for each in points))
        yield "The last row is expected."


def _scored(judged: Mapping[str, Any]) -> list[str]:
    behind = judged.get("behind")
    lead = "" if behind is None else f"{_figure(behind)}, p = {behind['p']:.2g}"
    return [judged["name"], *map(_figure, judged["scores"]), lead]


def _figure(score: Mapping[str, Any]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"


def _data(report: Mapping[str, Any]) -> Iterator[str]:
    data = report["data"]
    yield "## The data"
    splits = ", ".join(f"{name} {rows:,}" for name, rows in data["splits"].items())
    rows = [
        ["rows kept", f"{data['accepted']:,} ({splits})"],
        *([f"left out: {reason}", f"{count:,}"] for reason, count in data["rejected"].items()),
        *_facts(data),
        *([f"rows {origin}", f"{count:,}"] for origin, count in data["origins"].items()),
        ["why it stopped", data["stop"]],
    ]
    yield _table(["", ""], rows)
    yield from _balance(data, data["accepted"])
    if data["sources"]:
        yield "## Sources and their licences"
        told = (
            [source.get(name, "") for name in ("dataset", "licence", "use", "read", "kept")]
            for source in data["sources"]
        )
        yield _table(["data set", "licence", "use", "read", "kept"], told)


def _inputs(inputs: Mapping[str, Any]) -> Iterator[str]:
    yield "## The rows"
    rows = [
        ["in the file", f"{inputs['rows']:,}"],
        ["labelled", f"{inputs['labelled']:,}"],
        *([f"without a label: {reason}", f"{count:,}"] for reason, count in inputs["unlabelled"].items()),
        *_facts(inputs),
    ]
    yield _table(["", ""], rows)
    yield from _balance(inputs, inputs["labelled"])


def _facts(facts: Mapping[str, Any]) -> list[list[str]]:
    return [
        ["votes asked for", f"{facts['votes_asked']:,} ({facts['votes_saved']:,} fewer than a fixed number)"],
        ["mean agreement", f"{facts['agreement']:.3f}"],
        ["nearly another one", f"{facts['variety']['repeated']:.1%} of {facts['variety']['texts']:,} rows"],
    ]


def _balance(facts: Mapping[str, Any], rows: int) -> Iterator[str]:
    if facts["balance"] and rows:
        told = ([each["answer"], f"{each['rows']:,}", f"{each['rows'] / rows:.1%}"] for each in facts["balance"])
        yield _table(["answer", "rows", "share"], told)


def _money(report: Mapping[str, Any]) -> Iterator[str]:
    money = report["money"]
    yield "## Money and time"
    rows = [
        ["charged", f"{money['charged']} of a cap of {money['cap']}"],
        ["of it assumed", money["assumed"]],
        ["per row", money["per_accepted"]],
        ["saved by the journal", money["saved_by_journal"]],
        ["requests", f"{money['requests']:,}"],
    ]
    yield _table(["simulated prices" if report["simulated"] else "", ""], rows)


def _stages(report: Mapping[str, Any]) -> Iterator[str]:
    """What each stage took and cost, and what held the requests up."""
    pace = report.get("pace")
    if lines := stage_lines(report["money"], pace):
        yield _table(["stage", "seconds", "calls", "charged", "of it assumed"], map(_stage, lines))
    if pace and (bound := pace["bound"]):
        most = ", ".join(f"{named(name)} {seconds:,.0f} s" for name, seconds in list(bound.items())[:3])
        yield f"What held the next request up: {as_text(most)}."


def _stage(line: StageLine) -> list[str]:
    within = f"within {line.within}" if line.within else ""
    took = within if line.seconds is None else f"{line.seconds:,.1f}"
    return [line.stage, took, "" if line.calls is None else f"{line.calls:,}", line.charged, line.assumed]


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {as_text(line)}" for line in lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [[_cell(cell) for cell in row] for row in rows]
    return "\n".join(
        f"| {' | '.join(line)} |" for line in [[_cell(cell) for cell in head], ["---"] * len(head), *lines]
    )


def _cell(text: str) -> str:
    return as_text(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")
