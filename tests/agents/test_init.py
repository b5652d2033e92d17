"""What `smelt init` writes: every option explained, nothing written over, and all of it runs as it is."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from agents.cli.beginning import BY_COMMANDS, EXAMPLES, SECTIONS, configuration_text, prompt_text
from agents.config import Configuration
from agents.config_file import read_config
from agents.parsing.parse import parse
from tests.agents.commands import in_this_process

pytestmark = pytest.mark.usefixtures("at_once")

TABLES = {"models", "stages", "dialects"}  # which stand at the end, as tables


def options_of(text: str) -> dict[str, str]:
    """The lines of options, by name, with what makes them a comment taken off."""
    return {name: f"{name} = {value}" for name, value in re.findall(r"^(?:# )?(\w+) = (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_configuration_has_every_option_and_can_be_read(example: str, tmp_path: Path) -> None:
    path = tmp_path / "smelt.toml"
    path.write_text(configuration_text(example), encoding="utf-8")

    assert max(map(len, configuration_text(example).splitlines())) < 80
    named = {name for names in SECTIONS.values() for name in names}

    assert read_config(path)["model"] == f"simulated/{EXAMPLES[example][0]}"
    assert named | TABLES | set(BY_COMMANDS) == {field.name for field in dataclasses.fields(Configuration)}
    assert named <= options_of(path.read_text(encoding="utf-8")).keys()


@pytest.mark.parametrize("name", [name for names in SECTIONS.values() for name in names])
def test_every_line_of_it_can_be_taken_in_as_it_stands(name: str, tmp_path: Path) -> None:
    path = tmp_path / "smelt.toml"
    path.write_text(options_of(configuration_text("dates"))[name], encoding="utf-8")

    assert name in read_config(path)


def test_its_tables_can_be_taken_in_too(tmp_path: Path) -> None:
    text = configuration_text("dates").partition("# -- Tables")[2]
    path = tmp_path / "smelt.toml"
    path.write_text(re.sub(r"^# (?=\[|\w+ = )", "", text.partition("\n")[2], flags=re.MULTILINE), encoding="utf-8")

    assert TABLES | {"budget"} <= read_config(path).keys()


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_prompt_is_understood_without_a_doubt(example: str) -> None:
    spec = parse(prompt_text(example))

    assert spec.demonstrations
    assert not spec.doubts


def test_what_is_there_is_kept_unless_it_is_to_be_written_over(tmp_path: Path) -> None:
    prompt = tmp_path / "task" / "prompt.md"
    prompt.parent.mkdir()
    prompt.write_text("mine", encoding="utf-8")

    refused = in_this_process("init", prompt.parent)
    kept, wrote_beside = prompt.read_text(encoding="utf-8"), (prompt.parent / "smelt.toml").exists()
    forced = in_this_process("init", prompt.parent, "--force", "--json")

    assert (refused.code, kept, wrote_beside) == (2, "mine", False)
    assert "--force" in refused.err
    assert forced.code == 0
    assert json.loads(forced.out)["prompt"] == str(prompt)
    assert prompt.read_text(encoding="utf-8") == prompt_text("dates")


def test_an_example_that_there_is_not_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    ran = in_this_process("init", tmp_path, "--example", "date")

    assert ran.code == 2
    assert "did you mean 'dates'?" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_what_it_writes_runs_as_it_is(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them down to the student; the others as far as their own prompt and their own teacher matter."""
    monkeypatch.chdir(tmp_path)
    begun = in_this_process("init", "--example", example)
    whole = example == "dates"

    ran = in_this_process(
        "run" if whole else "generate", "prompt.md", "--config", "smelt.toml",
        *(("--train-seconds", "2", "--examples", "60") if whole else ("--examples", "8")), "--json",
    )  # fmt: skip

    assert (begun.code, ran.code) == (0, 0), ran.err
    report = json.loads(ran.out.splitlines()[-1])
    assert report["simulated"]
    assert report["data"]["accepted"] == (60 if whole else 8)
