"""Ugly texts in replies: stored as they came and read back, or refused as a typed failure; never a crash.

Half surrogate pairs, NUL, line separators, NaN, numbers of thousands of digits, a hundred thousand brackets: whatever a
server sends under a good status, in either dialect, through the whole engine and its journal.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, Events, Price, Request, SmeltError
from engine.errors import RequestFailed, UnreadableReply
from engine.fakes import virtual_time
from engine.journal import Journal
from engine.messages import RawReply, Reply
from engine.providers import Capabilities, Reading
from engine.providers.anthropic import read_message
from engine.providers.openai import read_completion

FREE = Price(input=0, output=0)
HELLO = Request.user("hello", max_tokens=10)
DEEP = 100_000

Write = Callable[[str], bytes]
"""A whole reply around what JSON writes for the text, quotation marks included."""


def openai(content: str) -> bytes:
    usage = '{"prompt_tokens": 5, "completion_tokens": 5}'
    choice = f'{{"index": 0, "message": {{"role": "assistant", "content": {content}}}, "finish_reason": "stop"}}'
    return f'{{"model": "m", "choices": [{choice}], "usage": {usage}}}'.encode("utf-8", "surrogatepass")


def anthropic(content: str) -> bytes:
    usage = '{"input_tokens": 5, "output_tokens": 5}'
    blocks = f'[{{"type": "text", "text": {content}}}]'
    told = f'{{"model": "m", "content": {blocks}, "stop_reason": "end_turn", "usage": {usage}}}'
    return told.encode("utf-8", "surrogatepass")


DIALECTS: dict[str, tuple[Write, Callable[..., Reading]]] = {
    "openai": (openai, read_completion),
    "anthropic": (anthropic, read_message),
}


class Parrot:
    """Says one thing, and reads it as its dialect does."""

    name = "test/m"
    endpoint = "nowhere"
    simulated = False
    capabilities = Capabilities()

    def __init__(self, dialect: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._read = DIALECTS[dialect][1]
        self._raw = RawReply(200, headers or {}, body, 0.1)
        self.sent = 0

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - it always says the same
        self.sent += 1
        return self._raw

    def read(self, request: Request, raw: RawReply) -> Reading:
        return self._read(request, raw, model="m")

    async def aclose(self) -> None:
        pass


def asked(parrot: Parrot) -> Reply | SmeltError:
    """What came of asking, seen by everybody who looks on; asked twice, the journal answers or nobody does."""

    async def main() -> Reply | SmeltError:
        events, told = Events(), list[str]()
        events.subscribe(lambda event: told.append(repr(event)))
        async with Engine(parrot, price=FREE, events=events) as engine:
            ends: list[Reply | SmeltError] = []
            for _ in range(2):
                try:
                    ends.append(await engine.ask(HELLO))
                except SmeltError as error:
                    ends.append(error)
            bodies = {entry.raw.body for entry in engine._opened().entries() if entry.raw is not None}
        assert bodies <= {parrot._raw.body}
        assert "\x1b" not in "".join(told)
        first, second = ends
        assert isinstance(second, Reply) == isinstance(first, Reply)
        if isinstance(first, Reply):
            assert parrot.sent == 1
            assert isinstance(second, Reply)
            assert (second.texts, second.from_journal) == (first.texts, True)
        return first

    return virtual_time.run(main())


def is_a_text(text: str) -> bool:
    """Whether it can be written to a file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


UGLY = st.text(
    st.one_of(
        st.characters(), st.characters(categories=["Cs", "Cc", "Cf"]), st.sampled_from("\x00\u2028\u2029\ufeff\x1b")
    )
)
dialects = pytest.mark.parametrize("dialect", DIALECTS)


@dialects
@settings(max_examples=50)
@given(text=UGLY, is_escaped=st.booleans())
@pytest.mark.long
def test_any_text_is_read_as_it_was_written_or_refused(dialect: str, text: str, is_escaped: bool) -> None:
    end = asked(Parrot(dialect, DIALECTS[dialect][0](json.dumps(text, ensure_ascii=is_escaped))))

    if is_a_text(text):
        assert isinstance(end, Reply)
        assert end.text == text
    else:
        assert isinstance(end, UnreadableReply)


HARD = {
    "deep lists": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "never closed": "[" * DEEP,
    "a long number": "9" * 5_000,
    "a long fraction": "0." + "9" * 5_000,
    "beyond all doubles": "1e999",
    "not a number": "NaN",
    "infinity": "-Infinity",
    "half a pair": '"\\ud800"',
    "the other half": '"\\udc00 \\ud800"',
    "a raw half": '"\ud83d"',
    "a raw NUL": '"a\x00b"',
    "a raw line end": '"a\nb"',
    "nothing": "",
    "null": "null",
}


@dialects
@pytest.mark.parametrize("hard", HARD)
@pytest.mark.parametrize("place", ["content", "elsewhere", "instead"])
def test_what_is_hard_to_read_is_read_or_refused_wherever_it_stands(dialect: str, hard: str, place: str) -> None:
    """In the place of the text, of a field that nobody reads, or of the whole body."""
    whole = DIALECTS[dialect][0]
    bodies = {
        "content": whole(HARD[hard]),
        "elsewhere": whole('"good"').replace(b'"model": "m"', b'"x": %b' % HARD[hard].encode("utf-8", "surrogatepass")),
        "instead": HARD[hard].encode("utf-8", "surrogatepass"),
    }

    end = asked(Parrot(dialect, bodies[place]))

    if isinstance(end, Reply):
        assert end.text in {"good", ""}
    else:
        assert isinstance(end, RequestFailed)
        assert str(end).isprintable()


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**5_000], ids=["large", "small", "5,000 digits"])
@pytest.mark.parametrize("field", ["max_tokens", "n", "seed", "sample"])
def test_a_request_with_a_number_that_nobody_can_store_is_refused_in_one_line(field: str, number: int) -> None:
    with pytest.raises(SmeltError, match=f"{field} must be") as refused:
        Request.user("hello", **{field: number})  # type: ignore[arg-type]

    assert "\n" not in str(refused.value)


HEADERS = st.dictionaries(st.sampled_from(["content-type", "x-request-id", "x-ratelimit-a", "cookie"]), UGLY)


@settings(max_examples=25)
@given(
    replies=st.lists(st.tuples(st.binary(), HEADERS, UGLY, UGLY.map(lambda text: text.encode("utf-8", "replace")))),
    on_disk=st.booleans(),
)
def test_whatever_came_is_stored_and_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    replies: list[tuple[bytes, dict[str, str], str, bytes]],
    on_disk: bool,
) -> None:
    path = tmp_path_factory.mktemp("hygiene") / "journal.db" if on_disk else None

    async def store(path: Path | None) -> None:
        async with await Journal.open(path) as journal:
            for number, (body, headers, tag, request) in enumerate(replies):
                attempt = await journal.intend(key(number), bound=1, tag=tag, request=request)
                await journal.settle(attempt, raw=RawReply(200, headers, body, 0.5), cost=1, assumed=False)
            check(journal)
        if path is not None:
            async with await Journal.open(path) as journal:
                check(journal)

    def check(journal: Journal) -> None:
        entries = list(journal.entries())
        for number, (body, headers, _, request) in enumerate(replies):
            stored = journal.find(key(number))
            assert stored is not None
            assert stored.raw.body == body
            assert entries[number].request == request
            kept = {name: text for name, text in headers.items() if name != "cookie" and is_a_text(text)}
            assert stored.raw.headers.items() >= kept.items()
            assert all(map(is_a_text, itertools.chain(*stored.raw.headers.items())))

    asyncio.run(store(path))


def key(number: int) -> bytes:
    return number.to_bytes(8, "little") * 4


def test_what_could_not_be_read_when_it_came_is_read_by_a_better_reader_for_nothing(tmp_path: Path) -> None:
    """A body that no reader of today takes for a reply is kept, and asked of tomorrow's."""

    class Better(Parrot):
        def read(self, request: Request, raw: RawReply) -> Reading:
            return super().read(request, replace(raw, body=openai('"hello"')) if raw.body == b"{hello" else raw)

    async def ask(parrot: Parrot) -> Reply:
        async with Engine(parrot, price=FREE, journal=tmp_path / "journal.db", attempt_timeout_s=1) as engine:
            return await engine.ask(HELLO)

    async def store() -> None:
        async with await Journal.open(tmp_path / "journal.db") as journal:
            asked = HELLO.identity(asked_of="test/m at nowhere")
            attempt = await journal.intend(asked, bound=7, tag="")
            await journal.settle(attempt, raw=RawReply(200, {}, b"{hello", 0.1), cost=7, assumed=True, answers=False)

    asyncio.run(store())
    better = Better("openai", b"never sent")
    reply = asyncio.run(ask(better))

    assert (reply.text, reply.from_journal, reply.cost_usd, better.sent) == ("hello", True, 0.0, 0)


def test_headers_that_are_no_text_lose_no_reply() -> None:
    parrot = Parrot("openai", openai('"hello"'), {"x-request-id": "caf\udce9", "x-ratelimit-limit-requests": "\udcff"})

    end = asked(parrot)

    assert isinstance(end, Reply)
    assert end.text == "hello"
