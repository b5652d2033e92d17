"""Anthropic's message batches from the service's side, as that service writes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import orjson

from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.batches import Job, Jobs, Line, Result, page_size
from engine.fakes.dialect import Headers, Refusal, parsed

__all__ = ["AnthropicBatchSide"]

_MOST_LINES: Final = 100_000
_LARGEST_PAGE: Final = 1000
_IDENT: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class AnthropicBatchSide:
    """Answers /v1/messages/batches. Raises Refusal for whatever the service would refuse."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._dialect = AnthropicSide()

    def create(self, body: bytes, headers: Headers, *, now: float, url: str) -> bytes:
        if (version := headers.get("anthropic-version")) is None:
            raise Refusal("invalid", "anthropic-version: header is required")
        asked = parsed(body, complaint="The request body is not valid JSON.")
        lines = _read(asked.get("requests"))
        ident = f"msgbatch_{next(self._jobs.numbers):024d}"
        told = {"version": version, "url": f"{url}/{ident}/results"}
        job = self._jobs.take(self._dialect, headers, lines, now=now, ident=ident, told=told)
        if job.flaw is not None:  # here a queue that is full is a limit that was met
            del self._jobs.jobs[ident]
            raise Refusal("rate", "This request would exceed your organization's limit of batch requests.")
        return orjson.dumps(self._batch(job, now))

    def retrieve(self, ident: str, *, now: float) -> bytes:
        return orjson.dumps(self._batch(self._job(ident), now))

    def cancel(self, ident: str, *, now: float) -> bytes:
        job = self._job(ident)
        if not job.is_over(now):
            job.canceled = now
        return orjson.dumps(self._batch(job, now))

    def delete(self, ident: str, *, now: float) -> bytes:
        job = self._job(ident)
        if not job.is_over(now):
            raise Refusal("invalid", "Batches in progress cannot be deleted; cancel it first.")
        del self._jobs.jobs[ident]
        return orjson.dumps({"id": ident, "type": "message_batch_deleted"})

    def batches(self, query: Mapping[str, str], *, now: float) -> bytes:
        jobs = [job for job in reversed(self._jobs.jobs.values()) if job.dialect.name == "anthropic"]
        idents = [job.ident for job in jobs]
        limit, after, before = page_size(query, most=_LARGEST_PAGE), query.get("after_id"), query.get("before_id")
        start = idents.index(after) + 1 if after in idents else 0
        end = idents.index(before) if before in idents else len(jobs)
        shown = jobs[start:end][:limit]
        data = [self._batch(job, now) for job in shown]
        ends = (
            {"first_id": shown[0].ident, "last_id": shown[-1].ident} if shown else {"first_id": None, "last_id": None}
        )
        return orjson.dumps({"data": data, "has_more": start + limit < end, **ends})

    def results(self, ident: str, *, now: float) -> bytes:
        job = self._job(ident)
        self._jobs.advance(now)
        if not job.is_over(now):
            raise Refusal("invalid", "The results of this batch are not there yet: it has not ended.")
        return b"".join(map(_result, reversed(job.results)))

    def _job(self, ident: str) -> Job:
        job = self._jobs.jobs.get(ident)
        if job is None or job.dialect.name != "anthropic":
            raise Refusal("not_found", f"Could not find message batch {ident}.")
        return job

    def _batch(self, job: Job, now: float) -> dict[str, object]:
        self._jobs.advance(now)
        is_over = job.is_over(now)
        counts = {
            "processing": 0 if is_over else len(job.lines),
            "succeeded": job.count("answered") if is_over else 0,
            "errored": job.count("refused") if is_over else 0,
            "canceled": job.count("canceled") if is_over else 0,
            "expired": job.count("expired") if is_over else 0,
        }
        return {
            "id": job.ident,
            "type": "message_batch",
            "processing_status": "ended" if is_over else "in_progress",
            "request_counts": counts,
            "ended_at": _date(job.due) if is_over else None,
            "created_at": _date(job.created),
            "expires_at": _date(job.expires),
            "archived_at": None,
            "cancel_initiated_at": None if job.canceled is None else _date(job.canceled),
            "results_url": job.told["url"] if is_over else None,
        }


def _read(told: object) -> list[Line]:
    if not isinstance(told, list):
        raise Refusal("invalid", "requests: Field required" if told is None else "requests: Input should be a list")
    if not 1 <= len(told) <= _MOST_LINES:
        raise Refusal("invalid", f"requests: List should have from 1 to {_MOST_LINES} items, not {len(told)}")
    lines, seen = [], set()
    for place, each in enumerate(told):
        if not isinstance(each, dict) or each.keys() - {"custom_id", "params"}:
            raise Refusal("invalid", f"requests.{place}: Extra inputs are not permitted")
        ident, params = each.get("custom_id"), each.get("params")
        if not isinstance(ident, str) or not _IDENT.fullmatch(ident):
            raise Refusal("invalid", f"requests.{place}.custom_id: String should match pattern '^{_IDENT.pattern}$'")
        if ident in seen:
            raise Refusal("invalid", f"requests.{place}.custom_id: must be unique within the batch")
        if not isinstance(params, dict):
            raise Refusal("invalid", f"requests.{place}.params: Field required")
        seen.add(ident)
        lines.append(Line(ident, orjson.dumps(params)))
    return lines


def _result(result: Result) -> bytes:
    told: dict[str, object] = {"type": result.fate}
    if result.fate == "answered":
        told = {"type": "succeeded", "message": orjson.Fragment(result.body)}
    elif result.fate == "refused":
        told = {"type": "errored", "error": orjson.Fragment(result.body)}
    return orjson.dumps({"custom_id": result.ident, "result": told}) + b"\n"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
