"""Anthropic's Message Batches: the requests are sent with the batch, one file of results comes back.

A batch has no name of ours: only its results tell whose it is, by the ids of its lines. So a batch that may be ours is
waited for until it has ended, and then its first line is looked at.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson

from engine.messages import SIMULATED_HEADER, RawReply, Request
from engine.providers.anthropic_body import body_under
from engine.providers.batches import CallFailed, FileLimits, Found, LineReply, Look, in_a_batch
from engine.providers.foreign import encode
from engine.providers.profile import Profile
from engine.providers.sdk_calls import body_bytes, called, lines_of, listed, plain, read_line, telling, text_at
from engine.providers.secrecy import Secrecy
from engine.verdict import NO_WORDS, Kind, classify_failure

if TYPE_CHECKING:
    import anthropic

__all__ = ["AnthropicBatches", "read_batch", "read_result"]

_MESSAGES: Final = "/v1/messages"
_CREATE_S: Final = 1800.0
_CALL_S: Final = 120.0
_PAGE: Final = 100

_STATUSES: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class AnthropicBatches:
    """Batches of messages of one model, through the official SDK."""

    uploads: bool = False

    def __init__(
        self, *, url: str, api_key: str | None, model: str, profile: Profile, limits: FileLimits | None = None
    ) -> None:
        self.limits = limits or FileLimits(lines=100_000, bytes=256 * 10**6)
        self._model = model
        self._profile = profile
        self._url = f"{url}{profile.path_for(model).removesuffix(_MESSAGES)}"
        self._secrecy = Secrecy(api_key)
        self._client = _client(self._url, api_key, profile.headers_with(api_key))

    def __repr__(self) -> str:
        return f"<AnthropicBatches at {self._url}>"

    def line(self, request: Request, *, ident: str) -> bytes:
        params = body_under(self._profile, in_a_batch(request), model=self._model)
        params.pop("service_tier", None)  # a batch has a tier of its own
        return encode({"custom_id": ident, "params": params})

    async def upload(self, lines: Sequence[bytes], *, name: str) -> str:  # noqa: ARG002
        raise AssertionError("unreachable")  # `uploads` is False

    async def create(self, *, name: str, file: str | None, lines: Sequence[bytes]) -> str:  # noqa: ARG002 - named by its lines
        batches, what = self._client.messages.batches.with_raw_response, f"{self._url}/v1/messages/batches"
        requests: list[Any] = [orjson.loads(line) for line in lines]
        reply = await called(
            lambda: batches.create(requests=requests, timeout=_CREATE_S), what=what, secrecy=self._secrecy
        )
        return text_at(plain(await _body(reply), what=what), "id", what=what)

    async def find(self, *, name: str, lines: int, since: float) -> Found:
        after: str | None = None
        is_sure = True
        while page := await self._page(after):
            for batch in page:
                if _created_at(batch) < since:  # the newest come first
                    return Found(None, is_sure)
                ident, look = str(batch.get("id")), read_batch(batch)
                if look.total != lines:
                    continue
                if look.state == "running":
                    is_sure = False
                elif await self._is_ours(ident, look, name=name):
                    return Found(ident, is_sure=True)
            after = str(page[-1].get("id"))
        return Found(None, is_sure)

    async def _is_ours(self, batch: str, look: Look, *, name: str) -> bool:
        results = self.results(batch, look)
        try:
            async for result in results:
                return result.ident.startswith(f"{name}-")
        except CallFailed as failure:
            if not failure.is_missing:  # whose results are gone is not one of the last weeks
                raise
        finally:
            await results.aclose()
        return False

    async def _page(self, after: str | None) -> list[Mapping[str, object]]:
        import anthropic

        batches, what = self._client.messages.batches.with_raw_response, f"{self._url}/v1/messages/batches"
        reply = await called(
            lambda: batches.list(after_id=anthropic.omit if after is None else after, limit=_PAGE, timeout=_CALL_S),
            what=what,
            secrecy=self._secrecy,
        )
        return listed(plain(await _body(reply), what=what))

    async def look(self, batch: str) -> Look:
        batches, what = self._client.messages.batches.with_raw_response, f"{self._url}/v1/messages/batches/{batch}"
        reply = await called(lambda: batches.retrieve(batch, timeout=_CALL_S), what=what, secrecy=self._secrecy)
        return read_batch(plain(await _body(reply), what=what))

    async def results(self, batch: str, look: Look) -> AsyncGenerator[LineReply, None]:
        what = f"{self._url}/v1/messages/batches/{batch}/results"
        for url in look.files:
            if urlsplit(url).netloc != urlsplit(self._url).netloc:  # the key goes nowhere else
                raise CallFailed(classify_failure(f"{what}: the results are said to be at another host", sent=False))
        opening = self._client.messages.batches.with_streaming_response.results(batch, timeout=_CREATE_S)
        response = await called(opening.__aenter__, what=what, secrecy=self._secrecy)
        try:
            is_simulated = SIMULATED_HEADER in response.headers
            lines = lines_of(response.iter_bytes())
            while (line := await called(lambda: anext(lines, None), what=what, secrecy=self._secrecy)) is not None:
                if (result := read_result((line, is_simulated), own=self._profile.errors)) is not None:
                    yield result if result.raw is None else replace(result, raw=self._secrecy.conceal(result.raw))
        finally:
            await opening.__aexit__(None, None, None)

    async def aclose(self) -> None:
        await self._client.close()


def _client(url: str, api_key: str | None, headers: Mapping[str, str]) -> anthropic.AsyncAnthropic:
    """The SDK's client as we want it: no retry, no redirect, nothing of the environment, the key in our headers."""
    import anthropic

    return anthropic.AsyncAnthropic(
        api_key=api_key or "no-key",
        base_url=url,
        max_retries=0,
        http_client=anthropic.DefaultAsyncHttpxClient(
            follow_redirects=False, trust_env=False, event_hooks=telling(headers)
        ),
    )


async def _body(reply: Any) -> bytes:
    """The bytes of a raw reply: a method that is awaited or an attribute, by the kind of the SDK's wrapper."""
    content = getattr(reply, "content", None)
    return content if isinstance(content, bytes) else bytes(await reply.read())


def read_batch(batch: Mapping[str, object]) -> Look:
    """How a batch stands, from the batch object. A status that nobody knows is one that has not ended."""
    told = batch.get("request_counts")
    counts = {name: count for name, count in told.items() if isinstance(count, int)} if isinstance(told, dict) else {}
    total = sum(counts.values())
    word, url = str(batch.get("processing_status")), batch.get("results_url")
    if word != "ended":
        return Look(state="running", word=word, total=total)
    files = (url,) if isinstance(url, str) else ()
    return Look(state="ended", word=word, ended=total - counts.get("processing", 0), total=total, files=files)


def _created_at(batch: Mapping[str, object]) -> float:
    try:
        return datetime.fromisoformat(str(batch.get("created_at"))).timestamp()
    except ValueError:
        return float("inf")  # better one too many looked at than ours passed over


def read_result(line: tuple[bytes, bool], *, own: Mapping[str, Kind] = NO_WORDS) -> LineReply | None:
    """What a line of results says; None when it does not say what it is about."""
    found = read_line(line[0])
    if found is None or not isinstance(ident := found.get("custom_id"), str):
        return None
    result = found.get("result")
    result = result if isinstance(result, dict) else {}
    kind = result.get("type")
    if kind == "succeeded":
        headers = {"content-type": "application/json", **({SIMULATED_HEADER: "1"} if line[1] else {})}
        return LineReply(ident=ident, raw=RawReply(200, headers, body_bytes(result.get("message")), 0.0))
    if kind in {"expired", "canceled"}:
        return LineReply.not_run(ident, why=str(kind))
    return LineReply.refused(ident, _refusal(result.get("error")), own=own)


def _refusal(told: object) -> RawReply:
    """The error of one line as it would have come alone."""
    error = told.get("error") if isinstance(told, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    return RawReply(_STATUSES.get(str(kind), 500), {}, encode(told if isinstance(told, dict) else {}), 0.0)
