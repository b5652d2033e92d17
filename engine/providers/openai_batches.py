"""OpenAI's Batch API: a file of requests is uploaded, a batch is made of it, files of results come back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from engine.messages import SIMULATED_HEADER, RawReply, Request
from engine.providers.batches import FileLimits, Flaw, Found, LineReply, Look, in_a_batch
from engine.providers.foreign import encode
from engine.providers.openai_body import body_under
from engine.providers.profile import Profile
from engine.providers.sdk_calls import body_bytes, called, lines_of, listed, plain, read_line, telling, text_at
from engine.providers.secrecy import Secrecy
from engine.verdict import NO_WORDS, Kind

if TYPE_CHECKING:
    import openai

__all__ = ["OpenAIBatches", "read_batch", "read_result"]

_NAMED: Final = "smelt"  # in a batch's metadata

_UPLOAD_S: Final = 1800.0
_CALL_S: Final = 120.0
_PAGE: Final = 100

# Results within a file have no status of their own where no request was made.
_NOT_RUN: Final = frozenset({"batch_expired", "batch_cancelled"})


class OpenAIBatches:
    """Batches of chat completions of one model, through the official SDK."""

    uploads: bool = True

    def __init__(
        self, *, url: str, api_key: str | None, model: str, profile: Profile, limits: FileLimits | None = None
    ) -> None:
        self.limits = limits or FileLimits(lines=50_000, bytes=200 * 10**6)
        self._model = model
        self._profile = profile
        self._path = f"/v1{urlsplit(profile.path_for(model)).path}"  # a name of what is asked, and no address
        self._url = url
        self._secrecy = Secrecy(api_key)
        self._client = _client(url, api_key, profile.headers_with(api_key))

    def __repr__(self) -> str:
        return f"<OpenAIBatches at {self._url}>"

    def line(self, request: Request, *, ident: str) -> bytes:
        body = body_under(self._profile, in_a_batch(request), model=self._model)
        body.pop("service_tier", None)  # a batch has a tier of its own
        return encode({"custom_id": ident, "method": "POST", "url": self._path, "body": body})

    async def upload(self, lines: Sequence[bytes], *, name: str) -> str:
        content = b"\n".join(lines) + b"\n"
        file = (f"{name}.jsonl", content, "application/jsonl")
        files, what = self._client.files.with_raw_response, f"{self._url}/files"
        reply = await called(
            lambda: files.create(file=file, purpose="batch", timeout=_UPLOAD_S), what=what, secrecy=self._secrecy
        )
        return text_at(plain(reply.content, what=what), "id", what=what)

    async def create(self, *, name: str, file: str | None, lines: Sequence[bytes]) -> str:  # noqa: ARG002 - in the file
        batches, what = self._client.batches.with_raw_response, f"{self._url}/batches"
        reply = await called(
            lambda: batches.create(
                completion_window="24h",
                endpoint=self._path,  # type: ignore[arg-type] # one of OpenAI's own, or what a profile says
                input_file_id=file or "",
                metadata={_NAMED: name},
                timeout=_CALL_S,
            ),
            what=what,
            secrecy=self._secrecy,
        )
        return text_at(plain(reply.content, what=what), "id", what=what)

    async def find(self, *, name: str, lines: int, since: float) -> Found:  # noqa: ARG002 - the name is enough
        after: str | None = None
        while page := await self._page(after):
            for batch in page:
                metadata = batch.get("metadata")
                if isinstance(metadata, dict) and metadata.get(_NAMED) == name:
                    return Found(str(batch.get("id")), is_sure=True)
            created = [at for batch in page if isinstance(at := batch.get("created_at"), int | float)]
            if created and max(created) < since:  # the newest come first
                break
            after = str(page[-1].get("id"))
        return Found(None, is_sure=True)

    async def _page(self, after: str | None) -> list[Mapping[str, object]]:
        import openai

        batches, what = self._client.batches.with_raw_response, f"{self._url}/batches"
        reply = await called(
            lambda: batches.list(after=openai.omit if after is None else after, limit=_PAGE, timeout=_CALL_S),
            what=what,
            secrecy=self._secrecy,
        )
        return listed(plain(reply.content, what=what))

    async def look(self, batch: str) -> Look:
        batches, what = self._client.batches.with_raw_response, f"{self._url}/batches/{batch}"
        reply = await called(lambda: batches.retrieve(batch, timeout=_CALL_S), what=what, secrecy=self._secrecy)
        return read_batch(plain(reply.content, what=what))

    async def results(self, batch: str, look: Look) -> AsyncGenerator[LineReply, None]:  # noqa: ARG002 - the files are named
        for file in look.files:
            async for line in self._lines(file):
                if (result := read_result(line, own=self._profile.errors)) is not None:
                    yield self._concealed(result)

    async def _lines(self, file: str) -> AsyncGenerator[tuple[bytes, bool], None]:
        """The lines of a file of results, each with whether a simulated teacher wrote it."""
        what = f"{self._url}/files/{file}/content"
        opening = self._client.files.with_streaming_response.content(file, timeout=_UPLOAD_S)
        response = await called(opening.__aenter__, what=what, secrecy=self._secrecy)
        try:
            is_simulated = SIMULATED_HEADER in response.headers
            lines = lines_of(response.iter_bytes())
            while (line := await called(lambda: anext(lines, None), what=what, secrecy=self._secrecy)) is not None:
                yield line, is_simulated
        finally:
            await opening.__aexit__(None, None, None)

    def _concealed(self, result: LineReply) -> LineReply:
        return result if result.raw is None else replace(result, raw=self._secrecy.conceal(result.raw))

    async def aclose(self) -> None:
        await self._client.close()


def _client(url: str, api_key: str | None, headers: Mapping[str, str]) -> openai.AsyncOpenAI:
    """The SDK's client as we want it: no retry, no redirect, nothing of the environment, the key in our headers."""
    import openai

    return openai.AsyncOpenAI(
        api_key=api_key or "no-key",
        base_url=url,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(
            follow_redirects=False, trust_env=False, event_hooks=telling(headers)
        ),
        # The environment could name another organisation than the online requests have.
        default_headers={"OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()},  # type: ignore[dict-item] # as its own docs say
    )


def read_batch(batch: Mapping[str, object]) -> Look:
    """How a batch stands, from the batch object. A status that nobody knows is one that has not ended."""
    word = str(batch.get("status"))
    counts = batch.get("request_counts")
    done, failed, total = (_count(counts, name) for name in ("completed", "failed", "total"))
    files = tuple(str(file) for name in ("output_file_id", "error_file_id") if (file := batch.get(name)))
    if word == "failed":
        return Look(state="failed", word=word, flaws=_flaws(batch.get("errors")))
    is_over = word in {"completed", "expired", "cancelled"}
    state: Final = "ended" if is_over else "running"
    return Look(state=state, word=word, ended=done + failed, total=total, files=files if is_over else ())


def _count(counts: object, name: str) -> int:
    found = counts.get(name) if isinstance(counts, dict) else None
    return found if isinstance(found, int) else 0


def _flaws(errors: object) -> tuple[Flaw, ...]:
    if not isinstance(errors, dict):
        return ()
    return tuple(
        Flaw(
            line if isinstance(line := error.get("line"), int) else None,
            str(error.get("code") or ""),
            str(error.get("message") or ""),
        )
        for error in listed(errors)
    )


def read_result(line: tuple[bytes, bool], *, own: Mapping[str, Kind] = NO_WORDS) -> LineReply | None:
    """What a line of an output or an error file says; None when it does not say what it is about."""
    found = read_line(line[0])
    if found is None or not isinstance(ident := found.get("custom_id"), str):
        return None
    response, error = found.get("response"), found.get("error")
    if isinstance(response, dict) and isinstance(status := response.get("status_code"), int) and status > 0:
        return _answered(ident, status, response, is_simulated=line[1], own=own)
    told = error if isinstance(error, dict) else {}
    if told.get("code") in _NOT_RUN:
        return LineReply.not_run(ident, why=str(told.get("code")))
    body = encode({"error": {"code": told.get("code"), "type": None, "message": told.get("message")}})
    return LineReply.refused(ident, RawReply(500, {}, body, 0.0), own=own)


def _answered(
    ident: str, status: int, response: Mapping[str, object], *, is_simulated: bool, own: Mapping[str, Kind]
) -> LineReply:
    headers = {"content-type": "application/json"}
    if isinstance(request_id := response.get("request_id"), str):
        headers["x-request-id"] = request_id
    if is_simulated:
        headers[SIMULATED_HEADER] = "1"
    raw = RawReply(status, headers, body_bytes(response.get("body")), 0.0)
    return LineReply(ident=ident, raw=raw) if 200 <= status < 300 else LineReply.refused(ident, raw, own=own)
