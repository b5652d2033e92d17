"""A prompt as it was understood, as JSON or TOML: for reading, for editing, and for going on from there."""

from __future__ import annotations

import codecs
import dataclasses
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import orjson

from agents.parsing.json_shape import fits
from agents.records import AnswerForm, Doubt, DoubtKind, Pair, Spec, TaskKind
from agents.run_folder import write_whole
from engine.errors import UserError
from engine.patterns import check_pattern, matches

__all__ = ["read_spec", "spec_in", "spec_of", "table_of", "text_of", "write_spec"]

_TOML_HEAD = "# What smelt parse made of a prompt. Edit it, and give it to smelt run in the prompt's place."
_LONGEST_LINE = 80  # in TOML, of a text in quotation marks; a longer one has its lines to itself
_OF_A_SPEC = ("instruction", "demonstrations", "kind")  # keys of every spec that was written, however it was broken


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
    if checked.get("translation") is not None and not str(checked["translation"]).strip():
        raise UserError("the 'translation' in the spec says nothing; set it to null, or leave it out")
    if checked.get("labels"):
        checked.setdefault("kind", "classification")
        checked.setdefault("form", "label")
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
        if spec.output_pattern is not None and not matches(spec.output_pattern, pair.output):
            raise UserError(
                f"demonstration {number} in the spec answers {pair.output!r:.80}, which its pattern does not match; "
                "widen 'output_pattern' or set it to null"
            )
        if (
            spec.output_schema is not None
            and pair.output != spec.empty_answer
            and not fits(pair.output, spec.output_schema)
        ):
            raise UserError(
                f"demonstration {number} in the spec answers {pair.output!r:.80}, which its schema does not allow; "
                "widen 'output_schema' or set it to null"
            )


def write_spec(path: Path, spec: Spec) -> None:
    """Write it whole, so that a person can edit it: as TOML if the file is named so, otherwise as indented JSON."""
    write_whole(path, text_of(spec, toml=path.suffix.casefold() == ".toml").encode())


def text_of(spec: Spec, *, toml: bool = False) -> str:
    """A spec as the text of its file. TOML leaves out what there is none of."""
    if toml:
        return _toml(spec)
    return orjson.dumps(table_of(spec), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def read_spec(path: Path) -> Spec:
    """The spec in a file. Raises UserError, naming the file, for whatever keeps it from being one."""
    try:
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
        table = tomllib.loads(raw.decode()) if path.suffix.casefold() == ".toml" else orjson.loads(raw)
        return spec_of(table)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path}: is not valid JSON: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not valid TOML: {error}") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def spec_in(text: str) -> Spec | None:
    """The spec that a text is, as `text_of` writes it and a person may have edited it; None when it is a prompt.

    A JSON object with an instruction and demonstrations alone is a prompt. Raises UserError for a spec with a mistake.
    """
    bare = text.lstrip("\ufeff \t\n")
    try:
        if bare.startswith("{"):
            table: object = orjson.loads(bare)
        elif bare.startswith(_TOML_HEAD) or re.match(r"(?:#[^\n]*\n|\s)*instruction\s*=", bare):
            table = tomllib.loads(bare)
        else:
            return None
    except (orjson.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        if bare.startswith(_TOML_HEAD) or (bare.startswith("{") and all(f'"{name}":' in bare for name in _OF_A_SPEC)):
            raise UserError(f"the spec cannot be read: {error}") from error
        return None
    names = {field.name for field in dataclasses.fields(Spec)}
    if not isinstance(table, dict) or "instruction" not in table or set(table) <= {"instruction", "demonstrations"}:
        return None
    is_written = set(_OF_A_SPEC) <= set(table)  # with a name beside it that nobody knows, which is said
    return spec_of(table) if is_written or set(table) <= names else None


def _toml(spec: Spec) -> str:
    """The demonstrations and the doubts last, each as a table of its own."""
    table = {name: value for name, value in table_of(spec).items() if value is not None}
    last = {name: rows for name in ("demonstrations", "doubts") if (rows := table.pop(name))}
    lines = [_TOML_HEAD, ""]
    lines += [f"{name} = {_toml_value(value)}" for name, value in table.items()]
    for name, rows in last.items():
        for row in rows if isinstance(rows, list | tuple) else ():
            lines += ["", f"[[{name}]]", *(f"{key} = {_toml_value(value)}" for key, value in row.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    if isinstance(value, str):
        return _toml_text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_toml_text(str(key))} = {_toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _toml_text(text: str) -> str:
    """In quotation marks; with its lines as they are, where it has several or is long."""
    escaped = "".join(char if char == "\n" else _toml_char(char) for char in text)
    if "\n" in text or len(text) > _LONGEST_LINE:
        return f'"""\n{escaped}"""'
    return f'"{escaped}"'


def _toml_char(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    is_control = (char < " " and char != "\t") or char == "\x7f"
    return f"\\u{ord(char):04X}" if is_control else char


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


def _one_of(value: object, name: str, *, known: Sequence[str]) -> str:
    if value not in known:
        raise UserError(f"{name!r} in the spec must be one of {', '.join(known)} (got {value!r})")
    return str(value)


def _kind(value: object, name: str) -> str:
    return _one_of(value, name, known=get_args(TaskKind))


def _form(value: object, name: str) -> str:
    return _one_of(value, name, known=get_args(AnswerForm))


def _yes_or_no(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise UserError(f"{name!r} in the spec must be true or false (got {value!r})")
    return value


def _schema(value: object, name: str) -> Mapping[str, object] | None:
    if value is not None and not isinstance(value, Mapping):
        raise UserError(f"{name!r} in the spec must be a JSON schema, which is an object (got {value!r:.80})")
    if value is not None:
        fits("{}", value)  # raises when it is no schema
    return value


def _doubts(value: object, name: str) -> tuple[Doubt, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, Mapping) for item in value):
        raise UserError(f'{name!r} in the spec must be a list of {{"about": ..., "why": ...}}')
    return tuple(
        Doubt(_one_of(item.get("about"), "about", known=get_args(DoubtKind)), _text(item.get("why"), "why"))  # type: ignore[arg-type]  # one of its kinds
        for item in value
    )


def _pattern(value: object, name: str) -> str | None:
    text = _text_or_none(value, name)
    try:
        check_pattern(text or "")
    except UserError as error:
        raise UserError(f"{name!r} in the spec: {error}") from None
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
    "form": _form,
    "output_pattern": _pattern,
    "output_schema": _schema,
    "fields": _texts,
    "language": _text,
    "output_language": _text_or_none,
    "extractive": _yes_or_no,
    "translation": _text_or_none,
    "layout": _text,
    "confidence": _share,
    "doubts": _doubts,
}
