"""Asking the teacher about data that exists: what fails costs its own answer, what ends more is raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agents.asks import Asks, all_of, attempt, coldest
from engine.errors import AnswerCut, RequestFailed, SchemaMissed
from engine.messages import Outcome, Request
from engine.structured import read_json

__all__ = ["ask_for_text", "attempt_all", "read_said"]


async def attempt_all(asks: Asks, requests: Sequence[Request]) -> list[Outcome]:
    """All of them at the same time; the outcomes come in their order. Raises what ends more than a request."""
    outcomes = await all_of(attempt(asks, request) for request in requests)
    for outcome in outcomes:
        if outcome.error is not None and not isinstance(outcome.error, RequestFailed):
            raise outcome.error
    return outcomes


async def ask_for_text(asks: Asks, prompt: str, *, max_tokens: int, tag: str) -> str | None:
    """What the teacher says when sampling is cold; None when nothing came of it."""
    heat = coldest(asks, tag=tag)
    (outcome,) = await attempt_all(asks, [Request.user(prompt, max_tokens=max_tokens, temperature=heat, tag=tag)])
    return None if outcome.reply is None else outcome.reply.text


def read_said(text: str, *, schema: Mapping[str, object]) -> Any:
    """The value in a reply; None when it holds none that fits the schema."""
    try:
        return read_json(text, schema=schema)
    except (AnswerCut, SchemaMissed):
        return None
