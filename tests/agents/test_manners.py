"""What the command line does for whoever is at the keyboard: examples, the word that was meant, the Tab key."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from agents.checks import one_of
from agents.cli import app
from agents.cli.commands import COMMANDS as LISTED
from agents.cli.completion import OFFERED
from engine.errors import UnknownPrice, UserError
from engine.prices import lookup
from tests.agents.commands import in_this_process

ROOT = Path(__file__).parents[2]
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group


def examples_of(command: str) -> list[str]:
    """What may be copied of a command's help: lines, or what follows `Example:`, with ` · ` in between."""
    found = re.findall(r"(?:^|\| |Examples?: |· )\s*(smelt [^|>·\n]+)", COMMANDS[command].epilog or "", re.MULTILINE)
    return [line.partition(", ")[0].strip() for line in found]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command: str) -> None:
    ran = in_this_process(command, "--help")

    assert (ran.code, ran.err) == (0, "")
    assert f"Usage: smelt {command}" in ran.out
    assert any(line.startswith(f"smelt {command}") for line in examples_of(command))
    assert all(line in " ".join(ran.out.split()) for line in map(str, examples_of(command)))


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_list_of_commands_says_of_one_is_its_own_first_sentence(command: str) -> None:
    place, said = LISTED[command]

    assert said == COMMANDS[command].get_short_help_str(200)
    assert COMMANDS[command].callback.__module__ == f"agents.cli.{place}"


def test_the_list_of_commands_reads_none_of_their_files_and_a_command_its_own() -> None:
    probe = "import sys\nfrom agents.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: print(*sys.modules)"
    files = {f"agents.cli.{place}" for place, _ in LISTED.values()}

    def read_by(*words: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", probe, *words], capture_output=True, text=True, cwd=ROOT, check=True
        )
        return set(done.stdout.split()) & files

    assert read_by("--help") == set()
    assert read_by("parse", "--help") == {"agents.cli.parsing"}


@pytest.mark.parametrize("line", [line for name in COMMANDS for line in examples_of(name)])
def test_an_example_can_be_typed_as_it_stands(line: str) -> None:
    """It is read by the very parser that would read it, and not carried out."""
    _, named, *words = shlex.split(line)

    context = COMMANDS[named].make_context(named, words)

    assert context.params
    assert not context.args


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("rnu prompt.md", "'run'"),
        ("--vresion", "'--version'"),
        ("run prompt.md --modle openai/x", "'--model'"),
        ("doctor --hlp", "'--help'"),
        ("fake-provider --world daets", "'dates'"),
        ("curate rows.jsonl --distinct questoin", "'question'"),
        ("curate rows.jsonl --code pyhton", "'python'"),
    ],
)
def test_a_slip_of_the_finger_is_answered_with_what_was_meant(typed: str, meant: str) -> None:
    ran = in_this_process(*typed.split())

    assert ran.code == 2
    assert re.search(rf"did you mean {meant}\?", ran.err, re.IGNORECASE)
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("parse prmopt.md", "prompt.md"), ("resume runs/daets", "runs/dates"), ("report runs/date", "runs/dates")],
)
def test_a_path_that_is_not_there_is_answered_with_one_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, meant: str
) -> None:
    (tmp_path / "runs" / "dates").mkdir(parents=True)
    (tmp_path / "prompt.md").write_text("Say hello to whoever is named.")
    monkeypatch.chdir(tmp_path)

    assert f"did you mean '{meant}'?" in in_this_process(*typed.split()).err


def test_an_option_unlike_any_other_is_answered_without_a_guess() -> None:
    assert in_this_process("run", "--zzzzz").err == "smelt: No such option: --zzzzz (see smelt run --help)\n"


def test_a_model_that_has_no_price_is_answered_with_one_that_has() -> None:
    with pytest.raises(UnknownPrice, match=r"'openai/gpt-5\.4-mni'; did you mean 'gpt-5\.4-mini'\?"):
        lookup("openai/gpt-5.4-mni")


def test_a_value_that_is_near_to_none_is_answered_with_all_there_are() -> None:
    with pytest.raises(UserError, match=r"--format: unknown value 'zzz'; one of: csv, jsonl"):
        one_of("format", "zzz", ("csv", "jsonl"))


def test_whatever_offers_words_is_an_option_that_there_is() -> None:
    known = {name for command in COMMANDS.values() for option in command.params for name in option.opts}

    assert {key.rpartition(" ")[2] for key in OFFERED} <= known


def test_no_shell_is_said_in_a_line_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import shellingham

    def undetected() -> tuple[str, str]:
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", undetected)
    monkeypatch.setenv("SHELL", "/bin/tcsh")

    ran = in_this_process("--show-completion")

    assert (ran.code, ran.out) == (2, "")
    assert "none of bash, zsh, fish (it is tcsh)" in ran.err
    assert ran.err.endswith("name one of them: SHELL=bash smelt --show-completion\n")


# -- the Tab key, in the shells themselves


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the command `smelt` on the path, and completion installed for every shell."""
    command = tmp_path / "bin" / "smelt"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agents "$@"\n')
    command.chmod(0o755)
    return tmp_path


def environment(home: Path, shell: str) -> dict[str, str]:
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT), "SHELL": f"/bin/{shell}"}


def said_by(home: Path, shell: str, script: str) -> str:
    """What a shell prints that was just started."""
    if (program := shutil.which(shell)) is None:
        pytest.skip(f"there is no {shell} on this machine")
    done = subprocess.run(
        [program, "-c", script], cwd=home, env=environment(home, shell), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_bash_completes_commands_options_and_values(home: Path) -> None:
    """As Tab would have it done: by the function that bash was told to ask, with the words typed so far."""
    (home / "prompt.md").write_text("a prompt")
    press = """
        smelt --install-completion >&2 && . ~/.bashrc
        tab() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            $(complete -p smelt | sed 's/.*-F \\([^ ]*\\) .*/\\1/') smelt
            echo "${COMPREPLY[*]}"
        }
        tab smelt ann; tab smelt run x --dev; tab smelt run x --model simulated/d; tab smelt run prom
    """

    commands, options, worlds, paths = said_by(home, "bash", press).split("\n")[:4]

    assert (commands, options, worlds) == ("annotate", "--device", "simulated/dates")
    assert not paths, "a path is bash's own to complete"


@pytest.mark.long
def test_fish_completes_with_what_was_installed(home: Path) -> None:
    said = said_by(home, "fish", 'smelt --install-completion >&2; complete -C "smelt fake-provider --world da"')

    assert said.split() == ["dates"]


@pytest.mark.long
def test_zsh_completes_at_the_first_tab_in_a_new_terminal(home: Path) -> None:
    press = r"""
        smelt --install-completion >&2
        zmodload zsh/zpty
        zpty terminal zsh -i
        zpty -w terminal 'print ready-$((1 + 1))' && zpty -r terminal seen '*ready-2*'
        zpty -w -n terminal $'smelt fake-pr\t' && zpty -r terminal seen '*smelt fake-provider*'
        print -r -- $seen
    """

    assert "smelt fake-provider" in said_by(home, "zsh", press)
