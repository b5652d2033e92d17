"""Rules as they are written: in JSON, and in a shell in words; and back again."""

from __future__ import annotations

import orjson

from engine.errors import UserError
from engine.fakes.mishaps import MISHAPS
from engine.fakes.records import object_of, record_of
from engine.fakes.rules import Rule, When

__all__ = ["record_of_rule", "rule_from_text", "rule_of", "rules_of"]


def rules_of(told: object) -> tuple[Rule, ...]:
    """Rules from a list as JSON has it. Raises UserError, in one line."""
    if not isinstance(told, list):
        raise UserError(f'rules must be a list, as in [{{"do": "hang", "when": {{"nth": 5}}}}] (got {told!r})')
    return tuple(rule_of(rule) for rule in told)


def rule_of(told: object) -> Rule:
    """A rule from an object as JSON has it. Raises UserError, in one line."""
    if not isinstance(told, dict) or not isinstance(told.get("do"), str) or told.keys() - {"do", "when", "with"}:
        raise UserError(f'a rule must look like {{"do": "hang", "when": {{"nth": 5}}, "with": {{}}}} (got {told!r})')
    settings = told.get("with", {})
    if not isinstance(settings, dict):
        raise UserError(f"{told['do']}: `with` must be an object (got {settings!r})")
    headers = settings.get("headers", {})
    if not isinstance(headers, dict):
        raise UserError(f"{told['do']}: headers must be an object of texts (got {headers!r})")
    when = object_of(When, told.get("when", {}), where=f"{told['do']}: when")
    return Rule(told["do"], when, {name: value for name, value in settings.items() if name != "headers"}, headers)


def rule_from_text(text: str) -> Rule:
    """A rule as it is written in a shell: JSON, or `drip nth=10 seconds=0.5`."""
    if text.lstrip().startswith("{"):
        try:
            return rule_of(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            raise UserError(f"the rule {text!r} is not JSON ({error})") from None
    do, *pairs = text.split() or [""]
    when: dict[str, object] = {}
    settings: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"the rule {text!r} must look like: NAME condition=value setting=value (got {pair!r})")
        (when if name in When.__slots__ else settings)[name] = _value(value, name=name, do=do)
    return rule_of({"do": do, "when": when, "with": settings})


def _value(text: str, *, name: str, do: str) -> object:
    """A number where a number belongs, else the text."""
    known = MISHAPS[do].settings.get(name) if do in MISHAPS else None
    if isinstance(known, str) or name in {"contains", "model", "dialect", "method", "path"}:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def record_of_rule(rule: Rule) -> dict[str, object]:
    """The rule as JSON has it; `rule_of` reads it again."""
    told: dict[str, object] = {"do": rule.do, "when": record_of(rule.when)}
    settings = {**rule.settings, **({"headers": dict(rule.headers)} if rule.headers else {})}
    return {**told, "with": settings} if settings else told
