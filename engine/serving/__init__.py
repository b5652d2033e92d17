"""A student behind the OpenAI API, so that it takes an LLM's place by changing one URL.

Knows HTTP and whoever answers. What a prompt looks like, and how to find the bare input in a conversation, is told by
the caller as a function; who answers beside the student, if anybody, is the caller's too.

    answers   who answers: the student at its desk, or whoever stands in its place
    calls     what a request asks for
    shapes    what a reply looks like
    office    from the one to the other
    door      who may ask, and from where; errors as OpenAI writes them; listening, and an end that loses nobody
    metrics   figures for Prometheus

What is not covered: TLS, tools, images, what a student might have written in a token's place.
"""

from __future__ import annotations

from engine.serving.answers import Answer, Answering, FromStudent
from engine.serving.calls import BareInput, last_user_message
from engine.serving.door import GRACE_SECONDS, Door, check_door, serve
from engine.serving.metrics import Metrics
from engine.serving.office import application

__all__ = [
    "GRACE_SECONDS",
    "Answer",
    "Answering",
    "BareInput",
    "Door",
    "FromStudent",
    "Metrics",
    "application",
    "check_door",
    "last_user_message",
    "serve",
]
