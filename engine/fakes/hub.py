"""A hub of models and data sets on this machine, for tests: listings with pages, cards, files, and what goes wrong.

GET /api/models, /api/datasets (pipeline_tag, filter, limit, cursor) · GET /api/models/ID/revision/main,
/api/models/ID/tree/REVISION (what files it has) · the same of /api/datasets/ID, and POST .../paths-info/REVISION
GET, HEAD /ID/resolve/REVISION/FILE, /datasets/ID/resolve/REVISION/FILE, also parts of a file (Range)
Point huggingface_hub at it with HF_ENDPOINT. What belongs to a data set is called "datasets/ID/FILE" among the files.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from engine.clock import SystemClock
from engine.fakes.door import HOST, Door

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["FakeHub", "Mishap"]

REVISION = "0" * 40
DROP = 16  # bytes at a time, where an answer drips
KEPT = ("Content-Range", "ETag", "X-Repo-Commit")

_REPOSITORY = re.compile(
    r"/api/(?P<name>(models|datasets)/[^/]+(/[^/]+)?)(/(?P<about>revision|tree|paths-info)/[^/]+(/.*)?)?"
)


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong with one request: a status instead of the answer, a wait before it, or an answer that is no good.

    `half` of it comes under the length of the whole; it comes under the length of a whole that is `shorter` by some
    bytes; it is said to be packed and is not (`garbled`); it comes a few bytes at a time, so many seconds apart
    (`drip_s`).
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    half: bool = False
    shorter: int = 0
    garbled: bool = False
    drip_s: float = 0.0
    seconds: float = 0.0


class FakeHub:
    """A hub that lists what it is given, in that order.

    async with FakeHub(models=[{"id": "org/name", "pipeline_tag": "fill-mask"}], files={"org/name/README.md": b"..."})
        as hub: ...  HF_ENDPOINT=hub.url

    `mishaps` is asked for every request, with its number from 0 and its path; None means that nothing goes wrong.
    `renamed` leads old names to new ones. `seen` holds what was asked for, `authorizations` who asked.
    """

    def __init__(
        self,
        *,
        models: Sequence[Mapping[str, Any]] = (),
        datasets: Sequence[Mapping[str, Any]] = (),
        files: Mapping[str, bytes] | None = None,
        renamed: Mapping[str, str] | None = None,
        largest_page: int = 1000,
        mishaps: Callable[[int, str], Mishap | None] = lambda _number, _path: None,
    ) -> None:
        self.listings = {"/api/models": list(models), "/api/datasets": list(datasets)}
        self.files = dict(files or {})
        self.renamed = dict(renamed or {})
        self.mishaps = mishaps
        self.seen: list[str] = []
        self.authorizations: set[str] = set()
        self._largest_page = largest_page
        self._door = Door(0, SystemClock())

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._door.port}"

    async def __aenter__(self) -> Self:
        from aiohttp import web

        await self._door.open(web.Server(self._answer))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._door.aclose()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        number = len(self.seen)
        self.seen.append(request.path)
        self.authorizations.add(request.headers.get("authorization", ""))
        mishap = self.mishaps(number, request.path) or Mishap()
        if mishap.seconds:
            await asyncio.sleep(mishap.seconds)
        if mishap.status is not None:
            return web.json_response({"error": "as you wished"}, status=mishap.status, headers=mishap.headers)
        response = await self._of(request)
        if mishap.half:
            return await _cut(request, response)
        if mishap.drip_s:
            return await _dripped(request, response, mishap.drip_s)
        if mishap.shorter:
            response.body = _body(response)[: -mishap.shorter]
        if mishap.garbled:
            response.headers["Content-Encoding"] = "gzip"
        return response

    async def _of(self, request: web.BaseRequest) -> web.Response:
        if request.path in self.listings:
            return self._listing(request)
        if (found := _REPOSITORY.fullmatch(request.path)) is not None:
            name = found["name"].removeprefix("models/")
            if name in self.renamed:
                return self._moved(request, name)
            paths = [str(path) for path in (await request.post()).getall("paths", ())]
            return self._repository(name, found["about"] or "revision", paths)
        return self._file(request)

    def _moved(self, request: web.BaseRequest, name: str) -> web.Response:
        from aiohttp import web

        return web.Response(status=307, headers={"Location": request.path.replace(name, self.renamed[name], 1)})

    def _repository(self, name: str, about: str, paths: Sequence[str]) -> web.Response:
        """The one revision of a repository that there is, or its files: all, or those that are asked about."""
        from aiohttp import web

        files = {
            file.removeprefix(f"{name}/"): body for file, body in self.files.items() if file.startswith(f"{name}/")
        }
        if not files:
            return web.json_response({"error": "Repository not found"}, status=404)
        if about == "revision":
            siblings = [{"rfilename": file} for file in files]
            return web.json_response({"id": name.removeprefix("datasets/"), "sha": REVISION, "siblings": siblings})
        tree = [
            {"type": "file", "path": file, "size": len(body), "oid": _tag(body)}
            for file, body in files.items()
            if about == "tree" or file in paths
        ]
        return web.json_response(tree)

    def _listing(self, request: web.BaseRequest) -> web.Response:
        from aiohttp import web

        query = request.query
        found = [item for item in self.listings[request.path] if _matches(item, query)]
        start, size = int(query.get("cursor", 0)), min(int(query.get("limit", 1000)), self._largest_page)
        headers = {}
        if start + size < len(found):
            following = request.url.update_query({"cursor": str(start + size)})
            headers["Link"] = f'<{self.url}{following.path_qs}>; rel="next"'
        return web.json_response(found[start : start + size], headers=headers)

    def _file(self, request: web.BaseRequest) -> web.Response:
        from aiohttp import web

        name, _, rest = request.path.strip("/").partition("/resolve/")
        path = rest.partition("/")[2]
        if name in self.renamed:
            return self._moved(request, name)
        body = self.files.get(f"{name}/{path}")
        if body is None:
            return web.json_response(
                {"error": "Entry not found"}, status=404, headers={"X-Error-Code": "EntryNotFound"}
            )
        headers = {"ETag": f'"{_tag(body)}"', "X-Repo-Commit": REVISION}
        if (part := request.http_range).start is None:
            return web.Response(body=body, headers=headers)
        wanted = body[part]
        headers["Content-Range"] = f"bytes {part.start}-{part.start + len(wanted) - 1}/{len(body)}"
        return web.Response(status=206, body=wanted, headers=headers)


def _tag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:40]


def _matches(item: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether an item serves the task that was asked for."""
    if (task := query.get("pipeline_tag")) is not None:
        return item.get("pipeline_tag") == task
    return "filter" not in query or query["filter"] in item.get("tags", ())


async def _cut(request: web.BaseRequest, response: web.Response) -> web.StreamResponse:
    """The first half of an answer, under the length of the whole; then the line is dead."""
    body = _body(response)
    halved = await _begun(request, response)
    await halved.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return halved


async def _dripped(request: web.BaseRequest, response: web.Response, seconds: float) -> web.StreamResponse:
    """All of an answer, in ever so many small parts."""
    body = _body(response)
    dripping = await _begun(request, response)
    for start in range(0, len(body), DROP):
        await dripping.write(body[start : start + DROP])
        await asyncio.sleep(seconds)
    return dripping


def _body(response: web.Response) -> bytes:
    return bytes(response.body) if isinstance(response.body, bytes) else b""


async def _begun(request: web.BaseRequest, response: web.Response) -> web.StreamResponse:
    """The head of an answer, with the length of its whole body."""
    from aiohttp import web

    kept = {name: value for name, value in response.headers.items() if name in KEPT}
    kept |= {"Content-Length": str(len(_body(response))), "Content-Type": "application/json"}
    begun = web.StreamResponse(status=response.status, headers=kept)
    await begun.prepare(request)
    return begun
