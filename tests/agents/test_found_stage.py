"""Existing data in a run: nothing is looked into unasked, what is named is taken, what is wrong costs a line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.finding.found.judging import apart, texts_of
from agents.finding.found.read import Reader
from agents.finding.found.records import Found, Seeking
from agents.finding.found.shelf import keep_shelf, kept_shelf, shelf_of
from agents.finding.found.stage import find_rows, is_wanted
from agents.finding.found.told import of_the_data, of_the_scores
from agents.making.synthesis import Settings
from engine.errors import UserError
from engine.events import Event, Events, Noted
from engine.retrieval import load_datasets
from tests.agents.found import SPEC, Scripted


def catalogue(folder: Path) -> Path:
    """Records of three files, one of which is not there."""
    for name in ("tickets.csv", "songs.csv"):
        (folder / name).write_text("text,label\na,b\n", encoding="utf-8")
    about = {
        "tickets.csv": "Messages of bank customers about bills and cards.",
        "songs.csv": "Songs.",
        "gone.csv": "Bills.",
    }
    licences = {"tickets.csv": "mit", "songs.csv": "cc-by-nc-4.0", "gone.csv": "mit"}
    records = [
        {
            "id": str(folder / name), "description": text, "tags": [], "languages": ["en"], "licence": licences[name],
            "columns": ["text", "label"], "downloads": 0, "gated": False,
        }
        for name, text in about.items()
    ]  # fmt: skip
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def shelved(configuration: Configuration) -> tuple[list[str], list[str]]:
    """The names of what may be chosen from, and what was said about it."""
    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    shelf = shelf_of(configuration, ["messages about bills and cards"], language="en", events=events)
    return [Path(card.id).name for card in shelf.cards], [event.text for event in told if isinstance(event, Noted)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param({}, False, id="nothing said"),
        pytest.param({"catalogue": "data"}, True, id="a catalogue"),
        pytest.param({"catalogue": "data", "datasets": ("none",)}, False, id="none"),
        pytest.param({"datasets": ("auto",)}, True, id="auto"),
        pytest.param({"datasets": ("a/b",)}, True, id="named"),
        pytest.param({"catalogue": "data", "found_share": 0.0}, False, id="no share"),
    ],
)
def test_existing_data_is_looked_into_only_where_that_is_asked_for(options: dict[str, object], wanted: bool) -> None:
    assert is_wanted(Configuration(**options)) is wanted  # type: ignore[arg-type]  # as a file would give them


def test_without_a_word_nothing_is_asked_and_nothing_is_said() -> None:
    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    teacher = Scripted(lambda _: "[]")

    nothing = find_rows(
        teacher,
        SPEC,
        Configuration(),
        queries=("x",),
        settings=Settings(),
        withheld=(),
        folder=Path("nowhere"),
        events=events,
    )
    found = asyncio.run(nothing)

    assert (found, told, teacher.asked) == (Found(), [], [])


def test_what_there_was_to_choose_from_is_kept(tmp_path: Path) -> None:
    shelf = shelf_of(Configuration(catalogue=str(catalogue(tmp_path))), ["bills"], language="en", events=Events())

    assert kept_shelf(tmp_path / "run") is None
    keep_shelf(tmp_path / "run", shelf)
    assert kept_shelf(tmp_path / "run") == shelf
    (tmp_path / "run" / "shelf.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="delete it"):
        kept_shelf(tmp_path / "run")


def test_what_suits_comes_first_and_what_is_out_of_reach_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    names, _ = shelved(Configuration(catalogue=str(catalogue(tmp_path))))

    assert names[0] == "tickets.csv"
    assert set(names) <= {"tickets.csv", "songs.csv", "gone.csv"}


def test_data_sets_of_another_licence_are_left_out_with_a_line(tmp_path: Path) -> None:
    names, told = shelved(Configuration(catalogue=str(catalogue(tmp_path)), licences=("mit",)))

    assert "songs.csv" not in names
    assert "data sets: left out: 1 by licence" in told


@pytest.mark.parametrize("name", ["songs.csv", "songs"])
def test_a_data_set_is_named_by_its_file(tmp_path: Path, name: str) -> None:
    path = str(catalogue(tmp_path))

    assert shelved(Configuration(catalogue=path, datasets=(name,)))[0] == ["songs.csv"]
    assert shelved(Configuration(catalogue=path, datasets=(name,), licences=("mit",)))[0] == []


def test_a_file_needs_no_record(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("text,label\na,b\n", encoding="utf-8")

    assert shelved(Configuration(datasets=(str(tmp_path / "own.csv"),)))[0] == ["own.csv"]
    assert shelved(Configuration(catalogue=str(tmp_path), datasets=("own",), licences=("mit",)))[0] == ["own.csv"]


def test_of_a_named_file_that_cannot_be_used_the_true_reason_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    header = ",".join(f"c{n}" for n in range(300))
    (tmp_path / "wide.csv").write_text(f"{header}\n1\n", encoding="utf-8")
    (tmp_path / "good.csv").write_text("text,label\na,b\n", encoding="utf-8")
    named = ("wide.csv", "good", "mistyped.csv", "/nowhere/at/all", "org/rows")

    names, told = shelved(Configuration(catalogue=str(tmp_path), datasets=named))

    assert names == ["good.csv"]
    assert told == [
        f"data sets: without {tmp_path / 'wide.csv'}: has 300 columns, more than 200",
        "data sets: without mistyped.csv: there is no such file",
        "data sets: without /nowhere/at/all: there is no such file",
        "data sets: without org/rows: it is not on this machine, and the hub does not answer",
    ]


def test_what_somebody_has_typed_may_be_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.csv").write_text("text,label\na,b\n", encoding="utf-8")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    shelf = shelf_of(Configuration(datasets=("../own.csv",)), ["x"], language="en", events=Events())

    assert [Path(card.id).resolve() for card in shelf.cards] == [tmp_path / "own.csv"]
    assert Reader(seed=1).draw(shelf.cards[0], most=9).met == 1


def test_a_file_is_called_by_its_place_in_the_catalogue_and_not_on_this_machine(tmp_path: Path) -> None:
    seeking = Seeking(wanted=1, share=1, per_dataset=1, seed=0, catalogue=tmp_path)

    assert seeking.name_of(str(tmp_path / "clinc" / "train.csv")) == "clinc/train.csv"
    assert seeking.name_of("/elsewhere/rows.csv") == "rows.csv"
    assert seeking.name_of("owner/name") == "owner/name"


def test_the_report_says_how_many_rows_are_from_where() -> None:
    sources = [
        {"dataset": "tickets.csv", "licence": "mit", "use": "raw", "read": "600", "kept": "150", "why": ""},
        {"dataset": "songs.csv", "licence": "mit", "use": "unused", "read": "0", "kept": "0", "why": "x"},
    ]

    assert of_the_data({"generated": 50, "found": 150}, sources) == [
        "150 of the rows come from data that exists: tickets.csv (150, mit); 50 were generated."
    ]
    assert of_the_data({"generated": 50}, sources[1:]) == ["1 data set was looked into, and no row could be taken."]
    assert of_the_data({"generated": 50}, []) == []
    assert of_the_scores({"generated": 50}) == []
    assert "some were found, and" in of_the_scores({"generated": 50, "found": 1})[0]


def test_rows_that_were_served_are_not_called_found() -> None:
    served, both = (of_the_scores({"generated": 50, "served": 3, **more})[0] for more in ({}, {"transformed": 2}))

    assert "mixture like the others: some were asked of a student that served, and nobody" in served
    assert "some were found and some were asked of a student that served, and nobody" in both


def test_a_test_split_beside_its_training_split_is_kept_out_and_so_are_its_texts(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text(f"text,label\nwhat is in {name},pay bill\n", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "my-test.csv").write_text("text,label\na b c,d\n", encoding="utf-8")
    cards = load_datasets(tmp_path).cards

    learning, judging = apart(cards)

    assert [Path(card.id).name for card in judging] == ["test.csv"]
    assert sorted(Path(card.id).name for card in learning) == ["my-test.csv", "train.csv"]
    assert texts_of(Reader(seed=0).judging(judging[0])) == ["what is in test.csv"]
    assert any("test.csv is there to judge by" in line for line in shelved(Configuration(catalogue=str(tmp_path)))[1])


def test_benchmarks_are_not_learnt_from() -> None:
    names, told = shelved(Configuration(datasets=("google/IFEval",)))

    assert names == []
    assert told == ["data sets: without google/IFEval: it is a benchmark, and all of it is there to judge by"]
