"""Another teacher in the middle of a run: what stays, what goes with the one before, and whose answers count."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from agents.config import Configuration
from agents.making.synthesis import Settings
from agents.prepare import provider_of
from engine.errors import UserError
from engine.providers import Capabilities
from engine.providers.choice import common

__all__ = ["check_asked_alike", "succeeded"]

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
    "gpus",
)


def succeeded(configuration: Configuration, changes: Mapping[str, object], *, asked: Sequence[str]) -> Configuration:
    """The configuration of a run that goes on with these changes.

    With another model, or elsewhere, nothing that was said of the one before holds any more, and what those answered
    who were `asked` before counts. Of several addresses the first says where that is: others may come and go behind it.
    Raises UserError for what cannot be meant.
    """
    is_elsewhere = "base_url" in changes and _first(changes["base_url"]) != _first(configuration.base_url)
    is_another = "model" in changes or is_elsewhere
    forgotten: dict[str, Any] = {}
    if is_another:
        usual = {field.name: field.default for field in dataclasses.fields(Configuration)}
        forgotten = {name: usual[name] for name in OF_A_TEACHER}
        forgotten["formers"] = tuple(asked) or None
    values: dict[str, Any] = {**forgotten, **changes}
    return dataclasses.replace(configuration, **values)


def _first(base_url: object) -> object:
    return base_url[0] if isinstance(base_url, tuple) else base_url


def check_asked_alike(before: Configuration, now: Configuration) -> None:
    """Raise UserError when others to fall back on would change what the teacher of a run is asked.

    Then nothing that was paid for would be found again. Another teacher is asked in its own way in any case.
    """
    is_another = (now.model, _first(now.base_url)) != (before.model, _first(before.base_url))
    asked = _way_of_asking(before)
    if is_another or _way_of_asking(now) == asked:
        return
    each_alone = [dataclasses.replace(now, fallback=(said,)) for said in now.fallback or ()]
    told = " and ".join(one.order[1].model for one in each_alone if _way_of_asking(one) != asked)
    raise UserError(
        f"--fallback: {told} cannot be asked as this run has asked so far (temperatures, completions a request, "
        "schemas), so all that was paid for would be paid for again: name another"
    )


def _way_of_asking(configuration: Configuration) -> tuple[object, ...]:
    """How rows are asked for, and judged if they are, as far as it depends on who is asked."""
    labelling = configuration.by_role.get("annotator", configuration.order)
    usual = Settings(sampled=configuration.sampled_votes)
    settings = usual.within(_capabilities(configuration.order), labelling=_capabilities(labelling))
    if not configuration.judge:
        return (settings,)
    judge = _capabilities(configuration.by_role.get("judge", configuration.order))
    return settings, judge.max_temperature is None, judge.schema


def _capabilities(order: Sequence[Configuration]) -> Capabilities:
    return common(provider_of(said).capabilities for said in order)
