"""OpenAI's files and batches from the service's side, as that service writes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import orjson

from engine.fakes.batches import Job, Jobs, Line, Result, page_size
from engine.fakes.dialect import Headers, Refusal, parsed
from engine.fakes.openai_side import OpenAISide

__all__ = ["OpenAIBatchSide"]

_MOST_LINES: Final = 50_000
_LARGEST_FILE: Final = 200 * 10**6
_LARGEST_PAGE: Final = 100
_MONTH_S: Final = 30 * 86_400
_ENDPOINT: Final = "/v1/chat/completions"
_NOT_RUN: Final[Mapping[str, tuple[str, str]]] = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "canceled": ("batch_cancelled", "This request was not executed, since the batch was cancelled."),
}


@dataclass(frozen=True, slots=True)
class _File:
    ident: str
    name: str
    purpose: str
    content: bytes
    created: float


class OpenAIBatchSide:
    """Answers /v1/files and /v1/batches. Raises Refusal for whatever the service would refuse."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._files: dict[str, _File] = {}
        self._numbers = count()  # of files, those that were deleted too
        self._made: set[str] = set()  # files of results that there are, or were
        self._dialect = OpenAISide()

    def upload(self, *, name: str, purpose: str, content: bytes, now: float) -> bytes:
        if purpose not in {"batch", "fine-tune", "assistants", "vision", "user_data", "evals"}:
            raise Refusal("invalid", f"'{purpose}' is not one of the purposes there are.", field="purpose")
        if len(content) > _LARGEST_FILE:
            raise Refusal("too_large", "The file is larger than 200 MB.", field="file")
        if not content:
            raise Refusal("invalid", "The file is empty.", field="file")
        return orjson.dumps(_file(self._keep(name, purpose, content, now)))

    def file(self, ident: str) -> bytes:
        return orjson.dumps(_file(self._file(ident)))

    def content(self, ident: str) -> bytes:
        return self._file(ident).content

    def delete(self, ident: str) -> bytes:
        del self._files[self._file(ident).ident]
        return orjson.dumps({"id": ident, "object": "file", "deleted": True})

    def files(self, query: Mapping[str, str]) -> bytes:
        newest_first = [_file(file) for file in reversed(self._files.values())]
        wanted = query.get("purpose")
        return _page([file for file in newest_first if wanted in (None, file["purpose"])], query)

    def create(self, body: bytes, headers: Headers, *, now: float) -> bytes:
        asked = parsed(body, complaint="We could not parse the JSON body of your request.")
        for name, expected in (("endpoint", _ENDPOINT), ("completion_window", "24h")):
            if asked.get(name) != expected:
                raise Refusal("invalid", f"Invalid value for '{name}': expected '{expected}'.", field=name)
        file = self._file(str(asked.get("input_file_id")))
        if file.purpose != "batch":
            raise Refusal("invalid", "The file was not uploaded with the purpose 'batch'.", field="input_file_id")
        metadata = asked.get("metadata") or {}
        if not isinstance(metadata, dict) or not all(_is_tellable(*pair) for pair in metadata.items()):
            raise Refusal("invalid", "Invalid 'metadata': up to 16 pairs of short strings.", field="metadata")
        lines, flaw = _read(file.content)
        ident = f"batch_{next(self._jobs.numbers):032x}"
        told = {"file": file.ident, "metadata": metadata}
        job = self._jobs.take(self._dialect, headers, lines, now=now, ident=ident, told=told, flaw=flaw)
        return orjson.dumps(self._batch(job, now))

    def retrieve(self, ident: str, *, now: float) -> bytes:
        return orjson.dumps(self._batch(self._job(ident), now))

    def cancel(self, ident: str, *, now: float) -> bytes:
        job = self._job(ident)
        if job.is_over(now):
            raise Refusal("invalid", f"Cannot cancel a batch with status '{self._status(job, now)}'.")
        job.canceled = now
        self._jobs.advance(now)
        return orjson.dumps(self._batch(job, now))

    def batches(self, query: Mapping[str, str], *, now: float) -> bytes:
        jobs = [job for job in reversed(self._jobs.jobs.values()) if job.dialect.name == "openai"]
        return _page([self._batch(job, now) for job in jobs], query)

    def _keep(self, name: str, purpose: str, content: bytes, now: float) -> _File:
        file = _File(f"file-{next(self._numbers):022d}", name, purpose, content, now)
        self._files[file.ident] = file
        return file

    def _file(self, ident: str) -> _File:
        if ident not in self._files:
            raise Refusal("not_found", f"No such File object: {ident}", field="id")
        return self._files[ident]

    def _job(self, ident: str) -> Job:
        job = self._jobs.jobs.get(ident)
        if job is None or job.dialect.name != "openai":
            raise Refusal("not_found", f"No batch found with id '{ident}'.")
        return job

    def _status(self, job: Job, now: float) -> str:
        if job.flaw is not None:
            return "failed"
        if job.is_over(now):
            if job.canceled is not None:
                return "cancelled"
            return "expired" if job.count("expired") else "completed"
        part = (now - job.created) / max(job.seconds, 1e-9)
        return "validating" if part < 0.05 else "in_progress" if part < 0.95 else "finalizing"

    def _batch(self, job: Job, now: float) -> dict[str, object]:
        self._jobs.advance(now)
        status = self._status(job, now)
        ends = int(job.due)
        done = {"completed": "completed_at", "expired": "expired_at", "cancelled": "cancelled_at"}.get(status)
        answered, failed = job.count("answered"), job.count("refused")
        files = self._outputs(job, now) if done else (None, None)
        times: dict[str, object] = {"in_progress_at": int(job.created), "finalizing_at": ends if done else None}
        times |= dict.fromkeys(("completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at"))
        times |= {"failed_at": int(job.created)} if status == "failed" else {}
        times |= {done: ends} if done else {}
        times |= {"cancelling_at": int(job.canceled)} if job.canceled is not None else {}
        return {
            "id": job.ident,
            "object": "batch",
            "endpoint": _ENDPOINT,
            "errors": _errors(job),
            "input_file_id": job.told["file"],
            "completion_window": "24h",
            "status": status,
            "output_file_id": files[0],
            "error_file_id": files[1],
            "created_at": int(job.created),
            "expires_at": int(job.expires),
            **times,
            "request_counts": {"total": len(job.lines) if not job.flaw else 0, "completed": answered, "failed": failed},
            "usage": _usage(job),
            "metadata": job.told["metadata"],
        }

    def _outputs(self, job: Job, now: float) -> tuple[str | None, str | None]:
        """The files of what was answered and of what was not, made when they are first asked for; None when empty."""
        idents = []
        for name, fates in (("output", {"answered"}), ("error", {"refused", "expired", "canceled"})):
            ident = f"file-{name}-{job.ident}"
            lines = [_result(job, result) for result in reversed(job.results) if result.fate in fates]
            if lines and ident not in self._made:  # who deletes it does not find it again
                self._made.add(ident)
                self._files[ident] = _File(ident, f"{job.ident}_{name}.jsonl", "batch_output", b"".join(lines), now)
            idents.append(ident if lines else None)
        return idents[0], idents[1]


_Flaw = tuple[int | None, str, str]


class _Flawed(Exception):
    """A file that is not run: which line, a code, a message."""

    def __init__(self, line: int | None, code: str, message: str) -> None:
        super().__init__(message)
        self.flaw: _Flaw = (line, code, message)


def _read(content: bytes) -> tuple[list[Line], _Flaw | None]:
    """The lines of an input file, and what is wrong with the first that is."""
    try:
        lines = [_line(number, text) for number, text in enumerate(content.split(b"\n"), start=1) if text.strip()]
        _check(lines)
    except _Flawed as flawed:
        return [], flawed.flaw
    return [line for _, line, _ in lines], None


def _line(number: int, text: bytes) -> tuple[int, Line, object]:
    """A line of an input file, and its model."""
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _Flawed(number, "invalid_json_line", "This line is not parseable as valid JSON.") from None
    if not isinstance(told, dict) or not isinstance(ident := told.get("custom_id"), str):
        raise _Flawed(number, "missing_required_parameter", "Missing required parameter: 'custom_id'.")
    if told.get("method") != "POST" or told.get("url") != _ENDPOINT:
        raise _Flawed(number, "invalid_url", "The URL of this request does not match that of the batch.")
    if not isinstance(body := told.get("body"), dict):
        raise _Flawed(number, "missing_required_parameter", "Missing required parameter: 'body'.")
    return number, Line(ident, orjson.dumps(body)), body.get("model")


def _check(lines: Sequence[tuple[int, Line, object]]) -> None:
    """What must be true of all of them together."""
    if not lines:
        raise _Flawed(None, "empty_file", "The input file holds no request.")
    if len(lines) > _MOST_LINES:
        raise _Flawed(None, "too_many_tasks", f"The batch contains too many requests: at most {_MOST_LINES}.")
    seen: set[str] = set()
    for number, line, model in lines:
        if model != lines[0][2]:
            raise _Flawed(number, "mismatched_model", "All requests of a batch must be for one model.")
        if line.ident in seen:
            raise _Flawed(number, "duplicate_custom_id", f"The custom_id '{line.ident}' was used before.")
        seen.add(line.ident)


def _is_tellable(name: object, text: object) -> bool:
    return isinstance(name, str) and len(name) <= 64 and isinstance(text, str) and len(text) <= 512


def _errors(job: Job) -> dict[str, object] | None:
    if job.flaw is None:
        return None
    line, code, message = job.flaw
    return {"object": "list", "data": [{"code": code, "line": line, "message": message, "param": None}]}


def _usage(job: Job) -> dict[str, object]:
    """What has been processed so far."""
    given = sum(result.usage.input_tokens for result in job.results)
    made = sum(result.usage.output_tokens for result in job.results)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }


def _file(file: _File) -> dict[str, object]:
    return {
        "id": file.ident,
        "object": "file",
        "bytes": len(file.content),
        "created_at": int(file.created),
        "expires_at": int(file.created) + _MONTH_S,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def _result(job: Job, result: Result) -> bytes:
    response, error = None, None
    if result.fate in _NOT_RUN:
        code, message = _NOT_RUN[result.fate]
        error = {"code": code, "message": message}
    else:
        request_id = f"req_{job.ident[-16:]}"
        response = {"status_code": result.status, "request_id": request_id, "body": orjson.Fragment(result.body)}
    ident = f"batch_req_{job.ident[-8:]}_{result.ident}"
    line = {"id": ident, "custom_id": result.ident, "response": response, "error": error}
    return orjson.dumps(line) + b"\n"


def _page(items: Sequence[dict[str, object]], query: Mapping[str, str]) -> bytes:
    after, limit = query.get("after"), page_size(query, most=_LARGEST_PAGE)
    idents = [item["id"] for item in items]
    start = idents.index(after) + 1 if after in idents else 0
    data = items[start : start + limit]
    return orjson.dumps(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": start + limit < len(items),
        }
    )
