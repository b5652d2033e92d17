"""A log that a program can read: every event a line, no secret in it, and no harm done where it cannot be written."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from engine import events
from engine.errors import UserError
from engine.events import (
    AttemptFailed,
    Event,
    Measured,
    Noted,
    ReplyReceived,
    RequestFinished,
    RequestSent,
    RowAccepted,
    RowRejected,
    SimulationMet,
    StageFinished,
    StageProgressed,
    StageStarted,
    Weighed,
)
from engine.log_file import LogFile, secrets_in

EVERYTHING: list[tuple[Event, str]] = [
    (StageStarted("generate", 10, "rows"), "info"),
    (RequestSent("annotate"), "debug"),
    (ReplyReceived("annotate", 10**9, 7, 3, 0.25, False, "openai/m"), "debug"),
    (AttemptFailed("annotate", "rate", 1.0, 0.1, "openai/m"), "warning"),
    (RequestFinished("annotate", None), "debug"),
    (RequestFinished("annotate", "ContextOverflow"), "warning"),
    (StageProgressed("generate", 3, facts=(("temperature", "0.8"),)), "debug"),
    (Measured("train", "loss", 0.5), "debug"),
    (Weighed("generate", "labels", (("late", 3, 0.5),)), "debug"),
    (RowAccepted("what was asked", "what was answered"), "debug"),
    (RowRejected("format"), "debug"),
    (SimulationMet(), "info"),
    (StageFinished("generate", "done"), "info"),
    (Noted("a choice was made"), "info"),
]


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_kind_of_event_is_a_line_with_its_level(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log.jsonl")
    for event, _ in EVERYTHING:
        log(event)
    log.close()

    told = lines(tmp_path / "log.jsonl")

    assert {type(event).__name__ for event, _ in EVERYTHING} == set(events.__all__) - {"Event", "Events", "Listener"}
    assert [(line["event"], line["level"]) for line in told] == [
        (type(event).__name__, level) for event, level in EVERYTHING
    ]
    assert (told[2]["cost_usd"], told[2]["model"]) == (0.001, "openai/m")
    assert all(str(line["at"]).endswith("Z") for line in told)


def test_the_texts_of_rows_stay_out_of_it(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log.jsonl")
    log(RowAccepted("the patient's name", "flu"))
    log.close()

    assert "patient" not in (tmp_path / "log.jsonl").read_text(encoding="utf-8")


def test_a_secret_never_stands_in_it(tmp_path: Path) -> None:
    """Not even one with signs that JSON escapes, and not in what a library says."""
    key = 'sk-"quoted"\\and-long'
    log = LogFile(tmp_path / "log.jsonl", secrets=secrets_in({"OPENAI_API_KEY": key, "HF_TOKEN": "hf_0123456789"}))
    log(Noted(f"the key is {key}"))
    log.handle(logging.LogRecord("lib", logging.WARNING, "f", 1, "token %s", ("hf_0123456789",), None))
    log.close()

    text = (tmp_path / "log.jsonl").read_text(encoding="utf-8")

    assert "quoted" not in text
    assert "hf_0" not in text
    assert text.count("[secret]") == 2


def test_only_names_that_say_so_are_secrets() -> None:
    environment = {
        "OPENAI_API_KEY": "0123456789",
        "MY_TOKEN": "short",
        "PATH": "/usr/bin:/bin",
        "KEYBOARD": "0123456789",
    }

    assert secrets_in(environment) == ["0123456789"]


def test_what_libraries_log_is_there_with_its_traceback(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log.jsonl")
    logger = logging.getLogger("tests.some.library")
    logger.addHandler(log)
    try:
        raise ValueError("\x1b[31mred\x1b[0m")
    except ValueError:
        logger.exception("it broke")
    logger.removeHandler(log)
    log.close()

    (told,) = lines(tmp_path / "log.jsonl")

    assert (told["level"], told["logger"], told["message"]) == ("error", "tests.some.library", "it broke")
    assert str(told["traceback"]).count("ValueError: [31mred[0m") == 1
    assert "\x1b" not in str(told)


def test_a_log_is_gone_on_with_and_put_aside_when_it_is_large(tmp_path: Path) -> None:
    for _ in range(2):
        log = LogFile(tmp_path / "log.jsonl")
        log(Noted("again"))
        log.close()
    log = LogFile(tmp_path / "log.jsonl")
    log.maxBytes = 100
    log(Noted("the next"))
    log.close()

    assert [line["text"] for line in lines(tmp_path / "log.jsonl.1")] == ["again", "again"]
    assert [line["text"] for line in lines(tmp_path / "log.jsonl")] == ["the next"]


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no log can be written there: Is a directory"):
        LogFile(tmp_path)


def test_a_disk_that_is_full_ends_the_log_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no disk that is always full")
    log = LogFile(full)

    log(Noted("not written"))
    log(Noted("not tried again"))
    log.close()

    assert capsys.readouterr().err.count("the log ends here: [Errno 28] No space left on device") == 1
