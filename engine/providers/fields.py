"""The fields of a dialect's table, each checked as a user may have written it. One line says what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, get_args

from engine.errors import UserError
from engine.text import meant
from engine.verdict import Kind

__all__ = ["Api", "Auth", "SchemaMethod", "checked"]

Api = Literal["openai", "anthropic"]
Auth = Literal["bearer", "api-key", "x-api-key", "none"]
SchemaMethod = Literal["json_schema", "output_config", "prompt"]
Period = Literal["second", "minute", "day"]

_OF_A_MODEL: Final = (
    "temperature", "n", "seed", "stop", "output_cap", "schema", "send", "cache_mark", "cache_from", "cached_counts",
)  # fmt: skip
_CAPS: Final = (
    "max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "max_tokens_to_sample", "max_gen_len",
    "max_length", "maxOutputTokens", "maxTokens", "n_predict", "num_predict",
)  # fmt: skip
# What is asked, how often and of whom: it was counted when money was set aside, and a dialect may not say otherwise.
_OURS: Final = (
    "model", "models", "fallbacks", "messages", "prompt", "input", "system", "n", "best_of", "temperature", "seed",
    "stop", "stop_sequences", "response_format", "output_config", "stream", "stream_options", "tools", "tool_choice",
    "functions", "function_call", "web_search_options", "mcp_servers",
)  # fmt: skip
_OF_JSON: Final = "a table of what JSON can say: texts, finite numbers, true, false, lists and tables"
_MOST: Final = 10**6  # stop sequences, or tokens of a prompt
_KINDS: Final = sorted(str(kind) for kind in Kind if kind is not Kind.PROTOCOL)  # which is no word of a server's


class _NotMeantError(Exception):
    """Says what a value must be."""


def checked(where: str, name: str, value: object) -> object:
    """The value of a field as a Profile has it. Raises UserError."""
    check = _CHECKS.get(name)
    if check is None:
        raise UserError(f"{where}: unknown field {name!r}{meant(name, _CHECKS)} (there are: {', '.join(_CHECKS)})")
    try:
        return check(value)
    except _NotMeantError as error:
        raise UserError(f"{where}: {name} must be {error} (got {value!r})") from None
    except UserError as error:  # of a table within
        raise UserError(f"{where}: {error}") from None


def _must(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise _NotMeantError(otherwise)


def _text(value: object) -> str:
    _must(isinstance(value, str) and value.isprintable(), "a text on one line")
    return str(value)


def _path(value: object) -> str:
    text = _text(value)
    _must(text.startswith("/") and " " not in text, 'what follows the base URL, as in "/chat/completions"')
    return text


def _one_of(choices: Sequence[str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        _must(value in choices, f"one of {', '.join(choices)}")
        return str(value)

    return check


def _truth(value: object) -> bool:
    _must(isinstance(value, bool), "true or false")
    return bool(value)


def _temperature(value: object) -> float | None:
    if value is False:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise _NotMeantError("the highest that may be sent, from 0 to 2, or false for none")
    return float(value)


def _share(value: object) -> float | None:
    if value is False:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise _NotMeantError("the share of the price that a batch costs, above 0 and at most 1, or false for none")
    return float(value)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise _NotMeantError(f"a whole number, 0 for none, at most {_MOST:,}")
    return value


def _places(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(map(_is_place, value)):
        raise _NotMeantError('a list of hosts and ports, as in ["llm.example.org", ":8000"]')
    return tuple(value)


def _is_place(place: object) -> bool:
    if not isinstance(place, str):
        return False
    if place.startswith(":"):
        return re.fullmatch(r":[0-9]{1,5}", place) is not None and 0 < int(place[1:]) < 2**16
    return bool(place) and "://" not in place


def _cap(value: object) -> str:
    text = _text(value)
    is_name = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text) is not None
    _must(is_name and text not in _OURS, f'the field that bounds the answer, as in "{_CAPS[0]}" or "{_CAPS[1]}"')
    return text


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _NotMeantError("a table")
    return MappingProxyType(dict(value))


def _sent(value: object) -> Mapping[str, object]:
    table = _table(value)
    taken = ", ".join(name for name in (*_OURS, *_CAPS) if name in table)
    _must(not taken, f"a table of what else is sent; Smelt itself says {taken}")
    _must(_is_json(table), _OF_JSON)
    return table


def _is_json(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_json(inner) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int)


def _mark(value: object) -> Mapping[str, object]:
    table = _table(value)
    taken = ", ".join(name for name in ("type", "text") if name in table)
    _must(not taken, f"a table of what a block of text says beside its text; Smelt itself says {taken}")
    _must(_is_json(table), _OF_JSON)
    return table


def _limits(value: object) -> Mapping[str, object]:
    table = _table(value)
    periods = get_args(Period)
    _must(all(period in periods for period in table.values()), 'a table as in { requests = "minute" }')
    return table


def _aliases(value: object) -> Mapping[str, str]:
    table = _table(value)
    _must(all(isinstance(better, str) for better in table.values()), "a table of names of headers")
    return MappingProxyType({own.lower(): str(better).lower() for own, better in table.items()})


def _errors(value: object) -> Mapping[str, Kind]:
    table = _table(value)
    _must(all(kind in _KINDS for kind in table.values()), f"a table of codes, and each means {', '.join(_KINDS)}")
    return MappingProxyType({code.lower(): Kind(str(kind)) for code, kind in table.items()})


def _models(value: object) -> Mapping[str, Mapping[str, object]]:
    return MappingProxyType({pattern: _of_a_model(pattern, table) for pattern, table in _table(value).items()})


def _of_a_model(pattern: str, table: object) -> Mapping[str, object]:
    if not isinstance(table, dict) or not set(table) <= set(_OF_A_MODEL):
        raise _NotMeantError(f"tables by pattern, and each may say {', '.join(_OF_A_MODEL)}")
    return MappingProxyType({name: checked(f"models.{pattern}", name, value) for name, value in table.items()})


_CHECKS: Final[Mapping[str, Callable[[object], object]]] = {
    "title": _text,
    "api": _one_of(get_args(Api)),
    "at": _places,
    "path": _path,
    "auth": _one_of(get_args(Auth)),
    "key": _text,
    "version": _text,
    "temperature": _temperature,
    "n": _truth,
    "seed": _truth,
    "stop": _count,
    "output_cap": _cap,
    "schema": _one_of(get_args(SchemaMethod)),
    "send": _sent,
    "limits": _limits,
    "headers": _aliases,
    "errors": _errors,
    "cache_mark": _mark,
    "cache_from": _count,
    "cached_counts": _truth,
    "batch": _share,
    "models": _models,
}
