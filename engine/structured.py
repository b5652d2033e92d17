"""Answers that are to be JSON: how the schema is told where an endpoint has no field for it, and how they are read.

Reading is pure and careful: what is around the JSON is taken off, and slips of the pen are mended that leave no doubt
about what was meant. Nothing is made up: a list that was cut is no shorter list, and two different answers are none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache, partial
from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from engine.errors import AnswerCut, SchemaMissed, UserError
from engine.patterns import occurs
from engine.text import clean

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

__all__ = ["read_json", "told"]

Schema: TypeAlias = Mapping[str, object] | bool  # or a part of one

# The one sentence of the engine's that is addressed to a model: every question that names a schema needs it, whatever
# it is about, wherever the endpoint has no field to say so.
_TOLD: Final = "Answer with one JSON value that fits this JSON schema, and with nothing else:\n"

# What a model can say in one answer stays far below these. Reading holds up everybody else, so that what goes beyond
# them is refused: all of it together is half a second of work at most, whoever wrote it.
_DEEPEST: Final = 100  # levels; an answer of more is none, and would be the end of whoever walks through it
_MOST_PARTS: Final = 50_000  # values in a value
_LONGEST_SEARCHED: Final = 1_000_000  # characters of a text that is not JSON as it stands
_MOST_STEPS: Final = 200_000  # of looking for JSON in a text: signs, strings, numbers and words
_STEPS_TO_BEGIN: Final = 10  # what it takes to begin at a bracket and to check what was found
_MOST_COMPARED: Final = 1_000  # values in a value all of whose misfits are weighed; of a larger one the first is told
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
_BRACKET: Final = re.compile(r"[\[{]")
_NOTHING_MORE: Final = re.compile(r"\s*+\Z")
_AS_JSON: Final = {"True": "true", "False": "false", "None": "null"}
_CLOSES: Final = {"[": "]", "{": "}"}


def told(schema: Mapping[str, object]) -> str:
    """The schema in words, for an endpoint that has no field for it. The same schema gives the same words."""
    return _TOLD + json.dumps(schema, ensure_ascii=False, sort_keys=True)


def read_json(text: str, *, schema: Mapping[str, object], is_cut: bool = False) -> object:
    """The value that an answer holds. `is_cut`: the provider says that it had no room for the rest.

    What is not JSON as it stands may have fences and prose around it, trailing commas, single quotes, Python's names of
    true, false and null, and line breaks within strings. Of several values the one that fits the schema counts.
    The work grows with the text and is bounded: an answer of more than 50,000 values is refused, and so is one that is
    not JSON as it stands and has more than a million characters or some 200,000 steps to look through.

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
    parts: int  # values in it, however deep


def _fitting(found: list[_Found], validator: Draft202012Validator) -> object:
    """The one of them that fits the schema; the same value twice is one."""
    different = {json.dumps(one.value, sort_keys=True): one for one in found}  # not ==: 1, 1.0 and true are three
    fits = [one.value for one in different.values() if _problem(one, validator) is None]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise SchemaMissed(f"the answer holds {len(fits)} different values that fit the schema")
    raise SchemaMissed(_problem(found[-1], validator) or "the answer does not fit the schema")


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
    if len(text) > _LONGEST_SEARCHED:
        raise SchemaMissed(f"the answer is no JSON as it stands, and {len(text):,} characters are too many to search")
    found: list[_Found] = []
    steps, at = _MOST_STEPS, 0
    while (bracket := _BRACKET.search(text, at)) is not None:
        walk = _walk(text, bracket.start(), steps)
        steps -= walk.steps + _STEPS_TO_BEGIN
        if walk.is_open:
            return found, True
        if steps < 0:  # what was found so far need not be all there is
            raise SchemaMissed("the answer holds more brackets than can be looked through")
        value = None if walk.written is None else _strict(walk.written)
        if value is not None:
            found.append(value)
        at = walk.end  # behind it: a part of what could not be read is no answer
    return found, False


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
    return _Walk(None, at, len(pieces), is_open=_NOTHING_MORE.match(text, at) is not None)


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
        text.encode()  # half a surrogate pair is no text
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    levels, parts = _size(value)
    return None if levels > _DEEPEST else _Found(value, parts)


class _Size(NamedTuple):
    levels: int
    parts: int


def _size(value: object) -> _Size:
    """How deep and how large it is. Raises SchemaMissed when nobody should walk through so much."""
    levels, parts, row = 0, 0, [value]
    while row := [part for whole in row for part in _parts(whole)]:
        levels, parts = levels + 1, parts + len(row)
        if parts > _MOST_PARTS:
            raise SchemaMissed(f"the answer holds more than {_MOST_PARTS:,} values")
    return _Size(levels, parts)


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
    # For these two together nothing bounds the library's work.
    if '"unevaluatedProperties"' in schema and '"patternProperties"' in schema:
        raise UserError("the schema has unevaluatedProperties beside patternProperties: say additionalProperties")
    # Its own registry of nothing: a schema that refers elsewhere is not fetched.
    return _kind_of_validator()(found, registry=Registry())


@cache
def _kind_of_validator() -> type[Draft202012Validator]:
    """The library's own, but for the keywords whose work there nothing bounds."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    found: type[Draft202012Validator] = extend(
        Draft202012Validator,
        {
            "uniqueItems": _unique_items,
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": partial(_additional, Draft202012Validator.VALIDATORS["additionalProperties"]),
        },
    )
    return found


def _pattern(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not occurs(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Draft202012Validator, patterns: Mapping[str, Schema], value: object, _: object
) -> Iterator[ValidationError]:
    fields = value.items() if isinstance(value, dict) else ()
    for (pattern, schema), (name, part) in product(patterns.items(), fields):
        if occurs(pattern, name):
            yield from validator.descend(part, schema, path=name, schema_path=pattern)


def _additional(
    plain: Callable[..., Iterator[ValidationError] | None],
    validator: Draft202012Validator,
    others: Schema,
    value: object,
    schema: Mapping[str, Mapping[str, Schema]],
) -> Iterator[ValidationError]:
    """What holds for the fields that neither stand in the schema nor match one of its patterns."""
    patterns = schema.get("patternProperties", {})
    if patterns and isinstance(value, dict):
        value = {name: part for name, part in value.items() if not any(occurs(each, name) for each in patterns)}
        schema = {name: told for name, told in schema.items() if name != "patternProperties"}
    yield from plain(validator, others, value, schema) or ()


def _unique_items(_: object, is_wanted: object, value: object, __: object) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if is_wanted and isinstance(value, list):
        different = {json.dumps(_as_compared(item), sort_keys=True) for item in value}
        if len(different) < len(value):
            yield ValidationError(f"{value!r} has non-unique elements")


def _as_compared(value: object) -> object:
    """With 1.0 as 1: to a schema they are the same number."""
    if isinstance(value, dict):
        return {name: _as_compared(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_compared(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _problem(found: _Found, validator: Draft202012Validator) -> str | None:
    """Where a value does not fit, and how; None when it does."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        misfits = validator.iter_errors(found.value)
        error = best_match(misfits) if found.parts <= _MOST_COMPARED else next(misfits, None)
    except Unresolvable as missing:
        raise UserError(f"the schema refers to what is not in it: {missing.ref!r}") from None
    except RecursionError:
        raise UserError("the schema refers to itself without an end") from None
    except OverflowError:  # multipleOf: 0.1 and a number of four hundred digits
        return "the answer holds a number that is too large to be checked"
    if error is None:
        return None
    place = "".join(f"/{part}" for part in error.absolute_path) or "its top"
    return clean(f"the answer does not fit the schema at {place}: {error.message}", _LONGEST_PROBLEM)
