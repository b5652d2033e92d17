"""Words that we say to models, as text files reviewed like prose; code fills the named fields and nothing else."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

__all__ = ["fill", "opening"]

_FIELD = re.compile(r"\{(\w+)\}")


def fill(name: str, /, **fields: str) -> str:
    """The prompt `name`.txt with its {fields} filled in.

    Values are data: braces inside them are left alone. Raises KeyError for a missing field, ValueError for one that
    the prompt does not have.
    """
    template = _template(name)
    wanted = set(_FIELD.findall(template))
    if unknown := set(fields) - wanted:
        raise ValueError(f"prompt {name!r} has no field {sorted(unknown)}")
    return _FIELD.sub(lambda match: fields[match[1]], template)


def opening(name: str, /, **fields: str) -> str:
    """The beginning of the prompt `name`.txt that these fields alone settle: up to the first field that is not given.

    It is what many prompts share when the others differ from one to the next.
    """
    template = _template(name)
    ends = (match.start() for match in _FIELD.finditer(template) if match[1] not in fields)
    return _FIELD.sub(lambda match: fields[match[1]], template[: next(ends, len(template))])


@cache
def _template(name: str) -> str:
    return (files(__name__) / f"{name}.txt").read_text(encoding="utf-8").strip()
