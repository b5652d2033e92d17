"""Asking the hub, politely: paced, patient with refusals, and never waiting for a whole file where its start will do.

Knows addresses and answers; what the answers say of models and data sets is read elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

from engine.clock import Clock, SystemClock
from engine.errors import AuthenticationRefused, EndpointUnreachable, ProviderRefused
from engine.text import first_line

if TYPE_CHECKING:
    import httpx

__all__ = ["Hub", "wait_before_retry"]

# The hub lets an unknown visitor fetch 3,000 files in five minutes; a little below, since others share the address.
PER_SECOND: Final = 8

TRIES: Final = 6
LONGEST_WAIT_S: Final = 310.0  # its windows last five minutes
_TIMEOUT_S: Final = 30.0
_LARGEST_PAGE: Final = 64 * 2**20

_RESET = re.compile(r"(?:^|[;,\s])t=(\d+)")


def wait_before_retry(status: int | None, headers: Mapping[str, str], *, tries: int) -> float | None:
    """Seconds to wait before a question is asked again, or None when that would not help.

    `status` is None when there was no answer, `tries` how often it has been asked. What the hub itself says of its
    limit counts (Retry-After, or the `t` of RateLimit); otherwise 1 s, doubled each time.
    """
    if tries >= TRIES or not (status is None or status in (408, 425, 429) or status >= 500):
        return None
    told = headers.get("retry-after", "")
    if not told.isdecimal():
        found = _RESET.search(headers.get("ratelimit", "")) if status == 429 else None
        told = found[1] if found else ""
    return min(float(told) if told else 2.0 ** (tries - 1), LONGEST_WAIT_S)


class Hub:
    """The hub behind one address, as the usual environment variables have it (HF_ENDPOINT, HF_TOKEN).

    `per_second` is how many questions it is asked at most. Use with `async with`.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        clock: Clock | None = None,
        per_second: int = PER_SECOND,
    ) -> None:
        import httpx
        from asyncio_throttle import Throttler
        from huggingface_hub import constants
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # public, and not listed

        self.endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self._clock = clock or SystemClock()
        self._pace = Throttler(rate_limit=per_second)
        headers = build_hf_headers(library_name="smelt")
        try:
            # Renamed repositories answer with a redirect; httpx leaves the token out when it leads to another host.
            self._client = httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S, follow_redirects=True)
        except (ValueError, httpx.InvalidURL, ImportError, OSError) as error:  # a proxy that is none
            raise EndpointUnreachable(f"the hub cannot be asked: {first_line(error)}") from error

    def __repr__(self) -> str:
        return f"<Hub {self.endpoint}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def pages(self, path: str, params: Mapping[str, Any]) -> AsyncIterator[list[Any]]:
        """The pages of a listing, one after another, as long as the hub names a next one.

        Raises EndpointUnreachable when the hub does not answer, or not with a listing.
        """
        url: str | None = f"{self.endpoint}{path}"
        told: Mapping[str, Any] | None = params
        while url is not None:
            response, body = await self._asked("GET", url, params=told, limit=_LARGEST_PAGE, whole=_is_listing)
            yield _listing(body)
            url, told = response.links.get("next", {}).get("url"), None  # the link repeats the parameters

    async def start_of(self, path: str, *, limit: int) -> bytes | None:
        """The first bytes of a file, or None where there is none to be had (absent, or behind terms)."""
        try:
            _, body = await self._asked("GET", f"{self.endpoint}{path}", limit=limit)
        except _NotGiven:
            return None
        return body

    async def size_of(self, path: str) -> int | None:
        """How many bytes a file has, or None where the hub does not say."""
        try:
            response, _ = await self._asked("HEAD", f"{self.endpoint}{path}")
        except _NotGiven:
            return None
        for answer in (*response.history, response):
            if (told := answer.headers.get("x-linked-size", "")).isdecimal():
                return int(told)
        told = response.headers.get("content-length", "")
        return int(told) if told.isdecimal() else None

    async def _asked(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        limit: int = 0,
        whole: Callable[[bytes], bool] = lambda _: True,
    ) -> tuple[httpx.Response, bytes]:
        """An answer that is good, however often it takes. `whole` says whether its body is all there."""
        import httpx

        tries = 0
        while True:
            tries += 1
            status, headers, why = None, {}, ""
            try:
                async with self._pace, self._client.stream(method, url, params=params) as response:
                    status, headers = response.status_code, dict(response.headers)
                    body = await _read(response, limit)
                    if response.is_success and whole(body):
                        return response, body
                    why = f"it answers {status}"
                    if response.is_success:
                        status, why = None, "its answer is no listing"
            except httpx.HTTPError as error:
                status, why = None, first_line(error)
            except httpx.InvalidURL as error:
                raise EndpointUnreachable(f"the hub at {self.endpoint} has no such address: {error}") from error
            wait = wait_before_retry(status, headers, tries=tries)
            if wait is None:
                raise self._failure(status, why, url)
            await self._clock.sleep(wait)

    def _failure(self, status: int | None, why: str, url: str) -> ProviderRefused | _NotGiven:
        if status == 401 and "/api/" in url:
            why = (
                "refuses the token in HF_TOKEN"
                if "authorization" in self._client.headers
                else "wants a token: set HF_TOKEN"
            )
            return AuthenticationRefused(f"the hub at {self.endpoint} {why} (401)")
        if status in (401, 403, 404, 410, 451) and "/api/" not in url:
            return _NotGiven(url)
        return EndpointUnreachable(f"the hub at {self.endpoint} cannot be used ({why}); try again later")


class _NotGiven(Exception):
    """The hub is well, and has no such file for us."""


async def _read(response: httpx.Response, limit: int) -> bytes:
    """At most so many bytes of a body: some cards weigh a gigabyte."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size >= limit:
            break
    return b"".join(parts)[:limit]


def _is_listing(body: bytes) -> bool:
    import orjson

    try:
        return isinstance(orjson.loads(body), list)
    except orjson.JSONDecodeError:
        return False


def _listing(body: bytes) -> list[Any]:
    import orjson

    listing: list[Any] = orjson.loads(body)
    return listing
