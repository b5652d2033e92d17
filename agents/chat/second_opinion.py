"""What the teacher would say to an input: asked on wish, inside a budget of its own, and kept like all that is paid."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agents.asks import coldest
from agents.config import Configuration
from agents.models import open_alone
from agents.prepare import checked
from agents.records import Spec
from agents.run_folder import RunFolder
from agents.succession import succeeded
from agents.voting.annotate import Voting, annotate
from engine import Engine
from engine.errors import UserError
from engine.prices import dollars

__all__ = ["Opinion", "Teacher", "configuration_for", "opened"]

# Of the run, and not of one question.
OF_A_RUN = (
    "fallback", "models", "stages", "batch", "hedge", "deadline", "test", "documents", "inputs", "input_column",
    "inputs_sha256", "catalogue", "datasets", "formers", "trial",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the teacher said, or in `problem` why it did not; `spent` is what all of them have cost, as "$0.0012"."""

    answer: str | None
    problem: str = ""
    spent: str = ""


def configuration_for(run: RunFolder, *, model: str | None, budget: str | None) -> Configuration:
    """How to ask the teacher of a run, or another model, a question at a time.

    Raises UserError where nobody can be asked so: no model is known, or it costs money and there is no budget for it.
    """
    if run.manifest.is_file():
        begun = run.configuration()
    elif model is None:
        raise UserError("no run tells who the teacher is: name it with --model PROVIDER/NAME")
    else:
        begun = Configuration(model=model)
    usual = {field.name: field.default for field in dataclasses.fields(Configuration)}
    changes: dict[str, Any] = {} if model is None or model == begun.model else {"model": model}
    asked: dict[str, Any] = {name: usual[name] for name in OF_A_RUN}
    alone = dataclasses.replace(succeeded(begun, changes, asked=()), **asked, train=False, budget=budget)
    if alone.model == "auto":
        raise UserError("no run tells who the teacher is: name it with --model PROVIDER/NAME")
    return checked(alone)


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whoever taught the student, or another model, ready to be asked."""

    name: str
    simulated: bool
    _engine: Engine
    _spec: Spec

    async def ask(self, text: str) -> Opinion:
        """Its answer to an input, asked for as a vote would be. What goes wrong is told in the opinion."""
        voting = Voting(votes=1, temperature=coldest(self._engine, tag="annotate"))
        told = await annotate(self._engine, self._spec, text, voting)
        figures = self._engine.statistics()
        spent = dollars(figures.spent + figures.assumed)
        if told.vote is not None:
            return Opinion(answer=told.vote.winner, spent=spent)
        problem = (
            str(told.error) if told.error is not None else f"no answer ({', '.join(told.failures) or told.reason})"
        )
        return Opinion(answer=None, problem=problem, spent=spent)


@asynccontextmanager
async def opened(configuration: Configuration, spec: Spec, *, about: str) -> AsyncIterator[Teacher]:
    """Within the block the teacher can be asked. What was asked before, about the same, is not paid again.

    The budget is a cap for all that was ever asked about it.
    """
    async with open_alone(configuration, about=about) as engine:
        yield Teacher(configuration.model, engine.simulated, engine, spec)
