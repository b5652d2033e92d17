"""Another teacher in the middle of a run: what stays, what goes with the one before, and whose answers count."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from agents.config import Configuration

__all__ = ["succeeded"]

# Said of the one before: who comes after is somewhere else, costs something else, and is as fast as it is.
OF_A_TEACHER = (
    "base_url",
    "dialect",
    "insecure_http",
    "price_in",
    "price_out",
    "price_cached_in",
    "price_cache_write",
    "price_batch",
    "rpm",
    "tpm",
    "concurrency",
)


def succeeded(configuration: Configuration, changes: Mapping[str, object], *, asked: Sequence[str]) -> Configuration:
    """The configuration of a run that goes on with these changes.

    With another model, or elsewhere, nothing that was said of the one before holds any more, and what those answered
    who were `asked` before counts. Raises UserError for what cannot be meant.
    """
    is_another = "model" in changes or "base_url" in changes
    forgotten: dict[str, Any] = {}
    if is_another:
        usual = {field.name: field.default for field in dataclasses.fields(Configuration)}
        forgotten = {name: usual[name] for name in OF_A_TEACHER}
        forgotten["formers"] = tuple(asked) or None
    values: dict[str, Any] = {**forgotten, **changes}
    return dataclasses.replace(configuration, **values)
