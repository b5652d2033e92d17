"""The border to the official SDKs: their replies as plain objects, their errors as ours, their streams as lines.

The SDKs are used as transport: what they validate or retry by themselves is turned off or not asked for. No exception
of theirs leaves this file, since it holds the request's headers, and so the key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import orjson

from engine.messages import RawReply
from engine.providers.batches import CallFailed
from engine.providers.foreign import encode
from engine.providers.secrecy import Secrecy
from engine.verdict import classify, classify_failure, classify_unreadable

__all__ = ["LONGEST_LINE", "called", "lines_of", "listed", "plain", "read_line", "telling", "text_at"]

T = TypeVar("T")

LONGEST_LINE: Final = 32 * 2**20
"""Bytes of one line of results: as much as one reply alone may have."""

_MISSING: Final = frozenset({404, 410})


def telling(headers: Mapping[str, str]) -> dict[str, list[Callable[[Any], Awaitable[None]]]]:
    """Hooks for an SDK's HTTP client: our headers go out, and the key in none but these."""

    async def tell(request: Any) -> None:
        for name in ("authorization", "x-api-key"):
            request.headers.pop(name, None)
        request.headers.update(headers)

    return {"request": [tell]}


async def called(call: Callable[[], Awaitable[T]], *, what: str, secrecy: Secrecy) -> T:
    """Make a call of an SDK; whatever goes wrong is a CallFailed, named by `what` was called."""
    import httpx2

    failure: CallFailed
    try:
        return await call()
    except CallFailed:
        raise
    except Exception as error:  # noqa: BLE001 - the SDKs raise their own, httpx2's and json's; all of it is foreign
        failure = _failed(error, what=what, secrecy=secrecy, unmade=(httpx2.ConnectError, httpx2.ConnectTimeout))
    # Outside of the handler on purpose: the SDK's error must not ride along as the cause of ours.
    raise failure


def _failed(error: Exception, *, what: str, secrecy: Secrecy, unmade: tuple[type[Exception], ...]) -> CallFailed:
    response = getattr(error, "response", None)
    if response is not None and hasattr(error, "status_code"):
        headers = {name.lower(): text for name, text in response.headers.items()}
        raw = secrecy.conceal(RawReply(response.status_code, headers, _content(response), 0.0))
        if verdict := classify(raw):
            return CallFailed(verdict, is_missing=raw.status in _MISSING)
    is_sent = not isinstance(error, unmade) and not isinstance(error.__cause__, unmade)
    why = "the connection could not be made" if not is_sent else f"the call failed ({type(error).__name__})"
    return CallFailed(classify_failure(f"{what}: {why}", sent=is_sent))


def _content(response: Any) -> bytes:
    try:
        return bytes(response.content)
    except Exception:  # noqa: BLE001 - a stream that was not read; the status says enough
        return b""


def plain(body: bytes, *, what: str) -> Mapping[str, object]:
    """A reply's body as an object; CallFailed when it is none."""
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise CallFailed(classify_unreadable(f"{what}: the reply is no JSON object"))
    return found


def text_at(found: Mapping[str, object], name: str, *, what: str) -> str:
    """A text that must be there."""
    text = found.get(name)
    if not isinstance(text, str) or not text:
        raise CallFailed(classify_unreadable(f"{what}: the reply has no {name!r}"))
    return text


def listed(found: Mapping[str, object]) -> list[Mapping[str, object]]:
    """The objects on a page of a list."""
    data = found.get("data")
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


async def lines_of(chunks: AsyncIterator[bytes], *, longest: int = LONGEST_LINE) -> AsyncIterator[bytes]:
    """Lines by line feeds alone: JSON may hold any other line break as it is. One without an end is passed over."""
    rest = bytearray()
    is_too_long = False
    async for chunk in chunks:
        rest += chunk
        *whole, last = rest.split(b"\n")
        for line in whole:
            if not is_too_long and line.strip():
                yield bytes(line)
            is_too_long = False
        rest = bytearray() if len(last) > longest else last
        is_too_long = is_too_long or len(last) > longest
    if rest.strip() and not is_too_long:
        yield bytes(rest)


def read_line(line: bytes) -> Mapping[str, Any] | None:
    """A line of results as an object; None when it is none."""
    import json

    try:
        found: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:  # half a surrogate pair in one answer is no reason to lose it
            found = json.loads(line)
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def body_bytes(body: object) -> bytes:
    """A reply within a line, as it would have come alone."""
    return encode(body) if isinstance(body, dict) else orjson.dumps(body)
