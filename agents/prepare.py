"""Everything that can be wrong with a run is found out here, before a byte is written or a cent is spent."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from agents.config import Configuration
from agents.parse import parse
from agents.rows import read_rows
from engine.clock import SystemClock
from engine.errors import UserError

__all__ = ["prepare"]

# What `auto` takes for the key that is set: a small, current model of each provider.
AUTO = (("OPENAI_API_KEY", "openai/gpt-5.4-mini"), ("ANTHROPIC_API_KEY", "anthropic/claude-haiku-4-5"))

SIMULATED_BUDGET = "5"


def prepare(configuration: Configuration, *, prompt: str) -> Configuration:
    """The configuration with nothing left open. Raises UserError for whatever would end the run later."""
    parse(prompt)
    model = _auto() if configuration.model == "auto" else configuration.model
    settled = dataclasses.replace(configuration, model=model, test=_checked_test(configuration.test))
    return dataclasses.replace(settled, budget=_checked_budget(settled))


def _auto() -> str:
    for variable, model in AUTO:
        if os.environ.get(variable):
            return model
    keys = " or ".join(variable for variable, _ in AUTO)
    raise UserError(
        f"no teacher: set {keys}, or name one with --model (simulated/dates needs no key; a local server: "
        "--model openai/NAME --base-url http://localhost:PORT/v1)"
    )


def _checked_test(test: str | None) -> str | None:
    if test is None:
        return None
    path = Path(test).resolve()
    read_rows(path)
    return str(path)


def _checked_budget(configuration: Configuration) -> str | None:
    """The budget, or what stands for it. Also asks the provider and the price table whether they know the model."""
    from engine.prices import Price, lookup
    from engine.providers.resolve import resolve

    provider = resolve(
        configuration.model, base_url=configuration.base_url, clock=SystemClock(), seed=configuration.seed
    )
    if provider.simulated:
        return configuration.budget or SIMULATED_BUDGET
    if configuration.price_in is not None and configuration.price_out is not None:
        price = Price(input=configuration.price_in, output=configuration.price_out)
    else:
        price = lookup(configuration.model)
    if configuration.budget is None and (price.input or price.output):
        raise UserError(f"{configuration.model} costs money: say how much may be spent at most, with --budget USD")
    return configuration.budget
