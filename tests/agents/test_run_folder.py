"""A run on disk: begun once, entered again by the same run only, never half written."""

from __future__ import annotations

import asyncio
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import Configuration, Stages
from agents.run_folder import RunFolder, free_name, held, write_whole
from engine.errors import UserError
from engine.journal import Journal, mark_path

CONFIGURATION = Configuration(model="simulated/dates", budget="5", examples=10, test='rows "b".jsonl')
PROMPT = 'Say the date.\nÄÖ 日付 \\ "quoted"\n'


def test_what_was_begun_can_be_read_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")

    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)

    assert folder.configuration() == CONFIGURATION
    assert folder.prompt_text() == PROMPT


def test_the_same_run_may_begin_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)

    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)

    assert folder.configuration() == CONFIGURATION


@pytest.mark.parametrize(
    ("prompt", "configuration"),
    [
        pytest.param("Another prompt.", CONFIGURATION, id="another prompt"),
        pytest.param(PROMPT, Configuration(model="simulated/dates", budget="6"), id="another configuration"),
    ],
)
def test_another_run_is_refused_and_nothing_is_touched(
    tmp_path: Path, prompt: str, configuration: Configuration
) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    with pytest.raises(UserError, match="holds another run"):
        folder.begin(prompt=prompt, configuration=configuration)

    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(UserError, match="not empty"):
        RunFolder(tmp_path).begin(prompt=PROMPT, configuration=CONFIGURATION)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(UserError, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run").begin(prompt=PROMPT, configuration=CONFIGURATION)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("options = 3", id="no table"),
        pytest.param("[options]\nnonsense = 1", id="unknown option"),
        pytest.param("[options]\nmodel = 3", id="number for text"),
        pytest.param("[options]\nseed = 1.5", id="fraction for a whole number"),
        pytest.param("[options]\nvotes = true", id="truth for a number"),
        pytest.param("[options]\nseed = -1", id="value that means nothing"),
        pytest.param("no toml at all = =", id="no TOML"),
    ],
)
def test_a_damaged_manifest_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.toml").write_text(text)

    with pytest.raises(UserError, match="damaged or from another version"):
        RunFolder(tmp_path).configuration()


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        RunFolder(tmp_path).configuration()


def test_a_free_name_counts_on(tmp_path: Path) -> None:
    assert free_name(tmp_path, "dates") == tmp_path / "dates"
    (tmp_path / "dates").mkdir()
    (tmp_path / "dates-2").mkdir()

    assert free_name(tmp_path, "dates") == tmp_path / "dates-3"


def test_a_file_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", b"one")
    write_whole(tmp_path / "a.txt", b"two")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.txt", b"two")]


def test_a_beginning_that_was_cut_off_can_be_begun_again(tmp_path: Path) -> None:
    """The manifest is written last: without it there is no run, and nothing to lose."""
    for name in ("prompt.md", ".prompt.md.17-0.new", ".run.toml.17-1.new"):
        (tmp_path / name).write_text("half")

    RunFolder(tmp_path).begin(prompt=PROMPT, configuration=CONFIGURATION)

    assert RunFolder(tmp_path).prompt_text() == PROMPT


def test_the_manifest_holds_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")

    RunFolder(tmp_path).begin(prompt=PROMPT, configuration=Configuration(model="openai/gpt-5.4-mini", budget="1"))

    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())


def test_another_budget_is_written_when_it_is_to_be_kept_and_one_of_nothing_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)

    raised = folder.with_budget("7.5")
    for nothing in ("0", "five", "1e-13", "2000000"):
        with pytest.raises(UserError):
            folder.with_budget(nothing)

    assert folder.configuration() == CONFIGURATION
    folder.keep(raised)
    assert folder.configuration() == replace(CONFIGURATION, budget="7.5")


@pytest.mark.parametrize("harm", ["gone", "another run's"])
def test_a_run_is_not_paid_for_again_because_its_journal_is_not_there(harm: str, tmp_path: Path) -> None:
    """Its mark is gone with it, or is the other's: nothing but the run itself knows which journal was its own."""
    folder, other = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "other")
    for each in (folder, other):
        each.begin(prompt=PROMPT, configuration=CONFIGURATION)
        each.check_journal()  # there is none yet
        asyncio.run(charge(each, 1000))
        each.keep(CONFIGURATION)
        each.check_journal()

    for file in folder.path.glob("journal.db*"):
        file.unlink()
        if harm != "gone":
            shutil.copy(other.path / file.name, file)

    with pytest.raises(UserError, match=f"is {harm}; put "):
        folder.check_journal()
    if harm != "gone":
        mark_path(folder.journal).unlink()  # as the journal's own line advises who wants to go on with this one
        folder.check_journal()


def test_stages_keep_their_parts_of_another_budget(tmp_path: Path) -> None:
    stages = Stages(at_most={"generate": "0.7"}, kept={"annotate": "0.2"})
    folder = RunFolder(tmp_path)
    folder.begin(prompt=PROMPT, configuration=replace(CONFIGURATION, stages=stages))

    folder.keep(folder.with_budget("7.5"))

    assert folder.configuration() == replace(CONFIGURATION, budget="7.5", stages=stages)


def test_a_budget_below_what_was_charged_is_refused_and_the_old_one_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)
    asyncio.run(charge(folder, 1_250_000_000_000))
    before = folder.manifest.read_bytes()

    with pytest.raises(UserError, match=r"--budget 1\.2 is below the 1\.25 USD that this run has been charged"):
        folder.with_budget("1.2")
    assert folder.manifest.read_bytes() == before

    assert folder.with_budget("1.25").budget == "1.25"


def test_what_a_killed_run_left_in_flight_counts_as_charged(tmp_path: Path) -> None:
    """Whoever opens its journal next will be charged that."""
    folder = RunFolder(tmp_path)
    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)

    asyncio.run(charge(folder, 1_000_000_000_000, in_flight=250_000_000_000))

    assert folder.charged() == 1_250_000_000_000
    asyncio.run(charge(folder, 0))
    assert folder.charged() == 1_250_000_000_000


async def charge(folder: RunFolder, amount: int, *, in_flight: int = 0) -> None:
    """A run that has been charged so much, and left another attempt in flight."""
    journal = await Journal.open(folder.journal)
    attempt = await journal.intend(b"k" * 32, bound=amount, tag="annotate")
    await journal.settle(attempt, raw=None, cost=amount, assumed=True)
    await journal.intend(b"k" * 32, bound=in_flight, tag="annotate")
    await journal.aclose()


@pytest.mark.parametrize("name", [b"t\xff", b"t\xff/run"])
def test_a_folder_that_could_not_be_written_down_is_refused(tmp_path: Path, name: bytes) -> None:
    with pytest.raises(UserError, match="not UTF-8"):
        RunFolder(tmp_path / os.fsdecode(name)).begin(prompt=PROMPT, configuration=CONFIGURATION)

    assert not list(tmp_path.iterdir())


def test_a_damaged_prompt_is_said_in_one_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)
    for damage in (lambda: folder.prompt.write_bytes(b"\x80\xff\x00\xfe"), folder.prompt.unlink):
        damage()
        with pytest.raises(UserError, match=r"prompt\.md: is damaged"):
            folder.prompt_text()


def test_only_one_process_at_a_time_begins_in_a_folder(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(UserError, match="is in use by another process"):
        RunFolder(tmp_path).begin(prompt=PROMPT, configuration=CONFIGURATION)
    assert not list(tmp_path.iterdir())

    RunFolder(tmp_path).begin(prompt=PROMPT, configuration=CONFIGURATION)
    assert RunFolder(tmp_path).prompt_text() == PROMPT


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    contents = [bytes([number]) * 5000 for number in range(8)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda content: write_whole(tmp_path / "a", content), contents))

    assert (tmp_path / "a").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder" / "in the way").mkdir(parents=True)

    with pytest.raises(OSError, match="irectory"):
        write_whole(tmp_path / "folder", b"content")

    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_a_killed_process_left_half_written_goes_when_the_run_goes_on(tmp_path: Path) -> None:
    folder, nobody = RunFolder(tmp_path), 2**22 + 1  # more than a process can be numbered
    folder.begin(prompt=PROMPT, configuration=CONFIGURATION)
    folder.data.mkdir()
    left = [tmp_path / f".live.json.{nobody}.new", folder.data / f".train.parquet.{nobody}-7.new"]
    others = [tmp_path / f".report.json.{os.getpid()}-1.new", tmp_path / ".mine.new", tmp_path / f"x.{nobody}.new"]
    for path in (*left, *others):
        path.write_text("half of it")

    folder.keep(CONFIGURATION)

    assert [path.exists() for path in left] == [False, False]
    assert all(path.exists() for path in others)
