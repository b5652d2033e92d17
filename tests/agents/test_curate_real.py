"""Rows that a language model wrote for others, where they are at hand: what is wrong with them is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.curating.curate import Wanted, curate
from agents.filtering.filter import same_text

ROWS = Path(__file__).parents[2].parent / "shared" / "data" / "p2m_llm_generated"


@pytest.fixture
def squad() -> Path:
    path = ROWS / "SQuAD_0.3_1.4_with_filtering.jsonl.gz"
    if not path.is_file():
        pytest.skip("the shared data set p2m_llm_generated is not here")
    return path


def question(row: dict[str, str]) -> str:
    return same_text(row["input"].split("Context:")[0].removeprefix("Question:"))


@pytest.mark.long
def test_of_real_rows_one_a_question_is_kept_and_each_other_says_why(squad: Path, tmp_path: Path) -> None:
    came = curate([str(squad)], Wanted(), tmp_path / "out")
    kept = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().split("\n") if line]
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().split("\n") if line]

    assert came.read == len(kept) + len(rejected) == 5001
    assert len({question(row) for row in kept}) == len(kept)
    assert 550 < len(kept) < 700
    assert {"duplicate", "context", "fields", "placeholder", "empty"} == set(came.rejected)
    assert 400 < came.rejected["context"] < 530
    assert all(row["reason"] and row["detail"] for row in rejected)


@pytest.mark.long
def test_answers_at_the_highest_temperature_are_mostly_not_in_their_context(tmp_path: Path, squad: Path) -> None:
    came = curate([str(squad.with_name("SQuAD_1.4_1.4_with_filtering.jsonl.gz"))], Wanted(), tmp_path / "out")

    assert came.rejected["context"] > 3500
