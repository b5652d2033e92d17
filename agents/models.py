"""The models of a run: the engine that asks them, and who of them does what, in words."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.config import ROLES, Configuration
from agents.listeners import announced
from agents.run_folder import RunFolder
from engine import Engine, Limits, Model
from engine.events import Events, Listener
from engine.providers.surroundings import key_variables, target_told, variables_set
from engine.retrieval.store import cache_folder

__all__ = ["BATCHED", "keys_told", "models_told", "open_alone", "open_engine", "targets_told"]

# The stages that ask thousands of times; the few other questions need not wait for a day.
BATCHED = ("transform", "generate", "annotate")


def open_engine(folder: RunFolder, configuration: Configuration, *, events: Events) -> Engine:
    """The one engine of a run, with its models, each within its limits, its cap and its journal.

    With a cluster it is one of many workers. Raises UserError when a model cannot be asked so.
    """
    teacher, *others = map(_model, configuration.order)
    terms: dict[str, Any] = {
        "fallback": others,
        "by_tag": {ROLES[role]: [_model(each) for each in order] for role, order in configuration.by_role.items()},
        "budget": configuration.cap,
        "journal": folder.journal,
        "seed": configuration.seed,
        "events": events,
        "run_deadline_s": configuration.deadline,
        "hedge": configuration.hedge,
        "batch": BATCHED if configuration.batch else False,
        "formers": configuration.formers or (),
    }
    if configuration.cluster is None:
        return Engine(teacher, **terms)
    from engine.fleet.fleet import Fleet
    from engine.fleet.on_ray import OnRay

    cards = configuration.gpus if configuration.is_local else 0.0
    return Fleet(teacher, hiring=OnRay(configuration.cluster, workers=configuration.workers, gpus=cards), **terms)


def open_alone(configuration: Configuration, *, about: str, on_event: Listener | None = None) -> Engine:
    """An engine for a question or two to the teacher, with a journal in the user's cache: nothing is paid for twice.

    `about` is what the questions are about, such as a command and a prompt. Each has its own journal, which its budget
    is a cap for; so two commands wait for each other only where they would ask the same.
    """
    journal = _journal_alone(configuration, about)
    journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # a prompt is nobody else's business
    events = announced()
    if on_event is not None:
        events.subscribe(on_event)
    return Engine(
        _model(configuration),
        budget=configuration.cap,
        journal=journal,
        seed=configuration.seed,
        events=events,
    )


def _journal_alone(said: Configuration, about: str) -> Path:
    key = hashlib.sha256(repr((about, said.model, said.base_url, said.dialect)).encode()).hexdigest()[:16]
    return cache_folder() / "asked" / key / "journal.db"


def _model(said: Configuration) -> Model:
    return Model(
        said.model,
        base_url=said.endpoints or None,
        dialect=said.profile,
        price=said.price,
        limits=Limits(rpm=said.rpm, tpm=said.tpm),
        concurrency=said.concurrency,
    )


def models_told(configuration: Configuration) -> str:
    """Who does what, and who did, in short: "openai/a, else anthropic/b; annotator: openai/c; before: openai/d"."""
    roles = [f"{role}: {_in_order(order)}" for role, order in configuration.by_role.items()]
    formers = {former.partition(" at ")[0] for former in configuration.formers or ()}
    gone = sorted(formers - {each.model for each in configuration.everyone})
    before = [f"before: {', '.join(gone)}"] if gone else []
    return "; ".join([_in_order(configuration.order), *roles, *before])


def targets_told(configuration: Configuration) -> str | None:
    """The first line of a run: whom it asks, and what in the environment somebody may expect to change that.

    None where all there is to say is a model in this process.
    """
    roles = {"teacher": configuration.order, **configuration.by_role}
    told = [f"{role}: {_targets(order)}{_unless_asked(role, configuration)}" for role, order in roles.items()]
    if len(roles) == len(configuration.order) == 1:
        told = [target] if (target := _target(configuration)) else []
    surprising = [str(variable) for variable in variables_set(os.environ) if variable.surprises]
    return "; ".join([*told, *surprising]) if told else None


def keys_told(configuration: Configuration) -> str:
    """The variables that the keys of these models are looked for in: "GROQ_API_KEY or OPENAI_API_KEY"."""
    variables = [
        name
        for said in configuration.everyone
        for name in key_variables(said.model, base_urls=said.endpoints, profile=said.profile)
    ]
    return " or ".join(dict.fromkeys(variables))


def _targets(order: Sequence[Configuration]) -> str:
    return ", else ".join(_target(each) or f"{each.model} in this process" for each in order)


def _unless_asked(role: str, configuration: Configuration) -> str:
    return " (asked with --judge only)" if role == "judge" and not configuration.judge else ""


def _target(said: Configuration) -> str | None:
    return target_told(said.model, base_urls=said.endpoints, profile=said.profile)


def _in_order(order: Sequence[Configuration]) -> str:
    return ", else ".join(each.model for each in order)
