"""Everything that can be wrong with a run is found out here, before a byte is written or a cent is spent."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from agents.config import Configuration, Models
from agents.finding.bases import named_base
from agents.finding.describe import own_words
from agents.finding.retrieve import Wishes, found_models
from agents.finding.student_choice import Situation, answers_with_labels, choose_student
from agents.parsing.parse import SURE, parse
from agents.reading.documents import check_documents
from agents.reading.inputs import examine, parts_of
from agents.reading.rows import read_rows
from agents.records import Spec
from engine.clock import SystemClock
from engine.errors import MissingExtra, UnknownPrice, UserError
from engine.providers import Provider
from engine.providers.auto import Found, auto
from engine.retrieval import load_datasets

__all__ = ["checked", "prepare", "provider_of"]

SIMULATED_BUDGET = "5"

Bill = Literal["real", "simulated", "nothing"]

# What is kept for these is kept still while a stage is at work.
AT_WORK_WITH = {
    "retrieve": ("transform", "generate", "annotate", "judge"),
    "transform": ("generate", "annotate", "judge"),
    "generate": ("annotate", "judge"),
    "annotate": ("generate", "judge"),
    "judge": ("generate", "annotate"),
}

# Without these no student can be trained, whichever it will be.
TO_TRAIN = ("torch", "transformers", "sklearn", "safetensors")


def prepare(
    configuration: Configuration,
    *,
    prompt: str,
    note: Callable[[str], None] = lambda _: None,
    look: Callable[[bool], Found] = auto,
    has_begun: bool = False,
) -> Configuration:
    """The configuration with nothing left open. Raises UserError for whatever would end the run later.

    `note` is told in a line what `look` has chosen for `auto`, and why. A run that has begun has taken from its
    documents what it needs.
    """
    spec = parse(prompt)
    _check_student(configuration, spec)
    if configuration.model == "auto":
        configuration = _with_teacher(configuration, look=look, note=note)
    if not has_begun:
        configuration = dataclasses.replace(configuration, documents=_checked_documents(configuration.documents))
    return checked(_with_inputs(configuration, spec, note=note))


def checked(configuration: Configuration) -> Configuration:
    """The same for a configuration that names its teacher and its student."""
    settled = dataclasses.replace(
        configuration,
        model=_found_from_anywhere(configuration.model),
        fallback=None if configuration.fallback is None else _all_found(configuration.fallback),
        models=None if configuration.models is None else _by_role_found(configuration.models),
        base=_base_from_anywhere(configuration.base),
        test=_checked_test(configuration.test),
        catalogue=_checked_catalogue(configuration.catalogue, configuration.datasets or ()),
    )
    for order in (settled.order, *settled.by_role.values()):
        _check_distinct(order)
    settled = dataclasses.replace(settled, budget=_checked_budget(settled))
    _check_kept(settled)
    return settled


def _check_student(configuration: Configuration, spec: Spec) -> None:
    """Whether the student that is wanted can be made; what it would be trained on is not known yet."""
    if configuration.train and not all(importlib.util.find_spec(name) for name in TO_TRAIN):
        raise MissingExtra("train", needed_for="training a student (smelt generate makes the data without it)")
    if configuration.train and configuration.device not in ("auto", "cpu"):
        from engine.training.machine import machine_for

        machine_for(configuration.device)
    if configuration.trial is not None and configuration.student in ("tiny", "linear"):
        raise UserError(
            f"--trial chooses the student: leave out --student {configuration.student}, or leave out --trial"
        )
    wanted = configuration.student
    if configuration.trial == 1 and wanted != "auto":
        raise UserError(f"--trial 1 with --student {wanted} leaves nobody to compare: give 2 or more, or leave one out")
    if configuration.trial is not None and configuration.base is not None:
        raise UserError("--trial looks for the base itself: leave out --base, or leave out --trial")
    base = named_base(configuration.base)
    # When the prompt leaves doubt, the teacher is asked first, and may find labels where we saw none.
    if configuration.student != "auto" and spec.confidence >= SURE:
        has_labels = answers_with_labels(spec)
        models = found_models(own_words(spec), Wishes(language=spec.language, has_labels=has_labels))
        choose_student(Situation(has_labels=has_labels), models, wanted=configuration.student, base=base)


def _with_teacher(
    configuration: Configuration, *, look: Callable[[bool], Found], note: Callable[[str], None]
) -> Configuration:
    """Whoever can be asked from here. A price or an endpoint that was given belongs to whoever gave it: it stays."""
    if configuration.base_url is not None:
        raise UserError("a base URL needs a model there: name it with --model openai/NAME (or anthropic/NAME)")
    found = look(configuration.budget is not None)
    note(f"teacher: {found.told}")
    chosen = dataclasses.replace(configuration, model=found.model, base_url=found.base_url)
    is_priced = found.price is None or configuration.price is not None
    return chosen if is_priced else dataclasses.replace(chosen, price_in="0", price_out="0")


def _found_from_anywhere(model: str) -> str:
    """A model's folder is named so that a run can be resumed from elsewhere."""
    folder = Path(model.removeprefix("local/"))
    return f"local/{folder.resolve()}" if model.startswith("local/") and folder.is_dir() else model


def _base_from_anywhere(base: str | None) -> str | None:
    """The same for the folder that a student starts from."""
    folder = None if base is None else Path(base).expanduser()
    return str(folder.resolve()) if folder is not None and folder.is_dir() else base


def _all_found(models: Models) -> Models:
    return tuple({**said, "model": _found_from_anywhere(str(said["model"]))} for said in models)


def _by_role_found(models: Mapping[str, Models]) -> dict[str, Models]:
    return {role: _all_found(said) for role, said in models.items()}


def _checked_test(test: str | None) -> str | None:
    if test is None:
        return None
    path = Path(test).resolve()
    read_rows(path)
    return str(path)


def _checked_documents(documents: str | None) -> str | None:
    if documents is None:
        return None
    path = Path(documents).resolve()
    check_documents(path)
    return str(path)


def _checked_catalogue(catalogue: str | None, datasets: Sequence[str]) -> str | None:
    if len(datasets) > 1 and (alone := {"auto", "none"} & set(datasets)):
        raise UserError(f"--datasets {min(alone)} stands alone: leave it out, or name no data sets beside it")
    if catalogue is None:
        return None
    path = Path(catalogue).resolve()
    load_datasets(path)
    return str(path)


def _with_inputs(configuration: Configuration, spec: Spec, *, note: Callable[[str], None]) -> Configuration:
    """The file of inputs as it is now: a run goes on with this one only."""
    if configuration.inputs is None:
        return configuration
    path = Path(configuration.inputs).resolve()
    examined = examine(path, column=configuration.input_column, parts=parts_of(spec))
    note(examined.told)
    return dataclasses.replace(configuration, inputs=str(path), inputs_sha256=examined.digest)


def _check_kept(configuration: Configuration) -> None:
    """Whether something of the budget is there for every stage that must ask: what is kept is, until its stage is over.

    The first of all asks only where the prompt leaves doubt.
    """
    kept = {} if configuration.cap is None else configuration.cap.kept
    for stage, others in AT_WORK_WITH.items():
        is_at_work = stage != "judge" or configuration.judge
        if is_at_work and stage not in kept and sum(kept.get(other, 0) for other in others) == 1:
            raise UserError(
                f"all of the budget is kept for others while {stage!r} is at work, which must ask too: keep less, "
                f"or keep something for {stage!r}"
            )


def _check_distinct(order: Sequence[Configuration]) -> None:
    said = [(each.model, each.base_url) for each in order]
    if twice := [model for i, (model, url) in enumerate(said) if (model, url) in said[:i]]:
        raise UserError(f"{twice[0]} stands twice in one fall-back order: name each model once")


def provider_of(said: Configuration) -> Provider:
    """Whoever is asked by that name, there. Raises UserError when it cannot be asked so."""
    from engine.providers.resolve import resolve

    return resolve(
        said.model, base_url=said.endpoints or None, clock=SystemClock(), seed=said.seed, dialect=said.profile
    )


def _checked_budget(configuration: Configuration) -> str | None:
    """The budget, or what stands for it. Also asks providers and the price table whether they know the models."""
    if configuration.batch and len(configuration.order) > 1:
        raise UserError("batches go to one model: leave out --batch, or name no other to fall back on")
    billed = [_checked_model(said, configuration) for said in configuration.everyone]
    if configuration.budget is not None:
        return configuration.budget
    for said, bill in zip(configuration.everyone, billed, strict=True):
        if bill == "real":
            raise UserError(f"{said.model} costs money: say how much may be spent at most, with --budget USD")
    if "simulated" in billed:
        return SIMULATED_BUDGET
    if configuration.stages is not None:
        raise UserError("stages have parts of a budget, and there is none: give it with --budget USD or as usd = ...")
    return None


def _checked_model(said: Configuration, configuration: Configuration) -> Bill:
    """What asking it costs. Raises UserError when it cannot be asked so."""
    from engine.providers.choice import known_price

    provider = provider_of(said)
    labels = said in configuration.by_role.get("annotator", ())
    if configuration.batch and (said is configuration or labels):
        from engine.batches import check_batch

        check_batch(True, provider=provider, journal="journal.db", hedge=configuration.hedge)
    if provider.simulated:
        return "simulated"
    try:
        return "nothing" if known_price(provider, told=said.price).is_free else "real"
    except UnknownPrice as error:
        if said is configuration:
            raise
        raise UnknownPrice(  # the flags are the teacher's
            f"no price is known for {said.model!r}: name it as a table, as in {{ model = {said.model!r}, "
            "price_in = 0.25, price_out = 2 }, in the file for --config, or under [options] in the run.toml of a run "
            "that goes on"
        ) from error
