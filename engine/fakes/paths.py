"""Every call but those for an answer: which is meant by a method and a path, and what is said to it. No socket here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from engine.fakes.anthropic_batches import AnthropicBatchSide
from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.batches import Jobs
from engine.fakes.call import Call
from engine.fakes.case import Served
from engine.fakes.counting import COUNTERS, Counts
from engine.fakes.dialect import Dialect, Refusal
from engine.fakes.openai_batches import OpenAIBatchSide
from engine.fakes.openai_side import OpenAISide
from engine.fakes.service import Moment, Service

__all__ = ["LARGEST_BODY", "Paths", "dialect_of", "is_batch_path"]

LARGEST_BODY: Final = 257 * 10**6

_FILES, _BATCHES, _MESSAGE_BATCHES, _MODELS = "/v1/files", "/v1/batches", "/v1/messages/batches", "/v1/models"
_ROOTS: Final = (_FILES, _MESSAGE_BATCHES, _BATCHES, _MODELS)
_OPENAI: Final = OpenAISide()
_ANTHROPIC: Final = AnthropicSide()


def is_batch_path(path: str) -> bool:
    """Whether a path belongs to files or batches."""
    return _root(path) not in (None, _MODELS)


def _root(path: str) -> str | None:
    return next((root for root in _ROOTS if path == root or path.startswith(f"{root}/")), None)


def dialect_of(path: str, headers: Mapping[str, str]) -> Dialect:
    """Whose call it is: by the path where that is one of the two's alone, else by the header that only one has."""
    if path in COUNTERS:
        return COUNTERS[path].dialect
    root = _root(path)
    if root in (_FILES, _BATCHES, _MESSAGE_BATCHES):
        return _ANTHROPIC if root == _MESSAGE_BATCHES else _OPENAI
    return _ANTHROPIC if path == "/v1/messages" or "anthropic-version" in headers else _OPENAI


class Paths:
    """Answers every call but those for an answer."""

    def __init__(self, jobs: Jobs, service: Service) -> None:
        self.jobs = jobs
        self._service = service
        self._openai = OpenAIBatchSide(jobs)
        self._anthropic = AnthropicBatchSide(jobs)

    def answer(self, call: Call, moment: Moment) -> Served:
        """Whoever calls must call `audit.leave` once the answer is out."""
        dialect = dialect_of(call.path, call.headers)
        self.jobs.advance(call.wall)
        return self._service.attend(dialect, call, moment, work=lambda: self._said_to(call, dialect, moment))

    def _said_to(self, call: Call, dialect: Dialect, moment: Moment) -> bytes:
        if call.body is None:
            raise Refusal("too_large", "Request too large")
        root = _root(call.path) or call.path
        ident, _, verb = call.path.removeprefix(root).lstrip("/").partition("/")
        what = f"{call.method} {root}{'/id' if ident else ''}{f'/{verb}' if verb else ''}"
        calls = self._on_batches(call, ident) | self._small(call, dialect, moment, ident)
        if what not in calls:
            raise Refusal("not_found", f"Invalid URL ({call.method} {call.path})")
        return calls[what]()

    def _small(self, call: Call, dialect: Dialect, moment: Moment, ident: str) -> dict[str, Callable[[], bytes]]:
        return {
            **{f"POST {path}": partial(self._count, counts, call, moment) for path, counts in COUNTERS.items()},
            f"GET {_MODELS}": lambda: dialect.models([self._service.world.name]),
            f"GET {_MODELS}/id": lambda: dialect.model(ident),
        }

    def _count(self, counts: Counts, call: Call, moment: Moment) -> bytes:
        asked = counts.read(call.content, call.headers)
        self._service.admit_count(counts.dialect, call.headers, moment)
        return counts.write(asked.input_tokens)

    def _on_batches(self, call: Call, ident: str) -> dict[str, Callable[[], bytes]]:
        now, openai, anthropic = call.wall, self._openai, self._anthropic
        return {
            f"POST {_FILES}": lambda: self._upload(call),
            f"GET {_FILES}": lambda: openai.files(call.query),
            f"GET {_FILES}/id": lambda: openai.file(ident),
            f"GET {_FILES}/id/content": lambda: openai.content(ident),
            f"DELETE {_FILES}/id": lambda: openai.delete(ident),
            f"POST {_BATCHES}": lambda: self._create(call),
            f"GET {_BATCHES}": lambda: openai.batches(call.query, now=now),
            f"GET {_BATCHES}/id": lambda: openai.retrieve(ident, now=now),
            f"POST {_BATCHES}/id/cancel": lambda: openai.cancel(ident, now=now),
            f"POST {_MESSAGE_BATCHES}": lambda: self._create(call),
            f"GET {_MESSAGE_BATCHES}": lambda: anthropic.batches(call.query, now=now),
            f"GET {_MESSAGE_BATCHES}/id": lambda: anthropic.retrieve(ident, now=now),
            f"GET {_MESSAGE_BATCHES}/id/results": lambda: anthropic.results(ident, now=now),
            f"POST {_MESSAGE_BATCHES}/id/cancel": lambda: anthropic.cancel(ident, now=now),
            f"DELETE {_MESSAGE_BATCHES}/id": lambda: anthropic.delete(ident, now=now),
        }

    def _create(self, call: Call) -> bytes:
        self._service.check_quota()
        if call.path == _BATCHES:
            return self._openai.create(call.content, call.headers, now=call.wall)
        url = f"{call.origin}{_MESSAGE_BATCHES}"
        return self._anthropic.create(call.content, call.headers, now=call.wall, url=url)

    def _upload(self, call: Call) -> bytes:
        if call.upload is None:
            raise Refusal("invalid", "Missing required parameter: 'file'.", field="file")
        name, purpose, content = call.upload
        return self._openai.upload(name=name, purpose=purpose, content=content, now=call.wall)
