"""The form of `report.json`: written down, made from the records, and kept by every report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from agents.reporting.report import as_json
from agents.reporting.schema import report_schema
from tests.agents.reports import report

WRITTEN = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"


def table(**changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(orjson.dumps(as_json(report(**changes))))
    return told


@pytest.mark.long
def test_the_schema_that_is_written_down_is_that_of_the_records() -> None:
    told = json.loads(WRITTEN.read_text(encoding="utf-8"))

    assert told == report_schema(), "python -m agents.reporting.schema > docs/reference/report.schema.json"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="whole"),
        pytest.param({"training": None, "judgements": (), "promised": None, "costs": None, "growth": None}, id="rows"),
        pytest.param({"pace": None}, id="nobody listened"),
    ],
)
def test_reports_keep_to_it(changes: dict[str, Any]) -> None:
    jsonschema.validate(table(**changes), json.loads(WRITTEN.read_bytes()))


@pytest.mark.parametrize(
    ("field", "value"),
    [("schema", 3), ("trust", "blindly"), ("verdict", "one sentence"), ("money", None), ("surprise", 1)],
)
def test_what_does_not_keep_to_it_is_noticed(field: str, value: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**table(), field: value}, json.loads(WRITTEN.read_bytes()))
