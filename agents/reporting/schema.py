"""The form of `report.json`, as a JSON schema: made from the records themselves, so that it cannot fall behind them.

python -m agents.reporting.schema > docs/reference/report.schema.json
"""

from __future__ import annotations

from typing import Any

from agents.reporting.report import SCHEMA_VERSION, Report

__all__ = ["report_schema"]


def report_schema() -> dict[str, Any]:
    """The schema of a report of `smelt run`, `smelt generate` or `smelt annotate`; its `schema` names the version."""
    from pydantic import TypeAdapter

    from agents.annotating.annotation_report import AnnotationReport

    made = TypeAdapter(Report | AnnotationReport).json_schema(mode="serialization")
    definitions = made.pop("$defs")
    for name in ("Report", "AnnotationReport"):
        _close(definitions[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"report.json of Smelt, version {SCHEMA_VERSION}",
        "anyOf": made["anyOf"],
        "$defs": dict(sorted(definitions.items())),
    }


def _close(record: dict[str, Any]) -> None:
    """A report has its version and all of its fields, and no other: whoever reads one can rely on it."""
    record["properties"] = {"schema": {"const": SCHEMA_VERSION}, **record["properties"]}
    record["required"] = sorted(record["properties"])
    record["additionalProperties"] = False


if __name__ == "__main__":
    import json

    print(json.dumps(report_schema(), indent=2, ensure_ascii=False))  # noqa: T201  # into a file
