"""Replies that mean harm, through a real socket: bounded in memory, a typed end, nothing drawn, nothing told."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
import unicodedata
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Request, SmeltError
from engine.clock import SystemClock
from engine.dashboard.lines import PlainLines
from engine.dashboard.view import View
from engine.errors import UnreadableReply
from engine.events import Noted
from engine.messages import RawReply
from engine.providers import Reading, TransportFailure
from engine.providers.anthropic import Anthropic, read_message
from engine.providers.http import LARGEST_BODY
from engine.providers.openai import OpenAI, read_completion
from engine.providers.profile import profile_named
from engine.verdict import classify, classify_unreadable
from tests.engine.pictures import HOSTILE

KEY = "sk-very-secret-0123456789"
ASKED = Request.user("x", max_tokens=10)
MEBIBYTE = 2**20
MUCH = 128 * MEBIBYTE
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"

End = Reading | SmeltError | TransportFailure

PROVIDERS: dict[str, Callable[[str], OpenAI | Anthropic]] = {
    "openai": lambda url: OpenAI("m", base_url=url, api_key=KEY, clock=SystemClock()),
    "azure": lambda url: OpenAI("m", base_url=url, api_key=KEY, clock=SystemClock(), profile=profile_named("azure")),
    "anthropic": lambda url: Anthropic("m", base_url=url, api_key=KEY, clock=SystemClock()),
}


@asynccontextmanager
async def saying(head: bytes, pieces: Callable[[], Iterator[bytes]]) -> AsyncIterator[str]:
    """A server that answers everybody with the same head and pieces, as far as they are taken."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + b"\r\n")
            for piece in pieces():
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass  # the client has had enough, as it should
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def end_of(
    head: bytes, pieces: Callable[[], Iterator[bytes]], *, dialect: str = "openai", timeout_s: float = 20.0
) -> End:
    """What becomes of a request that is answered so."""

    async def main() -> End:
        async with saying(head, pieces) as url:
            provider = PROVIDERS[dialect](url)
            try:
                raw = await provider.send(ASKED, timeout_s=timeout_s)
                verdict = classify(raw)
                return provider.read(ASKED, raw) if verdict is None else verdict.error()
            except (TransportFailure, SmeltError) as error:
                return error
            finally:
                await provider.aclose()

    return asyncio.run(main())


def squeezed(kind: str) -> list[bytes]:
    """A gigantic reply of blanks, in very few bytes."""
    if kind == "br":
        brotli = pytest.importorskip("brotli", reason="without it no server sends this encoding")
        squeezer = brotli.Compressor(quality=1)
        return [*(squeezer.process(b" " * MEBIBYTE) for _ in range(MUCH // MEBIBYTE)), squeezer.finish()]
    packer = zlib.compressobj(1, wbits=31 if kind == "gzip" else 15)
    return [*(packer.compress(b" " * MEBIBYTE) for _ in range(MUCH // MEBIBYTE)), packer.flush()]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_bomb_goes_off_in_nobodys_memory(encoding: str) -> None:
    """128 MiB in a fraction of one: not more of it is unpacked than a reply may have."""
    pieces = squeezed(encoding)

    tracemalloc.start()
    end = end_of(OK + b"connection: close\r\ncontent-encoding: " + encoding.encode() + b"\r\n", lambda: iter(pieces))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(end, TransportFailure)
    assert peak < 2.5 * LARGEST_BODY


@pytest.mark.parametrize("told", [b"content-length: 104857600\r\n", b"connection: close\r\n"], ids=["told", "not told"])
def test_a_hundred_megabytes_are_not_read(told: bytes) -> None:
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * MEBIBYTE

    tracemalloc.start()
    end = end_of(OK + told, pieces)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(end, TransportFailure)
    assert "longer than 32 MiB" in str(end)
    assert taken < 50
    assert peak < 2.5 * LARGEST_BODY


def told_by(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": message}}).encode()


NASTY = {
    "escape and bidi": HOSTILE,
    "markup": "[bold red]x[/] [/x] [link=http://evil.example]y[/link]",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "many lines": "a\nb\r\nc\x85d\u2028e" * 1000,
    "the key": f"Incorrect API key provided: {KEY}. And base64 of it.",
    "zero widths": "p\u200ba\u200cy\u200dp\u2060al\ufeff",
    "half a character": "\ud800",
}


def drawn(text: str) -> str:
    """As a line in a terminal or a log."""
    view = View.of((), title="t", model="m", simulated=False)
    return PlainLines().line(Noted(text), view, None) or ""


@pytest.mark.parametrize("dialect", PROVIDERS)
@pytest.mark.parametrize("status", [400, 401, 429, 500, 200])
@pytest.mark.parametrize("nasty", NASTY)
def test_what_a_refusal_says_is_one_harmless_line(nasty: str, status: int, dialect: str) -> None:
    body = told_by(NASTY[nasty])
    head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nx-request-id: {KEY}\r\n".encode()

    end = end_of(head, lambda: iter([body]), dialect=dialect)

    assert isinstance(end, SmeltError)
    for text in (str(end), drawn(str(end))):
        assert is_harmless(text)
        assert KEY not in text


def is_harmless(text: str) -> bool:
    unseen = {unicodedata.category(letter) for letter in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return len(text) <= 320 and not unseen


def test_where_a_redirect_leads_is_told_harmlessly_and_not_gone() -> None:
    head = (
        b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: https://evil.example/\x1b]8;;x?k="
        + KEY.encode()
        + b"\r\n"
    )

    end = end_of(head, lambda: iter([]))

    assert isinstance(end, SmeltError | TransportFailure)
    assert KEY not in str(end)
    assert is_harmless(str(end))


HARD_JSON = {
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"error":' * 100_000,
    "deep and closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "not a number": b'{"choices": NaN, "content": NaN}',
    "bad utf-8": b'{"choices": "\xff\xfe\xc3(", "content": "\xed\xa0\x80"}',
    "html": b"<!doctype html><title>[bold]Bad gateway\x1b[2J</title>",
    "a million keys": b"{" + b",".join(b'"%d":0' % number for number in range(200_000)) + b"}",
    "long number": b'{"choices": ' + b"9" * 100_000 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("hard", HARD_JSON)
def test_a_body_that_is_hard_to_read_has_a_typed_end(hard: str, status: int, dialect: str) -> None:
    body = HARD_JSON[hard]

    end = end_of(
        f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n".encode(), lambda: iter([body]), dialect=dialect
    )

    assert isinstance(end, SmeltError)
    assert is_harmless(str(end))


TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\x00\x1b\u202e\u2066\u200b[]<>/{}\"'\\")))
NAMES = st.sampled_from(
    ["error", "message", "code", "type", "detail", "details", "choices", "content", "usage", "finish_reason", "text"]
)
LEAVES = st.none() | st.booleans() | st.floats() | st.integers() | TEXTS
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES | TEXTS, inner), max_leaves=12)
BODIES = st.binary() | VALUES.map(lambda value: json.dumps(value).encode())
ADVICE = ["retry-after", "retry-after-ms", "x-should-retry", "location", "x-ratelimit-reset-tokens"]


def problem_with(raw: RawReply, read: Callable[..., Reading]) -> str:
    """Why it is no reply, in words; nothing when it is one."""
    try:
        texts = read(ASKED, raw, model="m").texts
    except UnreadableReply as error:
        return classify_unreadable(str(error)).message
    return "" if all(isinstance(text, str) for text in texts) else "\x00"


@settings(max_examples=150, deadline=None)
@given(
    status=st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 413, 422, 429, 500, 503, 529, 999]),
    body=BODIES,
    headers=st.dictionaries(st.sampled_from(ADVICE), TEXTS),
)
def test_whatever_comes_ends_as_a_reading_or_as_a_harmless_failure(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    raw = RawReply(status, headers, body, 0.1)

    verdict = classify(raw)

    if verdict is None:
        assert is_harmless(problem_with(raw, read_completion))
        assert is_harmless(problem_with(raw, read_message))
    else:
        assert is_harmless(verdict.message)
        assert verdict.delay_s is None or 0 <= verdict.delay_s <= 86_400
