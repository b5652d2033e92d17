"""Asking the teacher about data that exists: what fails costs its own answer, what ends more is raised."""

from __future__ import annotations

from collections.abc import Sequence

from agents.asks import Asks, all_of, attempt, coldest
from engine.errors import RequestFailed
from engine.messages import Outcome, Request

__all__ = ["ask_for_text", "attempt_all"]


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
