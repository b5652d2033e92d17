"""From a request to the rows that answer it."""

from __future__ import annotations

from functools import partial

from engine.errors import ContextOverflow
from engine.messages import Request
from engine.providers.local.grammar import Matcher
from engine.providers.local.model import Model
from engine.providers.local.row import Row
from engine.providers.local.sampling import Chance, seed_of
from engine.providers.local.worker import Job

__all__ = ["job_of"]


def job_of(request: Request, model: Model, *, seed: int) -> Job:
    """A row for each completion. Raises RequestFailed, or MissingExtra for a form, when there can be no answer."""
    prompt = model.codec.encode(request.messages)
    most = _most(model, prompt=len(prompt), asked=request.max_tokens)
    temperature = model.default_temperature if request.temperature is None else request.temperature
    return Job(
        [
            Row(
                prompt=prompt,
                most=most,
                temperature=temperature,
                stop=tuple(stop for stop in request.stop if stop),
                start=partial(_start, request, model, seed_of(request, seed=seed, completion=number)),
                decode=model.codec.decode,
                ends=model.ends,
            )
            for number in range(request.n)
        ]
    )


def _start(request: Request, model: Model, seed: int) -> tuple[Chance, Matcher | None]:
    return Chance(seed, device=model.device), _matcher(request, model)


def _matcher(request: Request, model: Model) -> Matcher | None:
    if request.choices:
        return model.grammars.of_choices(request.choices)
    return None if request.schema is None else model.grammars.of_schema(request.schema)


def _most(model: Model, *, prompt: int, asked: int) -> int:
    """How long the answer may be: a causal model reads and writes in one context, another has two."""
    if prompt == 0:
        raise ContextOverflow("the prompt has no tokens, so there is nothing to go on from")
    if model.context is None:
        return asked
    free = model.context - prompt if model.is_causal else model.context
    if free < 1 or prompt > model.context:
        raise ContextOverflow(f"the prompt has {prompt} tokens, and this model reads {model.context} at most")
    return min(asked, free)
