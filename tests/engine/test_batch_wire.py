"""Both batch dialects over a socket: the official SDKs read our fake, our border reads what it is sent, or worse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

import anthropic
import openai
import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Batch, FileObject

from engine.clock import SystemClock
from engine.fakes.batches import BatchBehaviour
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import SIMULATED_HEADER, RawReply, Request
from engine.providers import anthropic_batches, openai_batches
from engine.providers.anthropic import Anthropic
from engine.providers.anthropic_body import body_under as anthropic_body
from engine.providers.batches import BatchEndpoint, CallFailed, LineReply, Look
from engine.providers.openai import OpenAI
from engine.providers.openai_body import body_under as openai_body
from engine.providers.profile import profile_of, profiles
from engine.providers.sdk_calls import lines_of
from engine.verdict import Kind

KEY = "sk-not-anybody-s-key-1234567890"
DIALECTS = pytest.mark.parametrize("dialect", ["openai", "anthropic"])


def endpoint_of(dialect: str, url: str, *, key: str | None = KEY) -> BatchEndpoint:
    if dialect == "openai":
        return OpenAI("m", base_url=url, api_key=key, clock=SystemClock()).batches()
    return Anthropic("m", base_url=url, api_key=key, clock=SystemClock()).batches()


async def sent(endpoint: BatchEndpoint, texts: Sequence[str], *, name: str = "name") -> str:
    """A batch of these texts; its id."""
    asked = enumerate(Request.user(text, max_tokens=50) for text in texts)
    lines = [endpoint.line(request, ident=f"{name}-{number}") for number, request in asked]
    file = await endpoint.upload(lines, name=name) if endpoint.uploads else None
    return await endpoint.create(name=name, file=file, lines=lines)


async def ended(endpoint: BatchEndpoint, batch: str) -> Look:
    while (look := await endpoint.look(batch)).state == "running":  # noqa: ASYNC110 - there is nothing else to wait for
        await asyncio.sleep(0.01)
    return look


async def all_of(endpoint: BatchEndpoint, batch: str, look: Look) -> dict[str, LineReply]:
    async with aclosing(endpoint.results(batch, look)) as results:
        return {reply.ident: reply async for reply in results}


def with_fake(work: Callable[[FakeProvider], Coroutine[Any, Any, None]], **behaviour: Any) -> FakeProvider:
    """Do something with a fake provider whose batches behave so."""

    async def main() -> FakeProvider:
        async with FakeProvider(EchoWorld(), api_key=KEY, batches=BatchBehaviour(**behaviour)) as fake:
            await work(fake)
        return fake

    return asyncio.run(main())


def with_server(
    answer: Callable[[web.BaseRequest], web.StreamResponse], work: Callable[[str], Awaitable[None]]
) -> None:
    """Do something with a server that answers every call so."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        return answer(request)

    async def main() -> None:
        runner = web.ServerRunner(web.Server(handle))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await work(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        finally:
            await runner.cleanup()

    asyncio.run(main())


# -- the official SDKs as judges of the fake


def test_openai_s_own_sdk_uploads_creates_polls_lists_and_reads() -> None:
    async def work(fake: FakeProvider) -> None:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=fake.url, max_retries=0) as sdk:
            bodies = [
                {"model": "m", "messages": [{"role": "user", "content": text}]} for text in ("one", "two", "three")
            ]
            lines = [
                {"custom_id": f"c{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
                for number, body in enumerate([*bodies, {"model": "m", "messages": []}])
            ]
            content = "\n".join(map(json.dumps, lines)).encode()
            file = await sdk.files.create(file=("in.jsonl", content), purpose="batch")
            FileObject.model_validate(file.model_dump(), strict=True)
            assert [each.id async for each in sdk.files.list(purpose="batch")] == [file.id]
            assert (await sdk.files.content(file.id)).content == content

            batch = await sdk.batches.create(
                completion_window="24h", endpoint="/v1/chat/completions", input_file_id=file.id, metadata={"a": "b"}
            )
            while batch.status not in {"completed", "failed", "expired"}:
                Batch.model_validate(batch.model_dump(), strict=True)
                await asyncio.sleep(0.01)
                batch = await sdk.batches.retrieve(batch.id)
            Batch.model_validate(batch.model_dump(), strict=True)
            assert batch.metadata == {"a": "b"}
            assert batch.request_counts is not None
            assert batch.request_counts.model_dump() == {"total": 4, "completed": 3, "failed": 1}
            assert [each.id async for each in sdk.batches.list(limit=1)] == [batch.id]

            assert batch.output_file_id is not None
            told = (await sdk.files.content(batch.output_file_id)).text.splitlines()
            replies = {each["custom_id"]: each for each in map(json.loads, told)}
            for reply in replies.values():
                openai.types.chat.ChatCompletion.model_validate(reply["response"]["body"], strict=False)
            assert replies["c1"]["response"]["body"]["choices"][0]["message"]["content"] == "two"
            assert batch.error_file_id is not None
            (failed,) = map(json.loads, (await sdk.files.content(batch.error_file_id)).text.splitlines())
            assert (failed["custom_id"], failed["response"]["status_code"], failed["error"]) == ("c3", 400, None)

            with pytest.raises(openai.BadRequestError):
                await sdk.batches.cancel(batch.id)
            assert (await sdk.files.delete(file.id)).deleted
            with pytest.raises(openai.NotFoundError):
                await sdk.files.retrieve(file.id)

    fake = with_fake(work, seconds=0.1)

    assert [entry.status for entry in fake.audit.entries if entry.batch] == [200, 200, 200, 400]


@pytest.mark.long
def test_anthropic_s_own_sdk_creates_polls_lists_and_reads() -> None:
    async def work(fake: FakeProvider) -> None:
        url = fake.url.removesuffix("/v1")
        # Its newest version forbids what this one allows; both are served.
        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as sdk:
            asked: list[Any] = [
                {
                    "custom_id": f"c{number}",
                    "params": {"model": "m", "max_tokens": 20, "messages": [{"role": "user", "content": text}]},
                }
                for number, text in enumerate(("one", "two", ""))
            ]
            batch = await sdk.messages.batches.create(requests=asked)
            assert (batch.processing_status, batch.results_url) == ("in_progress", None)
            assert batch.request_counts.processing == 3
            while batch.processing_status != "ended":
                await asyncio.sleep(0.01)
                batch = await sdk.messages.batches.retrieve(batch.id)
            assert (batch.request_counts.succeeded, batch.request_counts.errored) == (2, 1)
            assert [each.id async for each in sdk.messages.batches.list(limit=1)] == [batch.id]

            results = {each.custom_id: each.result async for each in await sdk.messages.batches.results(batch.id)}
            answered, refused = results["c1"], results["c2"]
            assert answered.type == "succeeded"
            assert answered.message.content[0].to_dict() == {"type": "text", "text": "two"}
            assert refused.type == "errored"
            assert refused.error.error.type == "invalid_request_error"
            assert (await sdk.messages.batches.delete(batch.id)).type == "message_batch_deleted"
            with pytest.raises(anthropic.NotFoundError):
                await sdk.messages.batches.retrieve(batch.id)

    with_fake(work, seconds=0.1)


def test_a_batch_that_is_cancelled_says_so_of_what_was_not_run() -> None:
    async def work(fake: FakeProvider) -> None:
        endpoint = endpoint_of("openai", fake.url)
        batch = await sent(endpoint, ["one", "two"])
        async with openai.AsyncOpenAI(api_key=KEY, base_url=fake.url) as sdk:
            assert (await sdk.batches.cancel(batch)).status == "cancelled"
        replies = await all_of(endpoint, batch, await endpoint.look(batch))
        assert {reply.ran for reply in replies.values()} == {False}
        assert {reply.verdict.kind for reply in replies.values() if reply.verdict} == {Kind.TRANSIENT}
        await endpoint.aclose()

    assert with_fake(work, seconds=1000.0).audit.billed == 0


# -- our side of the wire


@DIALECTS
def test_what_is_answered_reads_as_it_does_alone_and_is_billed_at_half(dialect: str) -> None:
    async def work(fake: FakeProvider) -> None:
        endpoint = endpoint_of(dialect, fake.url)
        batch = await sent(endpoint, ["one", "zwei ü", "  \u2028 three"])
        replies = await all_of(endpoint, batch, await ended(endpoint, batch))
        for number, text in enumerate(["one", "zwei ü", "  \u2028 three"]):
            raw = replies[f"name-{number}"].raw
            assert raw is not None
            assert raw.simulated
            provider: Any = {"openai": OpenAI, "anthropic": Anthropic}[dialect]("m", clock=SystemClock())
            assert provider.read(Request.user(text, max_tokens=50), raw).texts == (text,)
        await endpoint.aclose()

    fake = with_fake(work)

    tokens = [(entry.input_tokens, entry.output_tokens) for entry in fake.audit.entries if entry.batch]
    price = EchoWorld().price
    assert fake.audit.billed * 2 == sum(
        given * int(price.input * 10**6) + made * int(price.output * 10**6) for given, made in tokens
    )


@DIALECTS
@pytest.mark.long
def test_a_batch_is_found_by_its_name_among_many_of_the_same_size(dialect: str) -> None:
    async def work(fake: FakeProvider) -> None:
        endpoint = endpoint_of(dialect, fake.url)
        batches = [await sent(endpoint, ["one", "two"], name=f"n{number}") for number in range(101)]  # two pages
        await asyncio.sleep(0.05)
        for number in (0, 100):
            found = await endpoint.find(name=f"n{number}", lines=2, since=0.0)
            assert found == (batches[number], True)
        assert await endpoint.find(name="n999", lines=2, since=0.0) == (None, True)
        assert await endpoint.find(name="n0", lines=2, since=1e12) == (None, True)
        await endpoint.aclose()

    with_fake(work)


def test_while_a_batch_that_may_be_ours_runs_nobody_can_be_sure() -> None:
    async def work(fake: FakeProvider) -> None:
        endpoint = endpoint_of("anthropic", fake.url)
        batch = await sent(endpoint, ["one", "two"], name="ours")
        assert await endpoint.find(name="ours", lines=2, since=0.0) == (None, False)
        assert await endpoint.find(name="ours", lines=3, since=0.0) == (None, True)
        await ended(endpoint, batch)
        assert await endpoint.find(name="ours", lines=2, since=0.0) == (batch, True)
        await endpoint.aclose()

    with_fake(work, seconds=0.1)


@DIALECTS
def test_a_wrong_key_is_told_without_the_key(dialect: str) -> None:
    async def work(fake: FakeProvider) -> None:
        secret = "sk-somebody-s-real-secret-key-42"
        endpoint = endpoint_of(dialect, fake.url, key=secret)
        with pytest.raises(CallFailed) as failed:
            await sent(endpoint, ["one"])
        assert failed.value.verdict.kind is Kind.AUTH
        assert failed.value.verdict.billed is False
        assert failed.value.__context__ is None
        assert secret not in repr(failed.value) + repr(endpoint) + repr(vars(endpoint))
        await endpoint.aclose()

    with_fake(work)


@DIALECTS
def test_a_key_that_comes_back_in_an_answer_is_taken_out(dialect: str) -> None:
    async def work(fake: FakeProvider) -> None:
        endpoint = endpoint_of(dialect, fake.url)
        batch = await sent(endpoint, [f"my key is {KEY}"])
        (reply,) = (await all_of(endpoint, batch, await ended(endpoint, batch))).values()
        assert reply.raw is not None
        assert KEY.encode() not in reply.raw.body
        assert b"my key is [key]" in reply.raw.body
        await endpoint.aclose()

    with_fake(work)


@DIALECTS
def test_where_nobody_listens_nothing_was_sent(dialect: str) -> None:
    async def main() -> None:
        endpoint = endpoint_of(dialect, "http://127.0.0.1:9/v1")
        with pytest.raises(CallFailed) as failed:
            await endpoint.look("batch")
        assert failed.value.verdict.unreached
        assert failed.value.verdict.billed is False
        await endpoint.aclose()

    asyncio.run(main())


@DIALECTS
@pytest.mark.parametrize(
    ("status", "body", "billed"),
    [
        pytest.param(500, b'{"error":{"type":"server_error","message":"oh"}}', None, id="500"),
        pytest.param(502, b"<html>bad gateway</html>", None, id="502"),
        pytest.param(200, b"<html>welcome</html>", None, id="HTML under 200"),
        pytest.param(200, b"[]", None, id="a list"),
        pytest.param(200, b"{}", None, id="an object without an id"),
        pytest.param(429, b'{"error":{"code":"rate_limit_exceeded"}}', False, id="429"),
        pytest.param(307, b"", None, id="a redirect"),
    ],
)
def test_a_creation_counts_as_not_made_only_when_that_is_sure(
    dialect: str, status: int, body: bytes, billed: bool | None
) -> None:
    seen: list[str] = []

    def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.path)
        headers = {"location": "/elsewhere", "content-type": "application/json"}
        return web.Response(status=status, body=body, headers=headers)

    async def work(url: str) -> None:
        endpoint = endpoint_of(dialect, url)
        line = endpoint.line(Request.user("hello"), ident="a-1")
        with pytest.raises(CallFailed) as failed:
            await endpoint.create(name="a", file="file-1", lines=[line])
        assert failed.value.verdict.billed is billed
        await endpoint.aclose()

    with_server(answer, work)

    assert len(seen) == 1
    assert "/elsewhere" not in seen


def test_results_at_another_host_are_not_asked_for() -> None:
    async def main() -> None:
        endpoint = endpoint_of("anthropic", "http://127.0.0.1:9/v1")
        look = Look(state="ended", word="ended", files=("https://elsewhere.example/v1/messages/batches/b/results",))
        with pytest.raises(CallFailed, match="another host"):
            await all_of(endpoint, "b", look)
        await endpoint.aclose()

    asyncio.run(main())


def test_a_file_that_is_not_run_says_what_is_wrong_with_which_line() -> None:
    async def work(fake: FakeProvider) -> None:
        endpoint = endpoint_of("openai", fake.url)
        good = endpoint.line(Request.user("hello"), ident="a-1")
        file = await endpoint.upload([good, b"{", good], name="a")
        look = await endpoint.look(await endpoint.create(name="a", file=file, lines=()))
        assert look.state == "failed"
        assert [(flaw.line, flaw.code) for flaw in look.flaws] == [(2, "invalid_json_line")]
        await endpoint.aclose()

    assert with_fake(work).audit.billed == 0


@DIALECTS
def test_a_line_is_what_goes_out_alone_but_for_the_tier(dialect: str) -> None:
    request = Request.user("hello", system="be kind", max_tokens=9, temperature=0.5, stop=("x",))
    kinds: dict[str, Any] = {"openai": openai_batches, "anthropic": anthropic_batches}
    bodies: dict[str, Any] = {"openai": openai_body, "anthropic": anthropic_body}
    official: Any = {
        "openai": lambda: kinds["openai"].OpenAIBatches(
            url="https://api.openai.com/v1", api_key=KEY, model="m", profile=profiles()["openai"]
        ),
        "anthropic": lambda: kinds["anthropic"].AnthropicBatches(
            url="https://api.anthropic.com", api_key=KEY, model="m", profile=profiles()["anthropic"]
        ),
    }[dialect]()

    told = orjson.loads(official.line(request, ident="a-1"))

    alone = bodies[dialect](profiles()[dialect], request, model="m")
    alone.pop("service_tier")
    assert told["custom_id"] == "a-1"
    assert told.get("body", told.get("params")) == alone


def said_to(dialect: str, table: dict[str, object]) -> tuple[list[web.BaseRequest], bytes]:
    """What a server of that dialect is sent when a batch is made: the requests, and the line."""
    seen: list[web.BaseRequest] = []

    def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request)
        return web.json_response({"id": "it-1"})

    async def work(url: str) -> None:
        kind: Any = OpenAI if dialect == "openai" else Anthropic
        profile = profile_of("mine", {"like": "plain" if dialect == "openai" else "anthropic", **table})
        endpoint = kind("m", base_url=url, api_key=KEY, clock=SystemClock(), profile=profile).batches()
        lines.append(endpoint.line(Request.user("hello", max_tokens=9, stable=5), ident="a-1"))
        file = await endpoint.upload(lines, name="a") if endpoint.uploads else None
        await endpoint.create(name="a", file=file, lines=lines)
        await endpoint.aclose()

    lines: list[bytes] = []
    with_server(answer, work)
    return seen, lines[0]


@pytest.mark.parametrize("auth", ["bearer", "api-key", "x-api-key", "none"])
@DIALECTS
def test_a_key_travels_as_the_dialect_says(dialect: str, auth: str) -> None:
    seen, _ = said_to(dialect, {"auth": auth})

    told = {"bearer": ("authorization", f"Bearer {KEY}"), "none": None}.get(auth, (auth, KEY))
    for request in seen:
        keys = [(name.lower(), text) for name, text in request.headers.items() if KEY in text or "uthoriz" in name]
        assert keys == ([told] if told else [])


def test_fields_version_and_path_of_a_line_are_the_dialect_s() -> None:
    table: dict[str, object] = {"output_cap": "max_new", "send": {"tier": "slow"}, "cache_mark": {"keep": True}}
    _, openai_line = said_to("openai", {**table, "path": "/other/chat?api=1", "cache_from": 1})
    seen, anthropic_line = said_to("anthropic", {**table, "version": "2026-10-21", "path": "/deep/v1/messages"})

    told = orjson.loads(openai_line)
    assert told["url"] == "/v1/other/chat"
    assert told["body"] == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "max_new": 9,
        "tier": "slow",
    }
    params = orjson.loads(anthropic_line)["params"]
    assert (params["max_new"], params["tier"], params["messages"][0]["content"]) == (9, "slow", "hello")
    assert seen[0].headers["anthropic-version"] == "2026-10-21"
    assert seen[0].path == "/deep/v1/messages/batches"


def test_a_line_s_failure_is_read_in_the_server_s_own_words() -> None:
    own = {"odd_code": Kind.FILTERED}
    refused = {"custom_id": "a-1", "response": {"status_code": 400, "body": {"error": {"code": "odd_code"}}}}
    errored = {"type": "errored", "error": {"type": "error", "error": {"type": "odd_code", "message": "no"}}}

    one = openai_batches.read_result((orjson.dumps(refused), False), own=own)
    other = anthropic_batches.read_result((orjson.dumps({"custom_id": "a-1", "result": errored}), False), own=own)

    assert [reply.verdict.kind for reply in (one, other) if reply and reply.verdict] == [Kind.FILTERED] * 2


# -- lines of results, as hostile as they come


async def as_chunks(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(1, 40), max_size=20))
def test_lines_are_the_same_however_the_bytes_arrive(lines: list[bytes], cuts: list[int]) -> None:
    content = b"\n".join(lines)
    chunks, start = [], 0
    for cut in cuts:
        chunks.append(content[start : start + cut])
        start += cut
    chunks.append(content[start:])

    async def main() -> list[bytes]:
        return [line async for line in lines_of(as_chunks(chunks))]

    assert asyncio.run(main()) == [line for line in content.split(b"\n") if line.strip()]


def test_a_line_without_an_end_is_passed_over_in_bounded_memory() -> None:
    chunks = [b"good\n", b"x" * 8, b"x" * 8, b"x" * 8 + b"\nfine"]

    async def main() -> list[bytes]:
        return [line async for line in lines_of(as_chunks(chunks), longest=10)]

    assert asyncio.run(main()) == [b"good", b"fine"]


def told_by_openai(status: int, body: object) -> bytes:
    return json.dumps({"custom_id": "a-1", "response": {"status_code": status, "body": body}, "error": None}).encode()


OPENAI_LINES: list[tuple[bytes, object]] = [
    (b"no JSON", None),
    (b"[]", None),
    (b'{"custom_id": 7}', None),
    (b'{"custom_id": "a-1"}', Kind.TRANSIENT),
    (b'{"custom_id": "a-1", "response": null, "error": {"code": "batch_expired", "message": "late"}}', Kind.TRANSIENT),
    (told_by_openai(0, None), Kind.TRANSIENT),
    (told_by_openai(429, {"error": {"code": "slow_down"}}), Kind.RATE),
    (told_by_openai(400, {"error": {"code": "content_filter"}}), Kind.FILTERED),
    (told_by_openai(200, "text"), 200),
    (told_by_openai(200, {"half a pair": "\ud800"}), 200),
]


@pytest.mark.parametrize(("line", "expected"), OPENAI_LINES)
def test_a_line_of_openai_s_results_is_a_reply_a_verdict_or_nothing(line: bytes, expected: object) -> None:
    check(openai_batches.read_result((line, False)), expected)


def errored(kind: str, message: str = "x") -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return json.dumps({"custom_id": "a-1", "result": {"type": "errored", "error": error}}).encode()


ANTHROPIC_LINES: list[tuple[bytes, object]] = [
    (b"", None),
    (b'{"custom_id": null}', None),
    (b'{"custom_id": "a-1"}', Kind.TRANSIENT),
    (b'{"custom_id": "a-1", "result": {"type": "expired"}}', Kind.TRANSIENT),
    (b'{"custom_id": "a-1", "result": {"type": "canceled"}}', Kind.TRANSIENT),
    (errored("api_error"), Kind.TRANSIENT),
    (errored("overloaded_error"), Kind.OVERLOAD),
    (errored("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), Kind.CONTEXT),
    (b'{"custom_id": "a-1", "result": {"type": "succeeded", "message": {"id": "m"}}}', 200),
]


@pytest.mark.parametrize(("line", "expected"), ANTHROPIC_LINES)
def test_a_line_of_anthropic_s_results_is_a_reply_a_verdict_or_nothing(line: bytes, expected: object) -> None:
    check(anthropic_batches.read_result((line, False)), expected)


def check(reply: LineReply | None, expected: object) -> None:
    if expected is None:
        assert reply is None
        return
    assert reply is not None
    assert (reply.raw is None) != (reply.verdict is None)
    if reply.raw is not None:
        assert (reply.raw.status, SIMULATED_HEADER in reply.raw.headers) == (expected, False)
    if reply.verdict is not None:
        assert (reply.verdict.kind, reply.verdict.billed) == (expected, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["status", "errors", "request_counts", "output_file_id", "id", "results_url",
                                     "processing_status", "created_at"]), JSON)
)  # fmt: skip
def test_a_batch_object_of_any_shape_is_read_without_falling_over(told: dict[str, Any]) -> None:
    for look in (openai_batches.read_batch(told), anthropic_batches.read_batch(told)):
        assert look.state in {"running", "ended", "failed"}


@given(st.dictionaries(st.sampled_from(["response", "error", "result"]), JSON))
def test_a_line_of_any_shape_is_never_taken_for_an_answer_that_it_is_not(told: dict[str, Any]) -> None:
    line = json.dumps({"custom_id": "a-1", **told}).encode()
    for reply in (openai_batches.read_result((line, True)), anthropic_batches.read_result((line, True))):
        assert reply is not None
        assert reply.raw is None or isinstance(reply.raw, RawReply)
        assert (reply.raw is None) != (reply.verdict is None)
