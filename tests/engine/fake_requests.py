"""Requests in both dialects, and a service to put them to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.behaviour import Behaviour
from engine.fakes.case import Served
from engine.fakes.dialect import Dialect
from engine.fakes.openai_side import OpenAISide
from engine.fakes.service import Moment, Service
from engine.fakes.worlds import EchoWorld

OPENAI, ANTHROPIC = OpenAISide(), AnthropicSide()
VERSION = {"anthropic-version": "2023-06-01"}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
MESSAGE: dict[str, Any] = {**CHAT, "max_tokens": 20}


def service(**behaviour: Any) -> Service:
    return Service(EchoWorld(), Behaviour(**behaviour))


def ask(
    target: Service, dialect: Dialect = OPENAI, *, at: float = 0.0, headers: Mapping[str, str] = VERSION, **changes: Any
) -> Served:
    """One request to a service, over and done with."""
    body = {**(CHAT if dialect is OPENAI else MESSAGE), **changes}
    served = target.serve(dialect, headers, orjson.dumps(body), Moment(at, 1_795_000_000.0 + at))
    target.audit.leave()
    return served
