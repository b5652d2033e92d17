"""What else hears of a command: the log file wherever it is named, an endpoint only if there is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.cli.listening import without_log_file
from agents.listeners import announced, heard_by
from engine.events import Event, Noted
from tests.agents.commands import in_this_process

pytestmark = pytest.mark.usefixtures("at_once")

ROOT = Path(__file__).parents[2]
DATES = ROOT / "agents" / "demo" / "dates" / "prompt.md"


@pytest.mark.parametrize(
    ("given", "words", "file"),
    [
        (["run", "a.md"], ["run", "a.md"], None),
        (["--log-file", "x", "run", "a.md"], ["run", "a.md"], "x"),
        (["run", "a.md", "--log-file=x"], ["run", "a.md"], "x"),
        (["run", "--log-file", "x", "a.md", "--quiet"], ["run", "a.md", "--quiet"], "x"),
        (["run", "--log-file"], ["run", "--log-file"], None),
        (["parse", "--", "--log-file", "x"], ["parse", "--", "--log-file", "x"], None),
        (["run", "--log-file", "x", "--log-file", "y"], ["run"], "y"),
    ],
)
def test_the_option_may_stand_anywhere(given: list[str], words: list[str], file: str | None) -> None:
    assert without_log_file(given) == (words, file)


def test_whoever_was_named_hears_of_everything_within_the_block() -> None:
    heard: list[Event] = []

    with heard_by(lambda: heard.append):
        within = announced()
    outside = announced()
    within.emit(Noted("one"))
    outside.emit(Noted("two"))

    assert heard == [Noted("one")]


def test_nobody_is_made_before_there_is_something_to_hear() -> None:
    made: list[str] = []

    def listener() -> None:
        made.append("now")

    with heard_by(listener):
        assert not made
        announced()

    assert made == ["now"]


def told(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_command_that_fails_says_so_in_the_log(tmp_path: Path) -> None:
    ran = in_this_process("parse", "missing.md", "--log-file", tmp_path / "log.jsonl")

    began, failed = told(tmp_path / "log.jsonl")

    assert ran.code == 2
    assert (began["event"], began["command"]) == ("CommandStarted", "parse")
    assert (failed["event"], failed["level"], failed["exit_code"]) == ("CommandFailed", "error", 2)
    assert str(failed["message"]).startswith("missing.md: there is no such file")


def test_a_log_that_cannot_be_written_is_said_before_anything_is_done(tmp_path: Path) -> None:
    ran = in_this_process("parse", DATES, "--log-file", tmp_path)

    assert (ran.code, ran.out) == (2, "")
    assert "no log can be written there" in ran.err


def test_an_endpoint_without_the_packages_is_noted_and_no_reason_to_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from agents.cli.listening import listening

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)

    with listening(None, command="run"):
        announced()
        announced()

    assert capsys.readouterr().err.count("pip install 'smelt[otel]'") == 1


@pytest.mark.long
def test_a_run_is_in_the_log_from_its_first_request_to_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "simulated/dates")  # whatever a key is, it is not in there
    ran = in_this_process(
        "generate", DATES, "--model", "simulated/dates", "--examples", "8", "--out", tmp_path / "run", "--quiet",
        "--log-file", tmp_path / "log.jsonl",
    )  # fmt: skip

    lines = told(tmp_path / "log.jsonl")
    events = [line["event"] for line in lines if "event" in line]

    assert ran.code == 0
    assert {"CommandStarted", "StageStarted", "RequestSent", "ReplyReceived", "RowAccepted", "CommandEnded"} <= {
        *events
    }
    assert {line.get("model") for line in lines} == {None, "[secret]"}


@pytest.mark.long
def test_no_library_counts_whoever_uses_us() -> None:
    """In a process of its own, since a library reads its variables once."""
    import os
    import subprocess
    import sys

    probe = (
        "from agents.cli import main\n"
        "try: main(['--version'])\nexcept SystemExit: pass\n"
        "from huggingface_hub import constants\n"
        "from gradio import analytics\n"
        "print(constants.HF_HUB_DISABLE_TELEMETRY, analytics.analytics_enabled())"
    )
    unset = ("HF_HUB_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED", "DO_NOT_TRACK")
    environment = {name: value for name, value in os.environ.items() if name not in unset}

    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "True False"
