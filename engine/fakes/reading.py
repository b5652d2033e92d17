"""Reading what a client sends, within bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from engine.fakes.call import Call, Upload
from engine.fakes.paths import LARGEST_BODY, is_batch_path

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["body_of", "call_of", "request_factory"]

_LARGEST_REQUEST: Final = 32 * 2**20  # the smaller of what the two services take


def request_factory(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """aiohttp's own factory, with our bound on the body."""
    from aiohttp import web

    loop = asyncio.get_running_loop()
    most = LARGEST_BODY if is_batch_path(message.path) else _LARGEST_REQUEST
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)


async def body_of(request: web.BaseRequest) -> bytes | None:
    """The body, or None when it is too large."""
    from aiohttp import web

    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


async def call_of(request: web.BaseRequest, *, wall: float, origin: str) -> Call:
    """A call that asks for no answer, read whole."""
    is_form = request.content_type == "multipart/form-data"
    return Call(
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers=request.headers,
        upload=await _upload(request) if is_form else None,
        body=b"" if is_form else await body_of(request),
        wall=wall,
        origin=origin,
    )


async def _upload(request: web.BaseRequest) -> Upload:
    """What a form with a file holds."""
    from aiohttp import BodyPartReader

    name, purpose, content = "", "", b""
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader) and part.name == "file":
            name, content = part.filename or "", bytes(await part.read())
        elif isinstance(part, BodyPartReader) and part.name == "purpose":
            purpose = await part.text()
    return Upload(name, purpose, content)
