"""The documentation is held to the program: its code runs, its commands exist, its tables are whole."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from agents.annotating.annotation_report import InputFacts
from agents.cli import app
from agents.config import Configuration
from agents.config_file import read_config
from agents.records import RejectReason
from agents.reporting.data_facts import DataFacts
from agents.reporting.money import Money
from agents.reporting.report import Report
from agents.run_folder import RunFolder
from docs import sizing
from engine import errors
from engine.fakes.mishaps import MISHAPS

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
REFERENCE = ROOT / "docs" / "reference"
BENCHMARKS = ROOT / "benchmarks" / "README.md"
PAGES = sorted([README, BENCHMARKS, *(ROOT / "docs").rglob("*.md")])

ANYWHERE = {"--debug", "--log-file"}  # on the line of every command
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page that are in one of the languages."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [code for language, code in found if language in languages]


def first_cells(text: str) -> list[str]:
    """What stands in backticks in the first column of the tables."""
    cells = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def section(path: Path, heading: str) -> str:
    """The text below a heading of the second level."""
    _, _, rest = path.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    assert rest, f"{name_of(path)} has no section {heading!r}"
    return rest.partition("\n## ")[0]


def shell_lines() -> list[tuple[str, str]]:
    """Every line of a shell block that calls smelt, with the page it stands on."""
    lines = ((path, line) for path in PAGES for code in blocks(path, "bash") for line in code.splitlines())
    return [(name_of(path), line) for path, line in lines if re.match(r"smelt (?!--)", line)]


def options_of(command: str) -> set[str]:
    return {flag for parameter in COMMANDS[command].params for flag in parameter.opts if flag.startswith("--")}


PYTHON = [(path, code) for path in PAGES for code in blocks(path, "python")]


@pytest.mark.parametrize(("path", "code"), PYTHON, ids=[name_of(path) for path, _ in PYTHON])
@pytest.mark.long
def test_python_on_a_page_runs(path: Path, code: str, tmp_path: Path) -> None:
    """As a reader would run it: in a process of its own, without any key."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    command = [sys.executable, "-W", "error", "-c", code]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, f"{name_of(path)}: {done.stderr}"


@pytest.mark.parametrize(("page", "line"), shell_lines())
def test_commands_on_a_page_exist_with_their_options(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    command, arguments = words[1], [word for word in words[2:] if word != "&"]

    assert command in COMMANDS, page
    assert {word for word in arguments if word.startswith("--")} <= options_of(command) | ANYWHERE, page


def test_scripts_and_manifests_on_a_page_can_be_read() -> None:
    """What cannot be run here, such as a job for a queue, is read by those who would run it."""
    yaml = pytest.importorskip("yaml")
    whole = [path.read_text(encoding="utf-8") for path in PAGES]
    jobs = [
        script
        for text in whole
        for script in re.findall(r"^```\n(#!/bin/bash\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]
    typed = [code for path in PAGES for code in blocks(path, "bash")]
    manifests = [code for path in PAGES for code in blocks(path, "yaml")]

    read = subprocess.run(["bash", "-n"], input="\n".join([*jobs, *typed]), capture_output=True, text=True)
    kinds = [document["kind"] for code in manifests for document in yaml.safe_load_all(code)]

    assert (read.returncode, read.stderr) == (0, "")
    assert jobs
    assert kinds


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_has_every_option_of_a_command_and_no_other(command: str) -> None:
    told = section(REFERENCE / "command-line.md", f"smelt {command}")

    named = {cell.split()[0] for cell in first_cells(told)}

    assert {name for name in named if name.startswith("--")} == options_of(command) - {"--help"}


def test_the_reference_has_every_command_and_no_other() -> None:
    told = re.findall(r"^## smelt (\S+)$", (REFERENCE / "command-line.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(told) == sorted(COMMANDS)


def test_the_reference_has_every_option_of_the_configuration_with_its_default() -> None:
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", text, re.MULTILINE))

    defaults = {field.name: field.default for field in dataclasses.fields(Configuration)}

    assert told == {name: "none" if value is None else json.dumps(value) for name, value in defaults.items()}


def test_what_the_code_says_of_options_and_providers_stands_on_the_pages() -> None:
    """`python docs/generate.py` writes it anew."""
    module = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert module is not None
    assert module.loader is not None
    generate = importlib.util.module_from_spec(module)
    module.loader.exec_module(generate)

    stale = [name_of(path) for path, text in generate.pages().items() if path.read_text(encoding="utf-8") != text]

    assert not stale, "run: python docs/generate.py"


def test_what_calls_come_to_is_worked_out_from_measured_costs() -> None:
    """Of each figure there is a row that says it; and the time is the longest that applies."""
    rows = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").splitlines()
    size = sizing.sized(10_000_000)

    for script, says in sizing.MEASURED.items():
        assert any(script in row and says in row for row in rows), script
    assert (size.usd, size.cpu_s, size.alone_s, size.ten_s) == pytest.approx((3250, 2080, 20_000, 2000))
    assert (size.disk_gb, size.at_10k_s, size.servers) == pytest.approx((14.72, 60_000, 5.79), rel=1e-2)
    assert [row.count("|") for row in sizing.table().splitlines()] == [10] * (2 + len(sizing.CALLS))


def test_the_configuration_on_the_page_can_be_read(tmp_path: Path) -> None:
    (example,) = blocks(REFERENCE / "configuration.md", "toml")
    path = tmp_path / "smelt.toml"
    path.write_text(example, encoding="utf-8")

    assert read_config(path)["examples"] == 3000


@pytest.mark.parametrize(
    ("heading", "record"),
    [
        pytest.param(None, Report, id="top"),
        ("data", DataFacts),
        ("money", Money),
        ("After smelt annotate", InputFacts),
    ],
)
def test_the_reference_has_every_field_of_the_report(heading: str | None, record: type) -> None:
    page = REFERENCE / "report-json.md"
    text = section(page, heading) if heading else page.read_text(encoding="utf-8").partition("\n## ")[0]

    told = set(first_cells(text)) - {"schema"}

    assert told == {field.name for field in dataclasses.fields(record)}


def test_the_reference_has_every_file_of_a_run() -> None:
    text = (REFERENCE / "run-folder.md").read_text(encoding="utf-8").partition("\n## ")[0]
    run = RunFolder(Path())

    files = [run.manifest, run.prompt, run.journal, run.spec, run.report_json, run.report_html]

    assert {str(file) for file in files} <= set(first_cells(text))
    assert {f"{run.data}/train.parquet", f"{run.data}/rejected.parquet", f"{run.student}/"} <= set(first_cells(text))


def test_the_reference_has_every_mishap_with_its_settings() -> None:
    page = (REFERENCE / "mishaps.md").read_text(encoding="utf-8")

    for name, mishap in MISHAPS.items():
        settings = mishap.settings_in_words
        assert f"| `{name}` | {f'`{settings}`' if settings else ''} | {mishap.about} |\n" in page
    assert first_cells(page) == list(MISHAPS)


def test_the_reference_has_every_reason_for_leaving_a_row_out() -> None:
    told = first_cells(section(REFERENCE / "run-folder.md", "Reasons for leaving out"))

    assert sorted(told) == sorted(get_args(RejectReason))


@pytest.mark.parametrize("page", [README, REFERENCE / "exit-codes.md"], ids=name_of)
def test_every_exit_code_is_told(page: Path) -> None:
    codes = {getattr(errors, name).exit_code for name in errors.__all__} | {0}
    text = page.read_text(encoding="utf-8")

    assert all(re.search(rf"(\| |· |: |^){code} (\||\w)", text, re.MULTILINE) for code in codes)


@pytest.mark.parametrize("package", ["engine", "agents"])
def test_the_layout_in_the_readme_is_that_of_the_tree(package: str) -> None:
    """A line for each file and folder directly below the package, and none for what is not there."""
    text = README.read_text(encoding="utf-8")
    _, _, below = text.partition(f"\n{package}/ ")
    told = re.findall(r"^  (\w+(?:\.py|/)) ", below.partition("\n\n")[0].partition("\n```")[0], re.MULTILINE)

    there = [path for path in (ROOT / package).iterdir() if not path.name.startswith("__")]

    assert sorted(told) == sorted(f"{path.name}/" if path.is_dir() else path.name for path in there)


def test_every_figure_in_the_readme_has_a_dated_row_in_the_benchmarks() -> None:
    rows = BENCHMARKS.read_text(encoding="utf-8")
    figures = [re.findall(r"\d+\.\d+", line) for line in section(README, "Figures").splitlines() if line[:1] == "|"]

    assert sum(map(len, figures)) >= 5
    assert not [
        figure for row in figures for figure in row if not re.search(rf"^\| \d{{4}}-.*\b{figure}\b", rows, re.MULTILINE)
    ]


def texts_in_the_source() -> set[str]:
    """Every text in our code, with … for what is filled in."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for name in ("engine", "agents")
             for path in (ROOT / name).rglob("*.py"))  # fmt: skip
    texts = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            texts.add("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
    return texts


@pytest.mark.long
def test_an_error_that_the_questions_quote_is_one_that_the_code_says() -> None:
    quoted = re.findall(r"^### `(.*)`$", (ROOT / "docs" / "faq.md").read_text(encoding="utf-8"), re.MULTILINE)
    said = texts_in_the_source()

    def is_said(error: str) -> bool:
        parts = error.strip("…").split("…")
        assert max(map(len, parts)) >= 12, f"too little of {error!r} is quoted to be looked for"
        pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
        return any(map(pattern.search, said))

    assert len(quoted) >= 20
    assert not [error for error in quoted if not is_said(error)]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))

    assert not [link for link in links if not link.startswith("https://") and not (path.parent / link).exists()]


def test_every_law_names_the_tests_that_hold_it() -> None:
    """Whether they are there, the test of links sees."""
    laws = re.split(r"^## ", (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]

    assert len(laws) == 9
    assert not [law.splitlines()[0] for law in laws if "\nHeld by: [" not in law]


def test_the_picture_asks_nobody_for_anything() -> None:
    """No font and no image from elsewhere, no script."""
    picture = (ROOT / "docs" / "images" / "live-view.svg").read_text(encoding="utf-8")

    assert set(re.findall(r"https?://[^\"'\s)]+", picture)) == {"http://www.w3.org/2000/svg"}
    assert "<script" not in picture
    assert "simulated teacher" in picture.replace("&#160;", " ")


def test_the_readme_is_short_enough_to_be_read() -> None:
    shown = re.sub(r"<details>.*?</details>", "", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(shown.splitlines()) <= 160
