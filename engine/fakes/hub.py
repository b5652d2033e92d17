"""A hub of models and data sets on this machine, for tests: listings with pages, cards, files, and what goes wrong.

GET /api/models, /api/datasets (pipeline_tag, filter, limit, cursor) · GET /api/models/ID/revision/main,
/api/models/ID/tree/REVISION (what files it has) · GET, HEAD /ID/resolve/REVISION/FILE
Point huggingface_hub at it with HF_ENDPOINT.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from engine.clock import SystemClock
from engine.fakes.door import HOST, Door

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["FakeHub", "Mishap"]

REVISION = "0" * 40


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong with one request: a status instead of the answer, half of the answer, or a wait before it."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    half: bool = False
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
        response = self._of(request)
        if mishap.half:
            return await _cut(request, response)
        return response

    def _of(self, request: web.BaseRequest) -> web.Response:
        if request.path in self.listings:
            return self._listing(request)
        name, _, about = request.path.removeprefix("/api/models/").rpartition("/")[0].rpartition("/")
        if request.path.startswith("/api/models/") and about in ("revision", "tree"):
            return self._repository(name, about)
        return self._file(request)

    def _repository(self, name: str, about: str) -> web.Response:
        """The one revision of a model that there is, or the files that it has."""
        from aiohttp import web

        files = {
            file.removeprefix(f"{name}/"): body for file, body in self.files.items() if file.startswith(f"{name}/")
        }
        if not files:
            return web.json_response({"error": "Repository not found"}, status=404)
        if about == "revision":
            return web.json_response({"id": name, "sha": REVISION})
        tree = [{"type": "file", "path": file, "size": len(body), "oid": _tag(body)} for file, body in files.items()]
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
        revision, _, path = rest.partition("/")
        if name in self.renamed:
            return web.Response(status=307, headers={"Location": f"/{self.renamed[name]}/resolve/{revision}/{path}"})
        body = self.files.get(f"{name}/{path}")
        if body is None:
            return web.json_response({"error": "Entry not found"}, status=404)
        headers = {"ETag": f'"{_tag(body)}"', "X-Repo-Commit": REVISION}
        return web.Response(body=body, headers=headers)


def _tag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:40]


def _matches(item: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether an item serves the task that was asked for."""
    if (task := query.get("pipeline_tag")) is not None:
        return item.get("pipeline_tag") == task
    return "filter" not in query or query["filter"] in item.get("tags", ())


async def _cut(request: web.BaseRequest, response: web.Response) -> web.StreamResponse:
    """The first half of an answer, under the length of the whole; then the line is dead."""
    from aiohttp import web

    body = bytes(response.body) if isinstance(response.body, bytes) else b""
    halved = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await halved.prepare(request)
    await halved.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return halved
