"""Answers that are to be JSON: how the schema is told where an endpoint has no field for it, and how they are read.

Reading is pure and careful: what is around the JSON is taken off, and slips of the pen are mended that leave no doubt
about what was meant. Nothing is made up: a list that was cut is no shorter list, and two different answers are none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.errors import AnswerCut, SchemaMissed, UserError
from engine.text import clean

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

__all__ = ["read_json", "told"]

# The one sentence of the engine's that is addressed to a model: every question that names a schema needs it, whatever
# it is about, wherever the endpoint has no field to say so.
_TOLD: Final = "Answer with one JSON value that fits this JSON schema, and with nothing else:\n"

_DEEPEST: Final = 100  # levels; an answer of more is none, and would be the end of whoever walks through it
_MOST_STEPS: Final = 500_000  # of looking for JSON in a text: about a second
_LONGEST_PROBLEM: Final = 200

_STEP: Final = re.compile(
    r"""\s*+(?:
        (?P<sign>[\[\]{},:])
      | (?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+')
      | (?P<key>[A-Za-z_$][\w$]*+)(?=\s*+:)
      | (?P<word>-?\d[\w.+-]*+|(?:true|false|null|True|False|None)(?!\w))
      | (?P<open>["'])
    )""",
    re.VERBOSE | re.DOTALL,
)
_AS_JSON: Final = {"True": "true", "False": "false", "None": "null"}
_CLOSES: Final = {"[": "]", "{": "}"}


def told(schema: Mapping[str, object]) -> str:
    """The schema in words, for an endpoint that has no field for it. The same schema gives the same words."""
    return _TOLD + json.dumps(schema, ensure_ascii=False, sort_keys=True)


def read_json(text: str, *, schema: Mapping[str, object], is_cut: bool = False) -> object:
    """The value that an answer holds. `is_cut`: the provider says that it had no room for the rest.

    What is not JSON as it stands may have fences and prose around it, trailing commas, single quotes, Python's names of
    true, false and null, and line breaks within strings. Of several values the one that fits the schema counts.

    Raises AnswerCut when the end is missing, SchemaMissed when it is something else, UserError when the schema is none.
    """
    validator = _validator(json.dumps(schema))
    if (found := _strict(_unfenced(text))) is not None and not (is_cut and _may_go_on(found.value)):
        return _fitting([found], validator)
    values, is_open = _inside(text)
    if values:
        return _fitting(values, validator)
    if is_cut or is_open:
        raise AnswerCut("the answer ends in the middle of its JSON")
    raise SchemaMissed("the answer holds no JSON")


class _Found(NamedTuple):
    value: object


def _fitting(found: list[_Found], validator: Draft202012Validator) -> object:
    """The one of them that fits the schema; the same value twice is one."""
    fits: list[object] = []
    for value in (one.value for one in found):
        if _problem(value, validator) is None and not any(_is_same(value, other) for other in fits):
            fits.append(value)
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise SchemaMissed(f"the answer holds {len(fits)} different values that fit the schema")
    raise SchemaMissed(_problem(found[-1].value, validator) or "the answer does not fit the schema")


def _is_same(one: object, other: object) -> bool:
    # Not ==, for which 1, 1.0 and true are one.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _may_go_on(value: object) -> bool:
    """Whether more of it may have been cut off: 12 may be the beginning of 123, but a list that is closed is whole."""
    return not isinstance(value, dict | list | str)


# -- looking for JSON in a text


def _unfenced(text: str) -> str:
    """What stands between fences, when they are around the whole."""
    text = text.strip().removeprefix("\ufeff")
    first, line_end, rest = text.partition("\n")
    is_fenced = first.startswith("```") and line_end and rest.endswith("```")
    return rest.removesuffix("```") if is_fenced else text


def _inside(text: str) -> tuple[list[_Found], bool]:
    """Every object and list that stands in a text, outermost ones alone; and whether the last one never ends."""
    found: list[_Found] = []
    steps, at = _MOST_STEPS, 0
    while (start := _next_bracket(text, at)) is not None and steps > 0:
        walk = _walk(text, start, steps)
        steps -= walk.steps
        if walk.is_open:
            return found, True
        value = None if walk.written is None else _strict(walk.written)
        if value is not None:
            found.append(value)
        at = walk.end  # behind it: a part of what could not be read is no answer
    return found, False


def _next_bracket(text: str, at: int) -> int | None:
    places = [place for sign in "[{" if (place := text.find(sign, at)) >= 0]
    return min(places, default=None)


class _Walk(NamedTuple):
    """What a walk from an opening bracket met: the JSON as it should have been written, or None when it is none."""

    written: str | None
    end: int
    steps: int
    is_open: bool = False


def _walk(text: str, start: int, most: int) -> _Walk:
    """From an opening bracket to the one that closes it, mending on the way what leaves no doubt."""
    pieces: list[str] = []
    closing: list[str] = []
    at = start
    for step in _steps(text, start):
        at = step.end()
        sign = step["sign"]
        if step["open"] is not None:  # a quotation mark without its other
            return _Walk(None, len(text), len(pieces), is_open=True)
        if sign is not None and sign in _CLOSES:
            closing.append(_CLOSES[sign])
        elif sign is not None and sign in "]}":
            if closing.pop() != sign:
                return _Walk(None, at, len(pieces))
            if pieces[-1] == ",":
                pieces.pop()
        pieces.append(sign or _piece(step))
        if not closing:
            return _Walk("".join(pieces), at, len(pieces))
        if len(closing) > _DEEPEST or len(pieces) > most:
            return _Walk(None, len(text), len(pieces))
    return _Walk(None, at, len(pieces), is_open=not text[at:].strip())


def _steps(text: str, at: int) -> Iterator[re.Match[str]]:
    while step := _STEP.match(text, at):
        yield step
        at = step.end()


def _piece(step: re.Match[str]) -> str:
    """What is no sign: a string, the name of a field, a number or a word."""
    if step["string"] is not None:
        return _string(step["string"])
    return f'"{step["key"]}"' if step["key"] is not None else _AS_JSON.get(step["word"], step["word"])


def _string(quoted: str) -> str:
    """A string in JSON's own way: in double quotes, without line breaks as they are."""
    inner = quoted[1:-1]
    if quoted[0] == "'":
        inner = re.sub(r'\\(.)|"', lambda met: _unescaped(met[1]) if met[1] else '\\"', inner, flags=re.DOTALL)
    return '"' + re.sub(r"[\x00-\x1f]", lambda met: f"\\u{ord(met[0]):04x}", inner) + '"'


def _unescaped(escaped: str) -> str:
    return "'" if escaped == "'" else f"\\{escaped}"


def _strict(text: str) -> _Found | None:
    """The text as JSON and nothing else; None when it is not, or holds what no JSON can say."""
    try:
        value = json.loads(text, parse_constant=_refused, parse_float=_finite, object_pairs_hook=_once_each)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        return None
    is_deep = text.count("[") + text.count("{") > _DEEPEST and _levels(value) > _DEEPEST
    return None if is_deep else _Found(value)


def _levels(value: object) -> int:
    levels, row = 0, [value]
    while row := [part for whole in row for part in _parts(whole)]:
        levels += 1
    return levels


def _parts(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The fields of an object; one that is there twice with different values says nothing."""
    fields = dict(pairs)
    if len(fields) < len(pairs) and any(fields[name] != value for name, value in pairs):
        raise ValueError("a field is there twice")
    return fields


def _refused(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:20]} is beyond all numbers")
    return value


# -- what the schema says


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator, SchemaError
    from referencing import Registry

    found = json.loads(schema)
    try:
        Draft202012Validator.check_schema(found)
    except SchemaError as error:
        raise UserError(f"the schema is no JSON schema: {clean(error.message, _LONGEST_PROBLEM)}") from None
    # Its own registry of nothing: a schema that refers elsewhere is not fetched.
    return Draft202012Validator(found, registry=Registry())


def _problem(value: object, validator: Draft202012Validator) -> str | None:
    """Where a value does not fit, and how; None when it does."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(validator.iter_errors(value))
    except Unresolvable as missing:
        raise UserError(f"the schema refers to what is not in it: {missing.ref!r}") from None
    except RecursionError:
        raise UserError("the schema refers to itself without an end") from None
    if error is None:
        return None
    place = "".join(f"/{part}" for part in error.absolute_path) or "its top"
    return clean(f"the answer does not fit the schema at {place}: {error.message}", _LONGEST_PROBLEM)
