"""A simulated teacher asked about data that exists: it reads our own questions, and its answers can be read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.demo.asked_of_data import Expand, MapColumns, PlanRows, Rank, Rewrite, SelectColumns
from agents.demo.conversation import read_conversation
from agents.demo.intents.world import World
from agents.demo.reader import piece_of
from agents.demo.vices import NO_VICES
from agents.filtering.filter import Finding
from agents.finding.found.columns import read_map
from agents.finding.found.rank import read_ballot
from agents.finding.found.records import FoundRow, Sample
from agents.finding.found.transform import read_columns, read_row
from agents.prompts import fill
from agents.records import Pair
from engine.messages import Message

TASK = (
    "Name the intent: track parcel, late delivery, missing parcel, damaged parcel, refund, customs, account, "
    "return parcel."
)
SHOWN = '{"input": "Where is my parcel from Vigo?", "output": "track parcel"}'
ROWS = (
    '{"nr": "1", "message": "Where is my big parcel now?", "queue": "TrackParcel"}\n'
    '{"nr": "2", "message": "I want my money back, please.", "queue": "Refund"}'
)
VALUES = '{"column": "queue", "values": ["Refund", "TrackParcel", "Spam"]}'
LABELS = 'The task has these answers and no others: ["track parcel", "refund"]'
DATASETS = (
    '{"number": "1", "name": "a/songs", "description": "Songs.", "columns": "title"}\n'
    '{"number": "2", "name": "b/post", "description": "Messages to a parcel delivery service", "columns": "text"}'
)
ASKED = {
    Rank: fill("rank_datasets", instruction=TASK, examples=SHOWN, datasets=DATASETS),
    MapColumns: fill("map_columns", instruction=TASK, examples=SHOWN, rows=ROWS, values=VALUES, labels=LABELS),
    Expand: fill("expand_task", instruction=TASK, examples=SHOWN),
    SelectColumns: fill("select_columns", instruction=TASK, rows=ROWS),
    PlanRows: fill("plan_transform", instruction=TASK, about="x", examples=SHOWN, rows=ROWS),
    Rewrite: fill("transform_row", instruction=TASK, examples=SHOWN, plan="1. Do.", row=ROWS.splitlines()[0]),
}


def said(kind: type) -> str:
    world = World(vices=NO_VICES)
    return world.answer((Message("user", ASKED[kind]),), temperature=0.0, max_tokens=1000).text


@pytest.mark.parametrize("kind", ASKED, ids=lambda kind: kind.__name__)
def test_our_questions_are_recognised(kind: type) -> None:
    assert type(read_conversation((Message("user", ASKED[kind]),))) is kind


def test_it_ranks_what_speaks_of_the_same() -> None:
    assert read_ballot(said(Rank), count=2) == [2]


def test_it_finds_the_columns_and_calls_values_by_their_labels() -> None:
    sample = Sample(rows=tuple(FoundRow(n, json.loads(line)) for n, line in enumerate(ROWS.splitlines())))

    columns = read_map(said(MapColumns), sample)

    assert columns is not None
    assert (columns.inputs, columns.output) == (("message",), "queue")
    assert columns.values == {"Refund": "refund", "TrackParcel": "track parcel"}


def test_it_plans_and_rewrites() -> None:
    assert json.loads(said(SelectColumns)) == ["message", "queue"]
    assert "'message'" in said(PlanRows)
    assert said(Expand)
    assert read_row(said(Rewrite)) == Pair("Where is my big parcel now?", "track parcel")


def test_a_row_that_says_nothing_cannot_serve_and_a_long_one_is_cut_at_a_sentence() -> None:
    assert piece_of({"a": "yes", "b": "no"}) is None
    assert piece_of({"a": "One two three. " * 40}) == ("One two three. " * 20).strip()


@settings(max_examples=60)
@given(st.text(alphabet='{}[]":,null0123 input\n', max_size=60))
def test_whatever_a_teacher_says_is_read_without_an_error(text: str) -> None:
    sample = Sample(rows=(FoundRow(1, {"input": "a", "0": "b"}),), met=1)

    assert set(read_ballot(text, count=3) or []) <= {1, 2, 3}
    columns = read_map(text, sample)
    assert columns is None or set(columns.inputs) <= {"input", "0"}
    assert isinstance(read_row(text), Pair | Finding)
    assert set(read_columns(text, sample)) <= {"input", "0"}
