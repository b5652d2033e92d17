"""The stages in order: what a run does with a spec that was edited, and with a teacher who says nothing of use."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.parsing.specs import read_spec, write_spec
from agents.pipeline import look_around, run, stages_of
from agents.records import Spec
from agents.reporting.money import money_of
from agents.run_folder import RunFolder
from agents.stages import tell_target, understand
from engine import Budget, Engine
from engine.errors import JournalUnusable, UserError
from engine.events import Event, Events, Noted
from engine.journal import Journal

pytestmark = pytest.mark.usefixtures("at_once")

DATES = Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md"
REVIEWS = "Say whether the review is good or bad.\n\nInput: I love it\nOutput: good\n\nInput: It broke\nOutput: bad\n"


def begun(path: Path, *, prompt: str) -> RunFolder:
    """A run for ten rows of data that has not been carried out."""
    folder = RunFolder(path / "run")
    configuration = Configuration(model="simulated/dates", budget="5", examples=10, train=False)
    folder.begin(prompt=prompt, configuration=configuration)
    return folder


def test_a_spec_that_was_edited_is_taken_as_it_is_and_the_teacher_is_not_asked(tmp_path: Path) -> None:
    folder = begun(tmp_path, prompt=DATES.read_text(encoding="utf-8"))
    edited = Spec(instruction="Write the date as it was edited.", kind="text")
    write_spec(folder.spec, edited)

    async def understood() -> tuple[Spec, int]:
        async with Engine("simulated/dates", budget=Budget(1)) as engine:
            spec = await understand(folder, engine, events=Events())
            return spec, engine.statistics().requests

    assert asyncio.run(understood()) == (edited, 0)


@pytest.mark.long
def test_looking_around_tells_the_best_models_and_what_speaks_against_them() -> None:
    events, told = Events(), list[Event]()
    events.subscribe(told.append)

    async def look() -> None:
        async with Engine("simulated/dates", budget=Budget(1), events=events) as engine:
            spec = Spec(instruction="Translate the sentence into German.", kind="text")
            await look_around(spec, engine, Configuration(model="simulated/dates"), events=events)

    asyncio.run(look())

    [line] = [event.text for event in told if isinstance(event, Noted) and event.text.startswith("base models")]
    assert line.count("; ") == 2
    assert all(" (can be used, " in part or " (no: " in part for part in line.split("; "))


def test_a_row_that_there_is_not_has_no_price() -> None:
    async def told() -> tuple[str, str]:
        async with Engine("simulated/dates", budget=Budget(1)) as engine:
            figures = engine.statistics()
            return money_of(figures, accepted=0).per_accepted, money_of(figures, accepted=2).per_accepted

    assert asyncio.run(told()) == ("-", "$0.00")


def test_another_budget_is_not_written_down_while_another_process_carries_the_run(tmp_path: Path) -> None:
    folder = begun(tmp_path, prompt=DATES.read_text(encoding="utf-8"))
    before = folder.manifest.read_bytes()
    holder = asyncio.new_event_loop()
    journal = holder.run_until_complete(Journal.open(folder.journal))

    with pytest.raises(JournalUnusable, match="is in use"):
        run(folder, folder.with_budget("9"), events=Events())

    holder.run_until_complete(journal.aclose())
    holder.close()
    assert folder.manifest.read_bytes() == before


@pytest.mark.slow
def test_a_run_goes_on_from_the_spec_as_it_was_edited(tmp_path: Path) -> None:
    folder = begun(tmp_path, prompt=DATES.read_text(encoding="utf-8"))
    run(folder, events=Events())
    edited = dataclasses.replace(read_spec(folder.spec), instruction="Write the date that the text names in ISO form.")
    write_spec(folder.spec, edited)

    again = run(folder, events=Events())

    assert again.report.spec == edited
    assert again.report.money.from_journal < again.report.money.requests
    assert read_spec(folder.spec) == edited


@pytest.mark.slow
def test_a_run_that_made_no_row_is_an_error_and_keeps_what_was_rejected(tmp_path: Path) -> None:
    """This teacher knows of dates only."""
    folder = begun(tmp_path, prompt=REVIEWS)

    with pytest.raises(
        UserError, match=r"no row could be made .* \(mostly: unreadable\): 0 of 10 rows; see .*rejected"
    ):
        run(folder, events=Events())

    assert (folder.data / "rejected.parquet").is_file()
    assert not folder.report_json.exists()


def test_the_first_line_of_a_run_says_whom_it_asks_and_what_might_lead_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[Event] = []
    events = Events()
    events.subscribe(heard.append)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")

    tell_target(Configuration(model="openai/m", base_url="http://localhost:11434/v1"), events=events)
    tell_target(Configuration(model="simulated/dates"), events=events)

    (told,) = heard
    assert isinstance(told, Noted)
    assert told.text.startswith("openai/m is asked at http://localhost:11434/v1, as Ollama")
    assert "OPENAI_BASE_URL is set to https://gateway.example (not read" in told.text


def test_a_run_has_the_stages_that_its_settings_need() -> None:
    data_only, whole = Configuration(train=False), Configuration(catalogue="tables")

    assert stages_of(data_only) == ["parse", "retrieve", "generate", "collect", "report"]
    assert stages_of(whole)[2:] == ["transform", "generate", "collect", "train", "evaluate", "report"]
