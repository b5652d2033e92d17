"""`spec.json`: a prompt as it was understood, for reading, for editing, and for going on from there."""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import orjson

from agents.records import Pair, Spec, TaskKind
from agents.run_folder import write_whole
from engine.errors import UserError

__all__ = ["read_spec", "spec_of", "table_of", "write_spec"]


def table_of(spec: Spec) -> dict[str, object]:
    """A spec as plain values, in the order in which a person reads them."""
    return dataclasses.asdict(spec)


def spec_of(table: object) -> Spec:
    """The spec that plain values describe; only the instruction must be there.

    Labels make it a classification. Raises UserError for what is missing, unknown, of the wrong kind, or contradicts
    the rest: a demonstration outside the labels or against the pattern.
    """
    if not isinstance(table, Mapping):
        raise UserError('a spec is a JSON object: {"instruction": "...", "demonstrations": [...]}')
    fields = {field.name for field in dataclasses.fields(Spec)}
    if unknown := sorted(set(table) - fields):
        raise UserError(f"unknown field {unknown[0]!r} in the spec; there are: {', '.join(sorted(fields))}")
    checked = {name: _READERS[name](table[name], name) for name in fields & set(table)}
    if not str(checked.get("instruction", "")).strip():
        raise UserError("the spec has no instruction; say in 'instruction' what shall be done")
    if checked.get("labels"):
        checked.setdefault("kind", "classification")
    spec = Spec(**checked)  # type: ignore[arg-type]  # each reader returns what its field takes
    _check_agreement(spec)
    return spec


def _check_agreement(spec: Spec) -> None:
    if (spec.kind == "classification") != bool(spec.labels):
        raise UserError("'kind' and 'labels' in the spec disagree: a classification has labels, and nothing else has")
    if len(set(spec.labels)) != len(spec.labels) or len(spec.labels) == 1:
        raise UserError("'labels' in the spec must be two or more, each given once")
    for number, pair in enumerate(spec.demonstrations, start=1):
        if spec.labels and pair.output not in spec.labels:
            raise UserError(
                f"demonstration {number} in the spec answers {pair.output!r:.80}, which is none of its labels; "
                "add it to 'labels' or change the answer"
            )
        if spec.output_pattern is not None and not re.fullmatch(spec.output_pattern, pair.output):
            raise UserError(
                f"demonstration {number} in the spec answers {pair.output!r:.80}, which its pattern does not match; "
                "widen 'output_pattern' or set it to null"
            )


def write_spec(path: Path, spec: Spec) -> None:
    """Write it whole, indented, so that a person can edit it."""
    write_whole(path, orjson.dumps(table_of(spec), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_spec(path: Path) -> Spec:
    """The spec in a file. Raises UserError, naming the file, for whatever keeps it from being one."""
    try:
        return spec_of(orjson.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8)))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path}: is not valid JSON: {error}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{name!r} in the spec must be text (got {value!r})")
    return value


def _text_or_none(value: object, name: str) -> str | None:
    return None if value is None else _text(value, name)


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{name!r} in the spec must be a list of texts (got {value!r})")
    return tuple(_text(item, name) for item in value)


def _pairs(value: object, name: str) -> tuple[Pair, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        raise UserError(f'{name!r} in the spec must be a list of {{"input": ..., "output": ...}}')
    return tuple(Pair(_text(item.get("input"), "input"), _text(item.get("output"), "output")) for item in value)


def _kind(value: object, name: str) -> str:
    if value not in get_args(TaskKind):
        raise UserError(f"{name!r} in the spec must be one of {', '.join(get_args(TaskKind))} (got {value!r})")
    return str(value)


def _pattern(value: object, name: str) -> str | None:
    text = _text_or_none(value, name)
    try:
        re.compile(text or "")
    except re.error as error:
        raise UserError(f"{name!r} in the spec is no regular expression: {error}") from error
    return text


def _share(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(f"{name!r} in the spec must lie between 0 and 1 (got {value!r})")
    return float(value)


_READERS = {
    "instruction": _text,
    "demonstrations": _pairs,
    "kind": _kind,
    "labels": _texts,
    "empty_answer": _text_or_none,
    "output_pattern": _pattern,
    "language": _text,
    "layout": _text,
    "confidence": _share,
}
