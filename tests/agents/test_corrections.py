"""Corrections: kept durably, one an input, beside a student and never within its folder; hostile texts are data."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.chat.corrections import Correction, file_beside, save
from agents.config import Configuration
from agents.reading.rows import read_rows
from agents.run_folder import RunFolder
from engine.errors import UserError


def correction(text: str, output: str) -> Correction:
    return Correction(input=text, output=output, verdict="wrong", said="x", confidence=0.5, at="2026-11-21T03:00:00Z")


def kept(path: Path) -> list[tuple[str, str]]:
    return [(row["input"], row["output"]) for row in map(json.loads, path.read_text().splitlines())]


def test_a_newer_one_takes_the_place_of_an_older(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"

    counts = [save(path, correction(*each)) for each in (("a", "1"), ("b", "2"), ("a", "3"))]

    assert counts == [1, 2, 2]
    assert kept(path) == [("b", "2"), ("a", "3")]
    assert [path.name for path in tmp_path.iterdir()] == ["corrections.jsonl"]


def test_it_stands_in_the_run_or_beside_the_student(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.begin(prompt="p", configuration=Configuration(model="simulated/dates", budget="1"))

    assert file_beside(run.student) == run.path / "corrections.jsonl"
    assert file_beside(tmp_path / "mine") == tmp_path / "mine.corrections.jsonl"


def test_what_a_power_cut_left_of_a_line_goes_and_what_was_kept_stays(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    save(path, correction("a", "1"))
    with path.open("ab") as file:
        file.write(b'{"input": "half')

    save(path, correction("b", "2"))

    assert kept(path) == [("a", "1"), ("b", "2")]


def test_a_damaged_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    path.write_text("no row\n")

    with pytest.raises(UserError, match="line 1: is not valid JSON"):
        save(path, correction("a", "1"))

    assert path.read_text() == "no row\n"


def test_pages_beside_each_other_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "corrections.jsonl"
    pages = [threading.Thread(target=save, args=(path, correction(f"{n % 5}", f"{n}"))) for n in range(20)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()

    assert sorted(text for text, _ in kept(path)) == ["0", "1", "2", "3", "4"]


@settings(max_examples=40)
@given(
    text=st.text(alphabet=st.characters(codec=None), min_size=1).filter(str.strip),
    output=st.text(alphabet=st.characters(codec=None)),
)
def test_whatever_was_said_is_one_labelled_row(
    tmp_path_factory: pytest.TempPathFactory, text: str, output: str
) -> None:
    path = tmp_path_factory.mktemp("said") / "corrections.jsonl"

    save(path, correction("first", "1"))
    count = save(path, correction(text, output))
    again = save(path, correction(text, output))

    rows = read_rows(path)
    assert count == again == len(rows) == (1 if text == "first" else 2)
