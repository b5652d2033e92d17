"""A spec survives its file, takes a person's edits, and says in one line what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.parsing.specs import read_spec, spec_of, table_of, write_spec
from agents.records import Pair, Spec
from engine.errors import UserError

SPEC = Spec(
    instruction="Write the date.\nAnswer N/A if there is none.",
    demonstrations=(Pair("am 3. März", "2021-03-03"), Pair("\u2028 [/red]", "N/A")),
    empty_answer="N/A",
    output_pattern=r"\d{4}-\d{2}-\d{2}|N/A",
    language="de",
    layout="fields",
    confidence=0.95,
)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    write_spec(tmp_path / "spec.json", SPEC)

    assert read_spec(tmp_path / "spec.json") == SPEC


@given(st.text().filter(str.strip), st.lists(st.tuples(st.text(), st.text())))
def test_any_text_survives(instruction: str, pairs: list[tuple[str, str]]) -> None:
    spec = Spec(instruction=instruction, demonstrations=tuple(Pair(*pair) for pair in pairs))

    assert spec_of(orjson.loads(orjson.dumps(table_of(spec)))) == spec


def test_an_instruction_is_enough() -> None:
    assert spec_of({"instruction": "Translate."}) == Spec(instruction="Translate.")


def test_labels_make_it_a_classification() -> None:
    assert spec_of({"instruction": "Route.", "labels": ["pay", "login"]}).kind == "classification"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"instruction": "Translate."}', encoding="utf-8-sig")

    assert read_spec(tmp_path / "spec.json").instruction == "Translate."


@pytest.mark.parametrize(
    ("table", "says"),
    [
        pytest.param([], "JSON object", id="no object"),
        pytest.param({}, "no instruction", id="no instruction"),
        pytest.param({"instruction": " "}, "no instruction", id="blank instruction"),
        pytest.param({"instruction": 3}, "'instruction'.*must be text", id="number"),
        pytest.param({"instruction": "a", "label": []}, "unknown field 'label'", id="unknown field"),
        pytest.param({"instruction": "a", "kind": "regression"}, "classification, text", id="unknown kind"),
        pytest.param({"instruction": "a", "demonstrations": ["b"]}, "demonstrations", id="no pairs"),
        pytest.param({"instruction": "a", "demonstrations": [{"input": "b"}]}, "output", id="half a pair"),
        pytest.param({"instruction": "a", "labels": "b, c"}, "list of texts", id="labels as text"),
        pytest.param({"instruction": "a", "labels": ["b"]}, "two or more", id="one label"),
        pytest.param({"instruction": "a", "labels": ["b", "b"]}, "two or more", id="label twice"),
        pytest.param({"instruction": "a", "kind": "classification"}, "disagree", id="classification without labels"),
        pytest.param({"instruction": "a", "kind": "text", "labels": ["b", "c"]}, "disagree", id="text with labels"),
        pytest.param({"instruction": "a", "output_pattern": "("}, "no regular expression", id="bad pattern"),
        pytest.param({"instruction": "a", "translation": " "}, "says nothing", id="translated into nothing"),
        pytest.param({"instruction": "a", "confidence": 2}, "between 0 and 1", id="confidence"),
        pytest.param(
            {"instruction": "a", "labels": ["b", "c"], "demonstrations": [{"input": "x", "output": "d"}]},
            "demonstration 1 .* none of its labels",
            id="demonstration outside the labels",
        ),
        pytest.param(
            {"instruction": "a", "output_pattern": r"\d+", "demonstrations": [{"input": "x", "output": "d"}]},
            "demonstration 1 .* pattern",
            id="demonstration against the pattern",
        ),
    ],
)
def test_a_wrong_edit_is_named_in_one_line(table: object, says: str, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_bytes(orjson.dumps(table))

    with pytest.raises(UserError, match=says) as refused:
        read_spec(tmp_path / "spec.json")

    assert str(refused.value).startswith(str(tmp_path / "spec.json"))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text("{,}")

    for name in ("spec.json", "missing.json"):
        with pytest.raises(UserError, match=name):
            read_spec(tmp_path / name)
