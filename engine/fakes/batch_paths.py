"""Which call on files and batches is meant by a method and a path, and what is answered. No socket here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.fakes.anthropic_batches import AnthropicBatchSide
from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.batches import Jobs
from engine.fakes.case import Served
from engine.fakes.dialect import Dialect, Headers, Refusal
from engine.fakes.openai_batches import OpenAIBatchSide
from engine.fakes.openai_side import OpenAISide
from engine.fakes.service import Service, named

__all__ = ["LARGEST_BODY", "BatchPaths", "Call", "Upload", "is_batch_path"]

LARGEST_BODY: Final = 257 * 10**6

_FILES, _BATCHES, _MESSAGE_BATCHES = "/v1/files", "/v1/batches", "/v1/messages/batches"


def is_batch_path(path: str) -> bool:
    """Whether a path belongs to files or batches."""
    return any(path == root or path.startswith(f"{root}/") for root in (_FILES, _BATCHES, _MESSAGE_BATCHES))


class Upload(NamedTuple):
    """A form with a file in it."""

    name: str
    purpose: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call, read whole."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: bytes = b""
    upload: Upload | None = None
    now: float
    origin: str  # the scheme and host that the caller sees


class BatchPaths:
    """Answers every call on files and batches."""

    def __init__(self, jobs: Jobs, service: Service) -> None:
        self.jobs = jobs
        self._service = service
        self._openai = OpenAIBatchSide(jobs)
        self._anthropic = AnthropicBatchSide(jobs)
        self._calls = 0

    def answer(self, call: Call) -> Served:
        self._calls += 1
        dialect: Dialect = AnthropicSide() if call.path.startswith(_MESSAGE_BATCHES) else OpenAISide()
        headers = named(dialect, self._calls)
        self.jobs.advance(call.now)
        try:
            self._service.check_key(dialect.key(call.headers))
            if call.method == "POST" and call.path in (_BATCHES, _MESSAGE_BATCHES):
                return self._create(call, headers)
            body = self._meant(call)()
        except Refusal as refusal:
            status, body = dialect.refuse(refusal, number=self._calls)
            return Served(status, headers, body)
        return Served(200, headers, body)

    def _create(self, call: Call, headers: dict[str, str]) -> Served:
        if self.jobs.is_unheard():
            return Served(200, {}, b"", ending="reset")
        self._service.check_quota()
        if call.path == _BATCHES:
            body = self._openai.create(call.body, call.headers, now=call.now)
        else:
            url = f"{call.origin}{_MESSAGE_BATCHES}"
            body = self._anthropic.create(call.body, call.headers, now=call.now, url=url)
        return Served(200, headers, body, ending="reset" if self.jobs.is_lost() else "whole")

    def _meant(self, call: Call) -> Callable[[], bytes]:
        root = next(root for root in (_FILES, _MESSAGE_BATCHES, _BATCHES) if call.path.startswith(root))
        ident, _, verb = call.path.removeprefix(root).lstrip("/").partition("/")
        what = f"{call.method} {root}{'/id' if ident else ''}{f'/{verb}' if verb else ''}"
        self.jobs.calls[what] += 1
        now, openai, anthropic = call.now, self._openai, self._anthropic
        calls: dict[str, Callable[[], bytes]] = {
            f"POST {_FILES}": lambda: self._upload(call),
            f"GET {_FILES}": lambda: openai.files(call.query),
            f"GET {_FILES}/id": lambda: openai.file(ident),
            f"GET {_FILES}/id/content": lambda: openai.content(ident),
            f"DELETE {_FILES}/id": lambda: openai.delete(ident),
            f"GET {_BATCHES}": lambda: openai.batches(call.query, now=now),
            f"GET {_BATCHES}/id": lambda: openai.retrieve(ident, now=now),
            f"POST {_BATCHES}/id/cancel": lambda: openai.cancel(ident, now=now),
            f"GET {_MESSAGE_BATCHES}": lambda: anthropic.batches(call.query, now=now),
            f"GET {_MESSAGE_BATCHES}/id": lambda: anthropic.retrieve(ident, now=now),
            f"GET {_MESSAGE_BATCHES}/id/results": lambda: anthropic.results(ident, now=now),
            f"POST {_MESSAGE_BATCHES}/id/cancel": lambda: anthropic.cancel(ident, now=now),
            f"DELETE {_MESSAGE_BATCHES}/id": lambda: anthropic.delete(ident, now=now),
        }
        if what not in calls:
            raise Refusal("not_found", f"Invalid URL ({call.method} {call.path})")
        return calls[what]

    def _upload(self, call: Call) -> bytes:
        if call.upload is None:
            raise Refusal("invalid", "Missing required parameter: 'file'.", field="file")
        name, purpose, content = call.upload
        return self._openai.upload(name=name, purpose=purpose, content=content, now=call.now)
