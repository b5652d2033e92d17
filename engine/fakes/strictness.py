"""What the two services refuse beyond names and numbers: shapes of fields, and what some families of models lack.

Families are known by their names; any other name is a model that takes everything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from engine.fakes.dialect import Refusal

__all__ = ["check_anthropic", "check_openai"]

Fields = Mapping[str, object]

_REASONING: Final = re.compile(r"o[134](-|$)|gpt-5(-|$)")
_WITHOUT_STOP: Final = re.compile(r"o3(-|$)|o4-mini|gpt-5(-|$)")
_ONLY_DEFAULT: Final = ("temperature", "top_p")
_NOT_REASONING: Final = ("presence_penalty", "frequency_penalty")

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast")
_FORMATS: Final = ("text", "json_object", "json_schema")
_SCHEMA_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")

# From 4.6 on an answer cannot be begun for them.
_WITHOUT_PREFILL: Final = re.compile(r"claude-((opus|sonnet|haiku)-(4-[6-9]|[5-9])|fable|mythos)")
_ANTHROPIC_TIERS: Final = ("auto", "standard_only")
_ANTHROPIC_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


def check_openai(asked: Fields) -> None:
    """Raises Refusal; `asked` holds what is not null."""
    _one_of(asked, "reasoning_effort", _EFFORTS)
    _one_of(asked, "service_tier", _TIERS)
    _check_response_format(asked.get("response_format"))
    _check_metadata(asked.get("metadata"))
    if "stream_options" in asked:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal("invalid", message, field="stream_options")
    if _REASONING.match(model := str(asked.get("model"))):
        _check_reasoning(asked)
    if asked.get("stop") and _WITHOUT_STOP.match(model):
        raise _unsupported("stop")


def _check_reasoning(asked: Fields) -> None:
    if "max_tokens" in asked:
        raise _unsupported("max_tokens", " Use 'max_completion_tokens' instead.")
    for name in _ONLY_DEFAULT:
        if asked.get(name, 1) != 1:
            told = f"Unsupported value: '{name}' does not support {asked[name]} with this model."
            message = f"{told} Only the default (1) value is supported."
            raise Refusal("invalid", message, field=name, code="unsupported_value")
    for name in _NOT_REASONING:
        if asked.get(name, 0) != 0:
            raise _unsupported(name)


def _unsupported(name: str, advice: str = "") -> Refusal:
    message = f"Unsupported parameter: '{name}' is not supported with this model.{advice}"
    return Refusal("invalid", message, field=name, code="unsupported_parameter")


def _one_of(asked: Fields, name: str, values: Collection[str]) -> None:
    if name in asked and asked[name] not in values:
        there = ", ".join(f"'{value}'" for value in values)
        message = f"Invalid value: '{asked[name]}'. Supported values are: {there}."
        raise Refusal("invalid", message, field=name, code="invalid_value")


def _check_response_format(told: object) -> None:
    if told is None:
        return
    kind = told.get("type") if isinstance(told, dict) else None
    _one_of({"response_format.type": kind}, "response_format.type", _FORMATS)
    if kind != "json_schema" or not isinstance(told, dict):
        return
    schema = told.get("json_schema")
    for name in ("name", "schema"):
        if not isinstance(schema, dict) or not schema.get(name):
            field = f"response_format.json_schema{f'.{name}' if isinstance(schema, dict) else ''}"
            message = f"Missing required parameter: '{field}'."
            raise Refusal("invalid", message, field=field, code="missing_required_parameter")
    if isinstance(schema, dict) and not _SCHEMA_NAME.fullmatch(str(schema["name"])):
        field = "response_format.json_schema.name"
        message = f"Invalid '{field}': string does not match pattern. Expected '^{_SCHEMA_NAME.pattern}$'."
        raise Refusal("invalid", message, field=field, code="invalid_value")


def _check_metadata(told: object) -> None:
    texts = list(told.values()) if isinstance(told, dict) else [] if told is None else [told]
    if len(texts) > 16 or not all(isinstance(text, str) and len(text) <= 512 for text in texts):
        raise Refusal("invalid", "Invalid 'metadata': at most 16 pairs of short strings.", field="metadata")


def check_anthropic(fields: Fields) -> None:
    """Raises Refusal for what the shapes of the fields alone do not show."""
    _one_of_these(fields, "service_tier", _ANTHROPIC_TIERS)
    _check_user(fields.get("metadata"))
    _check_output_config(fields.get("output_config"))
    _check_sampling(fields)
    turns = fields.get("messages")
    last = turns[-1] if isinstance(turns, list) and turns else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return
    if _WITHOUT_PREFILL.match(str(fields.get("model"))):
        message = "messages: this model does not support assistant message prefill; the last must be the user's"
        raise Refusal("invalid", message)
    if isinstance(text := last.get("content"), str) and text != text.rstrip():
        raise Refusal("invalid", "messages: final assistant content cannot end with trailing whitespace")


def _one_of_these(fields: Fields, name: str, values: Collection[str]) -> None:
    if fields.get(name) is not None and fields[name] not in values:
        raise Refusal("invalid", f"{name}: Input should be {' or '.join(repr(value) for value in values)}")


def _check_user(told: object) -> None:
    if told is None:
        return
    if not isinstance(told, dict):
        raise Refusal("invalid", "metadata: Input should be a valid dictionary")
    if extra := told.keys() - {"user_id"}:
        raise Refusal("invalid", f"metadata.{min(extra)}: Extra inputs are not permitted")


def _check_output_config(told: object) -> None:
    if told is None:
        return
    if not isinstance(told, dict):
        raise Refusal("invalid", "output_config: Input should be a valid dictionary")
    if extra := told.keys() - {"format", "effort"}:
        raise Refusal("invalid", f"output_config.{min(extra)}: Extra inputs are not permitted")
    _one_of_these({"output_config.effort": told.get("effort")}, "output_config.effort", _ANTHROPIC_EFFORTS)
    form = told.get("format")
    if form is not None and (
        not isinstance(form, dict) or form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict)
    ):
        raise Refusal("invalid", "output_config.format: Input should be a json_schema with its schema")


def _check_sampling(fields: Fields) -> None:
    top_p, top_k = fields.get("top_p"), fields.get("top_k")
    if top_p is not None and (isinstance(top_p, bool) or not isinstance(top_p, int | float) or not 0 <= top_p <= 1):
        raise Refusal("invalid", "top_p: range: 0..1")
    if top_k is not None and (isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 0):
        raise Refusal("invalid", "top_k: Input should be a valid integer, greater than or equal to 0")
