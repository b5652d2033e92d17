"""Everything that can be wrong with a run is found out here, before a byte is written or a cent is spent."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
from pathlib import Path

from agents.config import Configuration
from agents.parse import SURE, parse
from agents.records import Spec
from agents.rows import read_rows
from engine.clock import SystemClock
from engine.errors import MissingExtra, UserError

__all__ = ["prepare"]

# What `auto` takes for the key that is set: a small, current model of each provider.
AUTO = (("OPENAI_API_KEY", "openai/gpt-5.4-mini"), ("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"))

SIMULATED_BUDGET = "5"

# What is kept for these is kept still while a stage is at work.
AT_WORK_WITH = {"retrieve": ("generate", "annotate"), "generate": ("annotate",), "annotate": ("generate",)}

# Without these no student can be trained, whichever it will be.
TO_TRAIN = ("torch", "transformers", "sklearn", "safetensors")


def prepare(configuration: Configuration, *, prompt: str) -> Configuration:
    """The configuration with nothing left open. Raises UserError for whatever would end the run later."""
    _check_student(configuration, parse(prompt))
    model = _auto() if configuration.model == "auto" else configuration.model
    settled = dataclasses.replace(configuration, model=model, test=_checked_test(configuration.test))
    settled = dataclasses.replace(settled, budget=_checked_budget(settled))
    _check_kept(settled)
    return settled


def _check_student(configuration: Configuration, spec: Spec) -> None:
    """Whether the student that is wanted can be made; what it would be trained on is not known yet."""
    if configuration.train and not all(importlib.util.find_spec(name) for name in TO_TRAIN):
        raise MissingExtra("train", needed_for="training a student (smelt generate makes the data without it)")
    # When the prompt leaves doubt, the teacher is asked first, and may find labels where we saw none.
    if configuration.student != "auto" and spec.confidence >= SURE:
        from agents.choose import choose_student, rank_models
        from agents.describe import own_words
        from engine.retrieval import load_models, model_place

        models = rank_models(own_words(spec), load_models().cards, place=model_place, language=spec.language)
        choose_student(spec, models, wanted=configuration.student)


def _auto() -> str:
    for variable, model in AUTO:
        if os.environ.get(variable):
            return model
    keys = " or ".join(variable for variable, _ in AUTO)
    raise UserError(
        f"no teacher: set {keys}, or name one with --model (simulated/dates needs no key; a local server: "
        "--model openai/NAME --base-url http://localhost:PORT/v1 --price-in 0 --price-out 0)"
    )


def _checked_test(test: str | None) -> str | None:
    if test is None:
        return None
    path = Path(test).resolve()
    read_rows(path)
    return str(path)


def _check_kept(configuration: Configuration) -> None:
    """Whether something of the budget is there for every stage that must ask: what is kept is, until its stage is over.

    The first of all asks only where the prompt leaves doubt.
    """
    kept = {} if configuration.cap is None else configuration.cap.kept
    for stage, others in AT_WORK_WITH.items():
        if stage not in kept and sum(kept.get(other, 0) for other in others) == 1:
            raise UserError(
                f"all of the budget is kept for others while {stage!r} is at work, which must ask too: keep less, "
                f"or keep something for {stage!r}"
            )


def _checked_budget(configuration: Configuration) -> str | None:
    """The budget, or what stands for it. Also asks the provider and the price table whether they know the model."""
    from engine.providers.choice import known_price
    from engine.providers.resolve import resolve

    provider = resolve(
        configuration.model, base_url=configuration.base_url, clock=SystemClock(), seed=configuration.seed
    )
    if provider.simulated:
        return configuration.budget or SIMULATED_BUDGET
    price = known_price(provider, told=configuration.price)
    if configuration.budget is None and not price.is_free:
        raise UserError(f"{configuration.model} costs money: say how much may be spent at most, with --budget USD")
    if configuration.budget is None and configuration.stages is not None:
        raise UserError("stages have parts of a budget, and there is none: give it with --budget USD or as usd = ...")
    return configuration.budget
