"""Usage that cannot be true, and answers that are not those that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson

from engine.fakes.body_faults import texts_changed
from engine.fakes.case import Case, Served, Spoilt
from engine.providers.foreign import encode

__all__ = ["CHOICE_FAULTS", "USAGE_FAULTS"]

Usage = dict[str, Any]

_ABSURD: Final = 10**15


def _changed_usage(change: Callable[[Usage, Case], object], case: Case, served: Served) -> Served:
    told = orjson.loads(served.body)
    return replace(served, body=encode({**told, "usage": change(told["usage"], case)}))


def _counts(usage: Usage) -> list[str]:
    """The names of the numbers at the top, whatever the dialect calls them."""
    return [name for name, value in usage.items() if isinstance(value, int)]


def _all(value: Callable[[int], object], usage: Usage, _: Case) -> object:
    return {**usage, **{name: value(usage[name]) for name in _counts(usage)}}


def _above_cap(usage: Usage, case: Case) -> object:
    output = case.output_allowed + 1
    if case.is_anthropic:
        return {**usage, "output_tokens": output}
    return {**usage, "completion_tokens": output, "total_tokens": usage["prompt_tokens"] + output}


def _with_unknown(usage: Usage, _: Case) -> object:
    return {**usage, "quantum_tokens": 7, "by_region": [{"region": "moon", "tokens": None}], "details": {"a": {}}}


def _changed(change: Callable[[dict[str, Any]], object], _: Case, served: Served) -> Served:
    told = orjson.loads(served.body)
    change(told)
    return replace(served, body=encode(told))


def _parts(told: dict[str, Any]) -> list[Any]:
    """The choices, or the blocks of a message."""
    parts: list[Any] = told["choices"] if "choices" in told else told["content"]
    return parts


def _misnumber(told: dict[str, Any]) -> None:
    for place, choice in enumerate(told.get("choices", ())):
        choice["index"] = place + 1


def _end_without_reason(told: dict[str, Any]) -> None:
    for choice in told.get("choices", ()):
        choice["finish_reason"] = None
    if "stop_reason" in told:
        told["stop_reason"] = None


def _with_text(text: object, _: Case, served: Served) -> Served:
    return replace(served, body=encode(texts_changed(served.body, lambda _: text)))


def _other_model(case: Case, served: Served) -> Served:
    told = orjson.loads(served.body)
    return replace(served, body=encode({**told, "model": case.settings["model"]}))


def _spoilt(about: str, spoil: Callable[[Case, Served], Served]) -> Spoilt:
    return Spoilt(about=about, spoil=spoil, needs_answer=True)


def _usage(about: str, change: Callable[[Usage, Case], object]) -> Spoilt:
    return _spoilt(about, partial(_changed_usage, change))


def _answer(about: str, change: Callable[[dict[str, Any]], object]) -> Spoilt:
    return _spoilt(about, partial(_changed, change))


USAGE_FAULTS: Final[Mapping[str, Spoilt]] = {
    "usage_missing": _answer("no usage", lambda told: told.pop("usage")),
    "usage_null": _usage("usage: null", lambda _, __: None),
    "usage_zero": _usage("every count is 0", partial(_all, lambda _: 0)),
    "usage_negative": _usage("every count is below 0", partial(_all, lambda count: -count - 1)),
    "usage_huge": _usage("every count is 10^15", partial(_all, lambda _: _ABSURD)),
    "usage_above_cap": _usage("one token more put out than was allowed", _above_cap),
    "usage_text": _usage("counts as texts", partial(_all, str)),
    "usage_fraction": _usage("counts with half a token", partial(_all, lambda count: count + 0.5)),
    "usage_extra": _usage("true counts among fields that nobody knows", _with_unknown),
}

CHOICE_FAULTS: Final[Mapping[str, Spoilt]] = {
    "choices_duplicated": _answer("the last choice (or block) comes twice", lambda t: _parts(t).append(_parts(t)[-1])),
    "choices_missing": _answer("one choice (or block) fewer", lambda told: _parts(told).pop()),
    "choices_misnumbered": _answer("indices that begin at 1 (OpenAI's alone has any)", _misnumber),
    "choices_reversed": _answer("the last choice first, rightly numbered", lambda told: _parts(told).reverse()),
    "finish_missing": _answer("no reason for the end, as of an answer that was cut", _end_without_reason),
    "content_empty": _spoilt('"" for a text', partial(_with_text, "")),
    "content_null": _spoilt("null for a text", partial(_with_text, None)),
    "content_number": _spoilt("a number for a text", partial(_with_text, 42)),
    "other_model": Spoilt(
        about="another model's name in the answer",
        settings={"model": "another-model"},
        spoil=_other_model,
        needs_answer=True,
    ),
}
