"""Sending: bounded in time and bytes, never redirected, and silent about keys whatever goes wrong."""

from __future__ import annotations

import asyncio
import gzip
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from engine.clock import SystemClock
from engine.errors import UserError
from engine.messages import RawReply
from engine.providers import AttemptTimedOut, ConnectionFailed, TransportFailure
from engine.providers.address import Address
from engine.providers.http import LARGEST_BODY, Wire, checked_key

KEY = "sk-very-secret-0123456789"
OK = b"HTTP/1.1 200 OK\r\n"


async def heard_by(reader: asyncio.StreamReader) -> bytes:
    """One request, body and all."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head + await reader.readexactly(int(length.split(b":")[1]))


@asynccontextmanager
async def served(converse: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one request a connection, does `converse` and hangs up: its URL and what it heard."""
    heard: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # the client may have had enough
            heard.append(await heard_by(reader))
            await converse(writer)
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=5) if others else None


@asynccontextmanager
async def saying(answer: bytes, *, silent: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that says the same bytes to everyone; with `silent` nothing before the client is gone."""

    async def converse(writer: asyncio.StreamWriter) -> None:
        while silent and not writer.transport.is_closing():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0.005)
        writer.write(answer)
        await writer.drain()

    async with served(converse) as (url, heard):
        yield url, heard


async def posted(url: str, *, timeout_s: float = 5.0, body: bytes = b"{}") -> RawReply:
    headers = {"authorization": f"Bearer {KEY}"}
    wire = Wire(Address.of(url), "/path", headers=headers, clock=SystemClock())
    try:
        return await wire.post(body, timeout_s=timeout_s)
    finally:
        await wire.aclose()


def exchange(answer: bytes, *, timeout_s: float = 5.0, silent: bool = False, body: bytes = b"{}") -> RawReply:
    async def main() -> RawReply:
        async with saying(answer, silent=silent) as (url, _):
            return await posted(url, timeout_s=timeout_s, body=body)

    return asyncio.run(main())


def with_length(body: bytes, *headers: bytes) -> bytes:
    return b"".join([OK, *(header + b"\r\n" for header in headers), b"content-length: %d\r\n\r\n" % len(body), body])


def test_a_reply_comes_back_whole_with_lower_case_headers() -> None:
    raw = exchange(with_length(b"hello", b"X-Request-ID: Abc"))

    assert (raw.status, raw.body, raw.headers["x-request-id"]) == (200, b"hello", "Abc")
    assert 0 <= raw.latency_s < 5


def test_a_bad_status_is_a_reply_too() -> None:
    assert exchange(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy").status == 503


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_returned_and_never_followed(status: int) -> None:
    async def main() -> tuple[RawReply, list[bytes]]:
        async with saying(with_length(b"{}")) as (elsewhere, heard_elsewhere):
            move = f"HTTP/1.1 {status} Moved\r\nlocation: {elsewhere}/\r\ncontent-length: 0\r\n\r\n"
            async with saying(move.encode()) as (url, _):
                return await posted(url), heard_elsewhere

    raw, heard_elsewhere = asyncio.run(main())
    assert raw.status == status
    assert heard_elsewhere == []


def test_a_compressed_reply_is_read() -> None:
    assert exchange(with_length(gzip.compress(b"hello"), b"content-encoding: gzip")).body == b"hello"


def test_a_gzip_bomb_is_a_typed_failure() -> None:
    bomb = gzip.compress(b"\0" * (LARGEST_BODY + 1), 1)

    with pytest.raises(TransportFailure, match="longer than 32 MiB"):
        exchange(with_length(bomb, b"content-encoding: gzip"))


def test_a_reply_of_exactly_the_bound_is_read() -> None:
    largest = gzip.compress(b"\0" * LARGEST_BODY, 1)

    assert len(exchange(with_length(largest, b"content-encoding: gzip")).body) == LARGEST_BODY


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="hangs up at once"),
        pytest.param(b"\x00\xff\x13 nonsense\r\n\r\n", id="no http"),
        pytest.param(OK + b"x: " + b"a" * 300_000 + b"\r\n\r\n", id="300 KB header"),
        pytest.param(OK + b"x: a\r\n" * 5000 + b"\r\n", id="5000 headers"),
        pytest.param(OK + b"content-length: 100\r\n\r\nshort", id="cut body"),
        pytest.param(OK + b"content-length: -1\r\n\r\n", id="negative length"),
        pytest.param(OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nfoo", id="broken chunk"),
        pytest.param(OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhel", id="cut chunk"),
        pytest.param(with_length(b"not gzip at all", b"content-encoding: gzip"), id="broken gzip"),
    ],
)
def test_a_broken_connection_is_a_typed_failure_that_tells_no_key(answer: bytes) -> None:
    with pytest.raises(TransportFailure) as caught:
        exchange(answer)

    failure = caught.value
    assert failure.sent
    assert failure.__cause__ is None
    assert failure.__context__ is None
    told = "".join(traceback.format_exception(failure)) + repr(failure)
    assert KEY not in told


def test_a_connection_that_is_refused_never_carried_the_request() -> None:
    async def main() -> None:
        async with saying(b"") as (url, _):
            pass
        await posted(url)

    with pytest.raises(ConnectionFailed) as caught:
        asyncio.run(main())
    assert not caught.value.sent
    assert caught.value.__context__ is None
    assert str(caught.value).endswith("/path: cannot connect (Connection refused)")


def test_a_name_that_is_not_known_is_said_so() -> None:
    with pytest.raises(ConnectionFailed, match=r"cannot connect \([A-Z][a-z ,-]+\)") as caught:
        asyncio.run(posted("https://no-such-host.invalid"))
    assert not caught.value.sent


def test_the_deadline_covers_the_whole_attempt() -> None:
    with pytest.raises(AttemptTimedOut, match=r"0\.05 s") as caught:
        exchange(b"", timeout_s=0.05, silent=True)
    assert caught.value.sent


def test_a_body_that_drips_meets_the_deadline_too() -> None:
    """Each byte that arrives does not begin the deadline anew."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"content-length: 100000\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.005)

    async def main() -> None:
        async with served(drip) as (url, _):
            await posted(url, timeout_s=0.1)

    with pytest.raises(AttemptTimedOut):
        asyncio.run(main())


def test_a_large_request_is_sent_without_a_warning() -> None:
    assert exchange(with_length(b"{}"), body=b"x" * (2**20 + 1)).status == 200


def test_cancelling_passes_through() -> None:
    async def main() -> None:
        arrived, over = asyncio.Event(), asyncio.Event()

        async def wait(writer: asyncio.StreamWriter) -> None:
            arrived.set()
            await over.wait()
            writer.write(b"")

        async with served(wait) as (url, _):
            task = asyncio.create_task(posted(url))
            await arrived.wait()
            task.cancel()
            over.set()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_the_wire_opens_anew_after_closing() -> None:
    async def main() -> list[int]:
        async with saying(with_length(b"{}")) as (url, _):
            wire = Wire(Address.of(url), "", headers={}, clock=SystemClock())
            statuses = []
            for _ in range(2):
                statuses.append((await wire.post(b"{}", timeout_s=5)).status)
                await wire.aclose()
            return statuses

    assert asyncio.run(main()) == [200, 200]


def test_the_wire_shows_no_key() -> None:
    wire = Wire(Address.of("https://example.org"), "/x", headers={"authorization": KEY}, clock=SystemClock())

    assert repr(wire) == "<Wire to https://example.org/x>"


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "schlüssel", "\x00"])
def test_a_key_that_cannot_be_one_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(UserError, match="OPENAI_API_KEY holds no usable key") as caught:
        checked_key(key, source="OPENAI_API_KEY")
    assert not key.strip() or key not in str(caught.value)


def test_a_key_may_have_space_around_it() -> None:
    assert checked_key(" sk-1\n", source="here") == "sk-1"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.example.org/v1/", "https://api.example.org/v1"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://proxy.localhost", "http://proxy.localhost"),
        ("HTTPS://Example.org", "https://Example.org"),
    ],
)
def test_an_address_is_shown_plainly(text: str, url: str) -> None:
    assert str(Address.of(text)) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.example.org/v1",
        "ftp://example.org",
        "https://",
        "https://example.org:99999",
        "https://example.org:port",
        "https://[::1",
        "https://example.org/?api-key=hunter2",
        "https://example.org/#hunter2",
        "https://me:hunter2@example.org/v1",
        "https://hunter2@example.org",
        "http://example.org/v1",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://0.0.0.0:8000",
        "https://exa\tmple.org",
        "https://example.org/a b",
        "https://example.org\r\nhost: hunter2",
    ],
)
def test_an_address_that_cannot_be_meant_is_one_line_without_secrets(text: str) -> None:
    with pytest.raises(UserError) as caught:
        Address.of(text)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_lookalike_is_not_within_a_domain() -> None:
    assert Address.of("https://eu.api.openai.com/v1").within("api.openai.com")
    assert not Address.of("https://api.openai.com.evil.example").within("api.openai.com")
    assert not Address.of("https://notapi.openai.com").within("api.openai.com")
