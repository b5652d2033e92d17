"""Looking on from elsewhere: what `smelt watch` and `smelt runs` say of a run, whatever became of it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.run_folder import RunFolder
from agents.run_state import headline, look_at
from engine import Budget, Capabilities, Engine, Price, Request, Usage
from engine.dashboard.storing import Process, Snapshot, save
from engine.messages import RawReply
from engine.providers import Reading
from tests.agents.commands import in_this_process
from tests.engine.pictures import HOSTILE, figures
from tests.engine.test_dashboard import busy_view

CONFIGURATION = Configuration(model="simulated/dates", budget="5", examples=10)
GONE = Process(2**22 + os.getpid(), Process.this().host, "")  # no machine has a process of that number
SCORE = {"metric": "exact_match", "low": 0.8, "high": 1}
REPORT = {
    "judgements": [
        {"on": name, "rows": 300, "student": {"scores": [{**SCORE, "value": value}]}}
        for name, value in (("synthetic", 0.99), ("test", 0.87))
    ]
}


class Dear:
    """A teacher whose every answer costs a dollar and a half."""

    name, endpoint, simulated = "test/dear", "nowhere", True
    price = Price(input=100_000, output=100_000)
    capabilities = Capabilities()

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002  # as providers are asked
        return RawReply(200, {}, b"an answer", 0.1)

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002  # as providers are asked
        return Reading((raw.body.decode(),), ("stop",), Usage(10, 5), "model-1")

    async def aclose(self) -> None:
        """Nothing is open."""


def begun(path: Path) -> RunFolder:
    """A run that nobody has carried yet."""
    folder = RunFolder(path)
    folder.begin(prompt="Say the date.", configuration=CONFIGURATION)
    return folder


def left(
    path: Path, *, process: Process = GONE, over: bool = False, at: float = 0.0, binding: str = "lack of work"
) -> RunFolder:
    """A run that a process has carried, and how it last stood; it was asked for 1,000 rows and has 20."""
    folder = begun(path)
    shown = figures(binding=binding)
    save(folder.live, Snapshot(view=busy_view(), figures=shown, at=at or time.time(), process=process, over=over))
    return folder


def finished(path: Path) -> RunFolder:
    folder = left(path, over=True)
    folder.report_json.write_text(json.dumps(REPORT), encoding="utf-8")
    return folder


async def ask_once(folder: RunFolder) -> None:
    async with Engine(Dear(), budget=Budget(usd=100), journal=folder.journal) as engine:
        await engine.ask(Request.user("when?", max_tokens=10, tag="generate"))


def last_word(path: Path) -> str:
    """What `smelt watch` says last, of a run that is over: it ends by itself."""
    ran = in_this_process("watch", path)
    assert ran.code == 0, ran.err
    assert "\x1b" not in ran.out
    return ran.out.splitlines()[-1]


def test_a_finished_run_is_said_to_be_finished_and_where_its_report_is(tmp_path: Path) -> None:
    run = tmp_path / "dates"
    finished(run)

    assert last_word(run) == f"{run}: finished: smelt report {run}"


def test_a_dead_run_is_said_to_be_dead_with_the_command_to_go_on(tmp_path: Path) -> None:
    run = tmp_path / "the dates"
    left(run)

    ran = in_this_process("watch", run)

    assert ran.out.splitlines() == [
        "generate: 200 of 1,000 rows, 4 rejected, $0.31 spent, $0.01 assumed of $1.00",
        f"{run}: dead: its process is gone; nothing that was paid for is lost; to go on: smelt resume '{run}'",
    ]


def test_the_money_of_a_dead_run_is_what_its_journal_says(tmp_path: Path) -> None:
    """Its own last word may be a second too old."""
    folder = left(tmp_path / "dates")
    asyncio.run(ask_once(folder))

    state = look_at(folder)

    assert state.standing == "dead"
    assert state.figures is not None
    assert state.figures.cost_usd == 1.5
    assert state.figures.cap == 5 * 10**12
    assert state.figures.in_flight == 0


def test_a_run_that_was_killed_once_its_report_was_written_has_come_to_its_end(tmp_path: Path) -> None:
    folder = left(tmp_path / "dates")
    folder.report_json.write_text(json.dumps(REPORT), encoding="utf-8")

    standing = look_at(folder).standing
    os.utime(folder.report_json, (1e9, 1e9))  # then it is of an earlier process

    assert (standing, look_at(folder).standing) == ("finished", "dead")


def test_a_run_that_stopped_in_order_is_not_called_dead(tmp_path: Path) -> None:
    folder = left(tmp_path / "dates", over=True)
    asyncio.run(ask_once(folder))

    assert last_word(folder.path).endswith(f"stopped before it was done; to go on: smelt resume {folder.path}")


def test_a_run_without_a_journal_has_only_begun(tmp_path: Path) -> None:
    run = tmp_path / "dates"
    begun(run)

    assert last_word(run) == f"{run}: begun, and nothing asked yet; to go on: smelt resume {run}"


def test_a_run_from_before_there_was_a_live_view_has_its_money_from_the_journal(tmp_path: Path) -> None:
    folder = begun(tmp_path / "dates")
    asyncio.run(ask_once(folder))

    ran = in_this_process("watch", folder.path)

    assert ran.out.splitlines()[0] == "0 rows accepted, $1.50 spent of $5.00"
    assert "stopped before it was done" in ran.out


@pytest.mark.parametrize(
    ("silent_s", "binding", "told"),
    [
        pytest.param(0, "lack of work", "running", id="running"),
        pytest.param(9, "lack of work", "running", id="a-little-silent"),
        pytest.param(47, "lack of work", "running, silent for 47 s", id="silent"),
        pytest.param(12, "pause", "paused, silent for 12 s", id="paused"),
    ],
)
def test_of_a_run_at_work_it_is_said_how_long_it_has_been_silent(
    silent_s: float, binding: str, told: str, tmp_path: Path
) -> None:
    folder = left(tmp_path / "dates", process=Process.this(), at=1000.0, binding=binding)

    state = look_at(folder, now=1000.0 + silent_s)

    assert state.told() == told
    assert not state.is_over
    assert state.view.elapsed_s == 10.0 + silent_s


def test_a_run_on_another_machine_is_given_up_after_half_a_minute_of_silence(tmp_path: Path) -> None:
    folder = left(tmp_path / "dates", process=replace(GONE, host="elsewhere.invalid"), at=1000.0)

    assert look_at(folder, now=1029.0).standing == "running"
    assert look_at(folder, now=1031.0).standing == "dead"


@pytest.mark.parametrize("content", [b"", b"{", b'{"view": 3}', b"\x80"])
def test_what_is_torn_is_as_good_as_no_word(content: bytes, tmp_path: Path) -> None:
    folder = finished(tmp_path / "dates")
    folder.live.write_bytes(content)

    assert look_at(folder).standing == "finished"


def test_a_damaged_journal_hides_no_run(tmp_path: Path) -> None:
    folder = left(tmp_path / "dates")
    folder.journal.write_bytes(b"no database at all")

    state = look_at(folder)

    assert state.standing == "dead"
    assert state.figures is not None
    assert state.figures.cost_usd == pytest.approx(0.32)


def test_a_picture_is_painted_on_a_terminal_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    monkeypatch.delenv("NO_COLOR", raising=False)
    finished(tmp_path / "dates")

    ran = in_this_process("watch", tmp_path / "dates")

    assert "simulated teacher" in ran.out
    assert "on May 5th 19" in ran.out
    assert "finished" in ran.out.split("simulated/dates")[1].splitlines()[0]  # in the frame itself
    assert ran.out.rstrip().endswith(f"smelt report {tmp_path / 'dates'}")


@pytest.mark.parametrize("plain", [("--plain",), ()])
def test_where_lines_are_wanted_no_terminal_gets_a_picture(
    plain: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    if not plain:
        monkeypatch.setenv("SMELT_PLAIN", "1")
    left(tmp_path / "dates")

    ran = in_this_process("watch", tmp_path / "dates", *plain)

    assert len(ran.out.splitlines()) == 2
    assert "\x1b" not in ran.out


def test_for_a_program_there_is_one_object_and_nobody_waits(tmp_path: Path) -> None:
    run = tmp_path / "dates"
    left(run, process=Process.this())

    ran = in_this_process("watch", run, "--json")

    assert ran.out.count("\n") == 1
    assert json.loads(ran.out) == {
        "run": str(run), "state": "running", "told": "running", "rows": "20 of 1,000", "accepted": 20, "wanted": 1000,
        "spent": "$0.32 of $1.00", "spent_usd": 0.32, "teacher": "simulated/dates", "stage": "generate",
    }  # fmt: skip


def test_watching_what_is_no_run_is_said_in_a_line(tmp_path: Path) -> None:
    ran = in_this_process("watch", tmp_path)

    assert ran.code == 2
    assert ran.err == f"smelt: {tmp_path}: holds no run (no run.toml in it)\n"


def test_runs_are_listed_with_state_spend_and_score_the_latest_last(tmp_path: Path) -> None:
    for number, made in enumerate((finished, left, begun)):
        folder = made(tmp_path / f"{made.__name__}-run")
        os.utime(folder.prompt, (number, number))

    table = in_this_process("runs", tmp_path).out
    listed = json.loads(in_this_process("runs", tmp_path, "--json").out)["runs"]

    assert [(Path(each["run"]).name, each["state"]) for each in listed] == [
        ("finished-run", "finished"), ("left-run", "dead"), ("begun-run", "begun"),
    ]  # fmt: skip
    assert listed[0]["score"] == "0.87 exact_match (0.80 to 1.00), 300 real rows"
    assert listed[0]["spent_usd"] == 0.32
    assert listed[2]["spent_usd"] is None
    for word in ("finished-run", "dead", "$0.32 of $1.00", "20 of 1,000", "0.87 exact_match", "begun"):
        assert word in table


def test_a_broken_run_takes_no_other_from_the_list(tmp_path: Path) -> None:
    """Whatever is broken in it: it is listed as far as it can be read."""
    for name in ("a-torn", "b-promptless", "c-other-report"):
        finished(tmp_path / name)
    (tmp_path / "a-torn" / "run.toml").write_bytes(b"= = \x80")
    (tmp_path / "b-promptless" / "prompt.md").unlink()
    (tmp_path / "c-other-report" / "report.json").write_bytes(b'{"judgements": [{"on": "elsewhere"}]}')
    (tmp_path / "thesis").mkdir()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")

    ran = in_this_process("runs", tmp_path, "--json")
    listed = {Path(each["run"]).name: each for each in json.loads(ran.out)["runs"]}

    assert ran.code == 0
    assert sorted(listed) == ["a-torn", "b-promptless", "c-other-report"]
    assert listed["a-torn"]["state"].startswith("unreadable: ")
    assert listed["b-promptless"]["state"] == "finished"
    assert listed["c-other-report"]["score"] == ""
    assert "unreadable" in in_this_process("runs", tmp_path).out


def test_a_run_alone_is_listed_and_where_there_are_none_the_list_is_empty(tmp_path: Path) -> None:
    begun(tmp_path / "dates")

    [alone] = json.loads(in_this_process("runs", tmp_path / "dates", "--json").out)["runs"]

    assert alone["run"] == str(tmp_path / "dates")
    assert json.loads(in_this_process("runs", tmp_path / "nowhere", "--json").out) == {"runs": []}
    assert in_this_process("runs", tmp_path / "nowhere").code == 0


def test_what_runs_say_cannot_steer_the_terminal_of_whoever_lists_them(tmp_path: Path) -> None:
    folder = begun(tmp_path / "dates")
    save(
        folder.live,
        Snapshot(view=busy_view(HOSTILE), figures=None, at=time.time(), process=GONE),
    )
    report = json.dumps(REPORT).replace("exact_match", "\\u001b[2J[/x]")
    folder.report_json.write_text(report, encoding="utf-8")

    shown = in_this_process("runs", tmp_path).out + in_this_process("watch", folder.path).out

    assert "\x1b" not in shown
    assert "[2J[/x]" in shown
    assert "\x1b" in headline(folder)
