"""Which columns are what: nothing is believed that real rows do not bear out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from agents.finding.found.columns import applied, map_columns, objection, read_map, usual_map
from agents.finding.found.records import ColumnMap, FoundRow, Sample
from agents.records import Pair, Spec
from tests.agents.found import SPEC, Scripted

ROWS = [{"id": str(n), "Utterance": f"words {n}", "code": "PayBill" if n % 2 else "LostCard"} for n in range(10)]
DATES = Spec(instruction="Write the date.", output_pattern=r"\d{4}-\d\d-\d\d", form="date")
FIELDS = replace(SPEC, fields=("Question", "Context"), labels=(), kind="text")


def sample(rows: list[dict[str, str]]) -> Sample:
    return Sample(rows=tuple(FoundRow(number, row) for number, row in enumerate(rows, start=1)), met=len(rows))


def mapped(said: object, rows: list[dict[str, str]] = ROWS) -> tuple[ColumnMap | None, str]:
    text = said if isinstance(said, str) else json.dumps(said)
    return asyncio.run(map_columns(Scripted(lambda _: text), SPEC, sample(rows)))


def test_a_proposal_that_the_rows_bear_out_is_taken() -> None:
    columns, why = mapped({"input": ["Utterance"], "output": "code", "values": {}})

    assert (columns, why) == (ColumnMap(inputs=("Utterance",), output="code"), "")
    assert columns is not None
    assert applied(columns, FoundRow(1, ROWS[1]), SPEC) == Pair("words 1", "pay bill")


def test_values_with_names_of_their_own_are_called_as_the_teacher_says_and_nonsense_is_not_believed() -> None:
    rows = [{"text": f"words {n}", "queue": f"Q{n % 3}"} for n in range(9)]
    columns, _ = mapped(
        {"input": ["text"], "output": "queue", "values": {"Q0": "pay bill", "Q1": "lost card", "Q2": "fly"}}, rows
    )

    assert columns is not None
    assert [applied(columns, FoundRow(1, row), SPEC) for row in rows[:3]] == [
        Pair("words 0", "pay bill"), Pair("words 1", "lost card"), Pair("words 2", "Q2"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        pytest.param(
            '{"input": ["utterance "], "output": "CODE"}', ColumnMap(inputs=("Utterance",), output="code"), id="case"
        ),
        pytest.param(
            'Here:\n```json\n{"input": ["Utterance"], "output": null, "values": {}}\n```',
            ColumnMap(inputs=("Utterance",)),
            id="inputs alone",
        ),
        pytest.param('{"input": ["nowhere"], "output": "code"}', None, id="no such input"),
        pytest.param('{"input": ["Utterance"], "output": "nowhere"}', None, id="no such output"),
        pytest.param('{"input": [], "output": null}', None, id="nothing"),
        pytest.param('{"input": "Utterance"', None, id="cut"),
        pytest.param("Use the Utterance column.", None, id="prose"),
    ],
)
def test_a_proposal_is_read_however_it_was_written(text: str, columns: ColumnMap | None) -> None:
    assert read_map(text, sample(ROWS)) == columns


@pytest.mark.parametrize(
    ("columns", "rows", "spec", "why"),
    [
        pytest.param(ColumnMap(inputs=("a",), output="a"), [{"a": "x"}], SPEC, "cannot be input and answer", id="same"),
        pytest.param(
            ColumnMap(inputs=("a",), output="b"), [{"a": "x"}, {"a": "y"}], SPEC, "in 0 of 2 rows", id="empty"
        ),
        pytest.param(
            ColumnMap(inputs=("a",), output="b"),
            [{"a": "x", "b": "sport"}],
            SPEC,
            "none of the task's answers",
            id="other labels",
        ),
        pytest.param(
            ColumnMap(inputs=("a",), output="b"),
            [{"a": "x", "b": "pay bill"}] * 4,
            SPEC,
            "or one alone",
            id="one label",
        ),
        pytest.param(
            ColumnMap(inputs=("a",), output="b"), [{"a": "x", "b": "tomorrow"}], DATES, "has not the form", id="format"
        ),
        pytest.param(ColumnMap(inputs=("a",), output="b"), [{"a": "x", "b": "y"}], FIELDS, "has 2 parts", id="parts"),
    ],
)
def test_what_speaks_against_columns(columns: ColumnMap, rows: list[dict[str, str]], spec: Spec, why: str) -> None:
    assert why in objection(columns, sample(rows), spec)


def test_a_bad_proposal_gives_way_to_the_usual_names() -> None:
    rows = [{"text": f"words {n}", "label": "pay_bill" if n % 2 else "lost-card"} for n in range(6)]

    columns, _ = mapped({"input": ["label"], "output": "text"}, rows)

    assert columns == usual_map(sample(rows), SPEC) == ColumnMap(inputs=("text",), output="label")


def test_where_answers_do_not_fit_the_inputs_may_still() -> None:
    rows = [{"body": f"words {n}", "topic": "sport" if n % 2 else "music"} for n in range(6)]

    assert mapped({"input": ["body"], "output": "topic"}, rows) == (ColumnMap(inputs=("body",)), "")


def test_where_nothing_fits_it_says_why() -> None:
    rows = [{"page": "x", "topic": "sport"}, {"topic": "music"}, {"topic": "news"}]

    columns, why = mapped({"input": ["page"], "output": "topic"}, rows)

    assert columns is None
    assert why == "page -> topic is filled in 1 of 3 rows only"
    assert mapped("no", rows) == (None, "the teacher sees no columns that fit as they are")


def test_the_parts_of_an_input_are_named_as_the_task_names_them() -> None:
    columns = ColumnMap(inputs=("q", "passage"), output="a")

    pair = applied(columns, FoundRow(1, {"q": "who?", "passage": "It was Ann.", "a": "Ann"}), FIELDS)

    assert pair == Pair("Question: who?\nContext: It was Ann.", "Ann")
