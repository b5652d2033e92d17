"""A request that asks for everything, and replies as OpenAI writes them."""

from __future__ import annotations

from typing import Any

import orjson

from engine.messages import Request
from engine.providers.shapes import chat_completion, complete

PLAIN = Request.user("Say hello", max_tokens=20)


def reply(**changes: object) -> dict[str, Any]:
    """A good reply to PLAIN, with changes at the top level."""
    body = chat_completion(
        [complete("hello", "stop", max_tokens=20)], ident="chatcmpl-1", created=1, model="m-2026", input_tokens=3
    )
    return {**orjson.loads(body), **changes}


def choice(content: object = "hello", *, index: object = 0, finish: object = "stop", **message: object) -> object:
    return {"index": index, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
