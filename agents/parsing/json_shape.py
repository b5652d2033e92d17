"""The JSON schema that answers fit, from answers that are JSON or from words that describe them; pure.

What is derived is a floor: the keys that every answer has and the types that were seen. More keys are never forbidden.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["demonstrated_schema", "fits", "keys_of", "told_schema"]

_KEY = re.compile(r"[\"'“]([A-Za-z_][\w -]{0,40})[\"'”]\s*:\s*")
_TYPE_WORD = re.compile(
    r"[\"'<(]?\s*(string|str|text|number|float|integer|int|boolean|bool|list|array|object)\b", re.IGNORECASE
)
_TYPES = {
    "string": "string", "str": "string", "text": "string", "number": "number", "float": "number", "integer": "integer",
    "int": "integer", "boolean": "boolean", "bool": "boolean", "list": "array", "array": "array", "object": "object",
}  # fmt: skip
_NAMED_KEYS = re.compile(
    r"\b(?:keys?|fields?|properties|attributes?|schlüsseln?|felder\w*|clés?|champs|claves|campos)\b"
    r"[ \t]*(?:are|named|called|sind|sont|son)?[ \t]*[:：]?[ \t]*"
    r"(?P<names>[\"'`“]?[A-Za-z_][^.\n:;(]{0,400})",
    re.IGNORECASE,
)
_JOINT = re.compile(r"[ \t]*[,、][ \t]*(?:(?:and|or|und|et|y)[ \t]+)?|[ \t]+(?:and|und|et|y)[ \t]+")
_NAME = re.compile(r"[\"'`“”]?([A-Za-z_]\w{0,40})[\"'`“”]?")
_GOES_ON = re.compile(r"\A\S+[ \t]+(?:for|of|from|that|which|where)\b", re.IGNORECASE)  # "name, age for each person"
_ORDERS = frozenset(
    {"answer", "return", "respond", "reply", "output", "write", "give", "use", "do", "no", "nothing", "only"}
)
_DEEPEST = 20
_LONGEST_TEMPLATE = 4_000
_MOST_BRACES = 50


def demonstrated_schema(outputs: Sequence[str]) -> dict[str, object] | None:
    """The schema of answers that all are JSON objects, or all lists; None when one of them is something else."""
    values = [_decoded(output) for output in outputs]
    is_one_kind = all(isinstance(value, dict) for value in values) or all(isinstance(value, list) for value in values)
    return _merged(values) if values and is_one_kind else None


def told_schema(instruction: str) -> dict[str, object] | None:
    """The schema that the words describe: by an object to fill in, or by the names of its keys."""
    for template in _templates(instruction):
        keys = list(_keys(template))
        if keys:
            return _object({key: _told_type(value) for key, value in keys})
    named = _NAMED_KEYS.search(instruction)
    names = _listed_keys(named["names"]) if named else []
    return _object({name: {} for name in names}) if len(names) > 1 else None


def _listed_keys(told: str) -> list[str]:
    """The names in "a, b and c in lower case": an "and" comes before the last, and more words only behind that one.

    None at all where something else is listed, since a key that nobody meant would have right answers left out.
    """
    names: list[str] = []
    position, joint, is_closed = 0, "", False
    for match in (*_JOINT.finditer(told), None):
        part = told[position : match.start() if match else len(told)].strip()
        is_joined = any(map(str.isalpha, joint))
        if is_closed and not is_joined:
            return names
        is_closed = is_closed or is_joined
        if (whole := _NAME.fullmatch(part)) is None:
            first = _NAME.match(part) if is_closed or _GOES_ON.search(part) else None
            is_order = first is None or first[1].casefold() in _ORDERS
            return names if is_order and is_closed else [] if first is None else [*names, first[1]]
        names.append(whole[1])
        position, joint = (match.end(), match[0]) if match else (len(told), "")
    return names


def keys_of(schema: Mapping[str, object] | None) -> frozenset[str]:
    """The outermost keys that a schema tells of."""
    properties = (schema or {}).get("properties")
    return frozenset(properties) if isinstance(properties, dict) else frozenset()


def fits(text: str, schema: Mapping[str, object]) -> bool:
    """Whether a text is one JSON value that fits the schema."""
    from engine.errors import AnswerCut, SchemaMissed
    from engine.structured import read_json

    try:
        read_json(text, schema=schema)
    except (AnswerCut, SchemaMissed):
        return False
    return True


def _decoded(text: str) -> object:
    """The JSON value, or None; null is none of the values that an answer as a whole has."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _merged(values: Sequence[object], *, depth: int = 0) -> dict[str, object]:
    """The schema that all the values fit."""
    kinds = sorted({_kind(value) for value in values})
    if kinds == ["integer", "number"]:
        kinds = ["number"]
    if depth > _DEEPEST or not kinds:
        return {}
    schema: dict[str, object] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    rows = [value for value in values if isinstance(value, dict)]
    if rows:
        schema |= _shared_keys(rows, depth=depth)
    items = [item for value in values if isinstance(value, list) for item in value]
    if items:
        schema["items"] = _merged(items, depth=depth + 1)
    return schema


def _shared_keys(rows: Sequence[Mapping[str, object]], *, depth: int) -> dict[str, object]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    shared = {name: [row[name] for row in rows if name in row] for name in names}
    return {
        "properties": {name: _merged(inner, depth=depth + 1) for name, inner in shared.items()},
        "required": [name for name in names if len(shared[name]) == len(rows)],
    }


def _kind(value: object) -> str:
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "object"


def _object(properties: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _templates(text: str) -> Iterator[str]:
    """What stands in braces, with the braces inside it."""
    openings = [match.start() for match in re.finditer(r"\{(?=\s*[\"'“])", text)][:_MOST_BRACES]
    for start in openings:
        depth = 0
        for position in range(start, min(len(text), start + _LONGEST_TEMPLATE)):
            depth += (text[position] == "{") - (text[position] == "}")
            if depth == 0:
                yield text[start + 1 : position]
                break


def _keys(template: str) -> Iterator[tuple[str, str]]:
    """The outermost keys of an object to fill in, each with what stands behind it."""
    for match in _KEY.finditer(template):
        before = template[: match.start()]
        if before.count("{") == before.count("}") and before.count("[") == before.count("]"):
            yield match[1], template[match.end() : match.end() + 60]


def _told_type(value: str) -> dict[str, object]:
    """The type that a place in an object stands for, where it says one: `<string>`, `0`, `[...]`, `true`."""
    bare = value.strip()
    if bare.startswith("["):
        return {"type": "array"}
    if bare.startswith("{"):
        return {"type": "object"}
    if match := _TYPE_WORD.match(bare):
        return {"type": _TYPES[match[1].casefold()]}
    return {"type": "boolean"} if bare.startswith(("true", "false")) else {}
