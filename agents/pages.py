"""Pages of one file that need no network: foreign text in them is data, escaped and freed of what cannot be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from engine.text import visible

__all__ = ["rendered", "storable"]


def rendered(template: str, table: Mapping[str, object], **filters: Callable[..., object]) -> str:
    """The page that a template makes of a table of plain values."""
    from jinja2 import Environment, StrictUndefined

    text = (files("agents") / "templates" / template).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(filters)
    return environment.from_string(text).render(_shown(table))


def _shown(value: Any) -> Any:
    """The same without characters that cannot be seen, some of which reverse or hide what stands beside them."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {_shown(key): _shown(item) for key, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list | tuple) else value


def storable(value: Any) -> Any:
    """The same without half surrogate pairs, which a folder's name may hold and no JSON can."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list | tuple) else value
