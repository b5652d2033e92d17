"""Frozen dataclasses from JSON objects and back; whatever is wrong with one is said in a line."""

from __future__ import annotations

import math
import types
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.errors import UserError
from engine.text import meant

__all__ = ["checked", "object_of", "record_of"]

T = TypeVar("T")


def object_of(kind: type[T], told: object, *, where: str) -> T:
    """A dataclass of plain fields (numbers, texts, choices, None); raises UserError for anything that is no field."""
    return kind(**checked(kind, told, where=where))


def checked(kind: type[Any], told: object, *, where: str, apart: Collection[str] = ()) -> dict[str, Any]:
    """The fields as they were told, each of the type that it must have. Those in `apart` are let through."""
    if not isinstance(told, dict):
        raise UserError(f"{where} must be an object, as in {{}} (got {told!r})")
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    for name, value in told.items():
        if name not in names:
            raise UserError(f"{where}: no field {name!r}{meant(name, names)} (there are: {', '.join(names)})")
        if name not in apart and not _fits(value, hints[name]):
            raise UserError(f"{where}: {name} must be {_in_words(hints[name])} (got {value!r})")
    return {name: float(value) if hints[name] is float else value for name, value in told.items() if name not in apart}


def record_of(value: object) -> object:
    """Plain data to be written as JSON; fields that are None stay away."""
    if is_dataclass(value) and not isinstance(value, type):
        told = {field.name: getattr(value, field.name) for field in fields(value)}
        return {name: record_of(inner) for name, inner in told.items() if inner is not None}
    if isinstance(value, Mapping):
        return {name: record_of(inner) for name, inner in value.items()}
    return [record_of(inner) for inner in value] if isinstance(value, list | tuple) else value


def _fits(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, inner) for inner in get_args(hint))
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, hint)


_WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "null",
}


def _in_words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(map(_in_words, get_args(hint)))
    return _WORDS.get(hint, "something else")
