"""The command line as a user meets it: what is wrong is said in one line, and nothing is written before that."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.reporting.report import Report
from agents.run_folder import RunFolder
from engine.fakes.mishaps import MISHAPS
from tests.agents.commands import Smelt, in_a_forked_process, in_its_own_process, in_this_process

ROOT = Path(__file__).parents[2]
DATES = ROOT / "agents" / "demo" / "dates" / "prompt.md"
INTENTS = ROOT / "agents" / "demo" / "intents" / "prompt.md"
ROWS = INTENTS.with_name("test.jsonl")
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
COMMANDS = (
    "run", "resume", "generate", "annotate", "parse", "models", "datasets", "train", "evaluate", "serve", "chat",
    "report", "compare", "doctor", "fake-provider", "export",
)  # fmt: skip


both_ways = pytest.mark.parametrize(
    "smelt",
    [
        pytest.param(in_this_process, id="here"),
        pytest.param(in_a_forked_process, id="alone", marks=pytest.mark.slow),
    ],
)


@pytest.fixture(scope="module")
def everything_wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything in it that can be wrong."""
    folder = tmp_path_factory.mktemp("wrong")
    files = {
        "empty.md": b"",
        "blank.md": b" \n\t\n",
        "binary.md": b"\x00\x01\x02 no text",
        "latin.md": "Gib die Stadt an, in der es spielt: München".encode("latin-1"),
        "examples.md": b"Input: a\nOutput: b\n\nInput: c\nOutput: d\n",
        "marks.md": b"?! ... 123\n",
        "good.md": b"Say whether the review is good or bad.\n\nInput: I love it\nOutput: good\n",
        "typo.toml": b"exmaples = 3\n",
        "kind.toml": b'examples = "many"\n',
        "torn.toml": b"examples = = 3\n",
        "torn.jsonl": b'{"input": "a", "output": "b"}\n{"input": "a"\n',
        "same.jsonl": b"".join(b'{"input": "%d", "output": "b"}\n' % number for number in range(30)),
        "columns.jsonl": b'{"question": "a"}\n',
        "header.csv": b"input,output\n",
        "rows.xlsx": b"PK",
        "rows.parquet": b"no parquet",
        "file": b"in the way",
        "thesis/chapter.txt": b"mine",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    other = Configuration(model="simulated/intents", budget="5", examples=7)
    for name in ("other-run", "torn-run", "part-report", "odd-report"):
        RunFolder(folder / name).begin(prompt="Route messages.", configuration=other)
    (folder / "torn-run" / "prompt.md").write_bytes(b"\x80\xff\x00")
    (folder / "part-report" / "report.json").write_text('{"schema": 5}')
    odd = dict.fromkeys((field.name for field in dataclasses.fields(Report)), 3)
    (folder / "odd-report" / "report.json").write_text(json.dumps({"schema": 5, **odd}))
    return folder


@pytest.fixture
def place(everything_wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to stand in; no key in the environment."""
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(shutil.copytree(everything_wrong, tmp_path, dirs_exist_ok=True))
    return tmp_path


def listing(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


SIMULATED = ("run", DATES, "--model", "simulated/dates")
PAID = ("run", DATES, "--model", "openai/gpt-5.4-mini")
ELSEWHERE = ("--base-url", "http://127.0.0.1:9/v1", "--price-in", "0.25", "--price-out", "2")
BAD = [
    # id, words, what the line must say
    ("no such file", ("run", "missing.md", "--model", "simulated/dates"), "missing.md: there is no such file"),
    ("a folder", ("run", "thesis", "--model", "simulated/dates"), "this is a folder"),
    ("empty prompt", ("run", "empty.md", "--model", "simulated/dates"), "empty.md: the prompt is empty"),
    ("blank prompt", ("generate", "blank.md", "--model", "simulated/dates"), "blank.md: the prompt is empty"),
    ("binary prompt", ("run", "binary.md", "--model", "simulated/dates"), "binary.md: the prompt is binary"),
    ("not UTF-8", ("run", "latin.md", "--model", "simulated/dates"), "save the prompt as UTF-8"),
    ("examples alone", ("run", "examples.md", "--model", "simulated/dates"), "holds only examples"),
    ("no words", ("run", "marks.md", "--model", "simulated/dates"), "holds no instruction"),
    ("parse: no file", ("parse", "missing.md"), "missing.md: there is no such file"),
    ("models: empty", ("models", "empty.md"), "empty.md: the prompt is empty"),
    ("datasets: binary", ("datasets", "binary.md"), "binary.md: the prompt is binary"),
    ("no teacher", ("run", DATES), "no teacher: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or name one with --model"),
    ("unknown provider", ("run", DATES, "--model", "opnai/gpt-5.4-mini"), "did you mean 'openai'?"),
    ("unknown world", ("run", DATES, "--model", "simulated/date"), "did you mean 'dates'?"),
    ("no provider", ("run", DATES, "--model", "gpt-5.4-mini"), "write it as provider/name"),
    ("no key", (*PAID, "--budget", "3"), "set OPENAI_API_KEY"),
    ("no price", ("run", DATES, "--model", "openai/nonesuch", "--base-url", "http://127.0.0.1:9/v1", "--budget", "3"),
     "no price is known for 'openai/nonesuch'"),
    ("half a price", (*SIMULATED, "--price-in", "1"), "--price-in and --price-out belong together"),
    ("no budget", (*PAID, *ELSEWHERE), "say how much may be spent at most, with --budget"),
    ("budget of nothing", (*SIMULATED, "--budget", "0"), "--budget must be above 0 USD (got 0)"),
    ("budget below nothing", (*SIMULATED, "--budget", "-2"), "--budget must be above 0 USD (got -2)"),
    ("budget that is no number", (*SIMULATED, "--budget", "nan"), "--budget must be above 0 USD (got nan)"),
    ("budget without end", (*SIMULATED, "--budget", "inf"), "--budget must be above 0 USD (got inf)"),
    ("budget in words", (*SIMULATED, "--budget", "five"), "--budget must be a number of USD (got 'five')"),
    ("budget beyond the journal", (*SIMULATED, "--budget", "2000000"), "at most 1000000 USD"),
    ("budget below what counts", (*SIMULATED, "--budget", "1e-13"), "the budget must be above 0"),
    ("budget beyond all numbers", (*SIMULATED, "--budget", "1e400"), "the budget must lie between 0 and"),
    ("price beyond all prices", (*SIMULATED, "--price-in", "1e13", "--price-out", "1"), "the price of input must lie"),
    ("base URL of a world", (*SIMULATED, "--base-url", "http://127.0.0.1:9"), "leave out the base URL"),
    ("base URL without scheme", (*PAID, "--base-url", "somewhere"), "write it as https://host/v1"),
    ("base URL of dots", (*PAID, "--base-url", "https://..."), "the base URL cannot be read"),
    ("base URL with port 0", (*PAID, "--base-url", "http://127.0.0.1:0/v1"), "the base URL names no host and port"),
    ("base URL with a backslash", (*PAID, "--base-url", "https://a\\b/v1"), "the base URL names no host and port"),
    ("base URL with a password", (*PAID, "--base-url", "https://me:secret@host/v1"), "leave out the user and password"),
    ("option with a typo", (*SIMULATED, "--config", "typo.toml"), "typo.toml: unknown option 'exmaples'; did you mean"),
    ("option of another kind", (*SIMULATED, "--config", "kind.toml"), "kind.toml: option 'examples' must be a whole"),
    ("torn configuration", (*SIMULATED, "--config", "torn.toml"), "torn.toml: is not valid TOML"),
    ("no configuration", (*SIMULATED, "--config", "none.toml"), "none.toml: cannot be read"),
    ("no examples", (*SIMULATED, "--examples", "0"), "--examples must be a whole number from 1 to 10,000,000 (got 0)"),
    ("a slip of the finger", (*SIMULATED, "--votes", "3333"), "--votes must be a whole number from 1 to 99"),
    ("examples in words", (*SIMULATED, "--examples", "many"), "--examples"),
    ("a seed below all", (*SIMULATED, "--seed", "-1"), "--seed must be a whole number from 0 to 4,294,967,295"),
    ("a seed beyond all", (*SIMULATED, "--seed", "4294967296"), "--seed must be a whole number from 0"),
    ("train: no setting to try", ("train", ROWS, "--tune", "0", "--out", "x"), "--tune must be a whole number from 2"),
    ("train: a seed beyond all", ("train", ROWS, "--seed", "4294967296", "--out", "x"), "--seed"),
    ("evaluate: a seed below all", ("evaluate", "thesis", ROWS, "--seed", "-1"), "--seed"),
    ("fake-provider: a seed below all", ("fake-provider", "--seed", "-1"), "--seed"),
    ("unknown schedule", (*SIMULATED, "--annealing", "lineal"), "did you mean 'linear'?"),
    ("unknown flag", (*SIMULATED, "--exmaples", "3"), "--examples"),
    ("unknown command", ("rnu", DATES), "Did you mean 'run'?"),
    ("no prompt", ("run",), "Missing argument 'PROMPT'"),
    ("unknown student", (*SIMULATED, "--student", "linaer"), "did you mean 'linear'?"),
    ("linear for text", (*SIMULATED, "--student", "linear"), "can only choose among labels"),
    ("no test file", (*SIMULATED, "--test", "none.jsonl"), "none.jsonl: cannot be read"),
    ("test file of no text's name", (*SIMULATED, "--test", "rows\udcff.jsonl"), "--test is not UTF-8 text"),
    ("folder of no text's name", (*SIMULATED, "--out", "run\udcff"), "the folder of the run is not UTF-8 text"),
    ("resume: a damaged prompt", ("resume", "torn-run"), "prompt.md: is damaged"),
    ("report: a part of one", ("report", "part-report"), "report.json: is damaged (no 'advice')"),
    ("report: of other values", ("report", "odd-report"), "report.json: is damaged"),
    ("torn test file", (*SIMULATED, "--test", "torn.jsonl"), "torn.jsonl, line 2: is not valid JSON"),
    ("test file without columns", (*SIMULATED, "--test", "columns.jsonl"), "its columns are 'question'"),
    ("test file without rows", (*SIMULATED, "--test", "header.csv"), "header.csv: holds no rows"),
    ("test file of another kind", (*SIMULATED, "--test", "rows.xlsx"), "save it as one of them"),
    ("test file that lies", (*SIMULATED, "--test", "rows.parquet"), "rows.parquet: is not a parquet file"),
    ("another run", (*SIMULATED, "--out", "other-run"), "other-run: holds another run"),
    ("somebody's folder", (*SIMULATED, "--out", "thesis"), "thesis: is not empty and holds no run"),
    ("a file for a folder", (*SIMULATED, "--out", "file"), "file: is not empty and holds no run"),
    ("a file in the way", (*SIMULATED, "--out", "file/run"), "file/run: cannot be written"),
    ("resume: no run", ("resume", "thesis"), "thesis: holds no run"),
    ("resume: nothing", ("resume", "nowhere"), "nowhere: holds no run"),
    ("resume: no budget", ("resume", "other-run", "--budget", "0"), "--budget must be above 0 USD (got 0)"),
    ("report: no run", ("report", "thesis"), "thesis: holds no run"),
    ("report: none yet", ("report", "other-run"), "has no report yet; bring the run to its end: smelt resume"),
    ("serve: no student", ("serve", "thesis"), "thesis is no student"),
    ("serve: none yet", ("serve", "other-run"), "other-run: this run has no student"),
    ("chat: no student", ("chat", "nowhere"), "nowhere is no student"),
    ("evaluate: no student", ("evaluate", "thesis", "good.jsonl"), "good.jsonl"),
    ("evaluate: torn rows", ("evaluate", "thesis", "torn.jsonl"), "torn.jsonl, line 2"),
    ("evaluate: other columns", ("evaluate", "thesis", "columns.jsonl"), "its columns are 'question'"),
    ("evaluate: no rows", ("evaluate", "thesis", "header.csv"), "header.csv: holds no rows"),
    ("train: no rows", ("train", "none.jsonl"), "none.jsonl: cannot be read"),
    ("train: torn rows", ("train", "torn.jsonl"), "torn.jsonl, line 2"),
    ("train: unknown student", ("train", ROWS, "--student", "linaer", "--out", "x"), "did you mean 'linear'?"),
    ("train: a file in the way", ("train", ROWS, "--student", "linear", "--out", "file/x"), "cannot be written"),
    ("train: a run's student", ("train", ROWS, "--student", "linear", "--out", "other-run/s"), "is part of a run"),
    ("train: one answer for all", ("train", "same.jsonl", "--student", "linear", "--out", "x"), "add rows with"),
    ("fake-provider: unknown world", ("fake-provider", "--world", "dats"), "did you mean 'dates'?"),
    ("fake-provider: no port", ("fake-provider", "--port", "99999"), "--port"),
    ("fake-provider: unknown mishap", ("fake-provider", "--rule", "hangs"), "did you mean 'hang'?"),
    ("fake-provider: no behaviour", ("fake-provider", "--behaviour", "none.json"), "none.json: No such file"),
    ("fake-provider: torn behaviour", ("fake-provider", "--behaviour", "torn.jsonl"), "torn.jsonl: the body must be"),
    ("fake-provider: both", ("fake-provider", "--behaviour", "torn.jsonl", "--rpm", "5"), "either the file or"),
    ("fake-provider: no key", ("fake-provider", "--key-from", "NOT_SET"), "NOT_SET: no such variable"),
]  # fmt: skip


@both_ways
@pytest.mark.parametrize(("words", "said"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
@pytest.mark.long
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(
    place: Path, smelt: Smelt, words: tuple[object, ...], said: str
) -> None:
    before = listing(place)

    ran = smelt(*words)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("smelt: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err
    assert listing(place) == before


@pytest.mark.usefixtures("place")
@both_ways
@pytest.mark.parametrize(
    "words",
    [
        pytest.param((*SIMULATED, "--budget", "0", "--json"), id="a value"),
        pytest.param(("resume", "nowhere", "--json"), id="no run"),
        pytest.param(("parse", "--json"), id="usage"),
        pytest.param(("parse", "missing.md", "--json", "--debug"), id="with a traceback"),
    ],
)
def test_with_json_an_error_is_an_object_too(smelt: Smelt, words: tuple[object, ...]) -> None:
    ran = smelt(*words)

    told = json.loads(ran.out)
    assert (told["exit_code"], ran.code) == (2, 2)
    assert ran.err.splitlines()[-1] == f"smelt: {told['error']}"
    assert ran.out.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs a place where even root cannot write")
@pytest.mark.usefixtures("place")
@both_ways
def test_a_place_that_nobody_may_write_is_refused(smelt: Smelt) -> None:
    ran = smelt(*SIMULATED, "--out", "/proc/run")

    assert ran.code == 2
    assert ran.err.startswith("smelt: /proc/run: cannot be written")
    assert ran.err.count("\n") == 1


@pytest.mark.usefixtures("place")
def test_a_key_that_is_no_key_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret\nvery")

    ran = in_this_process(*PAID, "--budget", "1")

    assert ran.code == 2
    assert "OPENAI_API_KEY" in ran.err
    assert "secret" not in ran.err


@pytest.mark.usefixtures("place")
def test_an_unknown_option_is_answered_with_the_help_to_read() -> None:
    assert "(see smelt run --help)" in in_this_process("run", "--nonsense").err
    assert "(see smelt --help)" in in_this_process("nonsense").err


@pytest.mark.usefixtures("place")
def test_debug_shows_where_it_went_wrong_wherever_it_stands() -> None:
    ran = in_this_process("parse", "missing.md", "--debug")

    assert ran.code == 2
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("smelt: missing.md")


def test_the_fake_provider_lists_what_can_go_wrong() -> None:
    ran = in_this_process("fake-provider", "--mishaps")

    assert (ran.code, ran.err) == (0, "")
    assert all(name in ran.out for name in MISHAPS)


def test_help_lists_every_command_and_so_does_saying_nothing() -> None:
    asked, silent = in_this_process("--help"), in_this_process()

    assert asked == silent
    assert asked.code == 0
    assert all(f"\n  {command} " in asked.out for command in COMMANDS)
    assert "..." not in asked.out.partition("Commands:")[2]


@pytest.mark.usefixtures("place")
def test_it_runs_as_a_module_too() -> None:
    ran = in_its_own_process("--version")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("smelt ")


def test_parse_shows_every_line_of_the_instruction_and_every_demonstration() -> None:
    ran = in_this_process("parse", DATES)

    lines = ran.out.splitlines()
    assert lines[0] == "instruction:"
    assert "  - A year of two digits lies between 1950 and 2049." in lines
    assert any(line.split() == ["nothing", "to", "find", "N/A"] for line in lines)
    assert "the 21st of June 2034       2034-06-21" in lines
    assert not any(line != line.rstrip() for line in lines)


def test_parse_as_json_is_the_whole_spec_and_nothing_else() -> None:
    ran = in_this_process("parse", INTENTS, "--json")

    spec = json.loads(ran.out)
    assert ran.out.count("\n") == 1
    assert spec["kind"] == "classification"
    assert "none of these" in spec["labels"]
    assert {"input", "output"} == set(spec["demonstrations"][0])


@pytest.mark.parametrize(("command", "name"), [("models", "base_models"), ("datasets", "data_sets")])
def test_rankings_as_json_have_scores_and_reasons(command: str, name: str) -> None:
    ran = in_this_process(command, DATES, "--top", "3", "--json")

    rows = json.loads(ran.out)[name]
    assert len(rows) == 3
    assert all(float(row["score"]) > 0 for row in rows)


@pytest.mark.long
def test_a_prompt_may_be_text_or_come_from_standard_input(place: Path) -> None:
    text = (place / "good.md").read_text()
    from_file = in_this_process("parse", "good.md", "--json").out

    done = subprocess.run(
        [sys.executable, "-m", "agents", "parse", "-", "--json"], input=text, capture_output=True, text=True
    )

    assert in_this_process("parse", text, "--json").out == from_file
    assert done.stdout == from_file


def test_terminal_controls_in_a_prompt_are_not_passed_on(place: Path) -> None:
    (place / "sly.md").write_text("Say \x1b[31mred\x1b[0m or [bold]blue[/x].\n\nInput: \x1b]0;own\x07\nOutput: a\n")

    ran = in_this_process("parse", "sly.md")

    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "[bold]blue[/x]" in ran.out


@pytest.mark.usefixtures("place")
@pytest.mark.long
def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    """`smelt parse PROMPT | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run([sys.executable, "-m", "agents", "parse", str(DATES)], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.long
def test_an_old_terminal_loses_a_letter_and_not_the_line(place: Path) -> None:
    (place / "café.md").write_text("Nommez la ville où cela se passe: 東京.\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "agents", "parse", "café.md"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"la ville o? cela" in done.stdout


@pytest.mark.long
def test_somebody_at_a_terminal_is_asked_before_money_is_spent(place: Path) -> None:
    terminal, end = pty.openpty()
    before = listing(place)
    command = [*PAID, *ELSEWHERE, "--budget", "3"]

    process = subprocess.Popen(
        [sys.executable, "-m", "agents", *map(str, command)], stdin=end, stderr=end, stdout=subprocess.PIPE
    )
    os.close(end)
    os.write(terminal, b"n\n")
    out, _ = process.communicate()
    asked = os.read(terminal, 4096).decode()
    os.close(terminal)

    assert (process.returncode, out) == (130, b"")
    assert "This may spend up to 3 USD at openai. Go on?" in asked
    assert listing(place) == before


@pytest.mark.usefixtures("place")
@pytest.mark.long
def test_a_student_is_trained_judged_and_judged_again_by_rows_alone() -> None:
    """`train` and `evaluate`, in words and as one JSON object."""
    trained = in_this_process("train", ROWS, "--student", "linear", "--out", "mine", "--json")
    again = in_this_process("evaluate", "mine", ROWS, "--json")
    told = in_this_process("evaluate", "mine", ROWS)

    first, second = (json.loads(ran.out) for ran in (trained, again))
    assert (first["on"], second["on"]) == ("held_back", "test"), "nobody gave the tenth that was kept aside"
    assert first["student"]["name"] == "linear"
    assert {judged["name"] for judged in first["baselines"]} >= {"majority", "nearest neighbour"}
    assert all(score["low"] <= score["value"] <= score["high"] for score in second["student"]["scores"])
    assert told.out.splitlines()[0] == f"{second['rows']} rows, 95 % intervals:"


def test_training_leaves_a_folder_alone_that_holds_something_else(place: Path) -> None:
    before = listing(place)

    ran = in_this_process("train", ROWS, "--student", "linear", "--out", "thesis")

    assert (ran.code, ran.out) == (2, "")
    assert "thesis: holds something else or cannot be written" in ran.err
    assert listing(place) == before
