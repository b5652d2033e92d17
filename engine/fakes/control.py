"""The behaviour over the wire: as JSON has it, whole or in part, and back. Pure.

The key is never told, and cannot be set this way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

import orjson

from engine.errors import UserError
from engine.fakes.batches import BatchBehaviour
from engine.fakes.behaviour import Behaviour, Change
from engine.fakes.faults import FaultRates
from engine.fakes.limits import RateLimits
from engine.fakes.mishaps import FAMILIES
from engine.fakes.records import checked, object_of, record_of
from engine.fakes.rule_forms import record_of_rule, rules_of

__all__ = ["behaviour_from", "mishaps_record", "record_of_behaviour"]

_PARTS: Final[Mapping[str, type[Any]]] = {"limits": RateLimits, "faults": FaultRates, "batches": BatchBehaviour}
_APART: Final = (*_PARTS, "rules", "changes")


def behaviour_from(body: bytes, *, now: Behaviour, in_part: bool) -> Behaviour:
    """The behaviour that a control body asks for; `in_part`, what it leaves out stays, else it is as by default.

    Raises UserError, in one line, for what cannot be meant.
    """
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UserError("the body must be JSON, as in {}") from None
    if isinstance(told, dict) and "api_key" in told:
        raise UserError("api_key is set where the server is started, not over the wire")
    values = checked(Behaviour, told, where="behaviour", apart=_APART)
    values |= {name: _part(name, told[name]) for name in _APART if name in told}
    return replace(now if in_part else Behaviour(api_key=now.api_key), **values)


def _part(name: str, told: object) -> object:
    if name == "rules":
        return rules_of(told)
    if name == "changes":
        if not isinstance(told, list):
            raise UserError(
                f'changes must be a list, as in [{{"after_s": 20, "limits": {{"rpm": 60}}}}] (got {told!r})'
            )
        return tuple(_change(each) for each in told)
    return object_of(_PARTS[name], told, where=name)


def _change(told: object) -> Change:
    values = checked(Change, told, where="changes", apart=_PARTS)
    if "after_s" not in values or not isinstance(told, dict):
        raise UserError("changes: each says after_s, the seconds from the first request on")
    parts = {name: object_of(kind, told[name], where=name) for name, kind in _PARTS.items() if name in told}
    return Change(**values, **parts)


def record_of_behaviour(behaviour: Behaviour) -> dict[str, object]:
    """The behaviour as JSON has it, without the key; a PUT of it changes nothing."""
    told = {field.name: getattr(behaviour, field.name) for field in fields(behaviour) if field.name != "api_key"}
    return {
        name: [record_of_rule(rule) for rule in value] if name == "rules" else record_of(value)
        for name, value in told.items()
        if value is not None
    }


def mishaps_record() -> dict[str, object]:
    """What rules can do: family, name, what a client meets, settings."""
    return {
        family: {name: {"about": mishap.about, "with": dict(mishap.settings)} for name, mishap in mishaps.items()}
        for family, mishaps in FAMILIES.items()
    }
